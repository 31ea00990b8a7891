//! When a connection to a AAA server may be tried again, and why the last one came to nothing. Pure: `peer` brings the time.
//!
//! The waits grow exponentially (RFC 6614 section 2.3); they are the server's, not a request's, so that a thousand requests do not
//! knock a thousand times. A connection on which nothing authentic ever came is a failed try: under TLS 1.3 a server refuses a
//! client's certificate when the client takes the handshake for done.

use std::time::Duration;

use rand::Rng;
use tokio::time::Instant;

use super::retransmission::Retransmission;

/// From the first failure to the next try.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// The tries of one server since the last connection that was of use.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    waits: Option<Retransmission>,
    not_before: Option<Instant>,
    reason: Option<String>,
}

impl Attempts {
    /// When the next try may be made; `None` where at once.
    pub(super) fn not_before(&self, now: Instant) -> Option<Instant> {
        self.not_before.filter(|time| *time > now)
    }

    /// A try has failed. The next one waits, `longest` at most. `true` when the reason is news.
    ///
    /// Others that were made at the same time do not prolong the wait.
    pub(super) fn failed(&mut self, reason: String, now: Instant, longest: Duration, rng: &mut impl Rng) -> bool {
        if self.not_before(now).is_none() {
            let wait = self.waits.get_or_insert_with(|| Retransmission::new(FIRST_WAIT)).next(rng);
            self.not_before = Some(now + wait.min(longest));
        }
        let is_news = self.reason.as_ref() != Some(&reason);
        self.reason = Some(reason);
        is_news
    }

    /// An authentic reply came.
    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Why the last try has failed, if none has succeeded since.
    pub(super) fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(5);

    fn failed(attempts: &mut Attempts, reason: &str, now: Instant) -> bool {
        attempts.failed(reason.to_owned(), now, LONGEST, &mut rand::rng())
    }

    #[test]
    fn the_waits_grow_to_the_longest_and_begin_anew_after_a_reply() {
        let (mut now, mut attempts) = (Instant::now(), Attempts::default());
        assert_eq!(attempts.not_before(now), None);
        let mut waits = Vec::new();
        for _ in 0..8 {
            failed(&mut attempts, "refused", now);
            let next = attempts.not_before(now).unwrap();
            waits.push((next - now).as_secs_f64());
            now = next;
            assert_eq!(attempts.not_before(now), None, "the wait is over");
        }
        assert!((0.22..=0.28).contains(&waits[0]), "{waits:?}");
        assert!(waits.windows(2).all(|pair| pair[0] < pair[1] || pair[1] >= 4.9), "{waits:?}");
        assert!(waits.iter().all(|wait| *wait <= 5.0), "{waits:?}");
        attempts.succeeded();
        assert_eq!((attempts.not_before(now), attempts.reason()), (None, None));
        failed(&mut attempts, "refused", now);
        assert!((attempts.not_before(now).unwrap() - now).as_secs_f64() <= 0.28);
    }

    #[test]
    fn failures_at_the_same_time_count_once() {
        let (now, mut attempts) = (Instant::now(), Attempts::default());
        failed(&mut attempts, "refused", now);
        let next = attempts.not_before(now);
        (0..15).for_each(|_| assert!(!failed(&mut attempts, "refused", now)));
        assert_eq!(attempts.not_before(now), next);
    }

    #[test]
    fn a_reason_is_news_once() {
        let (now, mut attempts) = (Instant::now(), Attempts::default());
        assert!(failed(&mut attempts, "refused", now));
        assert!(!failed(&mut attempts, "refused", now + LONGEST));
        assert!(failed(&mut attempts, "another name", now + 2 * LONGEST));
        assert_eq!(attempts.reason(), Some("another name"));
        attempts.succeeded();
        assert!(failed(&mut attempts, "another name", now));
    }
}
