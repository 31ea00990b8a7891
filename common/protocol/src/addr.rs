//! Addresses by their role, so that a home address is never passed where a care-of address is meant (RFC 6275 section 3.2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One home address of a mobile node: what correspondents send to, wherever the node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HomeAddress(pub IpAddr);

/// Where a mobile node is attached now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CareOfAddress(pub IpAddr);

/// The home addresses that one security association belongs to: one of a family, at least one in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HomeAddresses {
    ip6: Option<Ipv6Addr>,
    ip4: Option<Ipv4Addr>,
}

impl HomeAddresses {
    /// `None` when neither family is given.
    pub fn new(ip6: Option<Ipv6Addr>, ip4: Option<Ipv4Addr>) -> Option<Self> {
        (ip6.is_some() || ip4.is_some()).then_some(Self { ip6, ip4 })
    }

    /// The IPv6 home address, if the node has one.
    pub fn ip6(&self) -> Option<Ipv6Addr> {
        self.ip6
    }

    /// The IPv4 home address, if the node has one.
    pub fn ip4(&self) -> Option<Ipv4Addr> {
        self.ip4
    }

    /// Each home address.
    pub fn iter(&self) -> impl Iterator<Item = HomeAddress> {
        let ip6 = self.ip6.map(|ip| HomeAddress(IpAddr::V6(ip)));
        let ip4 = self.ip4.map(|ip| HomeAddress(IpAddr::V4(ip)));
        ip6.into_iter().chain(ip4)
    }

    /// Whether `address` is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.iter().any(|home| home.0 == address)
    }

    /// The address that stands for the node in Mobility Headers: the IPv6 one, or the IPv4 one as `::ffff:a.b.c.d`.
    pub fn in_mobility_header(&self) -> Ipv6Addr {
        in_mobility_header(self.ip6, self.ip4)
    }
}

/// The addresses and port that the HAC told the mobile node of its home agent (RFC 6618 sections 5.7.1 and 5.7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HomeAgentAddresses {
    ip6: Option<Ipv6Addr>,
    ip4: Option<Ipv4Addr>,
    port: u16,
}

impl HomeAgentAddresses {
    /// `None` when neither family is given or the port is 0.
    pub fn new(ip6: Option<Ipv6Addr>, ip4: Option<Ipv4Addr>, port: u16) -> Option<Self> {
        ((ip6.is_some() || ip4.is_some()) && port != 0).then_some(Self { ip6, ip4, port })
    }

    /// `mip6-haa-ip6`.
    pub fn ip6(&self) -> Option<Ipv6Addr> {
        self.ip6
    }

    /// `mip6-haa-ip4`.
    pub fn ip4(&self) -> Option<Ipv4Addr> {
        self.ip4
    }

    /// The UDP port, `mip6-port`.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The home agent's address of the family of `like`, if it has one.
    pub fn of_family(&self, like: IpAddr) -> Option<IpAddr> {
        match like {
            IpAddr::V6(_) => self.ip6.map(IpAddr::V6),
            IpAddr::V4(_) => self.ip4.map(IpAddr::V4),
        }
    }

    /// The address that stands for the home agent in Mobility Header checksums, whatever the outer addresses are.
    pub fn in_mobility_header(&self) -> Ipv6Addr {
        in_mobility_header(self.ip6, self.ip4)
    }
}

fn in_mobility_header(ip6: Option<Ipv6Addr>, ip4: Option<Ipv4Addr>) -> Ipv6Addr {
    ip6.or(ip4.map(|ip| ip.to_ipv6_mapped())).unwrap_or(Ipv6Addr::UNSPECIFIED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_only_node_stands_in_mobility_headers_as_a_mapped_address() {
        let home = HomeAddresses::new(None, Some(Ipv4Addr::new(10, 9, 0, 2))).unwrap();
        assert_eq!(home.in_mobility_header(), "::ffff:10.9.0.2".parse::<Ipv6Addr>().unwrap());
    }

    #[test]
    fn a_node_without_any_home_address_cannot_be_expressed() {
        assert!(HomeAddresses::new(None, None).is_none());
        assert!(HomeAgentAddresses::new(None, Some(Ipv4Addr::LOCALHOST), 0).is_none());
    }
}
