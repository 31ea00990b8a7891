//! The Internet checksum (RFC 1071) over an IPv6 pseudo-header (RFC 8200 section 8.1) or bare.

use std::net::Ipv6Addr;

/// The checksum of `message`, its own checksum field being zero, as an upper-layer message of protocol `next_header`.
pub fn with_pseudo_header(source: Ipv6Addr, destination: Ipv6Addr, next_header: u8, message: &[u8]) -> u16 {
    let len = message.len() as u64;
    let pseudo = sum(&source.octets()) + sum(&destination.octets()) + (len & 0xffff) + (len >> 16) + u64::from(next_header);
    fold(pseudo + sum(message))
}

/// Whether `message`, its checksum field included, adds up.
pub fn is_right(source: Ipv6Addr, destination: Ipv6Addr, next_header: u8, message: &[u8]) -> bool {
    with_pseudo_header(source, destination, next_header, message) == 0
}

/// The checksum of `octets` without a pseudo-header: IPv4 header, ICMP.
pub fn bare(octets: &[u8]) -> u16 {
    fold(sum(octets))
}

fn sum(octets: &[u8]) -> u64 {
    let mut words = octets.chunks_exact(2);
    let even: u64 = words.by_ref().map(|word| u64::from(word[0]) << 8 | u64::from(word[1])).sum();
    even + words.remainder().first().map_or(0, |last| u64::from(*last) << 8)
}

fn fold(mut sum: u64) -> u16 {
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_1071_adds_up() {
        assert_eq!(bare(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
    }

    #[test]
    fn an_odd_last_octet_counts_as_the_high_one() {
        assert_eq!(bare(&[0x12, 0x34, 0x56]), !(0x1234 + 0x5600));
    }
}
