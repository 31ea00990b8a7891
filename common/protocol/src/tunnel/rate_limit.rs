//! A token bucket in virtual time.

use std::time::{Duration, Instant};

/// Allows `burst` events at once and one more each `interval`.
#[derive(Clone, Copy, Debug)]
pub struct RateLimit {
    interval: Duration,
    burst: u32,
    /// When the bucket would be full again.
    full_at: Option<Instant>,
}

impl RateLimit {
    /// A full bucket.
    pub const fn new(burst: u32, interval: Duration) -> Self {
        Self { interval, burst, full_at: None }
    }

    /// Whether one more event is allowed now; if so it is counted.
    pub fn allow(&mut self, now: Instant) -> bool {
        let full_at = self.full_at.map_or(now, |at| at.max(now)) + self.interval;
        if full_at.saturating_duration_since(now) > self.interval * self.burst {
            return false;
        }
        self.full_at = Some(full_at);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_one_each_interval() {
        let mut limit = RateLimit::new(3, Duration::from_millis(10));
        #[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
        let start = Instant::now();
        let allowed = |limit: &mut RateLimit, at: u64| limit.allow(start + Duration::from_millis(at));
        assert_eq!([0, 0, 0, 0].map(|at| allowed(&mut limit, at)), [true, true, true, false]);
        assert_eq!([10, 10, 20, 1000].map(|at| allowed(&mut limit, at)), [true, false, true, true]);
    }
}
