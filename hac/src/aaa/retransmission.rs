//! When a request is sent again (RFC 5080 section 2.2.1): each wait twice the last, all with jitter, so that HACs that were cut
//! off together do not return together.

use std::time::Duration;

use rand::{Rng, RngExt};

/// MRT: no wait is longer, jitter aside.
pub(super) const LONGEST: Duration = Duration::from_secs(16);
/// RAND: the jitter's share, to either side.
const JITTER: f64 = 0.1;

/// The waits of one request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retransmission {
    first: Duration,
    last: Option<Duration>,
}

impl Retransmission {
    /// `first` is IRT, the wait after the first transmission.
    pub(super) fn new(first: Duration) -> Self {
        Self { first, last: None }
    }

    /// How long to wait for an answer to the transmission that was just made.
    pub(super) fn next(&mut self, rng: &mut impl Rng) -> Duration {
        let jitter = rng.random_range(-JITTER..=JITTER);
        let wait = match self.last {
            None => self.first.mul_f64(1.0 + jitter),
            Some(last) => last.mul_f64(2.0 + jitter),
        };
        let wait = if wait > LONGEST { LONGEST.mul_f64(1.0 + jitter) } else { wait };
        self.last = Some(wait);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wait_is_twice_the_last_within_a_tenth_and_up_to_16_seconds() {
        for _ in 0..100 {
            let mut waits = Retransmission::new(Duration::from_secs(2));
            let mut last = waits.next(&mut rand::rng()).as_secs_f64();
            assert!((1.8..=2.2).contains(&last), "{last}");
            for _ in 0..6 {
                let next = waits.next(&mut rand::rng()).as_secs_f64();
                let is_longest = (14.4..=17.6).contains(&next);
                assert!(is_longest || (1.9..=2.1).contains(&(next / last)), "{next} after {last}");
                last = next;
            }
            assert!(last >= 14.4);
        }
    }

    #[test]
    fn two_requests_do_not_wait_alike() {
        let wait = || Retransmission::new(Duration::from_secs(2)).next(&mut rand::rng());
        let first = wait();
        assert!((0..10).any(|_| wait() != first));
    }
}
