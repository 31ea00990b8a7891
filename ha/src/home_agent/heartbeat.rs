//! Heartbeats (RFC 5847): a node asks whether a path leads here, and what it carries.
//!
//! The answer goes back the way that the question came, from the same socket to the same outer source, whether or not the node
//! is bound there: a node asks so before it moves. It is no longer than the question, so that nobody is drawn into a flood, and
//! changes no binding. On the path in use the node also
//! says how long a packet may be that is sent to it: what is longer is not sent, and its sender told.

use std::time::Instant;

use protocol::sa::Spi;
use protocol::tunnel::{Command, DropReason, Path, SignallingReceived};
use protocol::wire::mobility::{Ends, Heartbeat, HeartbeatKind, MobilityMessage, PathMtu};
use protocol::wire::signalling;

use super::HomeAgent;

impl HomeAgent {
    /// Answers a request. One under an SA that carries no numbers, or whose replay state is lost, may be a copy: it gets no
    /// answer.
    pub(super) fn handle_heartbeat(
        &mut self,
        heartbeat: &Heartbeat,
        received: &SignallingReceived,
        now: Instant,
    ) -> Result<(), DropReason> {
        let may_be_there = self.may_be_at(received.spi, received.from);
        let held = self.sas.get_mut(&received.spi).ok_or(DropReason::UnknownSpi)?;
        if heartbeat.kind != HeartbeatKind::Request || !held.sa().is_numbered() {
            return Err(DropReason::UnexpectedMobilityHeader);
        }
        if received.lease > 0 {
            return Err(DropReason::ReplayStateLost);
        }
        if !may_be_there || !held.heartbeats.allow(now) {
            return Err(DropReason::HeartbeatNotAnswered);
        }
        let ends = Ends { source: held.sa().home_agent.in_mobility_header(), destination: held.home() };
        self.commands.push_back(Command::Probe {
            spi: received.spi,
            path: Path::proved(received.socket, received.from),
            next_header: signalling::MOBILITY,
            payload: MobilityMessage::Heartbeat(heartbeat.response()).emit(ends),
        });
        self.note_path_mtu(heartbeat.path_mtu, received);
        Ok(())
    }

    /// Takes over what the node says of the path in use, if nothing newer was said.
    fn note_path_mtu(&mut self, path_mtu: Option<PathMtu>, received: &SignallingReceived) {
        let (Some(PathMtu(octets)), Some(held)) = (path_mtu, self.sas.get_mut(&received.spi)) else { return };
        let binding = self.cache.get(held.home()).filter(|binding| binding.spi == received.spi);
        let is_in_use = binding.is_some_and(|binding| binding.latest.path().leads_to(received.socket, received.from));
        let is_newer = held.path_mtu.is_none_or(|said| received.sequence > said.number);
        if !is_in_use || !is_newer {
            return;
        }
        let octets = octets.max(LEAST);
        let before = held.path_mtu.replace(SaidPathMtu { octets, number: received.sequence });
        if before.is_none_or(|before| before.octets != octets) {
            tracing::debug!(spi = %received.spi, octets, "a node says how long a packet to it may be");
            self.limit_downlink(received.spi);
        }
    }

    /// Tells the halves how long a packet to the node of this SA may be, if it has said so under it.
    pub(super) fn limit_downlink(&mut self, spi: Spi) {
        let Some(held) = self.sas.get(&spi) else { return };
        if let (Some(said), Some(binding)) = (held.path_mtu, self.cache.get(held.home())) {
            self.commands.push_back(Command::PathMtu { home: binding.home, mtu: said.octets });
        }
    }
}

/// What a node has said of the path in use.
#[derive(Clone, Copy, Debug)]
pub(super) struct SaidPathMtu {
    /// The longest inner packet.
    pub(super) octets: u16,
    /// The sequence number, under the SA, of the Heartbeat that said so.
    number: u32,
}

/// A node cannot ask for less than what an outer packet of 1,280 octets carries under any suite.
const LEAST: u16 = 1_150;
