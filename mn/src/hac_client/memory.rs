//! What one run of MHAuth leaves for the next: which address gave the last grant, which ones asked to be left alone, and what the
//! last look-up found. In memory alone, and pure: time comes in as an argument.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::candidate::{self, Candidate, MAX_CANDIDATES};

/// The share of a pause after which an address may be asked again. When a run is due is drawn 20 % either way (profile section
/// 1); an address must not be closed to a run that was drawn early.
const SHORTEST_SHARE: (u32, u32) = (4, 5);

/// See the module.
#[derive(Debug, Default)]
pub struct Memory {
    last_good: Option<SocketAddr>,
    found: Vec<Candidate>,
    /// No more than [`MAX_CANDIDATES`].
    pauses: Vec<Pause>,
}

/// An address that answered 503 with `retry-after`.
#[derive(Debug)]
struct Pause {
    address: SocketAddr,
    /// Not asked before this.
    closed_until: Instant,
    /// What it asked for.
    asked_until: Instant,
}

impl Memory {
    /// `address` gave a grant.
    pub(super) fn granted(&mut self, address: SocketAddr) {
        self.last_good = Some(address);
        self.pauses.retain(|pause| pause.address != address);
    }

    /// `address` wants to be left alone for `pause`. One that was told of before is forgotten when there are too many: the one
    /// that ends first.
    pub(super) fn asked_to_wait(&mut self, address: SocketAddr, pause: Duration, now: Instant) {
        self.pauses.retain(|pause| pause.address != address && pause.asked_until > now);
        if self.pauses.len() == MAX_CANDIDATES {
            self.pauses.sort_by_key(|pause| pause.asked_until);
            self.pauses.remove(0);
        }
        let (part, whole) = SHORTEST_SHARE;
        self.pauses.push(Pause { address, closed_until: now + pause * part / whole, asked_until: now + pause });
    }

    /// How long `address` still wants to be left alone; `None` when it may be asked.
    pub(super) fn pause_of(&self, address: SocketAddr, now: Instant) -> Option<Duration> {
        let pause = self.pauses.iter().find(|pause| pause.address == address && now < pause.closed_until)?;
        Some(pause.asked_until.saturating_duration_since(now))
    }

    /// Every address may be asked: the operator wants it.
    pub(super) fn forget_pauses(&mut self) {
        self.pauses.clear();
    }

    /// The candidates with the address of the last grant first in its priority.
    pub(super) fn preferring_last_good(&self, mut candidates: Vec<Candidate>) -> Vec<Candidate> {
        if let Some(last_good) = self.last_good {
            candidate::prefer(&mut candidates, last_good);
        }
        candidates
    }

    /// What a look-up found stands in for one that gets no answer.
    pub(super) fn found(&mut self, candidates: &[Candidate]) {
        self.found = candidates.to_vec();
    }

    /// What the last look-up found that got an answer.
    pub(super) fn last_found(&self) -> &[Candidate] {
        &self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 7872))
    }

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn an_address_that_asked_to_wait_is_closed_for_four_fifths_of_it_and_others_are_open() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        memory.asked_to_wait(at(1), MINUTE, now);
        assert_eq!(memory.pause_of(at(1), now), Some(MINUTE));
        assert_eq!(memory.pause_of(at(1), now + Duration::from_secs(47)), Some(Duration::from_secs(13)));
        assert_eq!(memory.pause_of(at(1), now + Duration::from_secs(48)), None);
        assert_eq!(memory.pause_of(at(2), now), None);
    }

    /// The schedule draws a run's time between 80 % and 120 % of what is left.
    #[test]
    fn a_run_that_is_drawn_as_early_as_may_be_finds_the_address_open() {
        let start = Instant::now();
        for elapsed in [0, 1, 20, 47] {
            let (mut memory, now) = (Memory::default(), start + Duration::from_secs(elapsed));
            memory.asked_to_wait(at(1), MINUTE, start);
            let left = memory.pause_of(at(1), now).unwrap();
            assert_eq!(memory.pause_of(at(1), now + left * 80 / 100), None, "asked after {elapsed} s");
        }
    }

    #[test]
    fn a_later_wish_takes_the_place_of_the_first_and_a_grant_or_the_operator_ends_it() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        memory.asked_to_wait(at(1), MINUTE, now);
        memory.asked_to_wait(at(1), 2 * MINUTE, now);
        assert_eq!((memory.pause_of(at(1), now), memory.pauses.len()), (Some(2 * MINUTE), 1));
        memory.granted(at(1));
        assert_eq!(memory.pause_of(at(1), now), None);
        memory.asked_to_wait(at(1), MINUTE, now);
        memory.forget_pauses();
        assert_eq!(memory.pause_of(at(1), now), None);
    }

    #[test]
    fn no_more_than_sixteen_pauses_are_kept_and_the_one_that_ends_first_goes_first() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        for last in 0..=16 {
            memory.asked_to_wait(at(last), MINUTE * u32::from(20 - last), now);
        }
        assert_eq!(memory.pauses.len(), MAX_CANDIDATES);
        let open: Vec<_> = (0..=16).filter(|last| memory.pause_of(at(*last), now).is_none()).collect();
        assert_eq!(open, [15]);
        memory.asked_to_wait(at(99), MINUTE, now + 100 * MINUTE);
        assert_eq!(memory.pauses.len(), 1, "what is over is not kept");
    }

    #[test]
    fn the_address_of_the_last_grant_comes_first_while_it_is_among_the_candidates() {
        let mut memory = Memory::default();
        let candidates: Vec<_> = (1..4).map(|last| Candidate { address: at(last), priority: 0 }).collect();
        assert_eq!(memory.preferring_last_good(candidates.clone()), candidates);
        memory.granted(at(3));
        assert_eq!(memory.preferring_last_good(candidates.clone())[0].address, at(3));
        assert_eq!(memory.preferring_last_good(candidates[..2].to_vec()), candidates[..2]);
    }
}
