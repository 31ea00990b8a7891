//! The mobile node, pure: attachments, grants and signalling in, actions out.
//!
//! Called by the runtime, which drains [`MobileNode::poll_action`] after every `handle_*` and comes back at
//! [`MobileNode::poll_timeout`]. Owns the schedule of MHAuth runs, movement detection, handover and the binding update list.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::time::{Lifetime, TimerName};
use protocol::tunnel::{Command, Counters, DropReason, Encapsulation, Event, Install, Path, Paths, SignallingReceived, SocketId};
use protocol::wire::mobility::{BindingAcknowledgement, Status};
use rand::Rng;

use crate::binding_messages;
use crate::binding_update_list::{HomeRegistration, Outcome};
use crate::bootstrap::Bootstrap;
use crate::handover::Handover;
use crate::movement::{self, Attachment};
use crate::silence::Silence;
use crate::superseded::Superseded;

/// What the runtime has to do.
#[derive(Clone, Debug)]
pub enum Action {
    /// Run MHAuth; answer with `handle_grant` or `handle_bootstrap_failure`.
    Bootstrap,
    /// Open a socket bound to the attachment's address; answer with `handle_path_opened`.
    OpenPath {
        /// Its number for the workers.
        socket: SocketId,
        /// What to bind it to.
        attachment: Attachment,
    },
    /// Close a socket.
    ClosePath(SocketId),
    /// For both halves of the tunnel.
    Command(Command),
    /// The binding stands: packets may be routed into the tunnel.
    Registered(Registered),
    /// The home agent refused the binding; it is tried again.
    Refused(Status),
    /// De-registered, or given up: the node may stop.
    Finished,
}

/// A registration that the home agent has acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// With which attachment.
    pub attachment: Attachment,
    /// For how long.
    pub lifetime: Duration,
    /// From the Binding Update to its acknowledgement.
    pub took: Duration,
    /// Whether the IPv4 home address is bound.
    pub ipv4: bool,
}

/// What the node is doing, for `status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No security association yet.
    Bootstrapping,
    /// No usable care-of address.
    Detached,
    /// A Binding Update is unanswered.
    Registering,
    /// The binding stands.
    Registered,
    /// De-registering.
    Leaving,
}

/// Lifetime asked for a binding; the home agent may grant less.
const BINDING_LIFETIME: Lifetime = Lifetime::from_units(150);
/// After so many unanswered Binding Updates the SA may have ended without a word: MHAuth is run anew.
const UNANSWERED_BEFORE_MHAUTH: u32 = 4;
/// De-registration is tried this often before the node stops without an answer.
const DEREGISTRATIONS: u32 = 3;

/// A mobile node with one home registration.
pub struct MobileNode {
    counters: Arc<Counters>,
    bootstrap: Bootstrap,
    /// The SA that packets are sent under.
    sa: Option<Arc<Install>>,
    superseded: Superseded,
    usable: Vec<Attachment>,
    handover: Handover,
    registration: HomeRegistration,
    registered: Option<Registered>,
    leaving: bool,
    silence: Silence,
    /// Packets that found no sequence number left, as counted when it was last looked.
    exhausted: u64,
    actions: VecDeque<Action>,
}

impl MobileNode {
    /// A node that wants to authenticate at once. `rng` chooses where its sequence numbers start.
    pub fn new(counters: Arc<Counters>, now: Instant, rng: &mut impl Rng) -> Self {
        let mut node = Self {
            counters,
            bootstrap: Bootstrap::new(now),
            sa: None,
            superseded: Superseded::default(),
            usable: Vec::new(),
            handover: Handover::default(),
            registration: HomeRegistration::new(rng.next_u32() as u16),
            registered: None,
            leaving: false,
            silence: Silence::default(),
            exhausted: 0,
            actions: VecDeque::new(),
        };
        node.bootstrap_if_due(now);
        node
    }

    /// Takes a new SA from the HAC: packets go under it at once, the home agent's downlink follows with the Binding Update.
    pub fn handle_grant(&mut self, install: Arc<Install>, now: Instant, rng: &mut impl Rng) {
        self.bootstrap.succeeded(install.valid_until, now, rng);
        self.actions.push_back(Action::Command(Command::Install(install.clone())));
        if let Some(oldest) = self.sa.replace(install).and_then(|old| self.superseded.push(old.sa.spi)) {
            self.actions.push_back(Action::Command(Command::Uninstall(oldest)));
        }
        self.register(now);
        self.follow_movement(now);
    }

    /// MHAuth failed; it is tried again after `retry_after` or with backoff.
    pub fn handle_bootstrap_failure(&mut self, retry_after: Option<Duration>, now: Instant, rng: &mut impl Rng) {
        self.bootstrap.failed(retry_after, now, rng);
    }

    /// Takes the list of all attachments that are usable now.
    pub fn handle_attachments(&mut self, usable: Vec<Attachment>, now: Instant) {
        self.usable = usable;
        self.follow_movement(now);
    }

    /// The socket of an [`Action::OpenPath`] is open, or could not be opened.
    pub fn handle_path_opened(&mut self, socket: SocketId, opened: bool, now: Instant) {
        if !opened {
            self.handover.failed(socket);
        } else if self.handover.opened(socket, now) {
            self.register(now);
        }
    }

    /// Takes what the tunnel's halves have to say. A home agent sees to worn SAs, a mobile node knows where its own is.
    pub fn handle_event(&mut self, event: &Event, now: Instant) {
        match event {
            Event::Signalling(received) => self.handle_signalling(received, now),
            Event::Sighted(_) | Event::WearingOut(_) => {}
        }
    }

    /// Takes an authentic PType 8 payload. What is not a good Binding Acknowledgement is counted.
    fn handle_signalling(&mut self, received: &SignallingReceived, now: Instant) {
        let acknowledgement = match &self.sa {
            Some(install) if install.sa.spi == received.spi => binding_messages::acknowledgement(&install.sa, received),
            _ => Err(DropReason::UnknownSpi),
        };
        match acknowledgement {
            Ok(acknowledgement) => self.handle_acknowledgement(&acknowledgement, now),
            Err(reason) => self.counters.count_drop(reason),
        }
    }

    /// Takes the tunnel's counters, from time to time: a node that only hears itself asks whether it is still bound.
    pub fn handle_activity(&mut self, sent: u64, received: u64, now: Instant) {
        if self.silence.observe(sent, received, now) && self.phase() == Phase::Registered {
            self.send_binding_update(true, now);
        }
        // A socket that could not be opened is tried again, though no kernel event says that it would open now.
        self.follow_movement(now);
        // Never wrap: after the last sequence number only a new SA sends again.
        let exhausted = self.counters.dropped(DropReason::SaExhausted);
        if std::mem::replace(&mut self.exhausted, exhausted) < exhausted {
            self.bootstrap.hasten(now);
            self.bootstrap_if_due(now);
        }
    }

    /// Ends the binding; [`Action::Finished`] follows, with or without the home agent's answer.
    pub fn handle_down(&mut self, now: Instant) {
        if self.leaving {
            return;
        }
        self.leaving = true;
        if self.registered.is_none() || self.handover.current().is_none() {
            self.actions.push_back(Action::Finished);
        } else {
            self.send_binding_update(true, now);
        }
    }

    /// Does what is due. Firing late is legal, firing early does nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(socket) = self.handover.close_due(now) {
            self.actions.push_back(Action::ClosePath(socket));
        }
        let forgotten = self.superseded.forget_due(now).into_iter();
        self.actions.extend(forgotten.map(|spi| Action::Command(Command::Uninstall(spi))));
        self.bootstrap_if_due(now);
        if self.registration.due().is_some_and(|due| due <= now) {
            self.repeat_or_refresh(now);
        }
    }

    /// The next action; drained until `None`.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Self::handle_timeout`] has something to do, and what.
    pub fn poll_timeout(&self) -> Option<(Instant, TimerName)> {
        let timers = [
            (self.bootstrap.due().filter(|_| !self.leaving), TimerName("MHAuth")),
            (self.registration.due(), TimerName("Binding Update")),
            (self.handover.due(), TimerName("close old socket")),
            (self.superseded.due(), TimerName("forget superseded SA")),
        ];
        timers.into_iter().filter_map(|(due, name)| Some((due?, name))).min()
    }

    /// What the node is doing.
    pub fn phase(&self) -> Phase {
        if self.leaving {
            Phase::Leaving
        } else if self.sa.is_none() {
            Phase::Bootstrapping
        } else if self.handover.current().is_none() {
            Phase::Detached
        } else if self.registration.unanswered() > 0 {
            Phase::Registering
        } else {
            Phase::Registered
        }
    }

    /// The last acknowledged registration.
    pub fn registered(&self) -> Option<&Registered> {
        self.registered.as_ref()
    }

    /// The SA in use.
    pub fn security_association(&self) -> Option<&Arc<Install>> {
        self.sa.as_ref()
    }

    fn bootstrap_if_due(&mut self, now: Instant) {
        if !self.leaving && self.bootstrap.start_if_due(now) {
            self.actions.push_back(Action::Bootstrap);
        }
    }

    /// Moves to another attachment when the one in use is gone.
    fn follow_movement(&mut self, now: Instant) {
        if self.sa.is_none() || self.leaving {
            return;
        }
        match movement::choose(self.handover.target(), &self.usable).cloned() {
            None => {
                self.handover.detach(now);
                self.registration.pause();
            }
            Some(chosen) if self.handover.target().is_some_and(|target| target.is_same_place(&chosen)) => {}
            Some(chosen) => {
                let socket = self.handover.open(chosen.clone());
                self.actions.push_back(Action::OpenPath { socket, attachment: chosen });
            }
        }
    }

    /// Sends from the attachment in use under the SA in use, and asks the home agent to do the same.
    fn register(&mut self, now: Instant) {
        let (Some(install), Some(path)) = (self.sa.clone(), self.path()) else { return };
        self.actions.push_back(Action::Command(Command::Move {
            home: install.sa.home,
            paths: Paths::one(path),
            encapsulation: Encapsulation::ProtectedUdp,
            sending: install.sa.spi,
        }));
        self.send_binding_update(true, now);
    }

    fn repeat_or_refresh(&mut self, now: Instant) {
        let unanswered = self.registration.unanswered();
        if self.leaving && unanswered >= DEREGISTRATIONS {
            self.registration.pause();
            self.actions.push_back(Action::Finished);
            return;
        }
        if unanswered >= UNANSWERED_BEFORE_MHAUTH {
            self.bootstrap.hasten(now);
            self.bootstrap_if_due(now);
        }
        self.send_binding_update(unanswered == 0, now);
    }

    fn send_binding_update(&mut self, anew: bool, now: Instant) {
        let (Some(install), Some(path), Some((_, attachment))) = (&self.sa, self.path(), self.handover.current()) else {
            return;
        };
        let lifetime = if self.leaving { Lifetime::ZERO } else { BINDING_LIFETIME };
        let sequence = self.registration.send(anew, now);
        let (next_header, payload) = binding_messages::binding_update(&install.sa, sequence, lifetime, attachment.care_of);
        self.actions.push_back(Action::Command(Command::Signal { spi: install.sa.spi, path, next_header, payload }));
    }

    /// From the socket in use to the home agent's address of the same family.
    fn path(&self) -> Option<Path> {
        let (socket, attachment) = self.handover.current()?;
        let home_agent = &self.sa.as_ref()?.sa.home_agent;
        let remote = home_agent.of_family(attachment.care_of.0)?;
        Some(Path::proved(*socket, SocketAddr::new(remote, home_agent.port())))
    }

    fn handle_acknowledgement(&mut self, acknowledgement: &BindingAcknowledgement, now: Instant) {
        match self.registration.handle(acknowledgement, now) {
            Outcome::Accepted { .. } if self.leaving => {
                self.registration.pause();
                self.actions.push_back(Action::Finished);
            }
            Outcome::Accepted { lifetime, took } => {
                let Some((_, attachment)) = self.handover.current() else { return };
                self.superseded.successor_is_bound(now);
                let registered = Registered {
                    attachment: attachment.clone(),
                    lifetime: lifetime.duration(),
                    took,
                    ipv4: acknowledgement.ipv4_address.is_some_and(|(status, _)| status == 0),
                };
                self.registered = Some(registered.clone());
                self.actions.push_back(Action::Registered(registered));
            }
            Outcome::SendAgain => self.send_binding_update(true, now),
            Outcome::Reinitialise => {
                self.bootstrap.hasten(now);
                self.bootstrap_if_due(now);
            }
            Outcome::Refused(status) => self.actions.push_back(Action::Refused(status)),
            Outcome::Ignored => {}
        }
    }
}

#[cfg(test)]
mod tests;
