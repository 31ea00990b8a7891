//! The tunnel entry-point (RFC 2473 section 3.1): inner packets in, protected datagrams out. Has every outbound SA, whose sequence
//! numbers it shares with the other entry-points of its end.
//!
//! A batch is handled in two passes: select each packet, cut it and lay out its segments in their places of the send buffer; then
//! seal runs of packets of one SA together.

pub(super) mod kept;
mod lay_out;
mod too_big;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand_core::CryptoRng;

use self::kept::Kept;
use self::lay_out::{LaidOut, LayOut, Outer, Payload, Pending};
use super::rate_limit::RateLimit;
use super::{Command, Counters, DropReason, Event, PacketBatch, Paths, SendBatch, Share, TunnelTable, Volume};
use crate::addr::HomeAddress;
use crate::offload::{Segments, VirtioHeader};
use crate::sa::outbound::OutboundSa;
use crate::sa::sad::Sad;
use crate::sa::{Role, Spi};
use crate::wire::envelope::PType;
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
    share: Share,
    table: TunnelTable,
    sas: Sad<OutboundSa>,
    icmp_sources: IcmpSources,
    icmp_limit: RateLimit,
    counters: Arc<Counters>,
    /// What TCP connections through the tunnel are told to fit into, in octets; no limit until control says one.
    mtu: u16,
    pending: Pending,
    kept: Kept,
}

/// Where in a batch of packets the room for sending ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    packet: usize,
    segment: usize,
}

impl EntryPoint {
    /// An entry-point without any tunnel.
    pub fn new(role: Role, counters: Arc<Counters>, icmp_sources: IcmpSources) -> Self {
        Self {
            role,
            share: Share::WHOLE,
            table: TunnelTable::default(),
            sas: Sad::new(role),
            icmp_sources,
            icmp_limit: RateLimit::new(ICMP_BURST, ICMP_INTERVAL),
            counters,
            mtu: u16::MAX,
            pending: Pending::default(),
            kept: Kept::default(),
        }
    }

    /// Sends for control only what is under the SAs of `share`, as one of several entry-points, each of which carries any user data.
    #[must_use]
    pub fn for_share(self, share: Share) -> Self {
        let count = u32::from(share.count().get());
        let icmp_limit = RateLimit::new((ICMP_BURST / count).max(1), ICMP_INTERVAL * count);
        Self { share, icmp_limit, ..self }
    }

    /// Obeys control. A `Signal` is sealed and stands in `send` afterwards. `true` where there was no room for all that is to be sent:
    /// whoever has sent what is there comes back with the same command.
    pub fn apply(&mut self, command: &Command, rng: &mut impl CryptoRng, send: &mut SendBatch) -> bool {
        match command {
            Command::Install(install) => {
                self.sas.insert(install);
            }
            Command::Uninstall(spi) => {
                self.sas.remove(*spi);
            }
            Command::Move { .. } | Command::Remove(_) | Command::PathMtu { .. } | Command::Prefixes { .. } => {
                self.table.apply(command);
            }
            Command::Signal { spi, .. } | Command::Probe { spi, .. } | Command::Keepalive { spi, .. }
                if !self.share.has(*spi) => {}
            Command::Signal { spi, paths, next_header, payload } => {
                self.send_own(*spi, paths, &Outer::own(PType::MobilityHeader, *next_header), payload, rng, send);
            }
            Command::Probe { spi, path, next_header, payload } => {
                self.send_own(*spi, &Paths::one(path.clone()), &Outer::probe(*next_header), payload, rng, send);
            }
            Command::Keepalive { spi, path } => {
                self.send_own(*spi, &Paths::one(path.clone()), &Outer::own(PType::Protected, NEXT_HEADER_NONE), &[], rng, send);
            }
            Command::Resend { spi, paths, above, since, spared } => {
                let sent = self.kept.send_again(*spi, *above, *since, (paths, *spared), send);
                self.counters.count_again(sent.datagrams);
                return sent.is_full;
            }
            Command::Mtu(mtu) => self.mtu = *mtu,
            Command::LookUpIn(_) | Command::Guard(_) => {}
        }
        false
    }

    /// The next thing that control has to know; drained until `None`.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.pending.events.pop_front()
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
            let behind = packets.len() - at.packet - 1;
            match self.handle_packet(header, packet, at.segment, behind, rng, send) {
                Ok(full_at) => rest = full_at.map(|segment| Place { segment, ..at }),
                Err(reason) => {
                    if reason == DropReason::NoTunnel {
                        self.reply(packet, None, now, replies);
                    } else if reason == DropReason::TooBig {
                        self.reply(packet, self.limit_of(packet), now, replies);
                    }
                    self.counters.count_drop(reason);
                }
            }
            at = Place { packet: at.packet + 1, segment: 0 };
        }
        self.seal(send);
        self.keep(send, now);
        self.sas.sweep(now);
        rest
    }

    /// Lays out the segments of one packet, with `behind` more in its batch, from the segment at `from` on; gives that at which `send` is
    /// full.
    fn handle_packet(
        &mut self,
        header: &VirtioHeader,
        packet: &[u8],
        from: usize,
        behind: usize,
        rng: &mut impl CryptoRng,
        send: &mut SendBatch,
    ) -> Result<Option<usize>, DropReason> {
        let inner = InnerPacket::parse(packet)?;
        if !inner.may_cross() {
            return Err(DropReason::ForbiddenInnerAddress);
        }
        let tunnel = self.table.find(self.home(&inner)).ok_or(DropReason::NoTunnel)?;
        let segments = Segments::new(header, packet.get(..inner.len).ok_or(DropReason::BadInnerPacket)?)?;
        let fragmentation = too_big::judge(&inner, packet, segments.len(0), tunnel.mtu, &self.icmp_sources)?;
        let outer = Outer::of(&inner, self.mtu.min(tunnel.mtu), fragmentation);
        let sa = self.sas.get_mut(tunnel.sending).ok_or(DropReason::UnknownSpi)?;
        let is_kept = inner.len <= kept::LONGEST;
        let mut lay_out = LayOut { sa, paths: &tunnel.paths, rng, send, pending: &mut self.pending, behind, is_kept };
        Ok(lay_out.segments(&outer, tunnel.encapsulation, &segments, from, &self.counters))
    }

    /// Sends a packet that control has made.
    fn send_own(
        &mut self,
        spi: Spi,
        paths: &Paths,
        outer: &Outer,
        octets: &[u8],
        rng: &mut impl CryptoRng,
        send: &mut SendBatch,
    ) {
        let laid_out = match self.sas.get_mut(spi) {
            Some(sa) => {
                let mut lay_out = LayOut { sa, paths, rng, send, pending: &mut self.pending, behind: 0, is_kept: false };
                lay_out.protected(outer, &Payload::Octets(octets), 0)
            }
            None => Err(DropReason::UnknownSpi),
        };
        match laid_out {
            Ok(()) => self.pending.sent.add(octets.len()),
            Err(reason) => self.counters.count_drop(reason),
        }
        self.seal(send);
        self.pending.datagrams.clear();
    }

    /// Seals what was laid out, runs of one SA together, and counts it.
    fn seal(&mut self, send: &mut SendBatch) {
        for run in self.pending.datagrams.chunk_by(|first, second| first.spi == second.spi) {
            let Some(sa) = run.first().and_then(|first| self.sas.get_mut(first.spi)) else { continue };
            sa.give_back();
            sa.seal_batch(send, run.iter().map(|laid_out| laid_out.range.clone()));
        }
        let Volume { packets, octets } = std::mem::take(&mut self.pending.sent);
        self.counters.count_sent(packets, octets);
        self.sas.settle();
    }

    /// Keeps what was sealed, for the case that its path turns out to have been broken.
    fn keep(&mut self, send: &mut SendBatch, now: Instant) {
        for LaidOut { spi, range, kept } in self.pending.datagrams.drain(..) {
            if let Some(form) = kept {
                self.kept.keep(spi, send.slot(range), form, now);
            }
        }
    }

    /// The inner address that is the mobile node's.
    fn home(&self, inner: &InnerPacket) -> HomeAddress {
        HomeAddress(match self.role {
            Role::HomeAgent => inner.destination,
            Role::MobileNode => inner.source,
        })
    }

    #[cold]
    fn limit_of(&self, packet: &[u8]) -> Option<u16> {
        let inner = InnerPacket::parse(packet).ok()?;
        self.table.find(self.home(&inner)).map(|tunnel| tunnel.mtu)
    }

    /// An ICMP error to the source of `packet`: it is longer than `mtu`, or without one, its destination is unreachable.
    #[cold]
    fn reply(&mut self, packet: &[u8], mtu: Option<u16>, now: Instant, replies: &mut PacketBatch) {
        let source = match packet.first().map(|octet| octet >> 4) {
            Some(4) => self.icmp_sources.ip4.map(IpAddr::V4),
            _ => self.icmp_sources.ip6.map(IpAddr::V6),
        };
        let Some(source) = source else { return };
        let len = match mtu {
            Some(mtu) => icmp::packet_too_big(packet, mtu, source, replies.room()),
            None => icmp::address_unreachable(packet, source, replies.room()),
        };
        let Some(len) = len else { return };
        if self.icmp_limit.allow(now) {
            replies.commit(len);
        }
    }
}
