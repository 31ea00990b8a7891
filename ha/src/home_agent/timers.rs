//! The home agent's deadlines: one for each timer, the earliest first.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;
use std::time::Instant;

use protocol::sa::Spi;
use protocol::time::TimerName;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    BindingEnds(Ipv6Addr),
    SaEnds(Spi),
    AskForNewSa(Spi),
}

impl Timer {
    pub(super) fn name(self) -> TimerName {
        TimerName(match self {
            Self::BindingEnds(_) => "binding ends",
            Self::SaEnds(_) => "security association ends",
            Self::AskForNewSa(_) => "node is asked for a new security association",
        })
    }
}

#[derive(Debug, Default)]
pub(super) struct Timers {
    in_order: BTreeSet<(Instant, Timer)>,
    due: BTreeMap<Timer, Instant>,
}

impl Timers {
    /// Sets a timer, in the place of what it was set to.
    pub(super) fn set(&mut self, timer: Timer, due: Instant) {
        self.cancel(timer);
        self.due.insert(timer, due);
        self.in_order.insert((due, timer));
    }

    pub(super) fn cancel(&mut self, timer: Timer) {
        if let Some(due) = self.due.remove(&timer) {
            self.in_order.remove(&(due, timer));
        }
    }

    pub(super) fn next(&self) -> Option<(Instant, Timer)> {
        self.in_order.first().copied()
    }

    /// Takes the earliest of those that are due.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        let (_, timer) = self.next().filter(|(due, _)| *due <= now)?;
        self.cancel(timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_timer_that_is_set_again_is_due_once_and_a_cancelled_one_never() {
        let (mut timers, now) = (Timers::default(), Instant::now());
        let spi = Spi::new(0x1000).unwrap();
        timers.set(Timer::SaEnds(spi), now);
        timers.set(Timer::SaEnds(spi), now + Duration::from_secs(2));
        timers.set(Timer::AskForNewSa(spi), now + Duration::from_secs(1));
        timers.cancel(Timer::AskForNewSa(spi));
        assert_eq!(timers.take_due(now + Duration::from_secs(1)), None);
        assert_eq!(timers.take_due(now + Duration::from_secs(2)), Some(Timer::SaEnds(spi)));
        assert_eq!(timers.next(), None);
    }
}
