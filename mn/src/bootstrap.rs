//! When to run MHAuth: at the start, after a failure with backoff, before the SA ends, when the home agent or the state of the
//! SA demands it, and when the operator says so.

use std::time::{Duration, Instant};

use rand::{Rng, RngExt};

/// The schedule of MHAuth runs. Pure: it says when, the HAC client does it.
#[derive(Debug)]
pub struct Bootstrap {
    state: State,
    backoff: Duration,
    /// A demand starts no run before this.
    heeds_from: Instant,
    /// How long after a run demands wait.
    patience: Duration,
    /// Whether the last run, or the one that is due, was demanded.
    is_demanded: bool,
    /// From then on the next demand is none of a row.
    calm_from: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Due(Instant),
    Running,
}

/// First pause after a failure; doubled each time.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);
/// After a run demands wait this long; doubled with each demanded run that follows within [`ROW`], so that a home agent that
/// is never content keeps neither the node nor the HAC busy.
const FIRST_PATIENCE: Duration = Duration::from_secs(2);
const LONGEST_PATIENCE: Duration = Duration::from_secs(300);
const ROW: Duration = Duration::from_secs(600);

impl Bootstrap {
    /// Due at once.
    pub fn new(now: Instant) -> Self {
        Self {
            state: State::Due(now),
            backoff: FIRST_BACKOFF,
            heeds_from: now,
            patience: FIRST_PATIENCE,
            is_demanded: false,
            calm_from: now,
        }
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

    /// A new SA is needed: 176, no sequence numbers left, or a home agent that does not answer. Brings the next run forward,
    /// but neither before a pause that the HAC asked for nor right behind the last run.
    pub fn demand(&mut self, now: Instant) {
        let at = self.heeds_from.max(now);
        if self.due().is_some_and(|due| at < due) {
            self.state = State::Due(at);
            self.is_demanded = true;
        }
    }

    /// The operator wants a new SA now.
    pub fn renew(&mut self, now: Instant) {
        if self.state != State::Running {
            self.state = State::Due(now);
        }
    }

    /// A run gave an SA that is valid until `valid_until`: the next is due at 80 % of that, five either way.
    pub fn succeeded(&mut self, valid_until: Instant, now: Instant, rng: &mut impl Rng) {
        let share = rng.random_range(75..=85);
        self.backoff = FIRST_BACKOFF;
        self.state = State::Due(now + valid_until.saturating_duration_since(now) * share / 100);
        let is_in_a_row = std::mem::take(&mut self.is_demanded) && now < self.calm_from;
        self.patience = if is_in_a_row { (self.patience * 2).min(LONGEST_PATIENCE) } else { FIRST_PATIENCE };
        self.calm_from = now + ROW;
        self.heeds_from = now + self.patience;
    }

    /// A run failed; `retry_after` is what the HAC asked for. Gives the pause until the next one.
    pub fn failed(&mut self, retry_after: Option<Duration>, now: Instant, rng: &mut impl Rng) -> Duration {
        let share = rng.random_range(80..=120);
        let pause = retry_after.unwrap_or(self.backoff) * share / 100;
        self.state = State::Due(now + pause);
        self.heeds_from = now + if retry_after.is_some() { pause } else { self.patience };
        self.backoff = (self.backoff * 2).min(LONGEST_BACKOFF);
        pause
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
    }

    #[test]
    fn the_operator_waits_for_no_pause() {
        let (mut rng, now) = (StdRng::seed_from_u64(2), Instant::now());
        let mut bootstrap = Bootstrap::new(now);
        bootstrap.failed(Some(Duration::from_secs(1000)), now, &mut rng);
        bootstrap.renew(now);
        assert!(bootstrap.start_if_due(now));
        bootstrap.renew(now);
        assert_eq!(bootstrap.due(), None, "one run at a time");
    }

    #[test]
    fn demands_without_end_are_heeded_at_growing_intervals_and_one_after_calm_soon() {
        let (mut rng, mut now) = (StdRng::seed_from_u64(3), Instant::now());
        let mut bootstrap = Bootstrap::new(now);
        let mut intervals = Vec::new();
        for _ in 0..11 {
            bootstrap.succeeded(now + Duration::from_secs(86_400), now, &mut rng);
            bootstrap.demand(now);
            bootstrap.demand(now);
            let due = bootstrap.due().unwrap();
            assert!(bootstrap.start_if_due(due));
            bootstrap.demand(due);
            assert_eq!(bootstrap.due(), None, "one run at a time");
            intervals.push((due - now).as_secs());
            now = due;
        }
        assert_eq!(intervals, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        bootstrap.succeeded(now + Duration::from_secs(86_400), now, &mut rng);
        now += ROW;
        bootstrap.demand(now);
        assert_eq!(bootstrap.due(), Some(now));
        bootstrap.start_if_due(now);
        bootstrap.succeeded(now + Duration::from_secs(86_400), now, &mut rng);
        bootstrap.demand(now);
        assert_eq!(bootstrap.due(), Some(now + FIRST_PATIENCE));
    }

    #[test]
    fn a_demand_shortens_a_backoff_but_not_a_pause_that_the_hac_asked_for() {
        let (mut rng, now) = (StdRng::seed_from_u64(4), Instant::now());
        let mut bootstrap = Bootstrap::new(now);
        (0..8).for_each(|_| _ = bootstrap.failed(None, now, &mut rng));
        bootstrap.demand(now);
        assert_eq!(bootstrap.due(), Some(now + FIRST_PATIENCE));
        bootstrap.failed(Some(Duration::from_secs(100)), now, &mut rng);
        let asked = bootstrap.due();
        bootstrap.demand(now);
        assert_eq!(bootstrap.due(), asked);
    }
}
