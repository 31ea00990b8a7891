//! What mobile nodes may say to the home agent itself: ICMP echo and DNS, nothing else. An exit-point asks for each inner
//! packet, so that the programs on a gateway are not open to every node that has a tunnel.

use std::net::IpAddr;

use crate::wire::ip::InnerPacket;

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
const DNS_PORT: u16 = 53;
const IPV6_HEADER: usize = 40;

/// The home agent's own addresses, outer and inner.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    own: Vec<IpAddr>,
}

impl Guard {
    /// For a home agent with these addresses; with none everything passes.
    pub fn new(own: Vec<IpAddr>) -> Self {
        Self { own }
    }

    /// Whether `packet`, whose header is `inner`, may pass.
    pub fn allows(&self, inner: &InnerPacket, packet: &[u8]) -> bool {
        !self.own.contains(&inner.destination)
            || upper_layer(inner, packet).is_some_and(|(protocol, octets)| is_allowed(protocol, octets))
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

    fn allowed(destination: &str, protocol: u8, payload: &[u8]) -> bool {
        let own = ["2001:db8:100::1", "10.9.0.1"].map(|ip| ip.parse().unwrap());
        let packet = packet(destination.parse().unwrap(), protocol, payload);
        Guard::new(own.to_vec()).allows(&InnerPacket::parse(&packet).unwrap(), &packet)
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
        assert!(!Guard::new(vec!["10.9.0.1".parse().unwrap()]).allows(&InnerPacket::parse(&fragment).unwrap(), &fragment));
    }
}
