//! How long a packet may be on the path in use: Packetization Layer Path MTU Discovery for Datagram Transports (RFC 8899).
//!
//! Probes are Heartbeat Requests that nobody may fragment, each answered in its own length, so that an answer proves both
//! directions. They go in rounds: sizes that may come through beside the one that every path has. A size fails that stays
//! unanswered in three rounds in which a smaller one was answered, so that what is lost with everything else says nothing; an
//! ICMP message says nothing either (section 4.6.2). The phases are those of section 5.2:
//!
//! | phase | known |
//! |---|---|
//! | Base | nothing: 1,280 octets inside, which every tunnel carries, if in fragments; after a move what the last path carried |
//! | Search | some size; the common ones are tried first and all at once, then the gap is halved |
//! | Complete | nothing larger, within eight octets, comes through; looked at anew after ten minutes |
//! | Error | 1,280 octets inside do not come through in one piece, though some size does |
//!
//! That a path has become smaller is found out by a round too: [`Traffic`] says when throughput breaks down (section 4.3).
//! Pure: `now` comes in, requests go out.

mod round;
mod sizes;
mod traffic;

use std::time::{Duration, Instant};

pub use round::Ask;
use round::{Closed, Rounds};
pub use sizes::Sizes;
pub use traffic::Traffic;

/// An inner packet that every tunnel carries (RFC 8200 section 5).
pub const SAFE_INNER: u16 = 1_280;
/// Sizes of outer packets that are common: Ethernet, PPPoE, other tunnels, IPv6's minimum. From the largest to the smallest.
const COMMON: [u16; 4] = [1_500, 1_492, 1_400, SMALLEST];
/// An outer packet that is not smaller than this may be probed: what every IPv6 path carries.
const SMALLEST: u16 = 1_280;
/// So near to the smallest size that fails the search ends.
const STEP: u16 = 8;
/// MAX_PROBES (RFC 8899 section 5.1.2).
const MAX_PROBES: u8 = 3;
/// What was only taken over from another path falls sooner.
const PROBES_OF_ASSUMED: u8 = 2;
/// PMTU_RAISE_TIMER (RFC 8899 section 5.1.1).
const RAISE: Duration = Duration::from_secs(600);
/// From the begin of one round to that of the next: with six probes in one, this bounds their rate.
const SPACING: Duration = Duration::from_millis(200);
/// Rounds in which nothing is answered, until it is left to others to say whether the path is there.
const SILENT_ROUNDS: u32 = 4;
/// And then it is tried again.
const SILENCE: Duration = Duration::from_secs(30);

/// Where the search is (RFC 8899 section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing is confirmed on this path.
    Base,
    /// A size is confirmed, larger ones are tried.
    Search,
    /// No larger size comes through.
    Complete,
    /// Some size is confirmed, and it is below what every tunnel should carry.
    Error,
}

/// The search on one path.
#[derive(Debug)]
pub struct PathMtu {
    sizes: Sizes,
    /// The inner size that is used while nothing speaks against it, though it is not confirmed here; 0 once something does.
    assumed: u16,
    /// The largest outer size that was answered.
    confirmed: Option<u16>,
    /// The smallest outer size that failed; one more than the largest common one while none did.
    failed: u16,
    /// How often each size that is tried stayed unanswered.
    tries: Vec<(u16, u8)>,
    rounds: Rounds,
    /// When the next round begins.
    next: Instant,
    /// Whether it is to ask for the confirmed size.
    checking: bool,
    silent_rounds: u32,
    /// What the home agent has acknowledged that it knows.
    told: Option<u16>,
    /// When it may be told again.
    tell_at: Instant,
}

impl PathMtu {
    /// A path that begins to be used. `carried` is how long inner packets were on the path before, if that was found out.
    pub fn new(sizes: Sizes, carried: Option<u16>, now: Instant) -> Self {
        Self {
            sizes,
            assumed: carried.unwrap_or_default().max(SAFE_INNER),
            confirmed: None,
            failed: sizes.probed(COMMON[0]) + 1,
            tries: Vec::new(),
            rounds: Rounds::default(),
            next: now,
            checking: false,
            silent_rounds: 0,
            told: None,
            tell_at: now,
        }
    }

    /// The outer packet that is confirmed; `None` while nothing is.
    pub fn confirmed(&self) -> Option<u16> {
        self.confirmed
    }

    /// The longest inner packet that is to be sent now.
    pub fn inner(&self) -> u16 {
        let confirmed = self.confirmed.map(|confirmed| self.sizes.inner(confirmed));
        self.assumed.max(confirmed.unwrap_or_default())
    }

    /// Where the search is.
    pub fn phase(&self) -> Phase {
        match self.confirmed {
            None => Phase::Base,
            Some(_) if !self.candidates().is_empty() => Phase::Search,
            Some(confirmed) if confirmed < self.sizes.outer(SAFE_INNER) => Phase::Error,
            Some(_) => Phase::Complete,
        }
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub fn due(&self) -> Instant {
        match self.rounds.closes() {
            Some(closes) => closes,
            None if self.is_untold() => self.next.min(self.tell_at),
            None => self.next,
        }
    }

    /// The size in use may not come through any more: it is asked for now.
    pub fn doubt(&mut self, now: Instant) {
        let can_fall = self.confirmed.is_some_and(|confirmed| confirmed > self.smallest());
        if can_fall && !self.checking {
            self.checking = true;
            self.next = self.next.min(now);
        }
    }

    /// The home agent knows nothing yet: it has another security association.
    pub fn forget_told(&mut self, now: Instant) {
        (self.told, self.tell_at) = (None, now);
    }

    /// Does what is due and gives the requests to send; `number` gives each its sequence number. Firing early does nothing.
    pub fn handle_timeout(&mut self, now: Instant, mut number: impl FnMut() -> u32) -> Vec<Ask> {
        if let Some(closed) = self.rounds.close_due(now) {
            self.take(&closed, now);
        }
        if self.rounds.closes().is_some() {
            return Vec::new();
        }
        let sizes = if self.next <= now { self.next_sizes() } else { Vec::new() };
        if !sizes.is_empty() {
            let told = self.confirmed.map(|_| self.inner());
            let asks = sizes.into_iter().map(|outer| Ask::probe(number(), outer, &self.sizes, told)).collect();
            return self.rounds.open(asks, now);
        }
        if self.is_untold() && self.tell_at <= now {
            self.tell_at = now + self.rounds.patience();
            return self.rounds.remember(Ask::telling(number(), self.inner()), now);
        }
        Vec::new()
    }

    /// A response, whose Mobility Header has `len` octets. `false` where it answers nothing that was asked here.
    pub fn handle_response(&mut self, sequence: u32, len: usize, now: Instant) -> bool {
        let Some(ask) = self.rounds.answered(sequence, len, now) else { return false };
        if let Some(outer) = ask.outer {
            self.confirmed = self.confirmed.max(Some(outer));
            self.forget_failures_up_to(outer);
        }
        if ask.told == Some(self.inner()) {
            self.told = ask.told;
        }
        true
    }

    /// A size that failed was only late: larger ones may be, too.
    fn forget_failures_up_to(&mut self, outer: u16) {
        self.tries.retain(|(size, _)| *size > outer);
        if self.failed <= outer {
            self.failed = self.sizes.probed(COMMON[0]).max(outer) + 1;
        }
    }

    fn is_untold(&self) -> bool {
        self.confirmed.is_some() && self.told != Some(self.inner())
    }

    fn smallest(&self) -> u16 {
        self.sizes.probed(SMALLEST)
    }

    /// The sizes that are worth a try: those common ones that may come through, then the middle of the gap.
    fn candidates(&self) -> Vec<u16> {
        let low = self.confirmed.unwrap_or_default();
        let used = [SAFE_INNER, self.assumed].map(|inner| self.sizes.outer(inner));
        let common = COMMON.into_iter().chain(used).map(|size| self.sizes.probed(size));
        let common: Vec<u16> = common.filter(|size| *size > low && *size < self.failed).collect();
        if !common.is_empty() || self.confirmed.is_none() || self.failed.saturating_sub(low) <= STEP {
            return common;
        }
        let middle = self.sizes.probed(low + (self.failed - low) / 2);
        if middle > low { vec![middle] } else { Vec::new() }
    }

    /// What may take the place of the confirmed size, once that has failed in a round: it is not to become smaller than it has to, since
    /// correspondent nodes remember that for ten minutes.
    fn successors(&self) -> Vec<u16> {
        let Some(failing) = self.confirmed.filter(|size| self.tries.iter().any(|(tried, _)| tried == size)) else {
            return Vec::new();
        };
        let used = self.sizes.outer(SAFE_INNER);
        let sizes = COMMON.into_iter().chain([used]).map(|size| self.sizes.probed(size));
        sizes.filter(|size| *size < failing).collect()
    }

    /// What the next round asks for, from the largest on: its answer says the most, and comes first. Where nothing is left to find out, the raise timer has fired: all that
    /// failed gets another chance, and what is confirmed is confirmed anew.
    fn next_sizes(&mut self) -> Vec<u16> {
        if self.candidates().is_empty() && !self.checking {
            self.failed = self.sizes.probed(COMMON[0]).max(self.confirmed.unwrap_or_default()) + 1;
            self.checking = true;
        }
        let mut sizes = self.candidates();
        sizes.push(self.smallest());
        sizes.extend(self.confirmed);
        sizes.extend(self.successors());
        sizes.sort_unstable_by(|one, other| other.cmp(one));
        sizes.dedup();
        sizes
    }

    /// What a round has come to.
    fn take(&mut self, closed: &Closed, now: Instant) {
        let Some(answered) = closed.largest_answered else {
            self.silent_rounds += 1;
            let is_over = self.silent_rounds.is_multiple_of(SILENT_ROUNDS);
            self.next = now + if is_over { SILENCE } else { self.rounds.patience() };
            return;
        };
        self.silent_rounds = 0;
        // A smaller size that is unanswered was lost.
        closed.unanswered.iter().filter(|size| **size > answered).for_each(|size| self.note_failure(*size, answered));
        self.checking &= self.confirmed > Some(answered);
        let is_done = self.candidates().is_empty() && !self.checking;
        self.next = if is_done { now + RAISE } else { closed.opened + SPACING };
    }

    fn note_failure(&mut self, size: u16, answered: u16) {
        let index = self.tries.iter().position(|(tried, _)| *tried == size).unwrap_or(self.tries.len());
        if index == self.tries.len() {
            self.tries.push((size, 0));
        }
        let Some((_, tries)) = self.tries.get_mut(index) else { return };
        *tries += 1;
        let (is_assumed, tries) = (size <= self.sizes.outer(self.assumed), *tries);
        if is_assumed && tries >= PROBES_OF_ASSUMED {
            self.assumed = 0;
        }
        if tries >= MAX_PROBES {
            self.tries.retain(|(tried, _)| *tried < size);
            self.failed = self.failed.min(size);
            if self.confirmed >= Some(size) {
                self.confirmed = Some(answered);
                self.assumed = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests;
