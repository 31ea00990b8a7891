//! The tunnel exit-point (RFC 2473 section 3.3): protected datagrams in, inner packets out. Owns every inbound SA and its
//! replay window. Nothing but counters answers a datagram that is not authentic.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use super::{Command, Counters, DropReason, Guard, Install, ReceiveBatch, SocketId, TunnelTable};
use crate::addr::{HomeAddress, HomeAddresses};
use crate::sa::inbound::InboundSa;
use crate::sa::sad::Sad;
use crate::sa::{Role, Spi};
use crate::wire::envelope::{Envelope, PType};
use crate::wire::ip::{InnerPacket, NEXT_HEADER_NONE};

/// What became of one datagram of a batch.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// An inner packet, at this range of the receive batch, for the TUN device.
    Deliver(Range<usize>),
    /// Signalling, which was handed out, or a dummy packet.
    Consumed,
    /// Dropped, and counted.
    Drop(DropReason),
}

/// An authentic PType 8 payload, for control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignallingReceived {
    /// Under which SA.
    pub spi: Spi,
    /// The socket that it came in on.
    pub socket: SocketId,
    /// The outer source.
    pub from: SocketAddr,
    /// The payload's first header.
    pub next_header: u8,
    /// Extension headers and Mobility Header.
    pub payload: Vec<u8>,
    /// The SA's lease: above 0 the replay state is lost, and the message may only be answered with 176.
    pub lease: u32,
}

/// The receiving half of all tunnels of one end.
pub struct ExitPoint {
    role: Role,
    table: TunnelTable,
    sas: Sad<InboundSa>,
    guard: Guard,
    counters: Arc<Counters>,
}

/// What an authentic datagram holds; a range is relative to the datagram.
enum Content {
    Inner(Range<usize>),
    Signalling { next_header: u8, range: Range<usize>, lease: u32 },
    Dummy,
}

impl ExitPoint {
    /// An exit-point without any tunnel.
    pub fn new(role: Role, counters: Arc<Counters>) -> Self {
        Self { role, table: TunnelTable::default(), sas: Sad::default(), guard: Guard::default(), counters }
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
            Command::Signal { .. } => {}
        }
    }

    /// Opens each datagram in place: one verdict for each, in order; signalling goes to `signalling`.
    pub fn handle_datagrams(
        &mut self,
        datagrams: &mut ReceiveBatch,
        now: Instant,
        verdicts: &mut Vec<Verdict>,
        signalling: &mut Vec<SignallingReceived>,
    ) {
        verdicts.clear();
        for index in 0..datagrams.len() {
            let Some((received, octets)) = datagrams.get_mut(index) else { continue };
            let start = received.range.start;
            let verdict = match self.handle_datagram(octets, now) {
                Ok((_, Content::Inner(range))) => Verdict::Deliver(start + range.start..start + range.end),
                Ok((_, Content::Dummy)) => Verdict::Consumed,
                Ok((spi, Content::Signalling { next_header, range, lease })) => {
                    let payload = octets.get(range).unwrap_or_default().to_vec();
                    let (socket, from) = (received.socket, received.from);
                    signalling.push(SignallingReceived { spi, socket, from, next_header, payload, lease });
                    Verdict::Consumed
                }
                Err(reason) => {
                    self.counters.count_drop(reason);
                    Verdict::Drop(reason)
                }
            };
            verdicts.push(verdict);
        }
    }

    fn handle_datagram(&mut self, datagram: &mut [u8], now: Instant) -> Result<(Spi, Content), DropReason> {
        let envelope = Envelope::parse(datagram).ok_or(DropReason::Truncated)?;
        let ptype = envelope.ptype.ok_or(DropReason::UnassignedPType)?;
        if ptype == PType::Clear {
            // No SA is granted with `mip6-sas` 0, so nobody may send user data in the clear.
            return Err(DropReason::PlaintextRefused);
        }
        let spi = Spi::new(envelope.spi).ok_or(DropReason::UnknownSpi)?;
        let sa = self.sas.get_mut(spi).ok_or(DropReason::UnknownSpi)?;
        let opened = sa.open(ptype, envelope.sequence, datagram, now)?;
        self.counters.count_received(1, opened.payload.len() as u64);
        let (home, lease) = (*sa.home(), sa.lease());
        let content = match (ptype, opened.next_header) {
            (PType::MobilityHeader, next_header) => Content::Signalling { next_header, range: opened.payload, lease },
            (_, NEXT_HEADER_NONE) => Content::Dummy,
            (_, next_header) => Content::Inner(self.check_inner(&home, next_header, datagram, opened.payload)?),
        };
        Ok((spi, content))
    }

    /// Gives the inner packet's range, cut to its own length, when its SA may carry it and there is a binding.
    fn check_inner(
        &self,
        home: &HomeAddresses,
        next_header: u8,
        datagram: &[u8],
        payload: Range<usize>,
    ) -> Result<Range<usize>, DropReason> {
        let packet = datagram.get(payload.clone()).unwrap_or_default();
        let inner = InnerPacket::parse(packet)?;
        if inner.next_header() != next_header {
            return Err(DropReason::BadNextHeader);
        }
        let nodes_own = match self.role {
            Role::HomeAgent => inner.source,
            Role::MobileNode => inner.destination,
        };
        if !home.contains(nodes_own) {
            return Err(DropReason::ForeignHomeAddress);
        }
        if !inner.may_cross() {
            return Err(DropReason::ForbiddenInnerAddress);
        }
        if !self.table.is_bound(HomeAddress(nodes_own)) {
            return Err(DropReason::NoBinding);
        }
        if !self.guard.allows(&inner, packet) {
            return Err(DropReason::ForHomeAgent);
        }
        Ok(payload.start..payload.start + inner.len)
    }

    fn install(&mut self, install: &Install) {
        if let Ok(sa) = InboundSa::new(install, self.role) {
            self.sas.insert(install.sa.spi, sa);
        }
    }
}
