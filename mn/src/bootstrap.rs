//! When to run MHAuth: at the start, after a failure with backoff, before the SA ends, and when the home agent asks for it.

use std::time::{Duration, Instant};

use rand::{Rng, RngExt};

/// The schedule of MHAuth runs. Pure: it says when, the HAC client does it.
#[derive(Debug)]
pub struct Bootstrap {
    state: State,
    backoff: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Due(Instant),
    Running,
}

/// First pause after a failure; doubled each time.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);

impl Bootstrap {
    /// Due at once.
    pub fn new(now: Instant) -> Self {
        Self { state: State::Due(now), backoff: FIRST_BACKOFF }
    }

    /// When the next run is due; `None` while one runs.
    pub fn due(&self) -> Option<Instant> {
        match self.state {
            State::Due(at) => Some(at),
            State::Running => None,
        }
    }

    /// Whether a run is due now; if so it counts as running from here on.
    pub fn start_if_due(&mut self, now: Instant) -> bool {
        let due = self.due().is_some_and(|at| at <= now);
        if due {
            self.state = State::Running;
        }
        due
    }

    /// Brings the next run forward: the home agent wants a new SA.
    pub fn hasten(&mut self, now: Instant) {
        if let State::Due(at) = self.state {
            self.state = State::Due(at.min(now));
        }
    }

    /// A run gave an SA that is valid until `valid_until`: the next is due at 80 % of that, five either way.
    pub fn succeeded(&mut self, valid_until: Instant, now: Instant, rng: &mut impl Rng) {
        let share = rng.random_range(75..=85);
        self.backoff = FIRST_BACKOFF;
        self.state = State::Due(now + valid_until.saturating_duration_since(now) * share / 100);
    }

    /// A run failed; `retry_after` is what the HAC asked for.
    pub fn failed(&mut self, retry_after: Option<Duration>, now: Instant, rng: &mut impl Rng) {
        let share = rng.random_range(80..=120);
        let pause = retry_after.unwrap_or(self.backoff) * share / 100;
        self.state = State::Due(now + pause);
        self.backoff = (self.backoff * 2).min(LONGEST_BACKOFF);
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn a_run_is_started_once_and_failures_are_repeated_at_growing_intervals() {
        let (mut rng, now) = (StdRng::seed_from_u64(1), Instant::now());
        let mut bootstrap = Bootstrap::new(now);
        assert!(bootstrap.start_if_due(now) && !bootstrap.start_if_due(now));
        let mut pauses = Vec::new();
        for _ in 0..12 {
            bootstrap.failed(None, now, &mut rng);
            pauses.push(bootstrap.due().unwrap() - now);
        }
        assert!(pauses[0] <= Duration::from_millis(1200) && pauses[3] >= Duration::from_millis(6400), "{pauses:?}");
        assert!(pauses.iter().all(|pause| *pause <= Duration::from_secs(360)));
    }

    #[test]
    fn an_sa_is_renewed_around_eighty_percent_of_its_validity() {
        let (mut rng, now) = (StdRng::seed_from_u64(2), Instant::now());
        let mut bootstrap = Bootstrap::new(now);
        bootstrap.succeeded(now + Duration::from_secs(1000), now, &mut rng);
        let due = bootstrap.due().unwrap() - now;
        assert!((Duration::from_secs(750)..=Duration::from_secs(850)).contains(&due), "{due:?}");
        bootstrap.hasten(now);
        assert_eq!(bootstrap.due(), Some(now));
    }
}
