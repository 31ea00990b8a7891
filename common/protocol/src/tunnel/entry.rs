//! The tunnel entry-point (RFC 2473 section 3.1): inner packets in, protected datagrams out. Owns every outbound SA.
//!
//! A batch is handled in two passes: select and lay out each packet in its place of the send buffer, then seal runs of
//! packets of one SA together.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand_core::CryptoRng;

use super::rate_limit::RateLimit;
use super::{
    Allowance, Command, Counters, DropReason, Encapsulation, Event, Install, PacketBatch, Path, Paths, SendBatch, TunnelTable,
};
use crate::addr::HomeAddress;
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
    events: VecDeque<Event>,
}

/// One packet to be sealed: what its envelope and trailer say, and what it holds.
struct Outer<'a> {
    ptype: PType,
    next_header: u8,
    payload: &'a [u8],
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
                let outer = Outer { ptype: PType::MobilityHeader, next_header: *next_header, payload };
                self.send_own(*spi, paths.clone(), &outer, rng, send);
            }
            Command::Keepalive { spi, path } => {
                let outer = Outer { ptype: PType::Protected, next_header: NEXT_HEADER_NONE, payload: &[] };
                self.send_own(*spi, Paths::one(*path), &outer, rng, send);
            }
            Command::LookUpIn(_) | Command::Guard(_) => {}
        }
    }

    /// The next thing that control has to know; drained until `None`.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Sends inner packets. What cannot be sent is dropped and counted; at a home agent a packet to a home address that is
    /// not bound puts an ICMP error into `replies`, to be written back to the TUN device.
    pub fn handle_packets(
        &mut self,
        packets: &PacketBatch,
        now: Instant,
        rng: &mut impl CryptoRng,
        send: &mut SendBatch,
        replies: &mut PacketBatch,
    ) {
        for packet in packets.iter() {
            let laid_out = self.handle_packet(packet, rng, send);
            if laid_out == Err(DropReason::NoTunnel) {
                self.reply_unreachable(packet, now, replies);
            }
            self.count(laid_out, packet.len());
        }
        self.seal_pending(send);
    }

    fn handle_packet(&mut self, packet: &[u8], rng: &mut impl CryptoRng, send: &mut SendBatch) -> Result<(), DropReason> {
        let inner = InnerPacket::parse(packet)?;
        if !inner.may_cross() {
            return Err(DropReason::ForbiddenInnerAddress);
        }
        let home = HomeAddress(match self.role {
            Role::HomeAgent => inner.destination,
            Role::MobileNode => inner.source,
        });
        let tunnel = self.table.get_mut(home).ok_or(DropReason::NoTunnel)?;
        let payload = packet.get(..inner.len).ok_or(DropReason::BadInnerPacket)?;
        let sa = self.sas.get_mut(tunnel.sending).ok_or(DropReason::UnknownSpi)?;
        match tunnel.encapsulation {
            Encapsulation::ClearUdp => lay_out_clear(&mut tunnel.paths, payload, send)?,
            Encapsulation::ProtectedUdp => {
                let outer = Outer { ptype: PType::Protected, next_header: inner.next_header(), payload };
                let laid_out = lay_out(sa, &mut tunnel.paths, &outer, rng, send)?;
                note(laid_out, sa.spi(), &mut self.pending, &mut self.events);
            }
        }
        sa.count_user_data(payload.len());
        Ok(())
    }

    /// Sends a packet that control has made.
    fn send_own(&mut self, spi: Spi, mut paths: Paths, outer: &Outer<'_>, rng: &mut impl CryptoRng, send: &mut SendBatch) {
        let laid_out = match self.sas.get_mut(spi) {
            Some(sa) => lay_out(sa, &mut paths, outer, rng, send),
            None => Err(DropReason::UnknownSpi),
        };
        let counted = laid_out.map(|laid_out| note(laid_out, spi, &mut self.pending, &mut self.events));
        self.count(counted, outer.payload.len());
        self.seal_pending(send);
    }

    /// Seals what was laid out, runs of one SA together.
    fn seal_pending(&mut self, send: &mut SendBatch) {
        for run in self.pending.chunk_by(|(first, _), (second, _)| first == second) {
            let Some(sa) = run.first().and_then(|(spi, _)| self.sas.get_mut(*spi)) else { continue };
            sa.seal_batch(send, run.iter().map(|(_, range)| range.clone()));
        }
        self.pending.clear();
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

    fn count(&self, laid_out: Result<(), DropReason>, octets: usize) {
        match laid_out {
            Ok(()) => self.counters.count_sent(1, octets as u64),
            Err(reason) => self.counters.count_drop(reason),
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
    sa.write(outer.ptype, reserved.sequence, outer.next_header, outer.payload, rng, send.slot(range.clone()));
    send_on_each(paths, &range, send);
    Ok(LaidOut { range, is_wearing_out: reserved.is_wearing_out })
}

/// PType 0: SPI 0, sequence number 0, then the packet as it is (RFC 6618 section 6.4).
fn lay_out_clear(paths: &mut Paths, payload: &[u8], send: &mut SendBatch) -> Result<(), DropReason> {
    let range = place(paths, envelope::LEN + payload.len(), send)?;
    let (head, body) = send.slot(range.clone()).split_at_mut(envelope::LEN);
    head.copy_from_slice(&envelope::CLEAR);
    body.copy_from_slice(payload);
    send_on_each(paths, &range, send);
    Ok(())
}

/// Room for a datagram of `len` octets on every path that may still send so much.
fn place(paths: &Paths, len: usize, send: &mut SendBatch) -> Result<Range<usize>, DropReason> {
    match paths.iter().filter(|path| has_allowance(path, len)).count() {
        0 => Err(DropReason::AllowanceUsedUp),
        usable => send.reserve(len, usable).ok_or(DropReason::BatchFull),
    }
}

fn send_on_each(paths: &mut Paths, range: &Range<usize>, send: &mut SendBatch) {
    for index in 0..Paths::MAX {
        if let Some(path) = paths.spend(index, range.len() as u64) {
            send.push(range.clone(), &path);
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
