//! What mobile nodes may say to the home agent's host itself: ICMP echo and DNS, nothing else unless its configuration opens
//! it. An exit-point asks for each inner packet, so that the programs on a gateway are not open to every node that has a tunnel.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::wire::ip::InnerPacket;

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
const DNS_PORT: u16 = 53;
const IPV6_HEADER: usize = 40;
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION_OPTIONS: u8 = 60;

/// The host's own addresses, outer and inner, and what may be said to them. Copies share the addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// From first to last, in order, apart from each other.
    own: Arc<[(IpAddr, IpAddr)]>,
    services: bool,
}

impl Guard {
    /// For a host to which the kernel delivers what goes to `own`; with none everything passes.
    pub fn new(own: impl IntoIterator<Item: Into<IpNet>>) -> Self {
        let nets = own.into_iter().map(Into::into);
        let mut ranges: Vec<_> = nets.map(|net: IpNet| (net.network(), net.broadcast())).collect();
        ranges.sort_unstable();
        let mut apart: Vec<(IpAddr, IpAddr)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match apart.last_mut() {
                Some(before) if first <= before.1 => before.1 = before.1.max(last),
                _ => apart.push((first, last)),
            }
        }
        Self { own: apart.into(), services: false }
    }

    /// Opens everything that the host serves; a routing header still leads nowhere.
    #[must_use]
    pub fn with_services(self) -> Self {
        Self { services: true, ..self }
    }

    /// Whether `packet`, whose header is `inner`, may pass.
    pub fn allows(&self, inner: &InnerPacket, packet: &[u8]) -> bool {
        if !self.is_own(inner.destination) {
            true
        } else if self.services {
            inner.destination.is_ipv4() || has_routing_header(packet) == Some(false)
        } else {
            upper_layer(inner, packet).is_some_and(|(protocol, octets)| is_allowed(protocol, octets))
        }
    }

    fn is_own(&self, address: IpAddr) -> bool {
        let behind = self.own.partition_point(|(first, _)| *first <= address);
        self.own[..behind].last().is_some_and(|(_, last)| address <= *last)
    }
}

/// Of an IPv6 packet; `None` where its headers do not end within it.
fn has_routing_header(packet: &[u8]) -> Option<bool> {
    let (mut header, mut at) = (*packet.get(6)?, IPV6_HEADER);
    loop {
        let len = match header {
            HOP_BY_HOP | DESTINATION_OPTIONS => 8 * (usize::from(*packet.get(at + 1)?) + 1),
            FRAGMENT => 8,
            _ => return Some(header == ROUTING),
        };
        header = *packet.get(at)?;
        at += len;
    }
}

/// Protocol and octets behind the IP header. A later fragment has none; behind an extension header nothing is looked for.
fn upper_layer<'a>(inner: &InnerPacket, packet: &'a [u8]) -> Option<(u8, &'a [u8])> {
    match inner.destination {
        IpAddr::V6(_) => Some((*packet.get(6)?, packet.get(IPV6_HEADER..)?)),
        IpAddr::V4(_) => {
            let header_len = usize::from(packet.first()? & 0x0f) * 4;
            let fragment_offset = u16::from_be_bytes([*packet.get(6)?, *packet.get(7)?]) & 0x1fff;
            (fragment_offset == 0).then_some((*packet.get(9)?, packet.get(header_len..)?))
        }
    }
}

fn is_allowed(protocol: u8, octets: &[u8]) -> bool {
    match (protocol, octets) {
        (ICMP, [kind, ..]) => matches!(kind, 0 | 8),
        (ICMPV6, [kind, ..]) => matches!(kind, 128 | 129),
        (TCP | UDP, [_, _, high, low, ..]) => u16::from_be_bytes([*high, *low]) == DNS_PORT,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    fn packet(destination: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
        match destination {
            IpAddr::V6(ip) => {
                let mut packet = vec![0x60, 0, 0, 0, 0, payload.len() as u8, protocol, 64];
                packet.extend(Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 7).octets());
                packet.extend(ip.octets());
                packet.extend(payload);
                packet
            }
            IpAddr::V4(ip) => {
                let mut packet = vec![0x45, 0, 0, 20 + payload.len() as u8, 0, 0, 0, 0, 64, protocol, 0, 0];
                packet.extend(Ipv4Addr::new(10, 9, 0, 7).octets());
                packet.extend(ip.octets());
                packet.extend(payload);
                packet
            }
        }
    }

    fn guard() -> Guard {
        Guard::new(["2001:db8:100::1", "10.9.0.1"].map(|ip| ip.parse::<IpAddr>().unwrap()))
    }

    fn allowed_by(guard: &Guard, destination: &str, protocol: u8, payload: &[u8]) -> bool {
        let packet = packet(destination.parse().unwrap(), protocol, payload);
        guard.allows(&InnerPacket::parse(&packet).unwrap(), &packet)
    }

    fn allowed(destination: &str, protocol: u8, payload: &[u8]) -> bool {
        allowed_by(&guard(), destination, protocol, payload)
    }

    #[test]
    fn echo_and_dns_reach_the_home_agent_and_ssh_does_not() {
        for (ip, icmp, echo) in [("2001:db8:100::1", ICMPV6, 128), ("10.9.0.1", ICMP, 8)] {
            assert!(allowed(ip, icmp, &[echo, 0, 0, 0]));
            assert!(allowed(ip, UDP, &[0x30, 0, 0, 53, 0, 8, 0, 0]) && allowed(ip, TCP, &[0x30, 0, 0, 53]));
            assert!(!allowed(ip, TCP, &[0x30, 0, 0, 22]) && !allowed(ip, UDP, &[0, 53]) && !allowed(ip, icmp, &[]));
        }
        assert!(!allowed("2001:db8:100::1", 43, &[UDP, 0, 0, 53]), "behind a routing header nothing is allowed");
    }

    #[test]
    fn what_is_for_others_passes() {
        assert!(allowed("192.0.2.9", TCP, &[0x30, 0, 0, 22]) && allowed("2001:db8:9::9", 43, &[]));
    }

    #[test]
    fn a_later_fragment_to_the_home_agent_does_not_pass() {
        let mut fragment = packet("10.9.0.1".parse().unwrap(), UDP, &[0, 0, 0, 53]);
        fragment[7] = 1;
        assert!(!guard().allows(&InnerPacket::parse(&fragment).unwrap(), &fragment));
    }

    #[test]
    fn each_address_of_the_host_is_known_whatever_overlaps_and_none_beside_them() {
        let nets = ["10.9.0.1/32", "192.0.2.0/24", "192.0.2.128/25", "192.0.2.7/32", "2001:db8:100::1/128", "255.255.255.255/32"];
        let guard = Guard::new(nets.map(|net| net.parse::<IpNet>().unwrap()));
        for (address, own) in [
            ("10.9.0.0", false),
            ("10.9.0.1", true),
            ("10.9.0.2", false),
            ("192.0.1.255", false),
            ("192.0.2.0", true),
            ("192.0.2.127", true),
            ("192.0.2.255", true),
            ("192.0.3.0", false),
            ("255.255.255.255", true),
            ("::", false),
            ("2001:db8:100::", false),
            ("2001:db8:100::1", true),
            ("2001:db8:100::2", false),
        ] {
            assert_eq!(guard.is_own(address.parse().unwrap()), own, "{address}");
        }
    }

    #[test]
    fn where_services_are_open_all_but_routing_headers_passes() {
        let guard = guard().with_services();
        let (to_routing, to_tcp, past_its_end) = ([43, 0, 0, 0, 0, 0, 0, 0], [TCP, 0, 0, 0, 0, 0, 0, 0], [TCP, 9]);
        for (protocol, payload, passes) in [
            (TCP, &[0x30, 0, 0, 22][..], true),
            (FRAGMENT, &to_tcp, true),
            (DESTINATION_OPTIONS, &to_tcp, true),
            (ROUTING, &to_tcp, false),
            (HOP_BY_HOP, &to_routing, false),
            (FRAGMENT, &to_routing, false),
            (DESTINATION_OPTIONS, &[DESTINATION_OPTIONS, 0, 0, 0, 0, 0, 0, 0], false),
            (DESTINATION_OPTIONS, &past_its_end, true),
            (DESTINATION_OPTIONS, &[], false),
        ] {
            assert_eq!(allowed_by(&guard, "2001:db8:100::1", protocol, payload), passes, "{protocol} {payload:?}");
        }
        assert!(allowed_by(&guard, "10.9.0.1", TCP, &[0x30, 0, 0, 22]));
    }
}
