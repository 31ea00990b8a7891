//! The Sequence Number Counter of an outbound SA (RFC 4301 section 4.4.2.1), which its entry-points share.
//!
//! All else of an outbound SA is read only, so several threads send under it without a lock: each takes a run of numbers for what it
//! has at hand, and gives back what it did not need. What cannot be given back, since another has taken the numbers behind it, is a
//! gap, which a replay window does not mind.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::CipherSuite;
use super::wear::Wear;

/// Lease 0 sends below this; each later lease has a run of numbers of its own above it.
const FIRST_LEASED: u64 = 0xF000_0000;
/// Numbers of one later lease: what a home agent without the counter may send to ask for a new SA.
const LEASE_RUN: u64 = 65_536;
/// The lease number at which no numbers are left.
pub const LAST_LEASE: u32 = 4_097;
const _: () = assert!(FIRST_LEASED + (LAST_LEASE as u64 - 1) * LEASE_RUN == 1 << 32);

/// The next sequence number and how far the SA is worn. The counter never wraps and never restarts: no number is had twice.
#[derive(Debug)]
pub struct SequenceCounter {
    next: AtomicU64,
    wear: Wear,
}

impl SequenceCounter {
    /// Before the first packet of a lease.
    pub(crate) fn of_lease(lease: u32) -> Self {
        let (first, _) = run_of_lease(lease);
        Self { next: first.into(), wear: Wear::default() }
    }

    /// Takes up to `count` numbers, none above `last`; none at all when none is left.
    pub(super) fn take(&self, count: u64, last: u64) -> Range<u64> {
        let start = self.next.fetch_add(count, Relaxed);
        start.min(last + 1)..(start + count).min(last + 1)
    }

    /// Gives back numbers that were taken and not used, if they are the latest; else they are had by nobody.
    pub(super) fn give_back(&self, unused: Range<u64>) {
        // What is no longer the latest is a gap.
        let _ = self.next.compare_exchange(unused.end, unused.start, Relaxed, Relaxed);
    }

    /// Whether the suite may protect a datagram of `octets` more.
    pub(super) fn has_room(&self, suite: CipherSuite, octets: usize) -> bool {
        self.wear.has_room(suite, octets)
    }

    /// Counts a datagram; `true` once: when a new SA is wanted.
    pub(super) fn is_wearing_out(&self, suite: CipherSuite, octets: usize, number: u64) -> bool {
        self.wear.count(suite, octets, number)
    }
}

/// First and last number that a lease may send; first above last when it may send none.
pub(super) fn run_of_lease(lease: u32) -> (u64, u64) {
    match lease {
        0 => (0, FIRST_LEASED - 1),
        lease if lease < LAST_LEASE => {
            let first = FIRST_LEASED + u64::from(lease - 1) * LEASE_RUN;
            (first, first + LEASE_RUN - 1)
        }
        _ => (1 << 32, (1 << 32) - 1),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn leases_have_runs_that_do_not_touch_and_end_with_the_number_space() {
        assert_eq!(run_of_lease(0), (0, 0xEFFF_FFFF));
        assert_eq!(run_of_lease(1), (0xF000_0000, 0xF000_FFFF));
        assert_eq!(run_of_lease(4_096), (0xFFFF_0000, 0xFFFF_FFFF));
        for lease in 1..4_096 {
            assert_eq!(run_of_lease(lease).1 + 1, run_of_lease(lease + 1).0);
        }
        let (first, last) = run_of_lease(LAST_LEASE);
        assert!(first > last);
        assert_eq!(SequenceCounter::of_lease(LAST_LEASE).take(64, last), 1 << 32..1 << 32);
    }

    #[test]
    fn numbers_that_were_not_used_are_given_back_unless_another_has_taken_on() {
        let counter = SequenceCounter::of_lease(0);
        assert_eq!(counter.take(10, 99), 0..10);
        counter.give_back(4..10);
        assert_eq!(counter.take(2, 99), 4..6, "used again");
        assert_eq!(counter.take(10, 99), 6..16);
        counter.give_back(5..6);
        assert_eq!(counter.take(1, 99), 16..17, "5 is a gap");
    }

    #[test]
    fn behind_the_last_number_there_is_none_however_often_one_asks() {
        let counter = SequenceCounter::of_lease(0);
        assert_eq!(counter.take(5, 2), 0..3);
        assert!((0..100).all(|_| counter.take(64, 2).is_empty()));
        assert_eq!(counter.take(64, 1 << 40).start, 5 + 6_400, "what was asked for in vain is not had later, either");
    }

    /// Threads that take more than they use, as workers with short batches do.
    #[test]
    fn no_number_is_had_by_two_threads() {
        const EACH: u64 = 100_000;
        let counter = SequenceCounter::of_lease(0);
        let take = |step: u64| {
            let mut mine = Vec::new();
            for round in 0..EACH / 8 {
                let taken = counter.take(8, u64::MAX >> 1);
                let used = taken.start..taken.start + (round * step) % 9;
                mine.extend(used.clone());
                counter.give_back(used.end..taken.end);
            }
            mine
        };
        let mut all: Vec<_> = thread::scope(|scope| {
            let threads = [3, 5, 7].map(|step| scope.spawn(move || take(step)));
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
