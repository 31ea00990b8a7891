//! Gives inner packets their places in the send buffer: room, sequence number, envelope and trailer, and a sending on each path.

use std::collections::VecDeque;
use std::ops::Range;

use rand_core::CryptoRng;

use super::kept::Form;
use crate::offload::Segments;
use crate::sa::Spi;
use crate::sa::cipher::layout;
use crate::sa::outbound::OutboundSa;
use crate::tunnel::batch::Fragmentation;
use crate::tunnel::{Counters, DropReason, Encapsulation, Event, Paths, SendBatch, Volume};
use crate::wire::envelope::{self, PType};
use crate::wire::ip::InnerPacket;
use crate::wire::mss;

/// What the outer header, the envelope and the trailer say of a packet.
pub(super) struct Outer {
    ptype: PType,
    next_header: u8,
    /// Of the inner packet, ECN included (RFC 6040 section 4.1, normal mode).
    traffic_class: u8,
    /// What TCP connections are told to fit into.
    mtu: Option<u16>,
    fragmentation: Fragmentation,
}

impl Outer {
    /// Of user data.
    pub(super) fn of(inner: &InnerPacket, mtu: u16, fragmentation: Fragmentation) -> Self {
        let (next_header, traffic_class) = (inner.next_header(), inner.traffic_class);
        Self { ptype: PType::Protected, next_header, traffic_class, mtu: Some(mtu), fragmentation }
    }

    /// Of a packet that control has made.
    pub(super) fn own(ptype: PType, next_header: u8) -> Self {
        Self { ptype, next_header, traffic_class: 0, mtu: None, fragmentation: Fragmentation::OnTheWay }
    }

    /// Of one that finds out what a path carries.
    pub(super) fn probe(next_header: u8) -> Self {
        Self { fragmentation: Fragmentation::Never, ..Self::own(PType::MobilityHeader, next_header) }
    }
}

/// What is copied to its place in the send buffer.
pub(super) enum Payload<'a> {
    Octets(&'a [u8]),
    Segment(&'a Segments<'a>, usize),
}

impl Payload<'_> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Octets(octets) => octets.len(),
            Self::Segment(segments, index) => segments.len(*index),
        }
    }

    fn write(&self, outer: &Outer, to: &mut [u8]) {
        match self {
            Self::Octets(octets) => to.copy_from_slice(octets),
            Self::Segment(segments, index) => segments.write(*index, to),
        }
        if let Some(mtu) = outer.mtu {
            mss::clamp(to, mtu);
        }
    }
}

/// What was laid out in this batch.
#[derive(Default)]
pub(super) struct Pending {
    /// Not sealed yet.
    pub(super) datagrams: Vec<LaidOut>,
    /// Not counted yet.
    pub(super) sent: Volume,
    /// Not told to control yet.
    pub(super) events: VecDeque<Event>,
}

/// A datagram that has its place.
pub(super) struct LaidOut {
    pub(super) spi: Spi,
    pub(super) range: Range<usize>,
    /// As what it is kept, to be sent again.
    pub(super) kept: Option<Form>,
}

/// A tunnel's SA and paths, randomness for IVs, the room, and where it is noted that something is there.
pub(super) struct LayOut<'a, R> {
    pub(super) sa: &'a mut OutboundSa,
    pub(super) paths: &'a Paths,
    pub(super) rng: &'a mut R,
    pub(super) send: &'a mut SendBatch,
    pub(super) pending: &'a mut Pending,
    /// How many packets follow in the batch, some of which may go under this SA.
    pub(super) behind: usize,
    /// Whether what is laid out is kept, to be sent again.
    pub(super) is_kept: bool,
}

impl<R: CryptoRng> LayOut<'_, R> {
    /// Lays out user data, from the segment at `from` on, and gives the one at which there is no room any more. What cannot be sent is
    /// counted as dropped.
    pub(super) fn segments(
        &mut self,
        outer: &Outer,
        form: Encapsulation,
        segments: &Segments<'_>,
        from: usize,
        counters: &Counters,
    ) -> Option<usize> {
        let mut sent = Volume::default();
        let mut full_at = None;
        let count = segments.count();
        for index in from..count {
            let ahead = count - index - 1 + self.behind;
            let payload = Payload::Segment(segments, index);
            let laid_out = match form {
                Encapsulation::ClearUdp => self.clear(outer, &payload),
                Encapsulation::ProtectedUdp => self.protected(outer, &payload, ahead),
            };
            match laid_out {
                Ok(()) => sent.add(payload.len()),
                Err(DropReason::BatchFull) if !self.send.is_empty() => {
                    full_at = Some(index);
                    break;
                }
                Err(reason) => counters.count_drop(reason),
            }
        }
        self.sa.count_user_data(sent);
        self.pending.sent.add_all(sent);
        full_at
    }

    /// Gives one packet its place and number, and a sending on each path that may still send; so many more are `ahead`.
    pub(super) fn protected(&mut self, outer: &Outer, payload: &Payload<'_>, ahead: usize) -> Result<(), DropReason> {
        if outer.ptype == PType::Protected && !self.sa.is_numbered() {
            return Err(DropReason::UnnumberedData);
        }
        let range = self.place(layout::sealed_len(self.sa.suite(), payload.len()))?;
        let reserved = self.sa.reserve(range.len(), ahead)?;
        let slot = self.send.slot(range.clone());
        let place = self.sa.frame(outer.ptype, reserved.sequence, outer.next_header, payload.len(), self.rng, slot);
        payload.write(outer, place);
        self.send_on_each(&range, outer);
        let form = Form { traffic_class: outer.traffic_class, fragmentation: outer.fragmentation };
        self.pending.datagrams.push(LaidOut { spi: self.sa.spi(), range, kept: self.is_kept.then_some(form) });
        if reserved.is_wearing_out {
            self.pending.events.push_back(Event::WearingOut(self.sa.spi()));
        }
        Ok(())
    }

    /// PType 0: SPI 0, sequence number 0, then the packet as it is (RFC 6618 section 6.4).
    fn clear(&mut self, outer: &Outer, payload: &Payload<'_>) -> Result<(), DropReason> {
        let range = self.place(envelope::LEN + payload.len())?;
        let (head, body) = self.send.slot(range.clone()).split_at_mut(envelope::LEN);
        head.copy_from_slice(&envelope::CLEAR);
        payload.write(outer, body);
        self.send_on_each(&range, outer);
        self.sa.keep_awake();
        Ok(())
    }

    /// Room for a datagram of `len` octets on every path that may still send so much.
    fn place(&mut self, len: usize) -> Result<Range<usize>, DropReason> {
        match self.paths.iter().filter(|path| path.allowance.has(len)).count() {
            0 => Err(DropReason::AllowanceUsedUp),
            usable => self.send.reserve(len, usable).ok_or(DropReason::BatchFull),
        }
    }

    fn send_on_each(&mut self, range: &Range<usize>, outer: &Outer) {
        for index in 0..Paths::MAX {
            if let Some(path) = self.paths.spend(index, range.len()) {
                self.send.push_as(outer.fragmentation, range.clone(), path, outer.traffic_class);
            }
        }
    }
}
