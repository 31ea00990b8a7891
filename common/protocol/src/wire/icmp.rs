//! ICMP errors that a home agent sends back to a correspondent node: address unreachable (RFC 4443 section 3.1, RFC 792) and packet
//! too big (RFC 4443 section 3.2, RFC 1191 section 4).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::checksum;
use super::ip::InnerPacket;

const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
/// An IPv6 error is never longer than this (RFC 4443 section 2.4 (c)).
const IPV6_ERROR_LEN: usize = 1280;
/// No IPv6 node is told of less (RFC 8200 section 5, RFC 8201 section 4).
pub const LEAST_IPV6_MTU: u16 = 1280;
/// An IPv4 error quotes at most this much (RFC 1812 section 4.3.2.3).
const IPV4_ERROR_LEN: usize = 576;

/// Writes to `out` the ICMP error that says that the destination of `packet` is unreachable: ICMPv6 type 1 code 3, ICMP type
/// 3 code 1. Gives the packet's length; `None` where no error may be sent (to a multicast destination, from an address that
/// names no single node, about an ICMP error, about a fragment other than the first) or `out` is too short.
pub fn address_unreachable(packet: &[u8], source: IpAddr, out: &mut [u8]) -> Option<usize> {
    error(packet, source, [1, 3, 0, 0, 0, 0, 0, 0], [3, 1, 0, 0, 0, 0, 0, 0], out)
}

/// Writes to `out` the ICMP error that says that `packet` is longer than `mtu` octets: ICMPv6 type 2, of at least
/// [`LEAST_IPV6_MTU`], ICMP type 3 code 4. Gives the packet's length; `None` where no error may be sent, as for
/// [`address_unreachable`].
pub fn packet_too_big(packet: &[u8], mtu: u16, source: IpAddr, out: &mut [u8]) -> Option<usize> {
    let [high6, low6] = mtu.max(LEAST_IPV6_MTU).to_be_bytes();
    let [high4, low4] = mtu.to_be_bytes();
    error(packet, source, [2, 0, 0, 0, 0, 0, high6, low6], [3, 4, 0, 0, 0, 0, high4, low4], out)
}

/// With the first eight octets of the message in either family.
fn error(packet: &[u8], source: IpAddr, head6: [u8; 8], head4: [u8; 8], out: &mut [u8]) -> Option<usize> {
    let inner = InnerPacket::parse(packet).ok()?;
    let packet = packet.get(..inner.len)?;
    if inner.destination.is_multicast() || inner.source.is_multicast() || !inner.may_cross() {
        return None;
    }
    match (source, inner.source) {
        (IpAddr::V6(from), IpAddr::V6(to)) => ipv6_error(packet, from, to, head6, out),
        (IpAddr::V4(from), IpAddr::V4(to)) => ipv4_error(packet, from, to, head4, out),
        _ => None,
    }
}

fn ipv6_error(packet: &[u8], from: Ipv6Addr, to: Ipv6Addr, head: [u8; 8], out: &mut [u8]) -> Option<usize> {
    // Informational ICMPv6 messages have types from 128 on; an error about an error is forbidden.
    if packet.get(6) == Some(&ICMPV6) && *packet.get(40)? < 128 {
        return None;
    }
    let quoted = packet.get(..packet.len().min(IPV6_ERROR_LEN - 48))?;
    let len = 48 + quoted.len();
    let out = out.get_mut(..len)?;
    let (header, message) = out.split_at_mut(40);
    header[..4].copy_from_slice(&[0x60, 0, 0, 0]);
    header[4..6].copy_from_slice(&(message.len() as u16).to_be_bytes());
    header[6..8].copy_from_slice(&[ICMPV6, 64]);
    header[8..24].copy_from_slice(&from.octets());
    header[24..].copy_from_slice(&to.octets());
    message[..8].copy_from_slice(&head);
    message[8..].copy_from_slice(quoted);
    let sum = checksum::with_pseudo_header(from, to, ICMPV6, message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    Some(len)
}

fn ipv4_error(packet: &[u8], from: Ipv4Addr, to: Ipv4Addr, head: [u8; 8], out: &mut [u8]) -> Option<usize> {
    let header_len = usize::from(packet.first()? & 0x0f) * 4;
    let later_fragment = u16::from_be_bytes([*packet.get(6)?, *packet.get(7)?]) & 0x1fff != 0;
    // Echo request and reply, timestamps: the ICMP messages that are no errors.
    let error = packet.get(9) == Some(&ICMP) && !matches!(packet.get(header_len)?, 0 | 8 | 13 | 14);
    if later_fragment || error {
        return None;
    }
    let quoted = packet.get(..packet.len().min(IPV4_ERROR_LEN - 28))?;
    let len = 28 + quoted.len();
    let out = out.get_mut(..len)?;
    let (header, message) = out.split_at_mut(20);
    header.copy_from_slice(&[0x45, 0, 0, 0, 0, 0, 0, 0, 64, ICMP, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    header[2..4].copy_from_slice(&(len as u16).to_be_bytes());
    header[12..16].copy_from_slice(&from.octets());
    header[16..].copy_from_slice(&to.octets());
    let sum = checksum::bare(header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    message[..8].copy_from_slice(&head);
    message[8..].copy_from_slice(quoted);
    let sum = checksum::bare(message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    Some(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn udp_over_ipv6() -> Vec<u8> {
        let mut packet = vec![0x60, 0, 0, 0, 0, 8, 17, 64];
        packet.extend("2001:db8:9::9".parse::<Ipv6Addr>().unwrap().octets());
        packet.extend("2001:db8:100::7".parse::<Ipv6Addr>().unwrap().octets());
        packet.extend([0; 8]);
        packet
    }

    #[test]
    fn an_ipv6_error_quotes_the_packet_and_its_checksum_is_right() {
        let from: Ipv6Addr = "2001:db8:100::1".parse().unwrap();
        let mut out = [0; 1500];
        let len = address_unreachable(&udp_over_ipv6(), from.into(), &mut out).unwrap();
        assert_eq!(len, 48 + 48);
        assert_eq!(out[40..42], [1, 3]);
        assert_eq!(out[48..len], udp_over_ipv6()[..]);
        assert!(checksum::is_right(from, "2001:db8:9::9".parse().unwrap(), ICMPV6, &out[40..len]));
    }

    #[test]
    fn an_ipv4_error_is_sent_about_an_echo_request_and_not_about_an_error() {
        let mut packet = [0_u8; 28];
        packet[0] = 0x45;
        packet[3] = 28;
        packet[9] = ICMP;
        packet[12..16].copy_from_slice(&[192, 0, 2, 9]);
        packet[16..20].copy_from_slice(&[10, 9, 0, 7]);
        packet[20] = 8;
        let from = Ipv4Addr::new(10, 9, 0, 1);
        let mut out = [0; 600];
        let len = address_unreachable(&packet, from.into(), &mut out).unwrap();
        assert_eq!((len, checksum::bare(&out[..20]), checksum::bare(&out[20..len])), (56, 0, 0));
        packet[20] = 3;
        assert_eq!(address_unreachable(&packet, from.into(), &mut out), None);
    }

    #[test]
    fn a_packet_that_is_too_big_is_answered_with_what_fits_and_over_ipv6_with_no_less_than_it_may_be() {
        let from: Ipv6Addr = "2001:db8:100::1".parse().unwrap();
        let mut out = [0; 1500];
        for (mtu, told) in [(1_350_u16, 1_350_u16), (1_198, 1_280)] {
            let len = packet_too_big(&udp_over_ipv6(), mtu, from.into(), &mut out).unwrap();
            assert_eq!((&out[40..42], &out[44..46], &out[46..48]), (&[2, 0][..], &[0, 0][..], &told.to_be_bytes()[..]));
            assert!(checksum::is_right(from, "2001:db8:9::9".parse().unwrap(), ICMPV6, &out[40..len]));
        }
        let mut packet = [0_u8; 28];
        (packet[0], packet[3], packet[9]) = (0x45, 28, 17);
        packet[12..16].copy_from_slice(&[192, 0, 2, 9]);
        packet[16..20].copy_from_slice(&[10, 9, 0, 7]);
        let len = packet_too_big(&packet, 1_198, Ipv4Addr::new(10, 9, 0, 1).into(), &mut out).unwrap();
        assert_eq!((&out[20..22], &out[26..28], checksum::bare(&out[20..len])), (&[3, 4][..], &1_198_u16.to_be_bytes()[..], 0));
    }

    #[test]
    fn no_error_answers_an_error_or_a_multicast() {
        let from: Ipv6Addr = "2001:db8:100::1".parse().unwrap();
        let mut packet = udp_over_ipv6();
        packet[6] = ICMPV6;
        packet[40] = 1;
        assert_eq!(address_unreachable(&packet, from.into(), &mut [0; 1500]), None);
        let mut packet = udp_over_ipv6();
        packet[24] = 0xff;
        packet[25] = 0x0e;
        assert_eq!(address_unreachable(&packet, from.into(), &mut [0; 1500]), None);
    }
}
