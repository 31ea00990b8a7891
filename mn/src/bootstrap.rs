//! When to run MHAuth: at the start, after a failure with backoff, before the SA ends, when the home agent or the state of the
//! SA demands it, when the operator says so, and anew when the network that a run went over is gone.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use rand::{Rng, RngExt};

use crate::movement::Attachment;

/// The schedule of MHAuth runs. Pure: it says when, the HAC client does it.
#[derive(Debug)]
pub struct Bootstrap {
    state: State,
    last: Run,
    /// When that began.
    begun: Instant,
    backoff: Duration,
    /// A demand starts no run before this.
    heeds_from: Instant,
    /// How long after a run demands wait.
    patience: Duration,
    /// Whether the last run, or the one that is due, was demanded.
    is_demanded: bool,
    /// From then on the next demand is none of a row.
    calm_from: Instant,
    /// The HAC wants no run before this.
    asked_until: Instant,
    /// Whether the last run failed or was abandoned: then a fresh network is a fresh start.
    is_failing: bool,
    fresh: FreshStarts,
    /// Since when there is no network, if there was one.
    detached: Option<Instant>,
}

/// One run, by number: a late word of one that was abandoned is not the next one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run(u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Due(Instant),
    Running {
        run: Run,
        /// The address that it goes from, once that is known.
        from: Option<IpAddr>,
    },
}

/// Runs that a change of the network starts.
#[derive(Debug)]
struct FreshStarts {
    /// None before this.
    from: Instant,
    /// Whether the run that is due is one.
    is_due: bool,
}

/// First pause after a failure; doubled each time.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
/// A node that waits for its HAC waits for nothing else: who has brought it back does not want to wait for minutes more.
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);
/// How often a run is tried where no network is known.
const DETACHED_INTERVAL: Duration = Duration::from_secs(300);
/// After a run demands wait this long; doubled with each demanded run that follows within [`ROW`], so that a home agent that
/// is never content keeps neither the node nor the HAC busy.
const FIRST_PATIENCE: Duration = Duration::from_secs(2);
const LONGEST_PATIENCE: Duration = Duration::from_secs(300);
const ROW: Duration = Duration::from_secs(600);
/// A link that goes and comes without end starts no more than one run in this time.
const FRESH_INTERVAL: Duration = Duration::from_secs(1);

impl Bootstrap {
    /// Due at once.
    pub fn new(now: Instant) -> Self {
        Self {
            state: State::Due(now),
            last: Run(0),
            begun: now,
            backoff: FIRST_BACKOFF,
            heeds_from: now,
            patience: FIRST_PATIENCE,
            is_demanded: false,
            calm_from: now,
            asked_until: now,
            is_failing: false,
            fresh: FreshStarts { from: now, is_due: false },
            detached: None,
        }
    }

    /// When the next run is due; `None` while one runs. Without a network it waits for one, and is tried every 300 s all the
    /// same, since the HAC may be reached where the home agent is not.
    pub fn due(&self) -> Option<Instant> {
        match self.state {
            State::Due(at) => Some(self.detached.map_or(at, |since| at.max(since + DETACHED_INTERVAL))),
            State::Running { .. } => None,
        }
    }

    /// The run that is due now; it counts as running from here on.
    pub fn start_if_due(&mut self, now: Instant) -> Option<Run> {
        self.due().filter(|at| *at <= now)?;
        if std::mem::take(&mut self.fresh.is_due) {
            self.fresh.from = now + FRESH_INTERVAL;
        }
        self.last = Run(self.last.0.wrapping_add(1));
        self.begun = now;
        self.state = State::Running { run: self.last, from: None };
        Some(self.last)
    }

    /// Whether `run` is the one in progress.
    pub fn is_running(&self, run: Run) -> bool {
        matches!(self.state, State::Running { run: running, .. } if running == run)
    }

    /// The run in progress.
    #[cfg(test)]
    pub(crate) fn running(&self) -> Option<Run> {
        Some(self.last).filter(|run| self.is_running(*run))
    }

    /// `run` goes from this address, or it is not known (any more) from which it will.
    pub fn goes_from(&mut self, run: Run, address: Option<IpAddr>) {
        if self.is_running(run) {
            self.state = State::Running { run, from: address };
        }
    }

    /// The attachments that were usable `before` and are `after`. Gives the run that is to be abandoned, because the network
    /// that it goes over is gone or, while that is not known, any network: another is due at once. A fresh network ends a
    /// backoff, but no pause that the HAC asked for.
    pub fn follow_network(&mut self, before: &[Attachment], after: &[Attachment], now: Instant) -> Option<Run> {
        if !after.is_empty() {
            self.detached = None;
        } else if !before.is_empty() {
            self.detached = Some(now);
        }
        let mut gone = before.iter().map(|old| old.care_of.0).filter(|old| !has(after, *old));
        match self.state {
            State::Running { run, from } => {
                gone.find(|old| from.is_none_or(|from| goes_with(from, *old, before)))?;
                self.start_afresh(now);
                Some(run)
            }
            State::Due(_) => {
                if self.is_failing && after.iter().any(|new| !has(before, new.care_of.0)) {
                    self.start_afresh(now);
                }
                None
            }
        }
    }

    /// The machine was asleep for so long until a moment ago. Gives the run that was in progress before, which is to be abandoned, since
    /// its connection is as old: another is due at once. A backoff is over, but no pause that the HAC asked for; without a network the
    /// node waits for one.
    pub fn resume(&mut self, slept: Duration, now: Instant) -> Option<Run> {
        if let Some(since) = &mut self.detached {
            *since = now;
        }
        self.abandon(matches!(self.state, State::Running { .. } if now.saturating_duration_since(self.begun) >= slept), now)
    }

    /// The HAC may be reached in another way than a moment ago. Gives the run that is to be abandoned, because it has not reached it in the
    /// old one: another is due at once, as after one that failed, but for a pause that the HAC asked for.
    pub fn follow_way(&mut self, now: Instant) -> Option<Run> {
        self.abandon(matches!(self.state, State::Running { from: None, .. }), now)
    }

    /// Ends the run in progress where it is of no use any more, or the wait behind one that failed: another is due at once.
    fn abandon(&mut self, is_useless: bool, now: Instant) -> Option<Run> {
        let run = match self.state {
            State::Running { run, .. } if is_useless => Some(run),
            State::Due(_) if self.is_failing => None,
            State::Running { .. } | State::Due(_) => return None,
        };
        self.start_afresh(now);
        run
    }

    /// A new SA is needed: 176, no sequence numbers left, or a home agent that does not answer. Brings the next run forward,
    /// but neither before a pause that the HAC asked for nor right behind the last run.
    pub fn demand(&mut self, now: Instant) {
        let at = self.heeds_from.max(now);
        if matches!(self.state, State::Due(due) if at < due) {
            self.state = State::Due(at);
            self.is_demanded = true;
        }
    }

    /// The operator wants a new SA now.
    pub fn renew(&mut self, now: Instant) {
        if matches!(self.state, State::Due(_)) {
            self.state = State::Due(now);
        }
    }

    /// A run gave an SA that is valid until `valid_until`: the next is due at 80 % of that, five either way.
    pub fn succeeded(&mut self, valid_until: Instant, now: Instant, rng: &mut impl Rng) {
        let share = rng.random_range(75..=85);
        self.backoff = FIRST_BACKOFF;
        self.is_failing = false;
        self.asked_until = now;
        self.state = State::Due(now + valid_until.saturating_duration_since(now) * share / 100);
        let is_in_a_row = std::mem::take(&mut self.is_demanded) && now < self.calm_from;
        self.patience = if is_in_a_row { (self.patience * 2).min(LONGEST_PATIENCE) } else { FIRST_PATIENCE };
        self.calm_from = now + ROW;
        self.heeds_from = now + self.patience;
    }

    /// A run failed; `retry_after` is what the HAC asked for. Gives the pause until the next one.
    pub fn failed(&mut self, retry_after: Option<Duration>, now: Instant, rng: &mut impl Rng) -> Duration {
        let share = rng.random_range(80..=120);
        let backoff = if self.detached.is_some() { DETACHED_INTERVAL } else { self.backoff };
        let pause = retry_after.unwrap_or(backoff) * share / 100;
        self.state = State::Due(now + pause);
        self.heeds_from = now + if retry_after.is_some() { pause } else { self.patience };
        if retry_after.is_some() {
            self.asked_until = now + pause;
        }
        self.backoff = (self.backoff * 2).min(LONGEST_BACKOFF);
        self.is_failing = true;
        pause
    }

    /// The next run is due as if none had failed.
    fn start_afresh(&mut self, now: Instant) {
        let at = now.max(self.asked_until).max(self.fresh.from);
        self.state = match self.state {
            State::Due(due) => State::Due(due.min(at)),
            State::Running { .. } => State::Due(at),
        };
        self.backoff = FIRST_BACKOFF;
        self.is_failing = true;
        self.fresh.is_due = true;
    }
}

/// Whether a run from `from` is over with the care-of address `gone`. Where `from` is none of the care-of addresses, a temporary
/// address (RFC 8981) for one, it may be of any network of its family; a run too many costs less than one that hangs.
fn goes_with(from: IpAddr, gone: IpAddr, before: &[Attachment]) -> bool {
    if has(before, from) { from == gone } else { from.is_ipv4() == gone.is_ipv4() }
}

fn has(attachments: &[Attachment], address: IpAddr) -> bool {
    attachments.iter().any(|attachment| attachment.care_of.0 == address)
}

#[cfg(test)]
mod tests;
