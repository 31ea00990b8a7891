//! The mobile node's process: what its runtime does in the program, by hand.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use mn::bootstrap::Run;
use mn::granted;
use mn::mobile_node::{Action, MobileNode};
use mn::movement::Attachment;
use protocol::mhauth::Grant;
use protocol::sa::Role;
use protocol::tunnel::{IcmpSources, SocketId};
use rand::rngs::StdRng;

use super::end::{End, Outgoing};
use super::network::Datagram;

/// How often the mobile node looks at its counters.
const ACTIVITY_INTERVAL: Duration = Duration::from_millis(500);

/// One life of the mobile node.
pub(super) struct Node {
    pub(super) machine: MobileNode,
    pub(super) end: End,
    pub(super) sockets: BTreeMap<SocketId, SocketAddr>,
    next_activity: Instant,
    /// De-registered, or given up.
    pub(super) has_finished: bool,
}

/// What came of letting the machine act.
#[derive(Default)]
pub(super) struct Acted {
    pub(super) sent: Vec<Outgoing>,
    /// MHAuth is to be run, and the run before it, if any, is given up.
    pub(super) begins: Option<Run>,
    /// This run is given up.
    pub(super) abandons: Option<Run>,
}

impl Node {
    /// A process that knows nothing.
    pub(super) fn new(now: Instant, rng: &mut StdRng) -> Self {
        let end = End::new(Role::MobileNode, IcmpSources::default());
        let machine = MobileNode::new(end.counters.clone(), now, rng);
        Self { machine, end, sockets: BTreeMap::new(), next_activity: now, has_finished: false }
    }

    /// The machine was asleep for so long.
    pub(super) fn handle_resume(&mut self, slept: Duration, usable: Vec<Attachment>, now: Instant) {
        self.next_activity = now;
        self.machine.handle_resume(slept, usable, now);
    }

    /// Takes what arrives, if a socket has that address.
    pub(super) fn receive(&mut self, datagram: &Datagram, now: Instant) {
        if let Some((&socket, _)) = self.sockets.iter().find(|(_, local)| **local == datagram.to) {
            self.end.receive(socket, datagram, now);
        }
    }

    /// MHAuth has come to a good end.
    pub(super) fn handle_grant(
        &mut self,
        run: Run,
        grant: &Grant,
        usable: Vec<Attachment>,
        now: Instant,
        wall: SystemTime,
        rng: &mut StdRng,
    ) {
        self.machine.handle_grant(run, Arc::new(granted::to_install(grant, now, wall)), now, rng);
        self.machine.handle_attachments(usable, now);
    }

    /// When something is due.
    pub(super) fn next_event(&self) -> Instant {
        let due = self.machine.poll_timeout().map(|(due, _)| due);
        due.map_or(self.next_activity, |due| due.min(self.next_activity))
    }

    /// Does what is due.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.next_activity <= now {
            let ((sent, _), (received, _)) = (self.end.counters.sent(), self.end.counters.received());
            self.machine.handle_activity(sent, received, now);
            self.next_activity = now + ACTIVITY_INTERVAL;
        }
        self.machine.handle_timeout(now);
    }

    /// Tells the machine what its halves have to say, and does what it wants, until nothing more is said. A new socket has the
    /// port after `newest_port`.
    pub(super) fn drain(&mut self, newest_port: &mut u16, now: Instant, rng: &mut StdRng) -> Acted {
        let mut acted = Acted::default();
        self.carry_out_all(&mut acted, newest_port, now, rng);
        while let Some(event) = self.end.poll_event() {
            self.machine.handle_event(&event, now);
            self.carry_out_all(&mut acted, newest_port, now, rng);
        }
        acted
    }

    fn carry_out_all(&mut self, acted: &mut Acted, newest_port: &mut u16, now: Instant, rng: &mut StdRng) {
        while let Some(action) = self.machine.poll_action() {
            match action {
                Action::Bootstrap(run) => acted.begins = Some(run),
                Action::AbandonBootstrap(run) => acted.abandons = Some(run),
                Action::OpenPath { socket, attachment } => {
                    *newest_port += 1;
                    self.sockets.insert(socket, SocketAddr::new(attachment.care_of.0, *newest_port));
                    self.machine.handle_path_opened(socket, true, now);
                }
                // No grant of this world names a fallback.
                Action::OpenFallback { .. } | Action::CloseFallback(_) => {}
                Action::ClosePath(socket) => _ = self.sockets.remove(&socket),
                Action::Command(command) => acted.sent.extend(self.end.apply(&command, rng)),
                Action::Registered(_) | Action::Refused(_) | Action::Mtu(_) | Action::Home(_) => {}
                Action::Finished => self.has_finished = true,
            }
        }
    }
}
