//! Whether what is sent arrives: what comes in says nothing of that (RFC 4861 section 7.3.1 has the same of neighbours). Where packets
//! go out and none is answered by name, the home agent is asked with a Heartbeat.

use std::time::{Duration, Instant};

/// A node that sends, and has for so long no answer to anything of its own, asks: a second and a half, less what a look may come early.
const CONFIRMED_FOR: Duration = Duration::from_millis(1_400);
/// After which a question is asked again, once, and after which the second one counts as unanswered: longer than a round trip over a
/// satellite with some queue before it.
const PATIENCE: Duration = Duration::from_millis(700);
/// Looks that lie further apart say nothing of what was between them.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What is to be done after a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// A Heartbeat Request is to go.
    Ask,
    /// Two were not answered.
    Unanswered,
}

/// The forward direction of the path in use.
#[derive(Debug, Default)]
pub struct Reachability {
    sent: u64,
    looked: Option<Instant>,
    confirmed: Option<Instant>,
    /// Questions, and when the latest was asked.
    asked: Option<(u8, Instant)>,
}

impl Reachability {
    /// The home agent has answered something that went over the path in use, or there is another path.
    pub fn confirm(&mut self, now: Instant) {
        self.confirmed = Some(now);
        self.asked = None;
    }

    /// Something says that what is sent may not arrive: that is asked now, unless it is already.
    pub fn doubt(&mut self, now: Instant) -> Option<Doubt> {
        if self.asked.is_some() { None } else { self.ask(1, now) }
    }

    /// Takes the number of packets that went out, those that nobody answers not among them.
    pub fn observe(&mut self, sent: u64, now: Instant) -> Option<Doubt> {
        let looked = self.looked.replace(now);
        let sends = sent > std::mem::replace(&mut self.sent, sent);
        if looked.is_none_or(|before| now.saturating_duration_since(before) > LONGEST_PAUSE) {
            self.confirm(now);
            return None;
        }
        match self.asked {
            Some((_, at)) if now.saturating_duration_since(at) < PATIENCE => None,
            Some((1, _)) => self.ask(2, now),
            Some(_) => {
                self.confirm(now);
                Some(Doubt::Unanswered)
            }
            None => {
                let since = *self.confirmed.get_or_insert(now);
                let is_old = now.saturating_duration_since(since) >= CONFIRMED_FOR;
                if sends && is_old { self.ask(1, now) } else { None }
            }
        }
    }

    fn ask(&mut self, number: u8, now: Instant) -> Option<Doubt> {
        self.asked = Some((number, now));
        Some(Doubt::Ask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks twice a second at a node that sends `rate` packets between two looks; gives what came of each look.
    fn looks(reachability: &mut Reachability, start: Instant, from: u32, count: u32, rate: u64) -> Vec<Option<Doubt>> {
        let look = |number: u32| reachability.observe(u64::from(number) * rate, start + Duration::from_millis(500) * number);
        (from..from + count).map(look).collect()
    }

    #[test]
    fn who_sends_asks_twice_and_then_does_not_believe_it_any_more() {
        let (mut reachability, start) = (Reachability::default(), Instant::now());
        let (ask, lost) = (Some(Doubt::Ask), Some(Doubt::Unanswered));
        let said = looks(&mut reachability, start, 0, 9, 10);
        assert_eq!(said, [None, None, None, ask, None, ask, None, lost, None], "asked at 1.5 s, lost at 3.5 s");
    }

    #[test]
    fn an_answer_ends_the_doubt_and_nothing_is_asked_for_a_while() {
        let (mut reachability, start) = (Reachability::default(), Instant::now());
        assert_eq!(looks(&mut reachability, start, 0, 4, 10)[3], Some(Doubt::Ask));
        reachability.confirm(start + Duration::from_millis(1_640));
        let said = looks(&mut reachability, start, 4, 4, 10);
        assert_eq!(said, [None, None, None, Some(Doubt::Ask)]);
    }

    #[test]
    fn who_sends_nothing_asks_nothing_however_much_comes_in() {
        let (mut reachability, start) = (Reachability::default(), Instant::now());
        assert_eq!(looks(&mut reachability, start, 0, 100, 0), [None; 100]);
    }

    #[test]
    fn a_doubt_that_comes_from_elsewhere_is_asked_about_at_once_though_nothing_is_sent() {
        let (mut reachability, start) = (Reachability::default(), Instant::now());
        looks(&mut reachability, start, 0, 4, 0);
        let at = start + Duration::from_millis(1_600);
        assert_eq!((reachability.doubt(at), reachability.doubt(at)), (Some(Doubt::Ask), None));
        assert_eq!(looks(&mut reachability, start, 4, 4, 0), [None, Some(Doubt::Ask), None, Some(Doubt::Unanswered)]);
    }

    #[test]
    fn what_was_before_a_sleep_is_forgotten() {
        let (mut reachability, start) = (Reachability::default(), Instant::now());
        looks(&mut reachability, start, 0, 6, 10);
        assert_eq!(reachability.observe(1_000, start + Duration::from_secs(100)), None);
    }
}
