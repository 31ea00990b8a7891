//! How far one direction of an SA is used up: when a new one is wanted, and when nothing more may be protected.

use super::CipherSuite;

/// A new SA is wanted at three quarters of the sequence numbers.
const RENEWAL_AT_NUMBER: u64 = 3 << 30;

/// Counts what one direction protects.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wear {
    suite: CipherSuite,
    octets: u64,
    reported: bool,
}

impl Wear {
    pub(super) fn new(suite: CipherSuite) -> Self {
        Self { suite, octets: 0, reported: false }
    }

    /// Whether `octets` more may be protected.
    pub(super) fn has_room(&self, octets: usize) -> bool {
        self.suite.octet_limits().is_none_or(|limits| self.octets + octets as u64 <= limits.last)
    }

    /// Counts a datagram of `octets`, `number` being its sequence number. `true` once: when a new SA is wanted.
    pub(super) fn count(&mut self, octets: usize, number: u64) -> bool {
        self.octets += octets as u64;
        let worn = number >= RENEWAL_AT_NUMBER || self.suite.octet_limits().is_some_and(|limits| self.octets >= limits.renewal);
        worn && !std::mem::replace(&mut self.reported, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_quarters_of_the_numbers_want_a_new_sa_once() {
        let mut wear = Wear::new(CipherSuite::Aes128Gcm);
        assert!(!wear.count(100, RENEWAL_AT_NUMBER - 1));
        assert!(wear.count(100, RENEWAL_AT_NUMBER) && !wear.count(100, RENEWAL_AT_NUMBER + 1));
        assert!(wear.has_room(usize::MAX >> 1), "only short blocks have a limit of octets");
    }

    #[test]
    fn a_cipher_with_short_blocks_wants_a_new_sa_at_its_octets_and_stops_at_the_last() {
        const MIB: usize = 1 << 20;
        let mut wear = Wear::new(CipherSuite::TripleDesEdeCbcSha);
        assert!((0..7).all(|number| !wear.count(MIB, number)));
        assert!(wear.count(MIB, 7) && !wear.count(MIB, 8), "at 8 MiB, once");
        (9..1_023).for_each(|number| _ = wear.count(MIB, number));
        assert!(wear.has_room(MIB) && !wear.has_room(MIB + 1), "1 GiB in all");
    }
}
