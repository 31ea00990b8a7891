//! When a session is told of: once an interval, each at its own place in it, so that a home agent with many does not say all at once.

use std::time::{Duration, Instant};

use protocol::sa::Spi;

/// Multiplying with it spreads numbers that follow each other: 2^32 divided by the golden ratio.
const SPREAD: u32 = 0x9e37_79b9;

#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    interval: Duration,
    since: Instant,
}

impl Schedule {
    /// Intervals that are counted from now on.
    pub(super) fn new(interval: Duration, now: Instant) -> Self {
        Self { interval: interval.max(Duration::from_secs(1)), since: now }
    }

    /// The SA's next turn after `now`, at most one interval later.
    pub(super) fn next(&self, spi: Spi, now: Instant) -> Instant {
        let [interval, place, passed] =
            [self.interval, self.place(spi), now.saturating_duration_since(self.since)].map(|duration| duration.as_millis());
        let rounds = passed.checked_sub(place).map_or(0, |behind| behind / interval + 1);
        let millis = u64::try_from(place.saturating_add(rounds.saturating_mul(interval))).unwrap_or(u64::MAX);
        self.since.checked_add(Duration::from_millis(millis)).unwrap_or(now + self.interval)
    }

    /// Where in each interval its turn is.
    fn place(&self, spi: Spi) -> Duration {
        let share = spi.get().wrapping_mul(SPREAD) >> 16;
        self.interval * share / (1 << 16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(600);

    fn spi(number: u32) -> Spi {
        Spi::new(number).unwrap()
    }

    #[test]
    fn turns_follow_each_other_at_the_interval_whenever_one_asks() {
        let start = Instant::now();
        let schedule = Schedule::new(INTERVAL, start);
        for number in [1, 0x1234, 0x0fff_ffff] {
            let first = schedule.next(spi(number), start);
            assert!(first > start && first <= start + INTERVAL, "{number}");
            assert_eq!(schedule.next(spi(number), first), first + INTERVAL, "at its turn the next one is asked for");
            let late = first + INTERVAL * 5 + Duration::from_secs(7);
            assert_eq!(schedule.next(spi(number), late), first + INTERVAL * 6, "late, without drift and without catching up");
        }
    }

    #[test]
    fn the_turns_of_a_block_of_associations_are_spread_over_the_interval() {
        let start = Instant::now();
        let schedule = Schedule::new(INTERVAL, start);
        let mut in_each_second = [0_u32; 601];
        for number in 0x5000..0x6000 {
            let after = schedule.next(spi(number), start) - start;
            in_each_second[usize::try_from(after.as_secs()).unwrap()] += 1;
        }
        // 4,096 in 600 seconds are 6.8 a second.
        assert!(in_each_second.iter().all(|count| *count <= 8), "{in_each_second:?}");
    }

    #[test]
    fn the_longest_interval_that_can_be_said_does_not_overflow() {
        let start = Instant::now();
        let longest = Duration::from_secs(u32::MAX.into());
        let schedule = Schedule::new(longest, start);
        let next = schedule.next(spi(0x0fff_ffff), start);
        assert!(next > start && next <= start + longest);
    }
}
