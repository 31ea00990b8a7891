//! The tunnel exit-point (RFC 2473 section 3.3): protected datagrams in, inner packets out. Owns every inbound SA and its
//! replay window. Nothing but counters answers a datagram that is not authentic.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use super::batch::Received;
use super::look_up::LookUps;
use super::table::Tunnel;
use super::{
    Command, Counters, DropReason, Event, Guard, Install, ReceiveBatch, Sighting, SignallingReceived, TunnelTable, Volume,
};
use crate::addr::{HomeAddress, HomeAddresses};
use crate::sa::inbound::InboundSa;
use crate::sa::sad::Sad;
use crate::sa::{Role, Spi, UserData};
use crate::wire::ecn;
use crate::wire::envelope::{self, Envelope, PType};
use crate::wire::ip::{InnerPacket, NEXT_HEADER_NONE};

/// What became of one datagram of a batch.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// An inner packet, at this range of the receive batch, for the TUN device.
    Deliver(Range<usize>),
    /// Signalling, which became an event, or a dummy packet.
    Consumed,
    /// Dropped, and counted.
    Drop(DropReason),
}

/// The receiving half of all tunnels of one end.
pub struct ExitPoint {
    role: Role,
    table: TunnelTable,
    sas: Sad<InboundSa>,
    guard: Guard,
    look_ups: LookUps,
    counters: Arc<Counters>,
    events: VecDeque<Event>,
}

/// A protected datagram whose ICV is right, by its envelope and the SA's trailer.
struct Authentic {
    spi: Spi,
    home: HomeAddresses,
    lease: u32,
    sequence: u32,
    next_header: u8,
    payload: Range<usize>,
}

impl ExitPoint {
    /// An exit-point without any tunnel.
    pub fn new(role: Role, counters: Arc<Counters>) -> Self {
        let (table, sas) = (TunnelTable::default(), Sad::default());
        let (guard, look_ups, events) = (Guard::default(), LookUps::default(), VecDeque::new());
        Self { role, table, sas, guard, look_ups, counters, events }
    }

    /// Lets through to the end's own addresses only what `guard` allows.
    #[must_use]
    pub fn guarded(self, guard: Guard) -> Self {
        Self { guard, ..self }
    }

    /// Obeys control.
    pub fn apply(&mut self, command: &Command) {
        match command {
            Command::Install(install) => self.install(install),
            Command::Uninstall(spi) => {
                self.sas.remove(*spi);
            }
            Command::Move { .. } | Command::Remove(_) => self.table.apply(command),
            Command::LookUpIn(blocks) => self.look_ups.set_blocks(blocks.clone()),
            Command::Guard(guard) => self.guard = guard.clone(),
            Command::Signal { .. } | Command::Keepalive { .. } | Command::Mtu(_) => {}
        }
    }

    /// Opens each datagram in place: one verdict for each, in order.
    pub fn handle_datagrams(&mut self, datagrams: &mut ReceiveBatch, now: Instant, verdicts: &mut Vec<Verdict>) {
        verdicts.clear();
        for index in 0..datagrams.len() {
            let Some((received, octets)) = datagrams.get_mut(index) else { continue };
            let verdict = match self.handle_datagram(received, octets, now) {
                Ok(Some(inner)) => Verdict::Deliver(received.range.start + inner.start..received.range.start + inner.end),
                Ok(None) => Verdict::Consumed,
                Err(reason) => {
                    self.counters.count_drop(reason);
                    Verdict::Drop(reason)
                }
            };
            verdicts.push(verdict);
        }
    }

    /// The next thing that control has to know; drained until `None`.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Gives where the inner packet stands in the datagram, if there is one for the TUN device.
    fn handle_datagram(
        &mut self,
        received: &Received,
        datagram: &mut [u8],
        now: Instant,
    ) -> Result<Option<Range<usize>>, DropReason> {
        let envelope = Envelope::parse(datagram).ok_or(DropReason::Truncated)?;
        let ptype = envelope.ptype.ok_or(DropReason::UnassignedPType)?;
        if ptype == PType::Clear {
            return self.take_clear(received, datagram).map(Some);
        }
        let authentic = self.open(envelope, ptype, datagram, now)?;
        match (ptype, authentic.next_header) {
            (PType::MobilityHeader, _) => {
                self.hand_out_signalling(&authentic, received, datagram);
                Ok(None)
            }
            (_, NEXT_HEADER_NONE) => {
                self.take_dummy(&authentic, received, now);
                Ok(None)
            }
            _ => self.take_protected(&authentic, received, datagram, now).map(Some),
        }
    }

    fn open(&mut self, envelope: Envelope, ptype: PType, datagram: &mut [u8], now: Instant) -> Result<Authentic, DropReason> {
        let spi = Spi::new(envelope.spi).ok_or(DropReason::UnknownSpi)?;
        let Some(sa) = self.sas.get_mut(spi) else {
            self.miss(ptype, spi, datagram.len(), now);
            return Err(DropReason::UnknownSpi);
        };
        let opened = sa.open(ptype, envelope.sequence, datagram, now)?;
        self.counters.count_received(1, opened.payload.len() as u64);
        if opened.is_wearing_out {
            self.events.push_back(Event::WearingOut(spi));
        }
        Ok(Authentic {
            spi,
            home: *sa.home(),
            lease: sa.lease(),
            sequence: envelope.sequence,
            next_header: opened.next_header,
            payload: opened.payload,
        })
    }

    /// The node sends its Binding Update again: by then the SA may be here.
    #[cold]
    fn miss(&mut self, ptype: PType, spi: Spi, len: usize, now: Instant) {
        let may_be_update = ptype == PType::MobilityHeader && self.role == Role::HomeAgent;
        if may_be_update && self.look_ups.is_wanted(spi, len, now) {
            self.events.push_back(Event::LookUp(spi));
        }
    }

    fn hand_out_signalling(&mut self, authentic: &Authentic, received: &Received, datagram: &[u8]) {
        self.events.push_back(Event::Signalling(SignallingReceived {
            spi: authentic.spi,
            sequence: authentic.sequence,
            socket: received.socket,
            from: received.from,
            next_header: authentic.next_header,
            payload: datagram.get(authentic.payload.clone()).unwrap_or_default().to_vec(),
            lease: authentic.lease,
        }));
    }

    fn take_protected(
        &mut self,
        authentic: &Authentic,
        received: &Received,
        datagram: &mut [u8],
        now: Instant,
    ) -> Result<Range<usize>, DropReason> {
        let (inner, packet) = inner_packet(datagram.get(authentic.payload.clone()).unwrap_or_default())?;
        if inner.next_header() != authentic.next_header {
            return Err(DropReason::BadNextHeader);
        }
        let nodes_own = self.nodes_own(&inner);
        if !authentic.home.contains(nodes_own.0) {
            return Err(DropReason::ForeignHomeAddress);
        }
        self.check_may_cross(&inner, packet)?;
        let tunnel = self.table.get(nodes_own).ok_or(DropReason::NoBinding)?;
        if is_elsewhere(tunnel, received) {
            self.report_sighting(authentic, received, now);
        }
        let range = authentic.payload.start..authentic.payload.start + inner.len;
        ecn::decapsulate(&inner, received.traffic_class, datagram.get_mut(range.clone()).unwrap_or_default())?;
        self.count_user_data(authentic.spi, inner.len);
        Ok(range)
    }

    fn take_dummy(&mut self, authentic: &Authentic, received: &Received, now: Instant) {
        let bound = authentic.home.iter().find_map(|home| self.table.get(home));
        if bound.is_some_and(|tunnel| is_elsewhere(tunnel, received)) {
            self.report_sighting(authentic, received, now);
        }
    }

    /// A mobile node knows where its home agent is; a home agent has to hear where its mobile nodes are.
    fn report_sighting(&mut self, authentic: &Authentic, received: &Received, now: Instant) {
        let Some(sa) = self.sas.get_mut(authentic.spi).filter(|_| self.role == Role::HomeAgent) else { return };
        if sa.may_report_sighting(now) {
            let Received { socket, from, .. } = *received;
            self.events.push_back(Event::Sighted(Sighting { spi: authentic.spi, sequence: authentic.sequence, socket, from }));
        }
    }

    /// PType 0: nothing is authentic, so the outer source decides, and whether the SA allows it at all (RFC 6618 section 6.4).
    fn take_clear(&mut self, received: &Received, datagram: &mut [u8]) -> Result<Range<usize>, DropReason> {
        let payload = datagram.strip_prefix(&envelope::CLEAR).ok_or(DropReason::PlaintextRefused)?;
        let (inner, packet) = inner_packet(payload)?;
        let tunnel = self.table.get(self.nodes_own(&inner)).ok_or(DropReason::PlaintextRefused)?;
        let spi = tunnel.sending;
        let sa = self.sas.get_mut(spi).ok_or(DropReason::PlaintextRefused)?;
        let from_its_peer = match self.role {
            Role::HomeAgent => tunnel.paths.iter().next().is_some_and(|path| path.leads_to(received.socket, received.from)),
            Role::MobileNode => sa.is_home_agent(received.from),
        };
        if sa.user_data() == UserData::Protected || !from_its_peer {
            return Err(DropReason::PlaintextRefused);
        }
        self.check_may_cross(&inner, packet)?;
        let range = envelope::LEN..envelope::LEN + inner.len;
        ecn::decapsulate(&inner, received.traffic_class, datagram.get_mut(range.clone()).unwrap_or_default())?;
        self.counters.count_received(1, inner.len as u64);
        self.count_user_data(spi, inner.len);
        Ok(range)
    }

    fn count_user_data(&mut self, spi: Spi, octets: usize) {
        if let Some(sa) = self.sas.get_mut(spi) {
            sa.count_user_data(Volume::of_one(octets));
        }
    }

    /// The inner address that must be the mobile node's.
    fn nodes_own(&self, inner: &InnerPacket) -> HomeAddress {
        HomeAddress(match self.role {
            Role::HomeAgent => inner.source,
            Role::MobileNode => inner.destination,
        })
    }

    fn check_may_cross(&self, inner: &InnerPacket, packet: &[u8]) -> Result<(), DropReason> {
        if !inner.may_cross() {
            Err(DropReason::ForbiddenInnerAddress)
        } else if !self.guard.allows(inner, packet) {
            Err(DropReason::ForHomeAgent)
        } else {
            Ok(())
        }
    }

    fn install(&mut self, install: &Install) {
        if let Ok(sa) = InboundSa::new(install, self.role) {
            self.sas.insert(install.sa.spi, sa);
        }
    }
}

/// The packet at the start of `payload`: what stands behind its own length is no part of it, for the guard neither.
fn inner_packet(payload: &[u8]) -> Result<(InnerPacket, &[u8]), DropReason> {
    let inner = InnerPacket::parse(payload)?;
    let packet = payload.get(..inner.len).ok_or(DropReason::BadInnerPacket)?;
    Ok((inner, packet))
}

/// Whether the packet came from where no proved path leads.
fn is_elsewhere(tunnel: &Tunnel, received: &Received) -> bool {
    !tunnel.paths.iter().any(|path| path.is_proved() && path.leads_to(received.socket, received.from))
}
