//! Clamps the Maximum Segment Size that a TCP SYN announces (RFC 9293 section 3.7.1), so that segments fit into the tunnel also where
//! nobody hears of a packet that is too big.

use super::checksum;

const TCP: u8 = 6;
const TCP_HEADER: usize = 20;
const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
const CHECKSUM: usize = 16;
const FLAGS: usize = 13;
const SYN: u8 = 0x02;
const OPTION_END: u8 = 0;
const OPTION_NOP: u8 = 1;
const OPTION_MSS: u8 = 2;

/// Lowers the MSS option of `packet`, if it is a TCP SYN that has one, to what fits into `mtu` octets; the checksum, right or wrong,
/// stays what it is. Gives whether there was anything to lower.
pub fn clamp(packet: &mut [u8], mtu: u16) -> bool {
    let Some((ip_header, tcp)) = tcp_header(packet) else { return false };
    let most = usize::from(mtu).saturating_sub(ip_header + TCP_HEADER) as u16;
    let Some(option) = mss_option(packet.get(tcp..).unwrap_or_default()).map(|option| tcp + option) else { return false };
    let Some(value) = packet.get_mut(option..).and_then(|octets| octets.first_chunk_mut::<2>()) else { return false };
    let announced = u16::from_be_bytes(*value);
    if announced <= most {
        return false;
    }
    *value = most.to_be_bytes();
    // An odd place puts the octets of the option into the other halves of the words that are summed.
    let in_sum = |value: u16| if (option - tcp).is_multiple_of(2) { value } else { value.swap_bytes() };
    if let Some(sum) = packet.get_mut(tcp + CHECKSUM..).and_then(|octets| octets.first_chunk_mut::<2>()) {
        *sum = checksum::updated(u16::from_be_bytes(*sum), in_sum(announced), in_sum(most)).to_be_bytes();
    }
    true
}

/// The usual length of the IP header and where the TCP header of a SYN begins; `None` for everything else.
fn tcp_header(packet: &[u8]) -> Option<(usize, usize)> {
    let (usual, tcp) = match packet.first()? >> 4 {
        4 => {
            let header: &[u8; IPV4_HEADER] = packet.first_chunk()?;
            let is_first = u16::from_be_bytes([header[6], header[7]]) & 0x1fff == 0;
            (header[9] == TCP && is_first).then_some((IPV4_HEADER, usize::from(header[0] & 0x0f) * 4))?
        }
        6 => (*packet.get(6)? == TCP).then_some((IPV6_HEADER, IPV6_HEADER))?,
        _ => return None,
    };
    (*packet.get(tcp + FLAGS)? & SYN != 0).then_some((usual, tcp))
}

/// Where in a TCP header the value of the MSS option stands.
fn mss_option(tcp: &[u8]) -> Option<usize> {
    let end = usize::from(tcp.get(12)? >> 4) * 4;
    let mut at = TCP_HEADER;
    while at < end {
        match *tcp.get(at)? {
            OPTION_END => return None,
            OPTION_NOP => at += 1,
            OPTION_MSS => return (*tcp.get(at + 1)? == 4 && at + 4 <= end).then_some(at + 2),
            _ => at += usize::from(*tcp.get(at + 1)?).max(2),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use proptest::prelude::*;

    use super::*;

    const SOURCE: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 9, 0, 0, 0, 0, 9);
    const DESTINATION: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 7);

    fn tcp(flags: u8, options: &[u8]) -> Vec<u8> {
        let mut tcp = vec![0x30, 0, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0, flags, 0xff, 0xff, 0, 0, 0, 0];
        tcp.extend(options);
        tcp.resize(tcp.len().next_multiple_of(4), 0);
        tcp[12] = (tcp.len() as u8 / 4) << 4;
        tcp
    }

    fn ipv6(mut tcp: Vec<u8>) -> Vec<u8> {
        let sum = checksum::with_pseudo_header(SOURCE, DESTINATION, TCP, &tcp);
        tcp[CHECKSUM..CHECKSUM + 2].copy_from_slice(&sum.to_be_bytes());
        let mut packet = vec![0x60, 0, 0, 0, 0, tcp.len() as u8, TCP, 64];
        packet.extend(SOURCE.octets().into_iter().chain(DESTINATION.octets()).chain(tcp));
        packet
    }

    fn ipv4(tcp: &[u8], fragment: u8) -> Vec<u8> {
        let header = [0x45, 0, 0, 20 + tcp.len() as u8, 0, 0, 0, fragment, 64, TCP, 0, 0, 10, 8, 0, 2, 10, 9, 0, 7];
        [&header, tcp].concat()
    }

    fn is_right(packet: &[u8]) -> bool {
        checksum::is_right(SOURCE, DESTINATION, TCP, &packet[IPV6_HEADER..])
    }

    #[test]
    fn a_syn_announces_what_fits_and_its_checksum_stays_right() {
        for options in [
            &[2, 4, 0x05, 0xa0][..],
            &[1, 2, 4, 0x05, 0xa0],
            &[4, 2, 1, 1, 2, 4, 0x05, 0xa0],
            &[8, 10, 1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 0xff, 0xff],
        ] {
            let mut packet = ipv6(tcp(SYN, options));
            assert!(clamp(&mut packet, 1_400) && is_right(&packet), "{options:?}");
            let at = IPV6_HEADER + TCP_HEADER + options.len() - 2;
            assert_eq!(packet[at..at + 2], 1_340u16.to_be_bytes());
            assert!(!clamp(&mut packet, 1_400), "a second time there is nothing to lower");
        }
        let mut packet = ipv4(&tcp(SYN | 0x10, &[2, 4, 0x05, 0xb4]), 0);
        assert!(clamp(&mut packet, 1_400));
        assert_eq!(packet[42..44], 1_360u16.to_be_bytes());
    }

    #[test]
    fn what_is_no_syn_with_a_larger_mss_stays_as_it_is() {
        let mss = [2, 4, 0x05, 0xa0];
        let mut others = vec![
            ipv6(tcp(0x10, &mss)),
            ipv6(tcp(SYN, &[2, 4, 0x04, 0x00])),
            ipv6(tcp(SYN, &[])),
            ipv6(tcp(SYN, &[0, 2, 4, 0x05])),
            ipv6(tcp(SYN, &[2, 3, 0x05, 0xa0])),
            ipv6(tcp(SYN, &[1, 1, 2, 4])),
            ipv4(&tcp(SYN, &mss), 1),
        ];
        others[0][6] = 17;
        for packet in &mut others {
            let before = packet.clone();
            assert!(!clamp(packet, 1_400));
            assert_eq!(*packet, before);
        }
    }

    proptest! {
        #[test]
        fn no_packet_makes_it_fail_or_change_more_than_four_octets(octets: Vec<u8>, version in 0u8..16, mtu: u16) {
            let mut packet = octets.clone();
            packet.iter_mut().take(1).for_each(|first| *first = version << 4 | *first & 0x0f);
            let before = packet.clone();
            clamp(&mut packet, mtu);
            prop_assert!(packet.iter().zip(&before).filter(|(now, then)| now != then).count() <= 4);
        }
    }
}
