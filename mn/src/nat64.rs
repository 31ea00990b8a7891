//! Networks without IPv4 that reach it through a NAT64: what stands there for an IPv4 address, and how that is found out.
//!
//! | what | from where |
//! |---|---|
//! | `discovery` | the task, once somebody wants it: kernel events, what routers advertise (RFC 8781), look-ups when they are due |
//! | `table` | what is known of each interface, and until when; pure |
//! | `look_up` | one question for `ipv4only.arpa` to the network's own name servers (RFC 7050), over that interface alone |
//!
//! A home agent with an IPv6 address is reached by that; the HAC's and the home agent's IPv4 addresses are reached through the prefix of
//! the interface that a packet leaves by ([`Reach`]).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use protocol::addr::HomeAgentAddresses;
use protocol::nat64::Nat64Prefix;

mod discovery;
mod look_up;
mod table;

pub use discovery::{Found, Watch, start};

/// The NAT64s' prefixes that are known, by the interface that each holds for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefixes(Arc<[(u32, Nat64Prefix)]>);

impl Prefixes {
    /// Interface and prefix; of several for one interface the first is used first.
    pub fn new(known: impl IntoIterator<Item = (u32, Nat64Prefix)>) -> Self {
        Self(known.into_iter().collect())
    }

    /// What stands for `ip` on `interface`, if anything does.
    pub fn embed(&self, interface: u32, ip: Ipv4Addr) -> Option<Ipv6Addr> {
        self.0.iter().filter(|(index, _)| *index == interface).find_map(|(_, prefix)| prefix.embed(ip))
    }

    /// What stands for `ip` on any interface, each once.
    pub fn embed_everywhere(&self, ip: Ipv4Addr) -> Vec<Ipv6Addr> {
        let mut found = Vec::new();
        for address in self.0.iter().filter_map(|(_, prefix)| prefix.embed(ip)) {
            if !found.contains(&address) {
                found.push(address);
            }
        }
        found
    }

    /// The prefix on `interface` that `address` has, if it stands for an IPv4 address there.
    pub fn prefix_of(&self, interface: u32, address: IpAddr) -> Option<Nat64Prefix> {
        let IpAddr::V6(address) = address else { return None };
        let is_of = |(index, prefix): &&(u32, Nat64Prefix)| *index == interface && prefix.embedded_in(address).is_some();
        self.0.iter().find(is_of).map(|(_, prefix)| *prefix)
    }
}

/// Where a home agent is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Its own addresses.
    pub home_agent: HomeAgentAddresses,
    /// What stands for the IPv4 one.
    pub nat64: Prefixes,
}

impl Reach {
    /// The home agent's address that `care_of` on `interface` sends to: one of its own, or what stands there for the IPv4 one.
    pub fn seen_from(&self, interface: u32, care_of: IpAddr) -> Option<IpAddr> {
        let embedded = || self.nat64.embed(interface, self.home_agent.ip4().filter(|_| care_of.is_ipv6())?).map(IpAddr::V6);
        self.home_agent.of_family(care_of).or_else(embedded)
    }

    /// Whether that is through a NAT64.
    pub fn is_through_nat64(&self, interface: u32, care_of: IpAddr) -> bool {
        self.home_agent.of_family(care_of).is_none() && self.seen_from(interface, care_of).is_some()
    }

    /// Where routes of `interface` have to lead, IPv6 first.
    pub fn targets(&self, interface: u32) -> [Option<IpAddr>; 2] {
        [Ipv6Addr::UNSPECIFIED.into(), Ipv4Addr::UNSPECIFIED.into()].map(|family| self.seen_from(interface, family))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Nat64Prefix {
        Nat64Prefix::new(text.parse().unwrap(), 96).unwrap()
    }

    fn reach(ip6: Option<&str>, ip4: Option<&str>) -> Reach {
        let home_agent = HomeAgentAddresses::new(ip6.map(|ip| ip.parse().unwrap()), ip4.map(|ip| ip.parse().unwrap()), 7872);
        Reach {
            home_agent: home_agent.unwrap(),
            nat64: Prefixes::new([(3, prefix("2001:db8:64::")), (4, prefix("2001:db8:65::"))]),
        }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_home_agent_with_ipv4_alone_is_reached_by_the_prefix_of_the_interface_and_one_with_ipv6_by_its_own() {
        let (care_of6, care_of4) = (ip("2001:db8:1::2"), ip("198.51.100.2"));
        let only_ip4 = reach(None, Some("203.0.113.2"));
        assert_eq!(only_ip4.seen_from(3, care_of6), Some(ip("2001:db8:64::cb00:7102")));
        assert_eq!(only_ip4.seen_from(4, care_of6), Some(ip("2001:db8:65::cb00:7102")));
        assert_eq!(only_ip4.seen_from(5, care_of6), None);
        assert_eq!(only_ip4.seen_from(3, care_of4), Some(ip("203.0.113.2")));
        assert_eq!(only_ip4.targets(3), [Some(ip("2001:db8:64::cb00:7102")), Some(ip("203.0.113.2"))]);
        assert_eq!(reach(Some("2001:db8:f::2"), Some("203.0.113.2")).seen_from(3, care_of6), Some(ip("2001:db8:f::2")));
        assert_eq!(reach(Some("2001:db8:f::2"), None).seen_from(3, care_of4), None);
        let through = [3, 5].map(|interface| only_ip4.is_through_nat64(interface, care_of6));
        assert_eq!((through, only_ip4.is_through_nat64(3, care_of4)), ([true, false], false));
    }

    #[test]
    fn an_address_is_taken_for_translated_on_the_interface_of_its_prefix_alone() {
        let Reach { nat64, .. } = reach(None, Some("203.0.113.2"));
        let embedded = ip("2001:db8:64::cb00:7102");
        assert_eq!(nat64.prefix_of(3, embedded), Some(prefix("2001:db8:64::")));
        assert_eq!((nat64.prefix_of(4, embedded), nat64.prefix_of(3, ip("203.0.113.2"))), (None, None));
    }

    #[test]
    fn of_two_prefixes_the_first_that_may_stand_for_the_address_is_used() {
        let both = Prefixes::new([(3, prefix("64:ff9b::")), (3, prefix("2001:db8:64::"))]);
        assert_eq!(both.embed(3, [203, 0, 113, 2].into()), "2001:db8:64::cb00:7102".parse().ok(), "not global");
        assert_eq!(both.embed(3, [8, 8, 8, 8].into()), "64:ff9b::808:808".parse().ok());
        assert_eq!(both.embed_everywhere([8, 8, 8, 8].into()).len(), 2);
    }
}
