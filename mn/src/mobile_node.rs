//! The mobile node, pure: attachments, grants and signalling in, actions out.
//!
//! Called by the runtime, which drains [`MobileNode::poll_action`] after every `handle_*` and comes back at
//! [`MobileNode::poll_timeout`]. Owns the schedule of MHAuth runs, movement detection, handover and the binding update list.
//! Here: what comes in from this side. What the HAC gives is in `authentication`, what the home agent says in `signalling`, what
//! is said to it in `registration`, how it moves in `moving`, what a NAT64 changes in `nat64`, and what a sleep changes in `resume`.

mod action;
mod asking;
mod authentication;
mod fallback;
mod home;
mod moving;
mod nat64;
mod next_hop;
mod path_mtu;
mod reachability;
mod registration;
mod report;
mod resend;
mod resume;
mod router;
mod signalling;
mod stuck;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::time::TimerName;
use protocol::tunnel::{Command, Counters, DropReason, Event, Install};
use rand::Rng;

use crate::avoided::Avoided;
use crate::binding_update_list::HomeRegistration;
use crate::bootstrap::Bootstrap;
use crate::fallback_policy::FallbackPolicy;
use crate::flight_recorder::{FlightRecorder, Record};
use crate::handover::Handover;
use crate::keepalive::{Keepalive, Kind};
use crate::movement::Attachment;
use crate::nat64::Prefixes;
use crate::path_check::PathCheck;
use crate::reachability::Reachability;
use crate::silence::Silence;
use crate::superseded::Superseded;
use crate::uplink::Uplink;
pub use action::{Action, Registered};
pub use fallback::Transport;
pub use home::{Detect, HomeStep};
use report::Report;

/// What the node is doing, for `status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No security association yet.
    Bootstrapping,
    /// No usable care-of address.
    Detached,
    /// The home agent has not acknowledged the attachment or the SA in use yet, or does not answer.
    Registering,
    /// The binding stands.
    Registered,
    /// On the home link: there is no binding, and no tunnel.
    AtHome,
    /// De-registering.
    Leaving,
}

/// A mobile node with one home registration.
pub struct MobileNode {
    counters: Arc<Counters>,
    bootstrap: Bootstrap,
    /// The SA that packets are sent under.
    sa: Option<Arc<Install>>,
    /// When that ends, until it has been seen to.
    sa_ends: Option<Instant>,
    superseded: Superseded,
    renewals: u64,
    usable: Vec<Attachment>,
    handover: Handover,
    /// What stands for IPv4 where a network has none.
    nat64: Prefixes,
    /// Where the home agent has not answered of late.
    avoided: Avoided,
    /// When what is used beside the attachment in use is let go.
    move_ends: Option<Instant>,
    /// When the kernel said what the next move follows from.
    noticed: Option<Instant>,
    broken: resend::Break,
    recorder: FlightRecorder,
    /// The home agent takes no numbers (RFC 5648), whatever the HAC says of it.
    is_plain: bool,
    router: router::Router,
    home: home::Home,
    fallback: FallbackPolicy,
    registration: HomeRegistration,
    path_check: PathCheck,
    mtu: path_mtu::Mtu,
    keepalive: Keepalive,
    uplink: Uplink,
    registered: Option<Registered>,
    /// Whether `registered` is of the attachment and the SA in use.
    is_bound_here: bool,
    /// Whether the home agent has acknowledged the attachment in use, under whatever SA.
    is_found_here: bool,
    leaving: bool,
    silence: Silence,
    reachability: Reachability,
    next_hop: next_hop::NextHop,
    report: Report,
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
            sa_ends: None,
            superseded: Superseded::default(),
            renewals: 0,
            usable: Vec::new(),
            handover: Handover::default(),
            nat64: Prefixes::default(),
            avoided: Avoided::default(),
            move_ends: None,
            noticed: None,
            broken: resend::Break::default(),
            recorder: FlightRecorder::default(),
            is_plain: false,
            router: router::Router::default(),
            home: home::Home::default(),
            fallback: FallbackPolicy::default(),
            registration: HomeRegistration::new(rng.next_u32() as u16),
            path_check: PathCheck::default(),
            mtu: path_mtu::Mtu::default(),
            keepalive: Keepalive::default(),
            uplink: Uplink::default(),
            registered: None,
            is_bound_here: false,
            is_found_here: false,
            leaving: false,
            silence: Silence::default(),
            reachability: Reachability::default(),
            next_hop: next_hop::NextHop::default(),
            report: Report::default(),
            exhausted: 0,
            actions: VecDeque::new(),
        };
        node.bootstrap_if_due(now);
        node
    }

    /// The kernel has said at `at` that something may have changed; what has follows with [`Self::handle_attachments`].
    pub fn note_kernel_event(&mut self, at: Instant) {
        self.noticed.get_or_insert(at);
    }

    /// Takes the list of all attachments that are usable now. Before the first SA they are those that lead anywhere.
    pub fn handle_attachments(&mut self, usable: Vec<Attachment>, now: Instant) {
        let usable = self.without_home_addresses(usable);
        let before = std::mem::replace(&mut self.usable, usable);
        self.note_break(now);
        // First what moves the downlink.
        self.follow_movement(now);
        self.noticed = None;
        if let Some(run) = self.bootstrap.follow_network(&before, &self.usable, now) {
            Report::bootstrap_abandoned();
            self.actions.push_back(Action::AbandonBootstrap(run));
        }
        self.bootstrap_if_due(now);
    }

    /// Takes what the tunnel's halves have to say. A home agent sees to worn SAs, a mobile node knows where its own is.
    pub fn handle_event(&mut self, event: &Event, now: Instant) {
        match event {
            Event::Signalling(received) => self.handle_signalling(received, now),
            Event::Heard(socket) => self.recorder.heard(*socket, now),
            Event::Sighted(_) | Event::WearingOut(_) | Event::LookUp(_) => {}
        }
    }

    /// Takes the tunnel's counters, from time to time: a node that only hears itself asks whether it is still bound, and one
    /// behind a NAT that says nothing keeps its mapping alive.
    pub fn handle_activity(&mut self, sent: u64, received: u64, now: Instant) {
        let sent_for_an_answer = sent.saturating_sub(self.keepalive.count());
        let is_silent = self.silence.observe(sent_for_an_answer, received, now);
        if is_silent && self.registration.is_settled() && self.phase() == Phase::Registered {
            self.send_binding_update(true, now);
        }
        self.watch_forward_direction(sent_for_an_answer, now);
        self.watch_traffic(now);
        match self.keepalive.observe(sent, received, now) {
            Some(Kind::Dummy) => self.keep_alive(now),
            // One that nobody has answered yet is repeated, and keeps the mapping alive as well; it is not begun anew.
            Some(Kind::Update) if self.registration.is_settled() => self.send_binding_update(true, now),
            Some(Kind::Update) | None => {}
        }
        // A socket that could not be opened is tried again, though no kernel event says that it would open now.
        self.follow_movement(now);
        // Never wrap: after the last sequence number only a new SA sends again.
        let exhausted = self.counters.dropped(DropReason::SaExhausted);
        if std::mem::replace(&mut self.exhausted, exhausted) < exhausted {
            self.demand_new_sa(now);
        }
    }

    /// Ends the binding; [`Action::Finished`] follows, with or without the home agent's answer.
    pub fn handle_down(&mut self, now: Instant) {
        if self.leaving {
            return;
        }
        self.leaving = true;
        self.mtu.leave();
        if self.registered.is_none() || self.handover.current().is_none() || self.path().is_none() {
            self.actions.push_back(Action::Finished);
        } else {
            // An answer to an earlier Binding Update would end nothing.
            self.registration.pause();
            self.send_binding_update(true, now);
        }
    }

    /// Does what is due. Firing late is legal, firing early does nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(socket) = self.handover.close_due(now) {
            self.actions.push_back(Action::ClosePath(socket));
        }
        while let Some(spi) = self.superseded.forget_due(now) {
            self.actions.push_back(Action::Command(Command::Uninstall(spi)));
        }
        if self.sa_ends.take_if(|ends| *ends <= now).is_some() {
            self.end_sa();
        }
        self.bootstrap_if_due(now);
        self.recorder.settle_if_due(self.tally(), now);
        if self.move_ends.take_if(|ends| *ends <= now).is_some() {
            self.end_move(now);
        }
        if self.registration.due().is_some_and(|due| due <= now) {
            self.repeat_or_refresh(now);
        }
        self.probe_path(now);
        self.handle_fallback_timeout(now);
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
            (self.move_ends, TimerName("move ends")),
            (self.recorder.due(), TimerName("what a move has lost is known")),
            (self.mtu.due(), TimerName("path MTU")),
            (self.handover.due(), TimerName("close old socket")),
            (self.fallback.due(), TimerName("fallback")),
            (self.superseded.due(), TimerName("forget superseded SA")),
            (self.sa_ends, TimerName("security association ends")),
        ];
        timers.into_iter().filter_map(|(due, name)| Some((due?, name))).min()
    }

    /// What the node is doing. A binding that stands is not in doubt while a single Binding Update is on its way.
    pub fn phase(&self) -> Phase {
        if self.leaving {
            Phase::Leaving
        } else if self.sa.is_none() {
            Phase::Bootstrapping
        } else if self.is_at_home() {
            Phase::AtHome
        } else if self.handover.current().is_none() {
            Phase::Detached
        } else if self.handover.beside().is_some() || self.is_bound_here && self.registration.unanswered() <= 1 {
            Phase::Registered
        } else {
            Phase::Registering
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

    /// The latest moves, oldest first; and a number that rises with every change of them.
    pub fn handovers(&self) -> (impl Iterator<Item = &Record>, u64) {
        (self.recorder.records(), self.recorder.changes())
    }

    /// How often an SA got a successor.
    pub fn renewals(&self) -> u64 {
        self.renewals
    }

    /// How often something was sent for a NAT's sake alone.
    pub fn keepalives(&self) -> u64 {
        self.keepalive.count()
    }

    /// After which silence it does so, if a NAT is on the path in use.
    pub fn keepalive_interval(&self) -> Option<Duration> {
        self.keepalive.interval()
    }
}

#[cfg(test)]
mod tests;
