//! Finds where the HAC may be reached (RFC 6618 section 5.4; `docs/why/discovery.md`): at the configured addresses, or else
//! where DNS says for its name: an SRV record, and without one the name's own addresses.
//!
//! Nothing that is found here says who the HAC is: its certificate must have the configured name, whatever DNS says.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;
use net::marked::source_towards;
use tokio::time::Instant;

use super::candidate::{self, Candidate, Service};
use super::resolver::{Nothing, Resolver};
use crate::dns::NameServers;

/// The HAC's TCP port (profile section 1) where neither the configuration nor DNS names another.
pub const DEFAULT_PORT: u16 = 7872;

/// What stands before the HAC's name in the query for SRV records.
const SERVICE: &str = "_mipv6tls._tcp";

/// All look-ups of a run together.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(5);
/// The part of it that the SRV query may take: the name's own addresses must still be found where it gets no answer.
const SRV_TIMEOUT: Duration = Duration::from_millis(2500);
/// The most targets whose addresses are asked for.
const MAX_TARGETS: usize = 8;

/// What the configuration says of where the HAC is.
#[derive(Clone, Debug)]
pub struct Whereabouts {
    /// Its name, or an address.
    pub name: String,
    /// Its TCP port. Naming one means that no SRV record is asked for.
    pub port: Option<u16>,
    /// Where to connect; empty: the name is looked up.
    pub addresses: Vec<IpAddr>,
}

/// Why no place was found where the HAC may be.
#[derive(Debug, thiserror::Error)]
#[error("cannot find the HAC {name}: {problem}")]
pub struct DiscoveryError {
    name: String,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    /// The SRV record's target is `.` (RFC 2782): the service is decidedly not available.
    NotOffered { record: String },
    /// The name servers say that there is nothing by that name.
    NothingThere { what: &'static str, asked: String, servers: String },
    /// There was no answer of use.
    NoAnswer { asked: String, servers: String, reason: String },
}

impl DiscoveryError {
    /// Whether DNS gave no answer, so that what it said before may still be so.
    pub(super) fn is_unanswered(&self) -> bool {
        matches!(self.problem, Problem::NoAnswer { .. })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOffered { record } => write!(
                f,
                "DNS says by its SRV record {record} that this service is not offered there: correct `name` in [hac], ask the \
                 HAC's operator, or list its `addresses` there"
            ),
            Self::NothingThere { what, asked, servers } => {
                write!(f, "{what} (asked for {asked} at {servers}): correct `name` in [hac], or list the HAC's `addresses` there")
            }
            Self::NoAnswer { asked, servers, reason } => write!(
                f,
                "the look-up failed: {reason} (asked for {asked} at {servers}); check the network and /etc/resolv.conf, or list the \
                 HAC's `addresses` in [hac]"
            ),
        }
    }
}

impl Whereabouts {
    /// Where the HAC may be, in the order in which it is tried; never empty. Look-ups carry `mark` and take 5 s at most.
    ///
    /// # Errors
    /// DNS has no place, or does not answer.
    pub(super) async fn find(&self, servers: &NameServers, mark: u32) -> Result<Vec<Candidate>, DiscoveryError> {
        let port = self.port.unwrap_or(DEFAULT_PORT);
        let literal = self.name.parse().ok();
        let at = |ip| Candidate { address: SocketAddr::new(ip, port), priority: 0 };
        if !self.addresses.is_empty() {
            // The order that somebody wrote down is the one that he wants.
            return Ok(candidate::bounded(self.addresses.iter().copied().map(at).collect()));
        }
        if let Some(ip) = literal {
            return Ok(vec![at(ip)]);
        }
        let resolver = Resolver::of_system(servers, mark).await;
        let found = self.look_up(&resolver, mark).await;
        found.map_err(|problem| DiscoveryError { name: self.name.clone(), problem })
    }

    async fn look_up(&self, resolver: &Resolver, mark: u32) -> Result<Vec<Candidate>, Problem> {
        let now = Instant::now();
        let deadline = now + LOOK_UP_TIMEOUT;
        // Who gives the name an address on this host means that address.
        let asks_for_service = self.port.is_none() && resolver.in_hosts(&self.name).is_empty();
        let mut asked = Vec::new();
        if asks_for_service {
            let record = format!("{SERVICE}.{}", self.name);
            match resolver.services(&record, now + SRV_TIMEOUT).await {
                Ok(services) => return targets(resolver, &record, services, deadline, mark).await,
                Err(Nothing::UnknownName | Nothing::Empty) => asked.push(format!("SRV {record}")),
                Err(Nothing::Unanswered(reason)) => {
                    tracing::info!(record, reason, "no answer about the HAC's SRV record: its name's own addresses are tried");
                    asked.push(format!("SRV {record} ({reason})"));
                }
            }
        }
        asked.push(format!("AAAA and A {}", self.name));
        let port = self.port.unwrap_or(DEFAULT_PORT);
        let found = resolver
            .addresses(&self.name, deadline)
            .await
            .map_err(|nothing| problem(nothing, "DNS has no address for it", &asked, resolver))?;
        let candidates = found.into_iter().map(|ip| Candidate { address: SocketAddr::new(ip, port), priority: 0 });
        Ok(candidate::interleaved(candidates.collect(), |ip| source_towards(ip, mark)))
    }
}

/// The addresses of the targets that `record` names.
async fn targets(
    resolver: &Resolver,
    record: &str,
    services: Vec<Service>,
    deadline: Instant,
    mark: u32,
) -> Result<Vec<Candidate>, Problem> {
    let mut services = candidate::by_weight(offered(services), &mut rand::rng());
    services.truncate(MAX_TARGETS);
    if services.is_empty() {
        return Err(Problem::NotOffered { record: record.to_owned() });
    }
    let found = join_all(services.iter().map(|service| resolver.addresses(&service.target, deadline))).await;
    let (mut candidates, mut failures) = (Vec::new(), Vec::new());
    for (service, found) in services.iter().zip(found) {
        let at = |ip| Candidate { address: SocketAddr::new(ip, service.port), priority: service.priority };
        match found {
            Ok(addresses) => candidates.extend(addresses.into_iter().map(at)),
            Err(nothing) => failures.push(nothing),
        }
    }
    if candidates.is_empty() {
        let mut asked = vec![format!("SRV {record}")];
        asked.extend(services.iter().map(|service| format!("AAAA and A {}", service.target.trim_end_matches('.'))));
        let unanswered = failures.iter().find(|nothing| matches!(nothing, Nothing::Unanswered(_)));
        let nothing = unanswered.cloned().unwrap_or(Nothing::Empty);
        return Err(problem(nothing, "its SRV record names no host that has an address", &asked, resolver));
    }
    Ok(candidate::interleaved(candidates, |ip| source_towards(ip, mark)))
}

/// Without those that say that the service is not there (RFC 2782: the target `.`) or that cannot be.
fn offered(services: Vec<Service>) -> Vec<Service> {
    services.into_iter().filter(|service| service.target != "." && service.port != 0).collect()
}

fn problem(nothing: Nothing, no_address: &'static str, asked: &[String], resolver: &Resolver) -> Problem {
    let (asked, servers) = (asked.join(", "), resolver.servers().to_string());
    match nothing {
        Nothing::UnknownName => Problem::NothingThere { what: "DNS has no such name", asked, servers },
        Nothing::Empty => Problem::NothingThere { what: no_address, asked, servers },
        Nothing::Unanswered(reason) => Problem::NoAnswer { asked, servers, reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(target: &str, port: u16) -> Service {
        Service { priority: 0, weight: 0, port, target: target.to_owned() }
    }

    /// Without privileges no socket could be marked: nothing is looked up here.
    #[tokio::test]
    async fn configured_addresses_are_taken_in_their_order_and_an_address_as_name_is_not_looked_up() {
        let found = async |name: &str, port, addresses: &[&str]| {
            let addresses = addresses.iter().map(|ip| ip.parse().unwrap()).collect();
            let found =
                Whereabouts { name: name.to_owned(), port, addresses }.find(&NameServers::beside("mn0"), 7872).await.unwrap();
            found.iter().map(|candidate| candidate.address.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(found("h.example.org", None, &["192.0.2.1", "2001:db8::1"]).await, ["192.0.2.1:7872", "[2001:db8::1]:7872"]);
        assert_eq!(found("h.example.org", Some(443), &["192.0.2.1", "192.0.2.1"]).await, ["192.0.2.1:443"]);
        assert_eq!(found("2001:db8::1", None, &[]).await, ["[2001:db8::1]:7872"]);
        assert_eq!(found("192.0.2.9", Some(443), &["192.0.2.1"]).await, ["192.0.2.1:443"]);
    }

    #[test]
    fn a_target_that_is_the_root_or_has_port_zero_offers_nothing() {
        assert_eq!(offered(vec![service(".", 7872)]), []);
        let offered = offered(vec![service("a.example.org.", 0), service("b.example.org.", 443), service(".", 1)]);
        assert_eq!(offered, [service("b.example.org.", 443)]);
    }
}
