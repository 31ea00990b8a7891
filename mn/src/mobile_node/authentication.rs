//! Runs of MHAuth and what they give: the node's security associations.

use std::fmt::Display;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::tunnel::{Command, Install};
use rand::Rng;

use super::report::Report;
use super::{Action, MobileNode};
use crate::bootstrap::Run;

impl MobileNode {
    /// Whether `run` is in progress: what one says that was abandoned is not heard.
    pub fn awaits(&self, run: Run) -> bool {
        self.bootstrap.is_running(run)
    }

    /// `run` is connected to the HAC from this address: when that is gone the run is abandoned. `None` while it tries one of the
    /// HAC's addresses after another: then any network's end abandons it.
    pub fn handle_bootstrap_address(&mut self, run: Run, address: Option<IpAddr>) {
        self.bootstrap.goes_from(run, address);
    }

    /// Takes a new SA from the HAC: packets go under it at once, the home agent's downlink follows with the Binding Update.
    /// Nothing is lost: the home agent has the new SA before the HAC names it, and here the old one still opens.
    pub fn handle_grant(&mut self, run: Run, install: Arc<Install>, now: Instant, rng: &mut impl Rng) {
        if !self.awaits(run) {
            return;
        }
        Report::granted(&install);
        self.bootstrap.succeeded(install.valid_until, now, rng);
        self.sa_ends = Some(install.valid_until);
        self.is_plain = false;
        self.actions.push_back(Action::Command(Command::Install(install.clone())));
        if let Some(old) = self.sa.replace(install.clone()) {
            self.renewals += 1;
            if old.sa.home_agent != install.sa.home_agent {
                self.leave_home_agent(now);
            }
            // The device has the new addresses alone.
            let gone = (old.sa.home != install.sa.home).then_some(Command::Remove(old.sa.home));
            self.actions.extend(gone.map(Action::Command));
            let oldest = self.superseded.push(old);
            self.actions.extend(oldest.map(|spi| Action::Command(Command::Uninstall(spi))));
        }
        self.register(now);
        self.follow_movement(now);
    }

    /// What leads to the home agent before this one, and what is known of the way there, is of no use.
    fn leave_home_agent(&mut self, now: Instant) {
        self.leave_fallback(now);
        self.leave_path(now);
    }

    /// `run` failed for `reason`; MHAuth is tried again after `retry_after` or with backoff.
    pub fn handle_bootstrap_failure(
        &mut self,
        run: Run,
        reason: &dyn Display,
        retry_after: Option<Duration>,
        now: Instant,
        rng: &mut impl Rng,
    ) {
        if !self.awaits(run) {
            return;
        }
        let pause = self.bootstrap.failed(retry_after, now, rng);
        Report::bootstrap_failed(reason, pause);
    }

    /// The operator wants a new SA.
    pub fn handle_renew(&mut self, now: Instant) {
        self.bootstrap.renew(now);
        self.bootstrap_if_due(now);
    }

    /// 176, no sequence numbers left, or a home agent that does not answer.
    pub(super) fn demand_new_sa(&mut self, now: Instant) {
        self.bootstrap.demand(now);
        self.bootstrap_if_due(now);
    }

    /// Past its validity end (RFC 6618 section 5.6.3) nothing is sent under an SA. Its addresses hold until there is another:
    /// until then packets find no tunnel, and Binding Updates that nobody answers demand a run of MHAuth.
    pub(super) fn end_sa(&mut self) {
        if let Some(install) = &self.sa {
            let commands = [Command::Remove(install.sa.home), Command::Uninstall(install.sa.spi)];
            self.actions.extend(commands.map(Action::Command));
            self.is_bound_here = false;
        }
        self.leave_home();
    }

    pub(super) fn bootstrap_if_due(&mut self, now: Instant) {
        let run = if self.leaving { None } else { self.bootstrap.start_if_due(now) };
        self.actions.extend(run.map(Action::Bootstrap));
    }
}
