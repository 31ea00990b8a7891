//! A network over which the node does not get through, and what is done when it may do so again: somebody has logged in there.

use std::time::{Duration, Instant};

use super::report::Report;
use super::{Action, MobileNode, Phase};

/// A run of MHAuth that began longer ago than this waits for answers that the portal kept.
const STALE: Duration = Duration::from_secs(2);

impl MobileNode {
    /// Whether there is a network, and the node is not registered in spite of that.
    pub fn is_stuck(&self) -> bool {
        !self.usable.is_empty() && matches!(self.phase(), Phase::Bootstrapping | Phase::Registering)
    }

    /// What kept everything back may be gone: tries at once what waits for its next turn.
    pub fn handle_way_open(&mut self, now: Instant) {
        if let Some(run) = self.bootstrap.resume(STALE, now) {
            Report::bootstrap_abandoned();
            self.actions.push_back(Action::AbandonBootstrap(run));
        }
        if self.sa_ends.is_some() && !self.leaving && self.phase() == Phase::Registering {
            self.register(now);
        }
        self.handle_timeout(now);
    }
}
