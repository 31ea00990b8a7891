//! The Internet checksum (RFC 1071) over an IPv6 pseudo-header (RFC 8200 section 8.1) or bare.

use std::net::Ipv6Addr;

/// The checksum of `message`, its own checksum field being zero, as an upper-layer message of protocol `next_header`.
pub fn with_pseudo_header(source: Ipv6Addr, destination: Ipv6Addr, next_header: u8, message: &[u8]) -> u16 {
    let len = message.len() as u64;
    let pseudo = sum(&source.octets()) + sum(&destination.octets()) + (len & 0xffff) + (len >> 16) + u64::from(next_header);
    !fold(pseudo + sum(message))
}

/// Whether `message`, its checksum field included, adds up.
pub fn is_right(source: Ipv6Addr, destination: Ipv6Addr, next_header: u8, message: &[u8]) -> bool {
    with_pseudo_header(source, destination, next_header, message) == 0
}

/// The checksum of `octets` without a pseudo-header: IPv4 header, ICMP.
pub fn bare(octets: &[u8]) -> u16 {
    !fold(sum(octets))
}

/// What a checksum becomes when one 16-bit word under it changes (RFC 1624 section 3, equation 3).
pub fn updated(checksum: u16, before: u16, after: u16) -> u16 {
    !fold(u64::from(!checksum) + u64::from(!before) + u64::from(after))
}

/// A part of a checksum: the sum of the 16-bit words of `octets`, at most 0xffff and zero only when all of them are. Sums of parts
/// of even length are added, [`fold`]ed and complemented.
///
/// Eight octets are added at a time, in the host's byte order, which the sum as a whole is brought out of (RFC 1071 section 2 (B)).
/// In wide lanes no carry is lost, and four of them do not wait for each other.
pub(crate) fn sum(octets: &[u8]) -> u64 {
    let (blocks, rest) = octets.as_chunks::<32>();
    let mut lanes = [0; 4];
    for block in blocks {
        for (lane, word) in lanes.iter_mut().zip(block.as_chunks().0) {
            *lane += wide(*word);
        }
    }
    let (words, rest) = rest.as_chunks();
    let whole = lanes.into_iter().sum::<u128>() + words.iter().map(|word| wide(*word)).sum::<u128>();
    let (pairs, last) = rest.as_chunks();
    let end: u64 = pairs.iter().map(|pair| u64::from(u16::from_ne_bytes(*pair))).sum();
    let odd = last.first().map_or(0, |last| u64::from(u16::from_ne_bytes([*last, 0])));
    u64::from(u16::from_be(fold(halves(whole) + end + odd)))
}

fn wide(word: [u8; 8]) -> u128 {
    u64::from_ne_bytes(word).into()
}

/// The sum of a sum's 32-bit words, of which the upper ones hold no more than the number of carries.
fn halves(sum: u128) -> u64 {
    let low = sum as u64;
    (sum >> 64) as u64 + (low >> 32) + (low & 0xffff_ffff)
}

/// Brings the carries back in (RFC 1071 section 2 (A)), without the complement.
pub(crate) fn fold(sum: u64) -> u16 {
    let sum = (sum >> 32) + (sum & 0xffff_ffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    ((sum >> 16) + (sum & 0xffff)) as u16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_example_of_rfc_1071_adds_up() {
        assert_eq!(bare(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
    }

    #[test]
    fn an_odd_last_octet_counts_as_the_high_one() {
        assert_eq!(bare(&[0x12, 0x34, 0x56]), !(0x1234 + 0x5600));
    }

    #[test]
    fn no_carry_is_lost_in_the_largest_packet() {
        for octets in [vec![0xff; 65_535], vec![0xff; 65_534], vec![0; 65_535], [vec![0; 65_534], vec![1]].concat()] {
            assert_eq!(sum(&octets), u64::from(fold(naive(&octets))), "{:?}", octets.last());
        }
        assert_eq!((fold(u64::MAX), fold(0), fold(0x1_0000), fold(0xffff_ffff)), (0xffff, 0, 1, 0xffff));
    }

    /// RFC 1071 section 4.1, word by word.
    fn naive(octets: &[u8]) -> u64 {
        octets.chunks(2).map(|word| u64::from(word[0]) << 8 | word.get(1).map_or(0, |low| u64::from(*low))).sum()
    }

    proptest! {
        #[test]
        fn it_is_the_sum_of_the_words_at_each_alignment_and_length(
            octets in proptest::collection::vec(any::<u8>(), 0..300),
            from in 0usize..16,
        ) {
            let part = octets.get(from..).unwrap_or_default();
            prop_assert_eq!(sum(part), u64::from(fold(naive(part))));
            prop_assert_eq!(bare(part), !fold(naive(part)));
        }

        #[test]
        fn parts_of_even_length_add_up_to_the_whole(octets in proptest::collection::vec(any::<u8>(), 0..300), at in 0usize..150) {
            let (left, right) = octets.split_at((at * 2).min(octets.len() & !1));
            prop_assert_eq!(fold(sum(left) + sum(right)), fold(naive(&octets)));
        }
    }
}
