//! Rounds of requests: which are on their way, which were answered, and when enough is known.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Sizes;

/// Before a round-trip time is known.
const FIRST_PATIENCE: Duration = Duration::from_millis(500);
const SHORTEST_PATIENCE: Duration = Duration::from_millis(200);
const LONGEST_PATIENCE: Duration = Duration::from_secs(2);
/// Sent at once, larger requests are answered so little later than the first: half a round-trip time, and at least this.
const SHORTEST_GRACE: Duration = Duration::from_millis(50);
/// Requests that are remembered: what goes out in some rounds.
const REMEMBERED: usize = 32;
/// Octets of the Mobility Header that only tells: the least with its option.
const TELLING: usize = 24;

/// A Heartbeat Request to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Its sequence number.
    pub sequence: u32,
    /// The outer packet that it is to be, which nobody may fragment; `None` for one that only tells.
    pub outer: Option<u16>,
    /// Octets of its Mobility Header.
    pub len: usize,
    /// The longest inner packet that the home agent may send, where that is known.
    pub told: Option<u16>,
}

impl Ask {
    pub(super) fn probe(sequence: u32, outer: u16, sizes: &Sizes, told: Option<u16>) -> Self {
        Self { sequence, outer: Some(outer), len: sizes.mobility_header(outer), told }
    }

    pub(super) fn telling(sequence: u32, told: u16) -> Self {
        Self { sequence, outer: None, len: TELLING, told: Some(told) }
    }
}

#[derive(Debug)]
struct Sent {
    ask: Ask,
    at: Instant,
}

#[derive(Debug)]
struct Open {
    opened: Instant,
    /// Each size, and whether it was answered.
    sizes: Vec<(u16, bool)>,
    first_answer: Option<Instant>,
}

/// A round that is over.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Closed {
    pub(super) opened: Instant,
    pub(super) largest_answered: Option<u16>,
    pub(super) unanswered: Vec<u16>,
}

/// All rounds of one path.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    open: Option<Open>,
    sent: VecDeque<Sent>,
    /// Smoothed (RFC 6298 section 2).
    round_trip: Option<Duration>,
}

impl Rounds {
    /// Opens a round with these requests, and gives them back to be sent.
    pub(super) fn open(&mut self, asks: Vec<Ask>, now: Instant) -> Vec<Ask> {
        let sizes = asks.iter().filter_map(|ask| Some((ask.outer?, false))).collect();
        self.open = Some(Open { opened: now, sizes, first_answer: None });
        asks.into_iter().flat_map(|ask| self.remember(ask, now)).collect()
    }

    /// A request beside all rounds, or of one.
    pub(super) fn remember(&mut self, ask: Ask, now: Instant) -> Vec<Ask> {
        if self.sent.len() == REMEMBERED {
            self.sent.pop_front();
        }
        self.sent.push_back(Sent { ask, at: now });
        vec![ask]
    }

    /// The request that this response answers, in its own length; once.
    pub(super) fn answered(&mut self, sequence: u32, len: usize, now: Instant) -> Option<Ask> {
        let index = self.sent.iter().position(|sent| sent.ask.sequence == sequence && sent.ask.len == len)?;
        let Sent { ask, at } = self.sent.remove(index)?;
        let took = now.saturating_duration_since(at);
        self.round_trip = Some(self.round_trip.map_or(took, |smoothed| (smoothed * 7 + took) / 8));
        if let Some(open) = self.open.as_mut().filter(|open| open.opened <= at)
            && let Some((_, is_answered)) = open.sizes.iter_mut().find(|(size, _)| Some(*size) == ask.outer)
        {
            *is_answered = true;
            open.first_answer.get_or_insert(now);
        }
        Some(ask)
    }

    /// When the open round is over: at once where its largest request is answered, a little after the first answer, or when
    /// patience is at its end.
    pub(super) fn closes(&self) -> Option<Instant> {
        let open = self.open.as_ref()?;
        let is_largest_answered = open.sizes.iter().max().is_some_and(|(_, is_answered)| *is_answered);
        Some(match open.first_answer {
            Some(first) if is_largest_answered => first,
            Some(first) => first + self.grace(),
            None => open.opened + self.patience(),
        })
    }

    /// The open round, if it is over.
    pub(super) fn close_due(&mut self, now: Instant) -> Option<Closed> {
        self.closes().filter(|closes| *closes <= now)?;
        let open = self.open.take()?;
        let largest_answered = open.sizes.iter().filter(|(_, answered)| *answered).map(|(size, _)| *size).max();
        let unanswered = open.sizes.iter().filter(|(_, answered)| !answered).map(|(size, _)| *size).collect();
        Some(Closed { opened: open.opened, largest_answered, unanswered })
    }

    /// How long an answer may take.
    pub(super) fn patience(&self) -> Duration {
        self.round_trip.map_or(FIRST_PATIENCE, |round_trip| (round_trip * 3).clamp(SHORTEST_PATIENCE, LONGEST_PATIENCE))
    }

    fn grace(&self) -> Duration {
        (self.round_trip.unwrap_or_default() / 2).max(SHORTEST_GRACE)
    }
}
