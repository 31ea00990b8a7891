//! `mn down`: asks the running node to leave; when none runs, takes back what a crash has left.

use std::time::{Duration, Instant};

use net::netlink::Netlink;
use service::config::Located;
use service::control::{self, ControlError, Request};

use super::{CliError, socket, start_with};
use crate::config::Config;
use crate::dns;
use crate::leak_guard::LeakGuard;
use crate::routes::Routes;

/// De-registration takes three Binding Updates at most; then the node stops in any case.
const PATIENCE: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(20);

pub(super) async fn run(config: &Located<Config>) -> Result<(), CliError> {
    match control::ask(&socket(config), &Request::new("down"), &start_with(config)).await {
        Ok(_) => wait_until_gone(config).await,
        Err(ControlError::NotRunning { .. }) => clean_up(config).await,
        Err(error) => Err(error.into()),
    }
}

async fn wait_until_gone(config: &Located<Config>) -> Result<(), CliError> {
    let asked = Instant::now();
    while socket(config).exists() {
        if asked.elapsed() > PATIENCE {
            return Err(CliError::NotUp(format!(
                "the node has not stopped within {} s; end its process, then run `mn down` once more",
                PATIENCE.as_secs()
            )));
        }
        tokio::time::sleep(POLL).await;
    }
    look_what_is_left(config).await?;
    println!("down: de-registered, routes, rules and device are as before");
    Ok(())
}

/// A node that ends by an error meanwhile leaves its guard, and name servers that cannot be put back stay.
async fn look_what_is_left(config: &Located<Config>) -> Result<(), CliError> {
    let guard = LeakGuard::new(config.guard.clone(), config.tunnel.clone());
    // Who cannot look has no table, or may not.
    let guard = guard.is_standing().await.unwrap_or(false).then_some("its leak guard");
    let dns = dns::is_left(&config.tunnel).then_some("name servers that it had set");
    let left: Vec<_> = guard.into_iter().chain(dns).collect();
    if left.is_empty() {
        return Ok(());
    }
    Err(CliError::NotUp(format!("the node has ended and left {}; run `mn down` once more", left.join(" and "))))
}

async fn clean_up(config: &Located<Config>) -> Result<(), CliError> {
    let routes = Routes::new(Netlink::connect()?, config.tunnel.clone());
    let (rules, left) = routes.clean_up().await?;
    // A resolver that refuses keeps nobody behind a guard whose node is gone.
    let dns = dns::clean_up(&config.tunnel).await;
    let had_dns = matches!(dns, Ok(true));
    // Last: as long as it stands, nothing leaves in the clear.
    let guard = LeakGuard::new(config.guard.clone(), config.tunnel.clone()).take_down().await?;
    // A socket that nobody serves any more is the last trace of a crash.
    let _gone = std::fs::remove_file(socket(config));
    let guard = if guard { " and the leak guard" } else { "" };
    match (rules, left) {
        (0, 0) if had_dns => println!("down: the node was not running; put the name servers back that it had replaced"),
        (0, 0) if guard.is_empty() && dns.is_ok() => println!("down: the node was not running and had left nothing behind"),
        _ => println!("down: the node was not running; took back {rules} rules, {left} routes{guard} that it had left"),
    }
    Ok(dns.map(drop)?)
}
