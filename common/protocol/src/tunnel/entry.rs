//! The tunnel entry-point (RFC 2473 section 3.1): inner packets in, protected datagrams out. Owns every outbound SA.
//!
//! A batch is handled in two passes: select each packet, cut it and lay out its segments in their places of the send buffer; then
//! seal runs of packets of one SA together.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand_core::CryptoRng;

use super::rate_limit::RateLimit;
use super::{
    Allowance, Command, Counters, DropReason, Encapsulation, Event, Install, PacketBatch, Path, Paths, SendBatch, TunnelTable,
    Volume,
};
use crate::addr::HomeAddress;
use crate::offload::{Segments, VirtioHeader};
use crate::sa::cipher::layout;
use crate::sa::outbound::OutboundSa;
use crate::sa::sad::Sad;
use crate::sa::{Role, Spi};
use crate::wire::envelope::{self, PType};
use crate::wire::icmp;
use crate::wire::ip::{InnerPacket, NEXT_HEADER_NONE};

/// The addresses that ICMP errors come from: a home agent's own on the home link. A mobile node has none.
#[derive(Clone, Copy, Debug, Default)]
pub struct IcmpSources {
    /// Source of ICMPv6 errors.
    pub ip6: Option<Ipv6Addr>,
    /// Source of ICMP errors.
    pub ip4: Option<Ipv4Addr>,
}

/// ICMP errors at once, and then one each interval (RFC 4443 section 2.4 (f)).
const ICMP_BURST: u32 = 50;
const ICMP_INTERVAL: Duration = Duration::from_millis(10);

/// The sending half of all tunnels of one end.
pub struct EntryPoint {
    role: Role,
    table: TunnelTable,
    sas: Sad<OutboundSa>,
    icmp_sources: IcmpSources,
    icmp_limit: RateLimit,
    counters: Arc<Counters>,
    /// Laid out in this batch, not sealed yet.
    pending: Vec<(Spi, Range<usize>)>,
    /// Laid out in this batch, not counted yet.
    sent: Volume,
    events: VecDeque<Event>,
}

/// Where in a batch of packets the room for sending ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    packet: usize,
    segment: usize,
}

/// One packet to be sealed: what its envelope and trailer say, what it holds, and what the outer header says of it.
struct Outer<'a> {
    ptype: PType,
    next_header: u8,
    payload: Payload<'a>,
    /// Of the inner packet, ECN included (RFC 6040 section 4.1, normal mode).
    traffic_class: u8,
}

/// What is copied to its place in the send buffer.
enum Payload<'a> {
    Octets(&'a [u8]),
    Segment(&'a Segments<'a>, usize),
}

impl Payload<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Octets(octets) => octets.len(),
            Self::Segment(segments, index) => segments.len(*index),
        }
    }

    fn write(&self, to: &mut [u8]) {
        match self {
            Self::Octets(octets) => to.copy_from_slice(octets),
            Self::Segment(segments, index) => segments.write(*index, to),
        }
    }
}

impl EntryPoint {
    /// An entry-point without any tunnel.
    pub fn new(role: Role, counters: Arc<Counters>, icmp_sources: IcmpSources) -> Self {
        Self {
            role,
            table: TunnelTable::default(),
            sas: Sad::default(),
            icmp_sources,
            icmp_limit: RateLimit::new(ICMP_BURST, ICMP_INTERVAL),
            counters,
            pending: Vec::new(),
            sent: Volume::default(),
            events: VecDeque::new(),
        }
    }

    /// Obeys control. A `Signal` is sealed and stands in `send` afterwards.
    pub fn apply(&mut self, command: &Command, rng: &mut impl CryptoRng, send: &mut SendBatch) {
        match command {
            Command::Install(install) => self.install(install),
            Command::Uninstall(spi) => {
                self.sas.remove(*spi);
            }
            Command::Move { .. } | Command::Remove(_) => self.table.apply(command),
            Command::Signal { spi, paths, next_header, payload } => {
                let payload = Payload::Octets(payload);
                let outer = Outer { ptype: PType::MobilityHeader, next_header: *next_header, payload, traffic_class: 0 };
                self.send_own(*spi, paths.clone(), &outer, rng, send);
            }
            Command::Keepalive { spi, path } => {
                let payload = Payload::Octets(&[]);
                let outer = Outer { ptype: PType::Protected, next_header: NEXT_HEADER_NONE, payload, traffic_class: 0 };
                self.send_own(*spi, Paths::one(*path), &outer, rng, send);
            }
            Command::LookUpIn(_) | Command::Guard(_) => {}
        }
    }

    /// The next thing that control has to know; drained until `None`.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Sends inner packets, from a place in the batch on. What cannot be sent is dropped and counted; at a home agent a packet to
    /// a home address that is not bound puts an ICMP error into `replies`, to be written back to the TUN device.
    ///
    /// Gives the place where `send` was full: whoever has sent what is there comes back with it. `None` when nothing is left.
    pub fn handle_packets(
        &mut self,
        packets: &PacketBatch,
        from: Place,
        now: Instant,
        rng: &mut impl CryptoRng,
        send: &mut SendBatch,
        replies: &mut PacketBatch,
    ) -> Option<Place> {
        let mut at = from;
        let mut rest = None;
        while let Some((header, packet)) = packets.get(at.packet).filter(|_| rest.is_none()) {
            match self.handle_packet(header, packet, at.segment, rng, send) {
                Ok(full_at) => rest = full_at.map(|segment| Place { segment, ..at }),
                Err(reason) => {
                    if reason == DropReason::NoTunnel {
                        self.reply_unreachable(packet, now, replies);
                    }
                    self.counters.count_drop(reason);
                }
            }
            at = Place { packet: at.packet + 1, segment: 0 };
        }
        self.finish(send);
        rest
    }

    /// Lays out the segments of one packet, from the one at `from` on; gives that at which `send` is full.
    fn handle_packet(
        &mut self,
        header: &VirtioHeader,
        packet: &[u8],
        from: usize,
        rng: &mut impl CryptoRng,
        send: &mut SendBatch,
    ) -> Result<Option<usize>, DropReason> {
        let inner = InnerPacket::parse(packet)?;
        if !inner.may_cross() {
            return Err(DropReason::ForbiddenInnerAddress);
        }
        let home = HomeAddress(match self.role {
            Role::HomeAgent => inner.destination,
            Role::MobileNode => inner.source,
        });
        let tunnel = self.table.get_mut(home).ok_or(DropReason::NoTunnel)?;
        let segments = Segments::new(header, packet.get(..inner.len).ok_or(DropReason::BadInnerPacket)?)?;
        let sa = self.sas.get_mut(tunnel.sending).ok_or(DropReason::UnknownSpi)?;
        let mut sent = Volume::default();
        let mut full_at = None;
        for index in from..segments.count() {
            let payload = Payload::Segment(&segments, index);
            let (next_header, traffic_class) = (inner.next_header(), inner.traffic_class);
            let outer = Outer { ptype: PType::Protected, next_header, payload, traffic_class };
            let laid_out = match tunnel.encapsulation {
                Encapsulation::ClearUdp => lay_out_clear(&mut tunnel.paths, &outer, send),
                Encapsulation::ProtectedUdp => lay_out(sa, &mut tunnel.paths, &outer, rng, send)
                    .map(|laid_out| note(laid_out, sa.spi(), &mut self.pending, &mut self.events)),
            };
            match laid_out {
                Ok(()) => sent.add(segments.len(index)),
                Err(DropReason::BatchFull) if !send.is_empty() => {
                    full_at = Some(index);
                    break;
                }
                Err(reason) => self.counters.count_drop(reason),
            }
        }
        sa.count_user_data(sent);
        self.sent.add_all(sent);
        Ok(full_at)
    }

    /// Sends a packet that control has made.
    fn send_own(&mut self, spi: Spi, mut paths: Paths, outer: &Outer<'_>, rng: &mut impl CryptoRng, send: &mut SendBatch) {
        let laid_out = match self.sas.get_mut(spi) {
            Some(sa) => lay_out(sa, &mut paths, outer, rng, send),
            None => Err(DropReason::UnknownSpi),
        };
        match laid_out {
            Ok(laid_out) => {
                note(laid_out, spi, &mut self.pending, &mut self.events);
                self.sent.add(outer.payload.len());
            }
            Err(reason) => self.counters.count_drop(reason),
        }
        self.finish(send);
    }

    /// Seals what was laid out, runs of one SA together, and counts it.
    fn finish(&mut self, send: &mut SendBatch) {
        for run in self.pending.chunk_by(|(first, _), (second, _)| first == second) {
            let Some(sa) = run.first().and_then(|(spi, _)| self.sas.get_mut(*spi)) else { continue };
            sa.seal_batch(send, run.iter().map(|(_, range)| range.clone()));
        }
        self.pending.clear();
        let Volume { packets, octets } = std::mem::take(&mut self.sent);
        self.counters.count_sent(packets, octets);
    }

    fn install(&mut self, install: &Install) {
        if let Ok(sa) = OutboundSa::new(install, self.role) {
            self.sas.insert(install.sa.spi, sa);
        }
    }

    fn reply_unreachable(&mut self, packet: &[u8], now: Instant, replies: &mut PacketBatch) {
        let source = match packet.first().map(|octet| octet >> 4) {
            Some(4) => self.icmp_sources.ip4.map(IpAddr::V4),
            _ => self.icmp_sources.ip6.map(IpAddr::V6),
        };
        let Some(source) = source else { return };
        let Some(len) = icmp::address_unreachable(packet, source, replies.room()) else { return };
        if self.icmp_limit.allow(now) {
            replies.commit(len);
        }
    }
}

/// A packet in its place, not sealed yet.
struct LaidOut {
    range: Range<usize>,
    is_wearing_out: bool,
}

/// Gives one packet its place and number, and a sending on each path that may still send.
fn lay_out(
    sa: &mut OutboundSa,
    paths: &mut Paths,
    outer: &Outer<'_>,
    rng: &mut impl CryptoRng,
    send: &mut SendBatch,
) -> Result<LaidOut, DropReason> {
    if outer.ptype == PType::Protected && !sa.is_numbered() {
        return Err(DropReason::UnnumberedData);
    }
    let len = layout::sealed_len(sa.suite(), outer.payload.len());
    let range = place(paths, len, send)?;
    let reserved = sa.reserve(len)?;
    let payload_len = outer.payload.len();
    let slot = send.slot(range.clone());
    outer.payload.write(sa.frame(outer.ptype, reserved.sequence, outer.next_header, payload_len, rng, slot));
    send_on_each(paths, &range, outer.traffic_class, send);
    Ok(LaidOut { range, is_wearing_out: reserved.is_wearing_out })
}

/// PType 0: SPI 0, sequence number 0, then the packet as it is (RFC 6618 section 6.4).
fn lay_out_clear(paths: &mut Paths, outer: &Outer<'_>, send: &mut SendBatch) -> Result<(), DropReason> {
    let range = place(paths, envelope::LEN + outer.payload.len(), send)?;
    let (head, body) = send.slot(range.clone()).split_at_mut(envelope::LEN);
    head.copy_from_slice(&envelope::CLEAR);
    outer.payload.write(body);
    send_on_each(paths, &range, outer.traffic_class, send);
    Ok(())
}

/// Room for a datagram of `len` octets on every path that may still send so much.
fn place(paths: &Paths, len: usize, send: &mut SendBatch) -> Result<Range<usize>, DropReason> {
    match paths.iter().filter(|path| has_allowance(path, len)).count() {
        0 => Err(DropReason::AllowanceUsedUp),
        usable => send.reserve(len, usable).ok_or(DropReason::BatchFull),
    }
}

fn send_on_each(paths: &mut Paths, range: &Range<usize>, traffic_class: u8, send: &mut SendBatch) {
    for index in 0..Paths::MAX {
        if let Some(path) = paths.spend(index, range.len() as u64) {
            send.push(range.clone(), &path, traffic_class);
        }
    }
}

fn note(laid_out: LaidOut, spi: Spi, pending: &mut Vec<(Spi, Range<usize>)>, events: &mut VecDeque<Event>) {
    pending.push((spi, laid_out.range));
    if laid_out.is_wearing_out {
        events.push_back(Event::WearingOut(spi));
    }
}

fn has_allowance(path: &Path, len: usize) -> bool {
    match path.allowance {
        Allowance::Unlimited => true,
        Allowance::Octets(left) => left >= len as u64,
    }
}
