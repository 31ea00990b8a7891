//! What the home agent says: Binding Acknowledgement, Binding Refresh Request, Binding Error.
//!
//! All of it is authentic when it comes here. Whatever it asks for has a bound: Binding Updates by their rate, MHAuth runs by
//! the patience of [`crate::bootstrap`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::sa::Spi;
use protocol::tunnel::{DropReason, Install, SignallingReceived, SocketId};
use protocol::wire::mobility::{BindingAcknowledgement, BindingErrorStatus, PathToken, Status};

use super::report::Report;
use super::{Action, MobileNode, Registered};
use crate::binding_messages::{self, FromHomeAgent};
use crate::binding_update_list::Outcome;
use crate::mapping_lifetime::Network;
use crate::path_check::Repeat;

impl MobileNode {
    /// Takes a PType 8 payload. What cannot be used is counted.
    pub(super) fn handle_signalling(&mut self, received: &SignallingReceived, now: Instant) {
        let install = self.own(received.spi).ok_or(DropReason::UnknownSpi);
        let taken = install.and_then(|install| {
            let message = binding_messages::read(&install.sa, received)?;
            self.handle_message(message, &install, received.socket, now)
        });
        if let Err(reason) = taken {
            self.counters.count_drop(reason);
        }
    }

    /// The SA in use or one before it.
    fn own(&self, spi: Spi) -> Option<Arc<Install>> {
        let in_use = self.sa.as_ref().filter(|install| install.sa.spi == spi);
        in_use.or_else(|| self.superseded.get(spi)).cloned()
    }

    fn handle_message(
        &mut self,
        message: FromHomeAgent,
        install: &Install,
        socket: SocketId,
        now: Instant,
    ) -> Result<(), DropReason> {
        match message {
            FromHomeAgent::Acknowledgement(acknowledgement) => {
                self.handle_acknowledgement(&acknowledgement, install, socket, now)
            }
            // RFC 6275 section 11.7.4: whatever SA it came under, the answer goes under the one in use.
            FromHomeAgent::RefreshRequest(_) if self.leaving => {}
            FromHomeAgent::RefreshRequest(token) => self.answer_request(token, socket, now),
            FromHomeAgent::Heartbeat { sequence, .. } if self.take_answer(socket, sequence, now) => {}
            FromHomeAgent::Heartbeat { sequence, len } => return self.handle_heartbeat(sequence, len, socket, now),
            FromHomeAgent::Error(BindingErrorStatus::UNKNOWN_BINDING) => self.handle_unknown_binding(now),
            FromHomeAgent::Error(_) => return Err(DropReason::UnexpectedMobilityHeader),
        }
        Ok(())
    }

    /// A request with a token: a NAT maps the node anew, and what gives the token back proves the new mapping.
    fn answer_request(&mut self, token: Option<PathToken>, socket: SocketId, now: Instant) {
        if let (Some(token), Some(path)) = (token, self.path()) {
            self.path_check.requested(socket, path, token);
            self.keepalive.seen_elsewhere(now);
            self.ask_for_missed();
        }
        self.send_binding_update(true, now);
    }

    /// RFC 6275 section 11.3.6. A Binding Update that is on its way already is repeated by its timer alone.
    fn handle_unknown_binding(&mut self, now: Instant) {
        if !self.leaving && self.registration.is_settled() {
            self.is_found_here = false;
            self.register(now);
        }
    }

    fn handle_acknowledgement(
        &mut self,
        acknowledgement: &BindingAcknowledgement,
        install: &Install,
        socket: SocketId,
        now: Instant,
    ) {
        Report::acknowledged(install.sa.spi, acknowledgement);
        let outcome = self.registration.handle(acknowledgement, install.sa.spi, now);
        if self.says_that_it_is_home() && self.handle_answer_at_home(acknowledgement, outcome, socket, now) {
            return;
        }
        match outcome {
            Outcome::Accepted { .. } | Outcome::Refused(_) if self.leaving => {
                self.registration.pause();
                self.actions.push_back(Action::Finished);
            }
            Outcome::Accepted { .. } | Outcome::Refused(_) if self.is_misunderstood(acknowledgement) => self.speak_plainly(now),
            Outcome::Accepted { lifetime, took } => {
                self.answered_on(socket, now);
                self.reachability.confirm(now);
                self.next_hop.has_led_there();
                let registered = self.note_registration(acknowledgement, install, lifetime.duration(), took, now);
                self.give_token_back(acknowledgement, socket, now);
                if acknowledgement.path_check.is_none() {
                    self.forget_break();
                    self.note_proved(now);
                }
                self.steer();
                self.search_path_mtu(now);
                // Last, since it may take a while: what is to be sent does not wait for routes.
                self.actions.extend(registered.map(Action::Registered));
            }
            Outcome::SendAgain => self.send_binding_update(true, now),
            // What is said of an SA that has a successor already has been heeded.
            Outcome::Reinitialise if self.is_in_use(install.sa.spi) => self.demand_new_sa(now),
            Outcome::Refused(status) if self.is_refused_as_router(acknowledgement, install) => self.be_host(status, install, now),
            Outcome::Refused(status) => {
                self.report.refused(status);
                self.actions.push_back(Action::Refused(status));
            }
            Outcome::Reinitialise | Outcome::Ignored => {}
        }
    }

    /// The binding stands, also while the path is not proved yet.
    fn note_registration(
        &mut self,
        acknowledgement: &BindingAcknowledgement,
        install: &Install,
        lifetime: Duration,
        took: Duration,
        now: Instant,
    ) -> Option<Registered> {
        let (socket, attachment) = &self.handover.current()?.clone();
        let ipv4_refused = binding_messages::ipv4_refusal(&install.sa, acknowledgement);
        let bound = install.sa.home.iter().filter(|home| home.0.is_ipv6() || ipv4_refused.is_none()).collect();
        let prefixes = self.forwarded(acknowledgement, install);
        let is_new = acknowledgement.path_check.is_some();
        self.keepalive.acknowledged(Network::of(attachment), acknowledgement.nat, is_new, now);
        let nat = self.keepalive.is_behind_nat();
        let registered = Registered { attachment: attachment.clone(), lifetime, took, bound, ipv4_refused, nat, prefixes };
        self.report.registered(&registered, self.registered.as_ref().filter(|_| self.is_bound_here));
        Report::ipv4_refused(&registered, self.registered.as_ref());
        self.is_found_here = true;
        self.recorder.acknowledged(*socket, now);
        self.avoided.answered(attachment);
        self.handover.ask_no_more(now);
        if self.is_in_use(install.sa.spi) {
            self.is_bound_here = true;
            self.superseded.successor_is_bound(now);
        }
        self.registered = Some(registered.clone());
        Some(registered)
    }

    fn give_token_back(&mut self, acknowledgement: &BindingAcknowledgement, socket: SocketId, now: Instant) {
        let Some(path) = self.path() else { return };
        match self.path_check.acknowledged(socket, path, acknowledgement.path_check) {
            Some(Repeat::AtOnce) => self.send_binding_update(true, now),
            Some(Repeat::After(pause)) => self.registration.refresh_by(now + pause),
            None => {}
        }
    }

    /// RFC 5648 section 5.7: a home agent that says nothing of the number, or refuses it, takes none.
    fn is_misunderstood(&self, acknowledgement: &BindingAcknowledgement) -> bool {
        let refuses = (Status::MCOA_MALFORMED..=Status::MCOA_HOME_AND_FOREIGN_PROHIBITED).contains(&acknowledgement.status);
        self.binding_id().is_some() && (acknowledgement.identifier.is_none() || refuses)
    }

    fn is_in_use(&self, spi: Spi) -> bool {
        self.sa.as_ref().is_some_and(|install| install.sa.spi == spi)
    }
}
