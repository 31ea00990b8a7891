//! The forward direction of the path in use: asked about while packets go out, doubted when nobody answers.

use std::time::Instant;

use protocol::features::Features;
use protocol::tunnel::{Command, Paths};

use super::{MobileNode, Phase};
use crate::binding_messages;
use crate::mobile_node::Action;
use crate::reachability::Doubt;

impl MobileNode {
    /// Looks whether what goes out arrives, where the home agent answers Heartbeats. What is not answered is followed by a Binding Update,
    /// as silence is.
    pub(super) fn watch_forward_direction(&mut self, sent: u64, now: Instant) {
        if let Some(doubt) = self.reachability.observe(sent, now) {
            self.heed(doubt, now);
        }
    }

    /// Something says that what goes out may not arrive.
    pub(super) fn doubt_forward_direction(&mut self, now: Instant) {
        if let Some(doubt) = self.reachability.doubt(now) {
            self.heed(doubt, now);
        }
    }

    fn heed(&mut self, doubt: Doubt, now: Instant) {
        let answers =
            self.sa.as_ref().is_some_and(|install| install.sa.features.has(Features::HEARTBEAT) && install.sa.is_numbered());
        if !answers || self.phase() != Phase::Registered || self.handover.beside().is_some() || !self.registration.is_settled() {
            return;
        }
        match doubt {
            Doubt::Ask => self.ask_whether_it_arrives(),
            Doubt::Unanswered => self.send_binding_update(true, now),
        }
    }

    fn ask_whether_it_arrives(&mut self) {
        let (Some(install), Some(path)) = (&self.sa, self.path()) else { return };
        let (spi, sequence) = (install.sa.spi, self.mtu.next_sequence());
        let (next_header, payload) = binding_messages::heartbeat(&install.sa, sequence, 0, None);
        self.actions.push_back(Action::Command(Command::Signal { spi, paths: Paths::one(path), next_header, payload }));
    }
}
