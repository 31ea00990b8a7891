//! The PREF64 option of a Router Advertisement (RFC 8781): the prefix of the network's NAT64.
//!
//! ```text
//!  0                   1                   2                   3
//! | Type = 38     | Length = 2    | Scaled Lifetime (13)    | PLC |
//! | Highest 96 bits of the prefix (12 octets)                     |
//! ```

use std::net::Ipv6Addr;
use std::time::Duration;

use crate::nat64::Nat64Prefix;

/// The option's type.
pub const TYPE: u8 = 38;
/// Octets that are read; a longer option may follow from an extension to come (section 4).
const LEN: usize = 16;
/// A lifetime is counted in so many seconds.
const LIFETIME_UNIT: u16 = 8;
/// Prefix lengths by their code.
const LENGTHS: [u8; 6] = [96, 64, 56, 48, 40, 32];

/// What the option says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pref64 {
    /// The prefix.
    pub prefix: Nat64Prefix,
    /// How long it may be used, up to 65,528 s; zero takes it back.
    pub lifetime: Duration,
}

impl Pref64 {
    /// Reads one option, type and length included. `None` for another option and for one that is to be ignored: too short, with an
    /// unknown length code, or a prefix where none can be.
    pub fn parse(option: &[u8]) -> Option<Self> {
        let (&[kind, units, high, low, ref prefix @ ..], _) = option.split_first_chunk::<LEN>()?;
        if kind != TYPE || usize::from(units) * 8 > option.len() || usize::from(units) * 8 < LEN {
            return None;
        }
        let word = u16::from_be_bytes([high, low]);
        let length = *LENGTHS.get(usize::from(word % LIFETIME_UNIT))?;
        let mut address = [0; 16];
        address.iter_mut().zip(prefix).for_each(|(to, from)| *to = *from);
        let prefix = Nat64Prefix::new(Ipv6Addr::from(address), length)?;
        // The lower three bits are the code's: the rest is the scaled lifetime times eight.
        Some(Self { prefix, lifetime: Duration::from_secs((word - word % LIFETIME_UNIT).into()) })
    }

    /// Its octets. A lifetime goes in steps of 8 s, rounded down, up to 65,528 s.
    pub fn emit(&self) -> [u8; LEN] {
        let code = LENGTHS.iter().position(|length| *length == self.prefix.length()).unwrap_or_default();
        let lifetime = u16::try_from(self.lifetime.as_secs()).unwrap_or(u16::MAX);
        let word = lifetime - lifetime % LIFETIME_UNIT + u16::try_from(code).unwrap_or_default();
        let mut octets = [0; LEN];
        let head = [[TYPE, 2], word.to_be_bytes()].concat();
        let all = head.into_iter().chain(self.prefix.network().octets());
        octets.iter_mut().zip(all).for_each(|(to, from)| *to = from);
        octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(length: u8, lifetime: u64) -> Pref64 {
        let prefix = Nat64Prefix::new("2001:db8:64::".parse().unwrap(), length).unwrap();
        Pref64 { prefix, lifetime: Duration::from_secs(lifetime) }
    }

    #[test]
    fn an_option_of_every_length_is_read_as_it_was_written() {
        for length in LENGTHS.into_iter().filter(|length| *length >= 48) {
            for lifetime in [0, 8, 600, 65_528] {
                let said = option(length, lifetime);
                assert_eq!(Pref64::parse(&said.emit()), Some(said), "/{length}");
            }
        }
        let wide = Pref64 { prefix: Nat64Prefix::new("2001:db8::".parse().unwrap(), 32).unwrap(), ..option(96, 600) };
        assert_eq!(Pref64::parse(&wide.emit()), Some(wide));
    }

    /// The octets of RFC 8781 section 4 written by hand: 64:ff9b::/96 for 600 s.
    #[test]
    fn octets_written_by_hand_are_read() {
        let octets = [38, 2, 0x02, 0x58, 0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0];
        let read = Pref64::parse(&octets).unwrap();
        assert_eq!((read.prefix.to_string(), read.lifetime), ("64:ff9b::/96".to_owned(), Duration::from_secs(600)));
        assert_eq!(read.emit(), octets);
    }

    #[test]
    fn an_option_that_is_to_be_ignored_says_nothing_and_of_a_longer_one_the_known_part_is_read() {
        let good = option(96, 600).emit();
        let changed = |at: usize, to: u8| {
            let mut octets = good;
            octets[at] = to;
            Pref64::parse(&octets)
        };
        assert_eq!(changed(0, 37), None, "another type");
        assert_eq!(changed(1, 1), None, "too short");
        assert_eq!(changed(1, 3), None, "longer than what is there");
        assert_eq!(changed(3, 0x5e), None, "an unknown length code");
        assert_eq!(changed(4, 0xff), None, "a multicast prefix");
        assert_eq!(Pref64::parse(&good[..15]), None);
        let longer = [&[38, 3], &good[2..], &[7; 8]].concat();
        assert_eq!(Pref64::parse(&longer), Some(option(96, 600)));
    }
}
