//! One question for the name that has IPv4 addresses alone (RFC 7050 section 3), to the network's own name servers, by the interface that
//! it is about, past the tunnel.

use std::time::Duration;

use protocol::nat64::{IPV4_ONLY_NAME, Nat64Prefix};
use tokio::time::Instant;

use super::table::Answer;
use crate::dns::NameServers;
use crate::hac_client::Resolver;

/// For the whole look-up: a run of MHAuth may wait for it.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How long a refusal holds that does not say it.
const NOTHING_FOR: Duration = Duration::from_secs(600);

/// Asks the name servers of the network by the interface of this name; queries carry `mark`.
pub(super) async fn ask(servers: &NameServers, mark: u32, interface: &str) -> Answer {
    let resolver = Resolver::on_interface(servers, mark, interface).await;
    match resolver.ipv6_answer(IPV4_ONLY_NAME, Instant::now() + TIMEOUT).await {
        Ok((addresses, time)) => {
            let prefixes = Nat64Prefix::of_answer(&addresses);
            if prefixes.is_empty() {
                Answer::Nothing(time.unwrap_or(NOTHING_FOR))
            } else {
                Answer::Found(prefixes, time.unwrap_or(NOTHING_FOR))
            }
        }
        Err(_) => Answer::Unanswered,
    }
}
