//! Which sessions are being told of, which wait after a failure, and how much may be told at once. Pure: `accounting` brings the time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

/// Sessions that are told of at a time: a round trip of 1 ms makes 64,000 a second, more than the database takes.
pub const AT_ONCE: usize = 64;
/// Sessions that wait because no server took them while others were taken. Further ones are tried with each round.
const MAX_HELD: usize = 1024;
/// How long one of them waits.
const HOLD: Duration = Duration::from_secs(60);
/// The first and the longest pause while all servers are silent.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Queue {
    under_way: BTreeSet<String>,
    held: BTreeMap<String, Instant>,
    silence: Option<Silence>,
}

/// No server answers.
#[derive(Clone, Copy, Debug)]
struct Silence {
    pause: Duration,
    until: Instant,
}

impl Queue {
    /// How many more may be begun.
    pub(super) fn free(&self, now: Instant) -> usize {
        match self.silence {
            Some(silence) if now < silence.until => 0,
            Some(_) => 1_usize.saturating_sub(self.under_way.len()),
            None => AT_ONCE.saturating_sub(self.under_way.len()),
        }
    }

    /// How many of those that are due may be none to begin: they are read from the store all the same.
    pub(super) fn known(&self) -> usize {
        self.under_way.len() + self.held.len()
    }

    /// Begins one; `false` when it is under way or waits.
    pub(super) fn begin(&mut self, id: &str, now: Instant) -> bool {
        if self.held.get(id).is_some_and(|until| now < *until) {
            return false;
        }
        self.held.remove(id);
        self.under_way.insert(id.to_owned())
    }

    /// A server has it. `true` when none had answered before.
    pub(super) fn told(&mut self, id: &str) -> bool {
        self.under_way.remove(id);
        self.silence.take().is_some()
    }

    /// No server has taken it. `true` when that tells something new: no server answers any more.
    pub(super) fn untold(&mut self, id: &str, is_any_alive: bool, now: Instant) -> bool {
        self.under_way.remove(id);
        if is_any_alive {
            self.hold(id, HOLD, now);
            return false;
        }
        let [first, longest] = PAUSES;
        let is_new = self.silence.is_none();
        let pause = self.silence.map_or(first, |silence| silence.pause.saturating_mul(2).min(longest));
        self.silence = Some(Silence { pause, until: now + pause });
        // Another one is tried first: it may be this one alone that servers keep silent about.
        self.hold(id, pause.saturating_mul(2), now);
        is_new
    }

    fn hold(&mut self, id: &str, time: Duration, now: Instant) {
        self.held.retain(|_, until| now < *until);
        if self.held.len() < MAX_HELD {
            self.held.insert(id.to_owned(), now + time);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_told_of_once_at_a_time_and_not_more_than_may_be() {
        let (now, mut queue) = (Instant::now(), Queue::default());
        let ids: Vec<_> = (0..AT_ONCE).map(|number| number.to_string()).collect();
        assert!(ids.iter().all(|id| queue.begin(id, now)));
        assert!(!queue.begin("0", now));
        assert_eq!((queue.free(now), queue.known()), (0, AT_ONCE));
        assert!(!queue.told("0"));
        assert_eq!(queue.free(now), 1);
    }

    #[test]
    fn one_that_no_server_takes_waits_and_holds_nobody_up() {
        let (now, mut queue) = (Instant::now(), Queue::default());
        assert!(queue.begin("refused", now));
        assert!(!queue.untold("refused", true, now));
        assert_eq!(queue.free(now), AT_ONCE);
        assert!(!queue.begin("refused", now + HOLD - Duration::from_secs(1)));
        assert!(queue.begin("another", now));
        assert!(queue.begin("refused", now + HOLD));
        assert_eq!(queue.known(), 2);
    }

    #[test]
    fn while_all_are_silent_one_is_tried_at_longer_and_longer_pauses() {
        let (mut now, mut queue) = (Instant::now(), Queue::default());
        let mut pauses = Vec::new();
        for round in 0..8 {
            let id = round.to_string();
            assert!(queue.begin(&id, now));
            assert_eq!(queue.untold(&id, false, now), round == 0, "it is news once");
            let pause = (0..).find(|seconds| queue.free(now + Duration::from_secs(*seconds)) > 0).unwrap();
            assert_eq!(queue.free(now + Duration::from_secs(pause)), 1);
            pauses.push(pause);
            now += Duration::from_secs(pause);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30, 30]);
        assert!(queue.begin("session", now));
        assert!(queue.told("session"), "that one answers is news");
        assert!(!queue.told("session"));
        assert_eq!(queue.free(now), AT_ONCE);
    }

    #[test]
    fn while_all_are_silent_another_one_comes_before_the_one_that_was_tried() {
        let (now, mut queue) = (Instant::now(), Queue::default());
        assert!(queue.begin("first", now));
        assert!(queue.untold("first", false, now));
        let next = now + PAUSES[0];
        assert!(!queue.begin("first", next));
        assert!(queue.begin("second", next));
        assert!(queue.begin("first", next + PAUSES[0]));
    }

    #[test]
    fn those_that_wait_are_bounded() {
        let (now, mut queue) = (Instant::now(), Queue::default());
        for number in 0..=MAX_HELD {
            queue.untold(&number.to_string(), true, now);
        }
        assert_eq!(queue.known(), MAX_HELD);
        queue.untold("later", true, now + HOLD);
        assert_eq!(queue.known(), 1);
    }
}
