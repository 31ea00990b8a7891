//! The private networks that this host is attached to, which need no tunnel: a printer, a router's own pages, a virtual machine.
//!
//! A network may claim any addresses as its own (TunnelCrack), so only those count that are nobody's on the Internet, and only
//! as an interface's address has them: a route says nothing, whoever gave it (TunnelVision, CVE-2024-3661).

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use net::netlink::{Address, Link};

/// More networks than this are not looked at: each costs a rule and a route.
pub const MAX_NETWORKS: usize = 64;
/// A wider network than this is no local one: it would take in what others number privately, behind the tunnel too.
const WIDEST4: u8 = 16;
const WIDEST6: u8 = 48;

/// Addresses that are nobody's on the Internet: RFC 1918, RFC 4193.
const PRIVATE4: [(Ipv4Addr, u8); 3] =
    [(Ipv4Addr::new(10, 0, 0, 0), 8), (Ipv4Addr::new(172, 16, 0, 0), 12), (Ipv4Addr::new(192, 168, 0, 0), 16)];
const PRIVATE6: (Ipv6Addr, u8) = (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7);
/// Addresses of every link: RFC 3927, RFC 4291.
const LINK4: (Ipv4Addr, u8) = (Ipv4Addr::new(169, 254, 0, 0), 16);
const LINK6: (Ipv6Addr, u8) = (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10);

/// A network behind an interface.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocalNetwork {
    /// Its prefix.
    pub prefix: IpNet,
    /// The interface's name.
    pub interface: String,
}

/// What the addresses of interfaces other than `own` say, in order, each once.
pub fn list(links: &[Link], addresses: &[Address], own: u32) -> Vec<LocalNetwork> {
    let of = |address: &Address| {
        let link = links.iter().find(|link| link.index == address.interface)?;
        let prefix = address.address.trunc();
        let counts = link.index != own && !link.loopback && is_plain(&link.name) && is_private(&prefix);
        counts.then(|| LocalNetwork { prefix, interface: link.name.clone() })
    };
    let mut networks: Vec<_> = addresses.iter().filter_map(of).collect();
    networks.sort();
    networks.dedup();
    networks.truncate(MAX_NETWORKS);
    networks
}

/// The prefixes that are on every link.
pub fn of_every_link() -> [IpNet; 2] {
    [IpNet::V4(Ipv4Net::new_assert(LINK4.0, LINK4.1)), IpNet::V6(Ipv6Net::new_assert(LINK6.0, LINK6.1))]
}

fn is_private(prefix: &IpNet) -> bool {
    match prefix {
        IpNet::V4(prefix) => {
            let mut ranges = PRIVATE4.into_iter().map(|(network, length)| Ipv4Net::new_assert(network, length));
            prefix.prefix_len() >= WIDEST4 && ranges.any(|range| range.contains(prefix))
        }
        IpNet::V6(prefix) => {
            let range = Ipv6Net::new_assert(PRIVATE6.0, PRIVATE6.1);
            prefix.prefix_len() >= WIDEST6 && range.contains(prefix)
        }
    }
}

/// A name that a rule can have without quoting; the kernel allows stranger ones.
fn is_plain(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.@".contains(c))
}

#[cfg(test)]
mod tests {
    use net::netlink::Scope;

    use super::*;

    fn link(index: u32, name: &str) -> Link {
        Link { index, name: name.to_owned(), up: true, carrier: true, loopback: name == "lo", mtu: 1500 }
    }

    fn address(interface: u32, address: &str) -> Address {
        let address = address.parse().unwrap();
        Address {
            interface,
            address,
            scope: Scope::Global,
            tentative: false,
            deprecated: false,
            dad_failed: false,
            temporary: false,
            permanent: true,
        }
    }

    fn prefixes(addresses: &[&str]) -> Vec<String> {
        let addresses: Vec<_> = addresses.iter().map(|text| address(3, text)).collect();
        list(&[link(3, "wifi")], &addresses, 9).into_iter().map(|network| network.prefix.to_string()).collect()
    }

    #[test]
    fn private_networks_of_an_interfaces_addresses_are_local_each_once() {
        let found = prefixes(&["192.168.1.7/24", "192.168.1.8/24", "10.1.2.3/16", "172.31.0.1/20", "fd00:1::7/64"]);
        assert_eq!(found, ["10.1.0.0/16", "172.31.0.0/20", "192.168.1.0/24", "fd00:1::/64"]);
    }

    #[test]
    fn what_is_anybodys_on_the_internet_or_too_wide_is_not_local_whoever_claims_it() {
        let claims = ["8.8.8.5/24", "198.51.100.2/24", "172.32.0.1/16", "192.168.0.1/15", "10.0.0.5/8", "192.0.0.1/8"];
        assert_eq!(prefixes(&claims), <[&str; 0]>::default());
        assert_eq!(prefixes(&["2001:db8:1::2/64", "fd00::1/16", "::1/0", "fe80::1/64"]), <[&str; 0]>::default());
    }

    #[test]
    fn the_tunnels_own_device_loopback_and_names_that_are_no_words_do_not_count() {
        let links = [link(1, "lo"), link(2, "mn0"), link(3, "a\"b"), link(4, "docker0")];
        let addresses = [1, 2, 3, 4].map(|index| address(index, "172.17.0.1/16"));
        let found = list(&links, &addresses, 2);
        assert_eq!(found, [LocalNetwork { prefix: "172.17.0.0/16".parse().unwrap(), interface: "docker0".to_owned() }]);
    }

    #[test]
    fn there_is_a_bound() {
        let addresses: Vec<_> = (0..200).map(|third| address(3, &format!("10.9.{third}.1/24"))).collect();
        assert_eq!(list(&[link(3, "wifi")], &addresses, 9).len(), MAX_NETWORKS);
    }
}
