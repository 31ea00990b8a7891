//! The fallback over TLS as the node uses it: another way for the same datagrams, from the attachment in use. The socket of UDP stays
//! open beside it, so that UDP can be tried, and what still comes over it is taken.

use std::net::SocketAddr;
use std::time::Instant;

use protocol::tunnel::{Path, SocketId};

use super::registration::UNANSWERED_BEFORE_MHAUTH;
use super::report::Report;
use super::{Action, MobileNode};
use crate::fallback_policy::{Attempt, Step};

/// What carries the tunnel's datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// UDP itself.
    Udp,
    /// One TLS connection to the home agent.
    Tls,
}

impl Transport {
    /// Its name in status.
    pub fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tls => "tls",
        }
    }
}

impl MobileNode {
    /// The grant in use names a fallback, or none.
    pub fn offer_fallback(&mut self, is_offered: bool) {
        self.fallback.offer(is_offered);
    }

    /// The fallback of an [`Action::OpenFallback`] is open: the tunnel sends to `relay`, from a socket that has the attempt's number.
    pub fn handle_fallback_opened(&mut self, attempt: Attempt, relay: SocketAddr, now: Instant) {
        if !self.leaving && self.fallback.opened(attempt, relay, now) {
            Report::falling_back();
            self.leave_path(now);
            self.register(now);
        } else {
            self.actions.push_back(Action::CloseFallback(attempt));
        }
    }

    /// It could not be opened, or has broken off.
    pub fn handle_fallback_closed(&mut self, attempt: Attempt, now: Instant) {
        self.actions.push_back(Action::CloseFallback(attempt));
        if self.fallback.closed(attempt, now) {
            Report::fallback_lost();
            self.leave_path(now);
            self.register(now);
        }
    }

    /// What carries the tunnel's datagrams.
    pub fn transport(&self) -> Transport {
        if self.fallback.path().is_some() { Transport::Tls } else { Transport::Udp }
    }

    /// A Binding Acknowledgement has come on `socket`: where UDP answers, packets go over UDP from now on.
    pub(super) fn answered_on(&mut self, socket: SocketId, now: Instant) {
        if self.fallback.answered(socket, now) {
            Report::back_on_udp();
            self.path_check.forget();
        }
    }

    /// The network in use is another, or none; or the home agent is another; or the machine has slept.
    pub(super) fn leave_fallback(&mut self, now: Instant) {
        self.fallback.leave(now);
    }

    /// A connection that carries nothing any more may look open for a quarter of an hour: TCP repeats what is outstanding, and
    /// nothing on the way has to send a reset. What still brings packets is alive, since TCP would bring none without an answer. `true`
    /// when it is left: UDP is asked, and another connection is opened beside that.
    pub(super) fn leave_fallback_if_dead(&mut self, unanswered: u32, now: Instant) -> bool {
        // Before a run of MHAuth, whose grant would be registered over the same connection.
        let is_last_moment = unanswered >= UNANSWERED_BEFORE_MHAUTH && !self.registration.is_heard();
        let is_silent = self.is_given_up(unanswered, now) || is_last_moment;
        let Some(path) = self.fallback.path().filter(|_| is_silent) else { return false };
        let is_alive = self.registration.waits_since().is_some_and(|since| self.silence.is_broken_since(since));
        if !is_alive {
            self.handle_fallback_closed(path.socket, now);
        }
        !is_alive
    }

    /// Does what is due.
    pub(super) fn handle_fallback_timeout(&mut self, now: Instant) {
        while let Some(step) = self.fallback.poll_due(now) {
            match step {
                Step::Open(attempt) => self.open_fallback(attempt, now),
                Step::Close(attempt) => self.actions.push_back(Action::CloseFallback(attempt)),
                Step::TryUdp => self.try_udp(now),
            }
        }
    }

    fn open_fallback(&mut self, attempt: Attempt, now: Instant) {
        let home_agent = self.udp_path().map(|path| path.remote.ip());
        match (home_agent, self.handover.current()) {
            (Some(home_agent), Some((_, attachment))) if !self.leaving => {
                let attachment = attachment.clone();
                self.actions.push_back(Action::OpenFallback { attempt, attachment, home_agent });
            }
            _ => self.fallback.leave(now),
        }
    }

    /// Its repetition goes over the fallback, and with it the downlink stays there where UDP does not answer.
    fn try_udp(&mut self, now: Instant) {
        let is_quiet = self.registration.is_settled() && !self.leaving;
        if let Some(path) = self.udp_path().filter(|_| is_quiet) {
            self.send_binding_update_on(&path, true, now);
        }
    }

    /// Over the fallback while that is in use.
    pub(super) fn path(&self) -> Option<Path> {
        self.sa.as_ref()?;
        self.fallback.path().or_else(|| self.udp_path())
    }
}
