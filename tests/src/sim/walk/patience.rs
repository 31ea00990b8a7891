//! How long a mobile node may still wait once everything is right. Pauses grow with what went wrong before.

use std::time::Duration;

use protocol::sa::Spi;

/// A run of MHAuth on a network that is gone may hang so long before it fails; a Binding Update that nobody answered may wait
/// as long to be repeated (MAX_BINDACK_TIMEOUT of RFC 6275 section 12).
const HANGING: Duration = Duration::from_secs(32);
/// Until the node notices that it hears nothing, MHAuth on the slowest link, and registration with the check of its path; or until
/// it has given up saying goodbye and is started again.
const WORK: Duration = Duration::from_secs(12);
/// MHAuth's pauses after failures: the first, doubled each time up to the longest, a fifth more at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A HAC without a home agent asks the node to come again after this.
const RETRY_HOME_AGENT: Duration = Duration::from_secs(5);
/// A HAC that has refused a name ten times within a minute hears it no more until the minute is over.
const ADMISSION: Duration = Duration::from_secs(60);
/// After an SA that the home agent made it get, a node does not heed the next demand so soon: doubled within a row.
const FIRST_PATIENCE: Duration = Duration::from_secs(2);
const LONGEST_PATIENCE: Duration = Duration::from_secs(300);
/// Further apart, demands are not of one row.
const ROW: Duration = Duration::from_secs(600);

/// What a node's pauses follow from, as it is seen from outside.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// Runs that failed since the last SA.
    failures: u32,
    /// SAs in a row, the last one's time.
    row: Option<(u32, Duration)>,
}

impl Patience {
    /// The HAC granted an SA.
    pub(super) fn granted(&mut self, (at, _): &(Duration, Spi)) {
        let before = self.row.filter(|(_, last)| *at < *last + ROW).map_or(0, |(count, _)| count);
        (self.row, self.failures) = (Some((before + 1, *at)), 0);
    }

    /// Runs of MHAuth failed.
    pub(super) fn failed(&mut self, runs: usize) {
        self.failures += runs as u32;
    }

    /// The longest that a node which was not `refused` for good may take. The run that hangs may be one failure more.
    pub(super) fn longest(&self, was_refused: bool) -> Duration {
        let pause = doubled(FIRST_PAUSE, self.failures, LONGEST_PAUSE).max(RETRY_HOME_AGENT) * 6 / 5;
        let patience = doubled(FIRST_PATIENCE, self.row.map_or(0, |(count, _)| count), LONGEST_PATIENCE);
        let admission = if was_refused { ADMISSION * 6 / 5 } else { Duration::ZERO };
        HANGING + pause.max(patience) + admission + WORK
    }
}

fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    (first * (1 << times.min(9))).min(longest)
}
