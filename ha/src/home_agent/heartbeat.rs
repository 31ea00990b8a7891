//! Heartbeats (RFC 5847): a node asks whether a path leads here, and what it carries.
//!
//! The answer goes back the way that the question came, from the same socket to the same outer source, whether or not the node
//! is bound there: a node asks so before it moves. It is no longer than the question, so that nobody is drawn into a flood, and
//! changes nothing.

use std::time::Instant;

use protocol::tunnel::{Command, DropReason, Path, Paths, SignallingReceived};
use protocol::wire::mobility::{Ends, Heartbeat, HeartbeatKind, MobilityMessage};
use protocol::wire::signalling;

use super::HomeAgent;
use crate::registration;

impl HomeAgent {
    /// Answers a request. One under an SA that carries no numbers, or whose replay state is lost, may be a copy: it gets no
    /// answer.
    pub(super) fn handle_heartbeat(
        &mut self,
        heartbeat: &Heartbeat,
        received: &SignallingReceived,
        now: Instant,
    ) -> Result<(), DropReason> {
        let held = self.sas.get_mut(&received.spi).ok_or(DropReason::UnknownSpi)?;
        if heartbeat.kind != HeartbeatKind::Request || !held.sa().is_numbered() {
            return Err(DropReason::UnexpectedMobilityHeader);
        }
        if received.lease > 0 {
            return Err(DropReason::ReplayStateLost);
        }
        if registration::is_unusable(received.from.ip(), &self.config.own_addresses) || !held.heartbeats.allow(now) {
            return Err(DropReason::HeartbeatNotAnswered);
        }
        let ends = Ends { source: held.sa().home_agent.in_mobility_header(), destination: held.home() };
        self.commands.push_back(Command::Signal {
            spi: received.spi,
            paths: Paths::one(Path::proved(received.socket, received.from)),
            next_header: signalling::MOBILITY,
            payload: MobilityMessage::Heartbeat(heartbeat.response()).emit(ends),
        });
        Ok(())
    }
}
