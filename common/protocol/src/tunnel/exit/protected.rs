//! What becomes of an authentic datagram: signalling, a dummy, or an inner packet.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Instant;

use super::gate::{Gate, inner_packet};
use crate::sa::inbound::{InboundSa, Opened, Sealed};
use crate::sa::{Role, Spi};
use crate::tunnel::batch::Received;
use crate::tunnel::table::Tunnel;
use crate::tunnel::{DropReason, Event, Sighting, SignallingReceived};
use crate::wire::envelope::PType;
use crate::wire::ip::NEXT_HEADER_NONE;

/// A datagram whose ICV is right: by its envelope, its outer source and the SA's trailer.
pub(super) struct Authentic<'a> {
    pub(super) spi: Spi,
    pub(super) sealed: &'a Sealed,
    pub(super) received: &'a Received,
    pub(super) opened: &'a Opened,
}

impl Authentic<'_> {
    /// Gives where the inner packet stands in the datagram, if there is one for the TUN device.
    pub(super) fn deliver(
        &self,
        sa: &mut InboundSa,
        gate: &Gate,
        datagram: &mut [u8],
        now: Instant,
        events: &mut VecDeque<Event>,
    ) -> Result<Option<Range<usize>>, DropReason> {
        let payload = datagram.get_mut(self.opened.payload.clone()).unwrap_or_default();
        match (self.sealed.ptype, self.opened.next_header) {
            (PType::MobilityHeader, _) => {
                // A mobile node's peer is its own home agent; a home agent's are many, and none is to keep it from the others.
                if gate.role() == Role::HomeAgent && !sa.may_signal(now) {
                    return Err(DropReason::SignallingTooOften);
                }
                events.push_back(self.signalling(sa, payload));
                Ok(None)
            }
            (_, NEXT_HEADER_NONE) => {
                let tunnel = sa.home().iter().find_map(|home| gate.tunnel(home));
                events.extend(tunnel.and_then(|tunnel| self.sighting(sa, gate, tunnel, now)));
                Ok(None)
            }
            _ => {
                let len = self.take_inner(sa, gate, payload, now, events)?;
                Ok(Some(self.opened.payload.start..self.opened.payload.start + len))
            }
        }
    }

    fn signalling(&self, sa: &InboundSa, payload: &[u8]) -> Event {
        Event::Signalling(SignallingReceived {
            spi: self.spi,
            sequence: self.sealed.sequence,
            socket: self.received.socket,
            from: self.received.from,
            next_header: self.opened.next_header,
            payload: payload.to_vec(),
            lease: sa.lease(),
        })
    }

    /// Gives the length of the inner packet at the start of the payload, if it may come out.
    fn take_inner(
        &self,
        sa: &mut InboundSa,
        gate: &Gate,
        payload: &mut [u8],
        now: Instant,
        events: &mut VecDeque<Event>,
    ) -> Result<usize, DropReason> {
        let (inner, packet) = inner_packet(payload)?;
        if inner.next_header() != self.opened.next_header {
            return Err(DropReason::BadNextHeader);
        }
        let tunnel = gate.tunnel_of(sa.home(), gate.nodes_own(&inner));
        if tunnel.is_err_and(|reason| reason == DropReason::ForeignHomeAddress) {
            return Err(DropReason::ForeignHomeAddress);
        }
        gate.check_may_cross(&inner, packet)?;
        let tunnel = tunnel?;
        events.extend(self.sighting(sa, gate, tunnel, now));
        gate.adapt(&inner, tunnel, self.received.traffic_class, packet)?;
        Ok(inner.len)
    }

    /// A mobile node knows where its home agent is; a home agent has to hear where its mobile nodes are, if not where a proved path
    /// leads.
    fn sighting(&self, sa: &mut InboundSa, gate: &Gate, tunnel: &Tunnel, now: Instant) -> Option<Event> {
        let Received { socket, from, .. } = *self.received;
        let is_expected = tunnel.paths.iter().any(|path| path.is_proved() && path.leads_to(socket, from));
        let is_told = !is_expected && gate.role() == Role::HomeAgent && sa.may_report_sighting(now);
        is_told.then_some(Event::Sighted(Sighting { spi: self.spi, sequence: self.sealed.sequence, socket, from }))
    }
}
