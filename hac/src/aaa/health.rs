//! Whether a AAA server is worth asking. Pure: `server` brings the time.
//!
//! Dead is a server that has let a request's whole limit pass without an authentic word to anybody. One silence alone proves
//! nothing: a server is silent, too, about a realm whose own server is down (RFC 5997 section 4.3), which any mobile node could
//! name.

use std::time::Duration;

use tokio::time::Instant;

/// What is known of one server.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Health {
    heard: Option<Instant>,
    dead_until: Option<Instant>,
}

impl Health {
    /// Whether it is asked like others: it has not been found dead, or that was long enough ago to try.
    pub(super) fn is_alive(&self, now: Instant) -> bool {
        self.dead_until.is_none_or(|until| now >= until)
    }

    /// Whether it is dead by the finding that ends at `until`.
    pub(super) fn is_dead_until(&self, until: Instant, now: Instant) -> bool {
        self.dead_until == Some(until) && now < until
    }

    /// An authentic reply came. `true` when that tells something new: it was found dead before.
    pub(super) fn heard(&mut self, now: Instant) -> bool {
        self.heard = Some(now);
        self.dead_until.take().is_some()
    }

    /// A request of `asked` has had no answer. Says until when the server is dead, where it is found so now.
    pub(super) fn silent(&mut self, asked: Instant, now: Instant, dead_time: Duration) -> Option<Instant> {
        if self.heard.is_some_and(|heard| heard >= asked) || !self.is_alive(now) {
            return None;
        }
        self.dead_until = Some(now + dead_time);
        self.dead_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEAD: Duration = Duration::from_secs(60);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_silent_server_is_dead_for_the_dead_time_and_then_tried() {
        let (start, mut health) = (Instant::now(), Health::default());
        assert!(health.is_alive(start));
        let found = start + seconds(10);
        assert_eq!(health.silent(start, found, DEAD), Some(found + DEAD));
        assert!(!health.is_alive(found + seconds(59)));
        assert!(health.is_dead_until(found + DEAD, found + seconds(59)));
        assert!(health.is_alive(found + DEAD));
        assert!(!health.is_dead_until(found + DEAD, found + DEAD));
    }

    #[test]
    fn a_server_that_answered_another_request_meanwhile_is_not_dead() {
        let (start, mut health) = (Instant::now(), Health::default());
        health.heard(start + seconds(3));
        assert_eq!(health.silent(start, start + seconds(10), DEAD), None);
        assert!(health.is_alive(start + seconds(10)));
        assert!(health.silent(start + seconds(4), start + seconds(14), DEAD).is_some());
    }

    #[test]
    fn an_authentic_word_makes_it_alive_and_is_news_once() {
        let (start, mut health) = (Instant::now(), Health::default());
        assert!(!health.heard(start));
        health.silent(start + seconds(1), start + seconds(11), DEAD).unwrap();
        assert!(health.heard(start + seconds(12)));
        assert!(health.is_alive(start + seconds(12)));
        assert!(!health.heard(start + seconds(13)));
    }

    #[test]
    fn further_silence_does_not_make_a_dead_server_dead_for_longer() {
        let (start, mut health) = (Instant::now(), Health::default());
        let until = health.silent(start, start + seconds(10), DEAD).unwrap();
        assert_eq!(health.silent(start, start + seconds(20), DEAD), None);
        assert!(health.is_alive(until));
        assert!(health.silent(until, until + seconds(10), DEAD).is_some());
    }
}
