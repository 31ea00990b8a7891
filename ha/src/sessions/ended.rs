//! Sessions that have ended, until the HAC knows it.
//!
//! The HAC does not answer reports. What was written to a connection has arrived when the connection lives on for a while, and may be
//! lost when it does not; so an end is kept beyond its telling, and told again with a new subscription.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use feed::SessionReport;

/// The most that are kept: at 112 octets each 7 MiB, and a day of a HAC's absence for a home agent on which a session ends each second.
pub(super) const MAX_ENDED: usize = 65_536;
/// How long a subscription has to live on until what was told has arrived. A dead connection is noticed within 10 s.
pub(super) const ARRIVED_AFTER: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(super) struct Ended {
    /// Not told yet, and since when it could have been.
    waiting: VecDeque<(Instant, SessionReport)>,
    /// Told at that time.
    told: VecDeque<(Instant, SessionReport)>,
    /// Given up since the last subscription began.
    lost: u64,
}

impl Ended {
    /// Keeps it. Where there is no room the oldest goes.
    pub(super) fn push(&mut self, report: SessionReport, now: Instant) {
        if self.waiting.len() + self.told.len() >= MAX_ENDED && self.told.pop_front().is_none() {
            self.waiting.pop_front();
            self.lost += 1;
            if self.lost == 1 {
                let most = MAX_ENDED;
                tracing::warn!(
                    most,
                    "the HAC has not been told of so many sessions that have ended that the oldest are given up: their accounting will \
                     be incomplete until it can be reached"
                );
            }
        }
        self.waiting.push_back((now, report));
    }

    /// Since when there is something to tell.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.waiting.front().map(|(since, _)| *since)
    }

    /// The oldest that are not told yet, at most `most`. They are told now.
    pub(super) fn take(&mut self, most: usize, now: Instant) -> Vec<SessionReport> {
        let taken: Vec<_> = self.waiting.drain(..most.min(self.waiting.len())).map(|(_, report)| report).collect();
        self.told.extend(taken.iter().map(|report| (now, *report)));
        taken
    }

    /// The subscription on which they were told has lived on until now.
    pub(super) fn forget_told(&mut self, now: Instant) {
        while self.told.pop_front_if(|(told_at, _)| *told_at + ARRIVED_AFTER <= now).is_some() {}
    }

    /// Nobody knows whether what was told last has arrived.
    pub(super) fn tell_again(&mut self, now: Instant) {
        self.told.drain(..).rev().for_each(|(_, report)| self.waiting.push_front((now, report)));
        if self.lost > 0 {
            tracing::info!(lost = self.lost, "the HAC can be told of sessions again; these have been given up");
            self.lost = 0;
        }
    }

    /// Nobody wants to hear of them.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
