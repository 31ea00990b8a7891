//! How far one direction of an SA is used up: when a new one is wanted, and when nothing more may be protected.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use super::CipherSuite;

/// A new SA is wanted at three quarters of the sequence numbers.
const RENEWAL_AT_NUMBER: u64 = 3 << 30;

/// Counts what one direction protects under a suite, which is always the same one. Several threads may count: then the last octets
/// that may be protected are passed by what they protect at once, which is nothing beside them.
#[derive(Debug, Default)]
pub(super) struct Wear {
    /// Up to [`u32::MAX`], which is beyond every suite's limit. Counted where a suite has one.
    octets: AtomicU32,
    reported: AtomicBool,
}

/// [`Wear`] that nobody counts on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Worn {
    octets: u32,
    reported: bool,
}

impl From<Worn> for Wear {
    fn from(worn: Worn) -> Self {
        Self { octets: worn.octets.into(), reported: worn.reported.into() }
    }
}

impl From<&Wear> for Worn {
    fn from(wear: &Wear) -> Self {
        Self { octets: wear.octets.load(Relaxed), reported: wear.reported.load(Relaxed) }
    }
}

impl Wear {
    /// Whether `octets` more may be protected.
    pub(super) fn has_room(&self, suite: CipherSuite, octets: usize) -> bool {
        suite.octet_limits().is_none_or(|limits| u64::from(self.octets.load(Relaxed)) + octets as u64 <= limits.last)
    }

    /// Counts a datagram of `octets`, `number` being its sequence number. `true` once: when a new SA is wanted.
    pub(super) fn count(&self, suite: CipherSuite, octets: usize, number: u64) -> bool {
        let worn_by_octets = suite.octet_limits().is_some_and(|limits| self.add(octets) >= limits.renewal);
        (worn_by_octets || number >= RENEWAL_AT_NUMBER) && !self.reported.swap(true, Relaxed)
    }

    /// Gives how many there are now.
    fn add(&self, octets: usize) -> u64 {
        let octets = u32::try_from(octets).unwrap_or(u32::MAX);
        let add = |before: u32| Some(before.saturating_add(octets));
        let before = self.octets.fetch_update(Relaxed, Relaxed, add).unwrap_or(u32::MAX);
        before.saturating_add(octets).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_quarters_of_the_numbers_want_a_new_sa_once() {
        let (wear, suite) = (Wear::default(), CipherSuite::Aes128Gcm);
        assert!(!wear.count(suite, 100, RENEWAL_AT_NUMBER - 1));
        assert!(wear.count(suite, 100, RENEWAL_AT_NUMBER) && !wear.count(suite, 100, RENEWAL_AT_NUMBER + 1));
        assert!(wear.has_room(suite, usize::MAX >> 1), "only short blocks have a limit of octets");
    }

    #[test]
    fn a_cipher_with_short_blocks_wants_a_new_sa_at_its_octets_and_stops_at_the_last() {
        const MIB: usize = 1 << 20;
        let (wear, suite) = (Wear::default(), CipherSuite::TripleDesEdeCbcSha);
        assert!((0..7).all(|number| !wear.count(suite, MIB, number)));
        assert!(wear.count(suite, MIB, 7) && !wear.count(suite, MIB, 8), "at 8 MiB, once");
        (9..1_023).for_each(|number| _ = wear.count(suite, MIB, number));
        assert!(wear.has_room(suite, MIB) && !wear.has_room(suite, MIB + 1), "1 GiB in all");
    }

    #[test]
    fn no_limit_is_beyond_what_is_counted_and_the_count_does_not_wrap() {
        for suite in CipherSuite::ALL {
            assert!(suite.octet_limits().is_none_or(|limits| limits.last < u64::from(u32::MAX)), "{suite}");
        }
        let (wear, suite) = (Wear::default(), CipherSuite::TripleDesEdeCbcSha);
        (0..5).for_each(|number| _ = wear.count(suite, 1 << 30, number));
        assert!(!wear.has_room(suite, 0));
    }
}
