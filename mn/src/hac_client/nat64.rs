//! A HAC that has IPv4 addresses, seen from a network without IPv4: the addresses that stand for them there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::HacClient;
use super::candidate::{Candidate, bounded};
use crate::nat64::Prefixes;

/// How long a run that has no other way waits until networks have been asked for their NAT64.
const PATIENCE: Duration = Duration::from_secs(3);

impl HacClient {
    /// Where no route leads to IPv4, behind each IPv4 address those that stand for it.
    pub(super) async fn through_nat64(&self, candidates: Vec<Candidate>) -> Vec<Candidate> {
        let Some(first) = candidates.iter().map(|candidate| candidate.address).find(SocketAddr::is_ipv4) else {
            return candidates;
        };
        if has_route(first, self.fwmark).await {
            return candidates;
        }
        let has_another = candidates.iter().any(|candidate| candidate.address.is_ipv6());
        let prefixes = if has_another { self.nat64.prefixes() } else { self.nat64.clone().settled(PATIENCE).await };
        self.memory().preferring_last_good(embedded(&candidates, &prefixes))
    }

    /// The HAC's own address, for its certificate, where `connected_to` is one of those that stand for `candidates`.
    pub(super) fn own_address(&self, connected_to: IpAddr, candidates: &[Candidate]) -> IpAddr {
        let IpAddr::V6(connected_to) = connected_to else { return connected_to };
        let prefixes = self.nat64.prefixes();
        let stands_for = |ip: &Ipv4Addr| prefixes.embed_everywhere(*ip).contains(&connected_to);
        let own = candidates.iter().filter_map(|candidate| ip4(candidate.address)).find(stands_for);
        own.map_or(IpAddr::V6(connected_to), IpAddr::V4)
    }
}

fn embedded(candidates: &[Candidate], prefixes: &Prefixes) -> Vec<Candidate> {
    let through = |candidate: &Candidate| {
        let found: Vec<Ipv6Addr> = ip4(candidate.address).map(|ip| prefixes.embed_everywhere(ip)).unwrap_or_default();
        let Candidate { address, priority } = *candidate;
        found.into_iter().map(move |ip| Candidate { address: SocketAddr::new(ip.into(), address.port()), priority })
    };
    bounded(candidates.iter().flat_map(|candidate| std::iter::once(*candidate).chain(through(candidate))).collect())
}

fn ip4(address: SocketAddr) -> Option<Ipv4Addr> {
    if let IpAddr::V4(ip) = address.ip() { Some(ip) } else { None }
}

/// Whether the kernel knows a way there, past the tunnel.
async fn has_route(to: SocketAddr, mark: u32) -> bool {
    match net::marked::bind_udp((Ipv4Addr::UNSPECIFIED, 0).into(), mark, None) {
        Ok(socket) => socket.connect(to).await.is_ok(),
        // What is wrong with the mark is said when the connection is made.
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use protocol::nat64::Nat64Prefix;

    use super::*;

    #[test]
    fn behind_each_ipv4_address_stand_those_that_stand_for_it_with_the_same_priority() {
        let candidate = |priority, address: &str| Candidate { address: address.parse().unwrap(), priority };
        let prefix = |text: &str| Nat64Prefix::new(text.parse().unwrap(), 96).unwrap();
        let prefixes = Prefixes::new([(3, prefix("2001:db8:64::")), (4, prefix("2001:db8:65::")), (5, prefix("2001:db8:64::"))]);
        let found = [candidate(1, "192.0.2.33:7872"), candidate(2, "[2001:db8::1]:7872"), candidate(2, "192.0.2.34:7873")];
        assert_eq!(
            embedded(&found, &prefixes),
            [
                candidate(1, "192.0.2.33:7872"),
                candidate(1, "[2001:db8:64::c000:221]:7872"),
                candidate(1, "[2001:db8:65::c000:221]:7872"),
                candidate(2, "[2001:db8::1]:7872"),
                candidate(2, "192.0.2.34:7873"),
                candidate(2, "[2001:db8:64::c000:222]:7873"),
                candidate(2, "[2001:db8:65::c000:222]:7873"),
            ]
        );
    }
}
