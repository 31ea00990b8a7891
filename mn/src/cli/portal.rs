//! `mn portal`: opens the window for a login, and waits until the node is registered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use service::config::Located;
use service::control::{self, Request};

use super::{CliError, socket, start_with};
use crate::captive_portal::{LONGEST, Window};
use crate::config::Config;
use crate::status::{SCHEMA, Status, is_served};

const POLL: Duration = Duration::from_millis(300);

pub(super) async fn run(config: &Located<Config>, json: bool) -> Result<(), CliError> {
    let ask = async |request| control::ask(&socket(config), &Request::new(request), &start_with(config)).await;
    let opened = ask("portal").await?;
    if json {
        println!("{opened}");
        return Ok(());
    }
    say(&opened);
    let begun = Instant::now();
    while begun.elapsed() < LONGEST {
        tokio::time::sleep(POLL).await;
        if is_served(ask("status").await?["state"].as_str().unwrap_or_default()) {
            println!("registered after {} s: the window is closed", begun.elapsed().as_secs());
            return Ok(());
        }
    }
    Err(CliError::Portal(format!(
        "not registered after {} s, and the window is closed: see `mn status`, and open it again with `mn portal`",
        LONGEST.as_secs()
    )))
}

fn say(opened: &Value) {
    let text = |name: &str| opened[name].as_str().unwrap_or_default().to_owned();
    let (proxy, url) = (text("proxy"), text("url"));
    if opened["noticed"] == false {
        println!("no login was noticed; if this network wants one all the same, any page without TLS should lead to it");
    }
    println!("the window is open for {} s at most, until the node is registered:", LONGEST.as_secs());
    println!("  proxy   http://{proxy}");
    println!("  login   {url}");
    println!("Open the login in a browser that uses this proxy, a window of its own, such as");
    println!("  chromium --user-data-dir=$(mktemp -d) --proxy-server=http://{proxy} {url}");
    println!("Everything else stays behind the tunnel. Waiting for the login ...");
}

/// What the running node answers: it has opened the window.
///
/// # Errors
/// No login is wanted, or there is no port.
pub(super) async fn answer(status: &Status, window: &Arc<Window>) -> Result<Value, String> {
    match status.state.as_str() {
        state if is_served(state) => return Err("the node is registered: no login is wanted".to_owned()),
        "detached" => return Err("there is no network: connect to the one that wants a login first".to_owned()),
        "leaving" => return Err("the node is going down: start it again with `mn up`".to_owned()),
        _ => {}
    }
    let proxy =
        window.open().await.map_err(|error| format!("cannot listen on loopback: {error}; is `lo` up (`ip link set lo up`)?"))?;
    let noticed = status.captive_portal.as_ref();
    let url = noticed.map_or_else(|| window.any_page(), |portal| portal.url.clone());
    Ok(json!({ "schema": SCHEMA, "proxy": proxy.to_string(), "url": url, "noticed": noticed.is_some() }))
}
