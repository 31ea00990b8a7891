//! Sessions, as accounting tells of them: one is one binding under one SA. Pure; the home agent says when a session begins and ends,
//! the gateway takes the reports out and gives them to the feed client.
//!
//! A session is told of when it begins, once an interval while it goes on, and when it ends; all that go on are told of again with a
//! new subscription. Without a HAC that wants to hear of them they are followed all the same, for the operator's lists.

mod ended;
mod of_sa;
mod schedule;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use feed::{SessionEnd, SessionReport, USAGE_PART};
use protocol::sa::Spi;
use protocol::tunnel::{Traffic, TrafficCounters};

use ended::Ended;
use of_sa::OfSa;
use schedule::Schedule;

/// How long after its end a session's figures are read: by then the halves have carried what they had in their hands, and what came
/// late under an SA that a newer one has superseded.
const SETTLING: Duration = Duration::from_millis(500);

/// Every session of a home agent's process.
#[derive(Debug, Default)]
pub struct Sessions {
    /// By the SA, as long as that is held or has a session whose figures are not read yet.
    of: BTreeMap<Spi, OfSa>,
    /// When the session that goes on is to be told of next. Empty without a schedule.
    due: BTreeSet<(Instant, Spi)>,
    /// When the figures of one that has ended are to be read, in this order. Those of one are read earlier when the next begins.
    settling: VecDeque<(Instant, Spi)>,
    ended: Ended,
    /// `None` when nobody wants to hear of sessions.
    schedule: Option<Schedule>,
}

impl Sessions {
    /// A subscription begins, of a HAC that wants to hear of each session once an `interval`, or not at all. All that go on are told
    /// of at once, and so are the ends that it may not have heard.
    pub fn begin_subscription(&mut self, interval: Option<Duration>, now: Instant) {
        self.settle(now);
        self.schedule = interval.map(|interval| Schedule::new(interval, now));
        self.due.clear();
        match self.schedule {
            None => self.ended.clear(),
            Some(_) => {
                self.ended.tell_again(now);
                let going_on = self.of.iter_mut().filter_map(|(spi, of_sa)| Some((*spi, of_sa.current.as_mut()?)));
                self.due.extend(going_on.map(|(spi, current)| {
                    current.due = now;
                    (now, spi)
                }));
            }
        }
    }

    /// The subscription lives on which reports were taken: what was told a while ago has arrived. To be said every second or so.
    pub fn note_alive(&mut self, now: Instant) {
        self.ended.forget_told(now);
    }

    /// When there is something to tell.
    pub fn next_due(&self) -> Option<Instant> {
        self.schedule.as_ref()?;
        let settled = self.settling.front().map(|(reads_at, _)| *reads_at);
        let due = self.due.first().map(|(due, _)| *due);
        [self.ended.next_due(), settled, due].into_iter().flatten().min()
    }

    /// The next message: what is due, ends first, at most [`USAGE_PART`]. It may be empty.
    pub fn take(&mut self, now: Instant) -> Vec<SessionReport> {
        self.settle(now);
        let mut reports = self.ended.take(USAGE_PART, now);
        while reports.len() < USAGE_PART
            && let Some((due, spi)) = self.due.first().copied().filter(|(due, _)| *due <= now)
        {
            self.due.remove(&(due, spi));
            reports.extend(self.report(spi, now));
        }
        reports
    }

    /// What the session that goes on under this SA has carried; nothing where there is none.
    pub fn traffic(&self, spi: Spi) -> Traffic {
        let going_on = self.of.get(&spi).filter(|of_sa| of_sa.current.is_some());
        going_on.map(OfSa::carried).unwrap_or_default()
    }

    /// A node has registered under an SA that it had no binding under.
    pub(crate) fn begin(&mut self, spi: Spi, traffic: &Arc<TrafficCounters>, care_of: SocketAddr, now: Instant) {
        self.settle(now);
        let of_sa = self.of.entry(spi).or_insert_with(|| OfSa::new(spi, traffic.clone()));
        if let Some(before) = of_sa.read() {
            self.ended.push(before, now);
        }
        of_sa.begin(care_of, now);
        if self.schedule.is_some() {
            self.due.insert((now, spi));
        }
    }

    /// The node's latest Binding Update has come from there.
    pub(crate) fn note_care_of(&mut self, spi: Spi, care_of: SocketAddr) {
        if let Some(of_sa) = self.of.get_mut(&spi) {
            of_sa.note_care_of(care_of);
        }
    }

    /// The session under this SA has ended, if there is one.
    pub(crate) fn end(&mut self, spi: Spi, why: SessionEnd, now: Instant) {
        self.settle(now);
        let Some(of_sa) = self.of.get_mut(&spi) else { return };
        let Some(due) = of_sa.end(why, now) else { return };
        self.due.remove(&(due, spi));
        if self.schedule.is_some() {
            self.settling.push_back((now + SETTLING, spi));
        } else {
            // Nobody is told of it.
            let _ = of_sa.read();
        }
    }

    /// The SA is not held any more; its session has ended before.
    pub(crate) fn forget(&mut self, spi: Spi) {
        let Some(of_sa) = self.of.get_mut(&spi) else { return };
        of_sa.is_held = false;
        if of_sa.is_done() {
            self.of.remove(&spi);
        }
    }

    /// Reads the figures of the sessions that have ended long enough ago.
    fn settle(&mut self, now: Instant) {
        while let Some((_, spi)) = self.settling.pop_front_if(|(reads_at, _)| *reads_at <= now) {
            let Some(of_sa) = self.of.get_mut(&spi) else { continue };
            if let Some(report) = of_sa.read_by(now) {
                self.ended.push(report, now);
            }
            if of_sa.is_done() {
                self.of.remove(&spi);
            }
        }
    }

    /// How the session that goes on is; it is told of now, and again when it is its turn.
    fn report(&mut self, spi: Spi, now: Instant) -> Option<SessionReport> {
        let (of_sa, schedule) = (self.of.get_mut(&spi)?, self.schedule.as_ref()?);
        let current = of_sa.current.as_mut()?;
        current.due = schedule.next(spi, now);
        self.due.insert((current.due, spi));
        of_sa.report(now)
    }
}

#[cfg(test)]
mod tests;
