//! What many measured times come to: median, 99th percentile, worst.

use std::fmt;
use std::time::Duration;

/// Measured times, sorted.
#[derive(Clone, Debug)]
pub struct Figures(Vec<Duration>);

impl Figures {
    /// Of times in any order.
    pub fn of(times: impl IntoIterator<Item = Duration>) -> Self {
        let mut times: Vec<_> = times.into_iter().collect();
        times.sort();
        Self(times)
    }

    /// The least time that `share` (0 to 1) of the times do not exceed; zero when there are none.
    pub fn percentile(&self, share: f64) -> Duration {
        let rank = ((self.0.len() as f64 * share).ceil() as usize).max(1);
        self.0.get(rank - 1).or(self.0.last()).copied().unwrap_or_default()
    }

    /// The middle one.
    pub fn median(&self) -> Duration {
        self.percentile(0.5)
    }

    /// What one in a hundred exceeds.
    pub fn p99(&self) -> Duration {
        self.percentile(0.99)
    }

    /// What one in a hundred exceeds, and of fewer times one: that is no verdict over a program where a processor was away for a moment.
    pub fn nearly_all(&self) -> Duration {
        let one_less = self.0.len().saturating_sub(1).max(1);
        self.0.get(one_less - 1).copied().unwrap_or_default().min(self.p99())
    }

    /// The longest.
    pub fn worst(&self) -> Duration {
        self.percentile(1.0)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [median, p99, worst] = [self.median(), self.p99(), self.worst()].map(|time| time.as_secs_f64() * 1e3);
        write!(f, "median {median:.1} ms, p99 {p99:.1} ms, worst {worst:.1} ms of {}", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_a_hundred_may_exceed_the_99th_percentile() {
        let figures = Figures::of((1..=100).rev().map(Duration::from_millis));
        assert_eq!([figures.median(), figures.p99(), figures.worst()].map(|time| time.as_millis()), [50, 99, 100]);
        assert_eq!(figures.to_string(), "median 50.0 ms, p99 99.0 ms, worst 100.0 ms of 100");
        assert_eq!(Figures::of([]).p99(), Duration::ZERO);
    }

    #[test]
    fn of_ten_one_may_exceed_what_nearly_all_keep_and_of_a_thousand_ten() {
        let of = |count| Figures::of((1..=count).map(Duration::from_millis)).nearly_all().as_millis();
        assert_eq!([1, 2, 10, 100, 1000].map(of), [1, 1, 9, 99, 990]);
        assert_eq!(Figures::of([]).nearly_all(), Duration::ZERO);
    }
}
