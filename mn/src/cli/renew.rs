//! `mn renew`: asks the running node for a new security association, and waits until it is registered under it.

use std::time::{Duration, Instant};

use serde_json::Value;
use service::config::Located;
use service::control::{self, Request};

use super::{CliError, socket, start_with};
use crate::config::Config;
use crate::status::is_served;

/// One run of MHAuth and one registration take a second; a HAC that does not answer is given up after this.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

pub(super) async fn run(config: &Located<Config>) -> Result<(), CliError> {
    let ask = async |request| control::ask(&socket(config), &Request::new(request), &start_with(config)).await;
    let before = ask("renew").await?;
    if before["state"] == "leaving" {
        return Err(CliError::NotRenewed("the node is going down: start it again with `mn up`".to_owned()));
    }
    let asked = Instant::now();
    let mut status = before.clone();
    while asked.elapsed() < PATIENCE {
        tokio::time::sleep(POLL).await;
        status = ask("status").await?;
        if status["spi"] != before["spi"] && is_served(status["state"].as_str().unwrap_or_default()) {
            println!("renewed: registered under {}, before it was {}", spi(&status), spi(&before));
            return Ok(());
        }
        if status["last_error"] != before["last_error"] && status["last_error"].is_string() {
            break;
        }
    }
    let why = status["last_error"].as_str().map_or_else(|| format!("it is {}", status["state"]), ToOwned::to_owned);
    Err(CliError::NotRenewed(format!("not renewed; the old keys stay in use, and the node goes on trying: {why}")))
}

fn spi(status: &Value) -> String {
    status["spi"].as_u64().map_or_else(|| "none".to_owned(), |spi| format!("SPI 0x{spi:07x}"))
}
