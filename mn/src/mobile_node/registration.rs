//! What the node says to its home agent: Binding Updates and keepalives, and with them how its own packets go.

use std::net::SocketAddr;
use std::time::Instant;

use protocol::time::Lifetime;
use protocol::tunnel::{Command, Install, Path, Paths};

use super::report::Report;
use super::{Action, MobileNode};
use crate::binding_messages::{self, Update};
use crate::handover::Attached;

/// Lifetime asked for a binding; the home agent may grant less.
const BINDING_LIFETIME: Lifetime = Lifetime::from_units(150);
/// After so many unanswered Binding Updates the SA may have ended without a word: MHAuth is run anew.
pub(super) const UNANSWERED_BEFORE_MHAUTH: u32 = 4;
/// Datagrams of a Binding Update that the downlink waits for, when it is sent first. Where a fifth is lost, one in 25 is lost whole.
pub(super) const COPIES: usize = 2;
/// And when it is repeated: something is lost there, and another repetition would come twice as late.
const REPEATED_COPIES: usize = Paths::MAX;
/// De-registration is tried this often before the node stops without an answer.
const DEREGISTRATIONS: u32 = 3;

impl MobileNode {
    /// Sends from the attachment in use under the SA in use, and asks the home agent to do the same.
    pub(super) fn register(&mut self, now: Instant) {
        self.is_bound_here = false;
        self.send_binding_update(true, now);
    }

    /// Sends a Binding Update, or has the timer do so when there were too many. Packets go as it says at once. Where nothing leads to the
    /// home agent none is due any more: another attachment, or another way from this one, begins anew.
    pub(super) fn send_binding_update(&mut self, anew: bool, now: Instant) {
        match self.path() {
            Some(path) => self.send_binding_update_on(&path, anew, now),
            // Its timer says that it has left.
            None if self.leaving => {}
            None => self.registration.pause(),
        }
    }

    /// The same on `path`, be it in use or not.
    pub(super) fn send_binding_update_on(&mut self, path: &Path, anew: bool, now: Instant) {
        let Some(install) = self.sa.clone() else { return };
        let Some(care_of) = self.handover.current().map(|(_, attachment)| attachment.care_of) else { return };
        let sequence = self.registration.send(anew, install.sa.spi, now);
        if !self.says_that_it_is_home() {
            self.fallback.sent(now);
        }
        self.steer();
        let Some(sequence) = sequence else { return };
        self.recorder.updating(now);
        Report::updating(install.sa.spi, sequence, self.registration.unanswered());
        let lifetime = if self.leaving || self.says_that_it_is_home() { Lifetime::ZERO } else { BINDING_LIFETIME };
        let care_of = self.home_as_care_of().unwrap_or(care_of);
        let token = self.path_check.said(path, install.sa.features);
        let (id, overwrites) = (self.binding_id(), self.handover.beside().is_none());
        let mobile_router = self.as_router(&install.sa);
        let received = self.heard_up_to(install.sa.spi);
        let update = Update { sequence, lifetime, care_of, path_check: token, received, id, overwrites, mobile_router };
        let (next_header, payload) = binding_messages::binding_update(&install.sa, &update);
        let copies = self.copies(&install, path);
        let paths = Paths::copies(path.clone(), copies);
        self.actions.push_back(Action::Command(Command::Signal { spi: install.sa.spi, paths, next_header, payload }));
    }

    /// As how many identical datagrams this Binding Update goes. The downlink waits for it while the home agent has not
    /// acknowledged the attachment, or not that its path is proved: then several, where the replay window tells a copy.
    fn copies(&self, install: &Install, path: &Path) -> usize {
        let is_confirmed = self.is_found_here && self.path_check.token(path).is_none();
        match self.registration.unanswered() {
            _ if is_confirmed || !install.sa.is_numbered() => 1,
            ..=1 => COPIES,
            2.. => REPEATED_COPIES,
        }
    }

    /// The registration's timer has fired.
    pub(super) fn repeat_or_refresh(&mut self, now: Instant) {
        let unanswered = self.registration.unanswered();
        if self.leaving && (unanswered >= DEREGISTRATIONS || self.path().is_none()) {
            self.registration.pause();
            self.actions.push_back(Action::Finished);
            return;
        }
        if self.is_home_silent(unanswered, now) {
            return;
        }
        // On a link that says it is home a home agent that is silent says that it is not.
        let may_leave = !self.leaving && !self.says_that_it_is_home();
        if may_leave && (self.leave_fallback_if_dead(unanswered, now) || self.leave_if_dead(unanswered, now)) {
            return;
        }
        if unanswered >= UNANSWERED_BEFORE_MHAUTH {
            self.report_silence();
            self.demand_new_sa(now);
        }
        self.send_binding_update(unanswered == 0, now);
    }

    /// A home agent that refuses, or says 176, is there; and nothing goes to it under an SA that has ended.
    fn report_silence(&mut self) {
        let (Some(install), Some((_, attachment))) = (&self.sa, self.handover.current()) else { return };
        if !self.registration.is_heard() && self.sa_ends.is_some() {
            self.report.unanswered(install, &attachment.name);
        }
    }

    /// Sends something that nobody answers; where a dummy cannot be sent, a Binding Update.
    pub(super) fn keep_alive(&mut self, now: Instant) {
        let (Some(install), Some(path)) = (&self.sa, self.path()) else { return };
        let spi = install.sa.spi;
        if install.sa.is_numbered() {
            self.actions.push_back(Action::Command(Command::Keepalive { spi, path }));
        } else if self.registration.is_settled() {
            self.send_binding_update(true, now);
        }
    }

    /// Tells the tunnel how packets go, if that is different from before. Under an SA that has ended none go.
    pub(super) fn steer(&mut self) {
        let (Some(install), Some(paths), Some(_)) = (&self.sa, self.paths(), self.sa_ends) else { return };
        if self.is_at_home() {
            return;
        }
        let is_answered = self.is_bound_here && self.registration.is_settled();
        let command = self.uplink.steer(&install.sa, paths, is_answered);
        self.actions.extend(command.map(Action::Command));
    }

    /// Forgets what holds for the path that was in use.
    pub(super) fn leave_path(&mut self, now: Instant) {
        self.handover.ask_no_more(now);
        self.registration.pause();
        self.path_check.forget();
        self.mtu.leave();
        self.keepalive.stop();
        self.next_hop.forget();
        self.is_bound_here = false;
        self.is_found_here = false;
    }

    /// From the socket in use to the home agent's address of the same family.
    pub(super) fn udp_path(&self) -> Option<Path> {
        self.path_over(self.handover.current()?)
    }

    /// From this socket to the home agent's address of the same family, or to the one that stands for it there.
    pub(super) fn path_over(&self, (socket, attachment): &Attached) -> Option<Path> {
        let home_agent = &self.sa.as_ref()?.sa.home_agent;
        let remote = self.reached_from(attachment)?;
        Some(Path::proved(*socket, SocketAddr::new(remote, home_agent.port())))
    }
}
