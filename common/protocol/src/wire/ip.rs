//! Inner IP packets as the tunnel sees them: version, addresses, length and Traffic Class, nothing else (RFC 8200 section 3, RFC 791).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::checksum;
use crate::tunnel::DropReason;

/// Next Header of an inner IPv6 packet.
pub const NEXT_HEADER_IPV6: u8 = 41;
/// Next Header of an inner IPv4 packet.
pub const NEXT_HEADER_IPV4: u8 = 4;
/// No next header: a dummy packet (RFC 4303 section 2.6).
pub const NEXT_HEADER_NONE: u8 = 59;

const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;

/// What the tunnel needs to know of an inner packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InnerPacket {
    /// The source address.
    pub source: IpAddr,
    /// The destination address.
    pub destination: IpAddr,
    /// The packet's own length, header included; never more than the octets that there are.
    pub len: usize,
    /// IPv6's Traffic Class or IPv4's Type of Service: DSCP and ECN.
    pub traffic_class: u8,
}

impl InnerPacket {
    /// Reads the header of either version.
    ///
    /// # Errors
    /// [`DropReason::BadInnerPacket`] when the version is another or the packet is longer than its octets.
    pub fn parse(packet: &[u8]) -> Result<Self, DropReason> {
        let parsed = match packet.first().map(|octet| octet >> 4) {
            Some(4) => parse_ipv4(packet),
            Some(6) => parse_ipv6(packet),
            _ => None,
        };
        parsed.filter(|inner| inner.len <= packet.len()).ok_or(DropReason::BadInnerPacket)
    }

    /// Writes another Traffic Class, or Type of Service with the header checksum that it makes, into a packet that was parsed. What
    /// was wrong with the checksum before stays wrong.
    pub fn set_traffic_class(packet: &mut [u8], traffic_class: u8) {
        match packet {
            [first, second, ..] if *first >> 4 == 6 => {
                *first = 0x60 | traffic_class >> 4;
                *second = traffic_class << 4 | *second & 0x0f;
            }
            [first, second, _, _, _, _, _, _, _, _, sum_high, sum_low, ..] if *first >> 4 == 4 => {
                let (before, after) = (u16::from_be_bytes([*first, *second]), u16::from_be_bytes([*first, traffic_class]));
                let sum = checksum::updated(u16::from_be_bytes([*sum_high, *sum_low]), before, after);
                *second = traffic_class;
                [*sum_high, *sum_low] = sum.to_be_bytes();
            }
            _ => {}
        }
    }

    /// The Next Header under which it travels: 41 or 4.
    pub fn next_header(&self) -> u8 {
        match self.source {
            IpAddr::V6(_) => NEXT_HEADER_IPV6,
            IpAddr::V4(_) => NEXT_HEADER_IPV4,
        }
    }

    /// Whether its addresses may cross the tunnel: no link-local, loopback or unspecified one, no multicast source.
    pub fn may_cross(&self) -> bool {
        !self.source.is_multicast() && !stays_local(self.source) && !stays_local(self.destination)
    }
}

fn parse_ipv4(packet: &[u8]) -> Option<InnerPacket> {
    let header: &[u8; IPV4_HEADER] = packet.first_chunk()?;
    let [first, traffic_class, len_high, len_low, ..] = *header;
    let [.., s0, s1, s2, s3, d0, d1, d2, d3] = *header;
    let header_len = usize::from(first & 0x0f) * 4;
    let len = usize::from(u16::from_be_bytes([len_high, len_low]));
    (header_len >= IPV4_HEADER && len >= header_len).then_some(InnerPacket {
        source: Ipv4Addr::new(s0, s1, s2, s3).into(),
        destination: Ipv4Addr::new(d0, d1, d2, d3).into(),
        len,
        traffic_class,
    })
}

fn parse_ipv6(packet: &[u8]) -> Option<InnerPacket> {
    let (fixed, rest) = packet.split_first_chunk::<8>()?;
    let (source, rest) = rest.split_first_chunk::<16>()?;
    let destination = rest.first_chunk::<16>()?;
    Some(InnerPacket {
        source: Ipv6Addr::from(*source).into(),
        destination: Ipv6Addr::from(*destination).into(),
        len: IPV6_HEADER + usize::from(u16::from_be_bytes([fixed[4], fixed[5]])),
        traffic_class: fixed[0] << 4 | fixed[1] >> 4,
    })
}

fn stays_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_loopback() || ip.is_unspecified() || ip.is_broadcast(),
        IpAddr::V6(ip) => {
            ip.is_unicast_link_local()
                || ip.is_loopback()
                || ip.is_unspecified()
                || (ip.is_multicast() && matches!(ip.octets()[1] & 0x0f, 1 | 2))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ipv6(payload_len: u16, source: &str, destination: &str, octets: usize) -> Vec<u8> {
        let mut packet = vec![0x60, 0, 0, 0];
        packet.extend(payload_len.to_be_bytes());
        packet.extend([17, 64]);
        packet.extend(source.parse::<Ipv6Addr>().unwrap().octets());
        packet.extend(destination.parse::<Ipv6Addr>().unwrap().octets());
        packet.resize(octets, 0);
        packet
    }

    #[test]
    fn octets_behind_the_packets_own_length_do_not_count() {
        let inner = InnerPacket::parse(&ipv6(8, "2001:db8::1", "2001:db8::2", 60)).unwrap();
        assert_eq!((inner.len, inner.next_header()), (48, 41));
    }

    #[test]
    fn a_packet_longer_than_its_octets_or_of_another_version_is_refused() {
        assert_eq!(InnerPacket::parse(&ipv6(9, "2001:db8::1", "2001:db8::2", 48)), Err(DropReason::BadInnerPacket));
        for packet in [&[][..], &[0x45; 19], &[0x50; 40], &[0x44; 40]] {
            assert_eq!(InnerPacket::parse(packet), Err(DropReason::BadInnerPacket));
        }
    }

    #[test]
    fn addresses_that_stay_on_a_link_may_not_cross() {
        for (source, destination) in
            [("fe80::1", "2001:db8::2"), ("2001:db8::1", "ff02::1"), ("ff0e::1", "2001:db8::2"), ("::", "2001:db8::2")]
        {
            assert!(!InnerPacket::parse(&ipv6(0, source, destination, 40)).unwrap().may_cross(), "{source} {destination}");
        }
        assert!(InnerPacket::parse(&ipv6(0, "2001:db8::1", "ff0e::1", 40)).unwrap().may_cross());
    }
}
