//! Packets of one flow that leave as one.

use std::ops::Range;

use super::flow::{Data, Flow, have_same_headers};
use super::octets::{IPV4_HEADER, IPV6_HEADER, TCP, UDP, checksum_offset, pseudo_sum, put16, tcp_flag};
use super::{Segmentation, VirtioHeader};
use crate::tunnel::batch::MAX_PACKET;
use crate::wire::checksum;

/// The most packets of one group: what the kernel takes of UDP.
pub const MAX_GROUP_PACKETS: usize = 64;

/// In the first octet of IPv4's flags.
const DONT_FRAGMENT: u8 = 0x40;

/// One packet, or several of one flow.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// The first packet in the arena.
    pub(super) first: Range<usize>,
    /// How many.
    pub(super) packets: usize,
    /// Octets of all: the first one's headers and each one's payload.
    len: usize,
    /// Octets of the first one's headers.
    headers: usize,
    /// Octets of payload in each but the last.
    segment: usize,
    segmentation: Segmentation,
    is_ipv4: bool,
    /// Whether the last packet has TCP's PSH.
    has_push: bool,
}

/// A group that may still grow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    pub(super) flow: Flow,
    /// Its number among the groups.
    pub(super) group: usize,
    /// The sequence number that the next packet has to have.
    next_sequence: u32,
    last_id: u16,
    /// What is between two identifications, once there are two: one, or nothing where the sender does not count.
    id_step: Option<u16>,
}

impl Group {
    /// A packet for itself.
    pub(super) fn alone(packet: Range<usize>) -> Self {
        let len = packet.len();
        let (segmentation, is_ipv4, has_push) = (Segmentation::None, false, false);
        Self { first: packet, packets: 1, len, headers: 0, segment: 0, segmentation, is_ipv4, has_push }
    }

    /// The first packet of what may become several.
    pub(super) fn of(packet: Range<usize>, flow: &Flow, data: &Data) -> Self {
        let segmentation = match (flow.protocol, flow.is_ipv4) {
            (TCP, true) => Segmentation::Tcp4,
            (TCP, false) => Segmentation::Tcp6,
            _ => Segmentation::Udp,
        };
        let (headers, segment, is_ipv4) = (data.headers, data.payload, flow.is_ipv4);
        Self { headers, segment, segmentation, is_ipv4, has_push: data.has_push, ..Self::alone(packet) }
    }

    /// Takes another packet in. `false` when none may follow.
    pub(super) fn add(&mut self, data: &Data) -> bool {
        self.packets += 1;
        self.len += data.payload;
        self.has_push = data.has_push;
        data.payload == self.segment && !data.has_push && self.packets < MAX_GROUP_PACKETS
    }

    /// What the kernel has to know: nothing of a packet for itself.
    pub(super) fn virtio(&self) -> VirtioHeader {
        if self.packets == 1 {
            return VirtioHeader::default();
        }
        VirtioHeader {
            segmentation: self.segmentation,
            needs_checksum: true,
            has_cwr: false,
            header_len: self.headers as u16,
            segment: self.segment as u16,
            checksum_start: self.transport() as u16,
            checksum_offset: checksum_offset(self.protocol()) as u16,
        }
    }

    /// Makes the headers of the first packet those of the group: lengths, PSH, IPv4's checksum, and the pseudo-header's sum in the
    /// place of the other checksum.
    pub(super) fn patch(&self, arena: &mut [u8]) {
        let Some(packet) = arena.get_mut(self.first.clone()).filter(|_| self.packets > 1) else { return };
        if self.is_ipv4 {
            put16(packet, 2, self.len as u16);
            put16(packet, 10, 0);
            let sum = checksum::bare(packet.get(..self.transport()).unwrap_or_default());
            put16(packet, 10, sum);
        } else {
            put16(packet, 4, self.len.saturating_sub(IPV6_HEADER) as u16);
        }
        let len = self.len.saturating_sub(self.transport());
        let pseudo = pseudo_sum(packet, self.protocol()).unwrap_or_default() + len as u64;
        let Some(header) = packet.get_mut(self.transport()..) else { return };
        put16(header, checksum_offset(self.protocol()), checksum::fold(pseudo));
        if self.protocol() == UDP {
            put16(header, 4, len as u16);
        } else if let Some(flags) = header.get_mut(13).filter(|_| self.has_push) {
            *flags |= tcp_flag::PSH;
        }
    }

    fn protocol(&self) -> u8 {
        if self.segmentation == Segmentation::Udp { UDP } else { TCP }
    }

    /// Where TCP or UDP begins.
    fn transport(&self) -> usize {
        if self.is_ipv4 { IPV4_HEADER } else { IPV6_HEADER }
    }
}

impl Open {
    /// A group of one packet.
    pub(super) fn new(flow: Flow, group: usize, data: &Data) -> Self {
        Self { flow, group, next_sequence: data.end(), last_id: data.id, id_step: None }
    }

    /// Whether `next` of this flow continues `group`, the first packet of which is `first`.
    pub(super) fn is_continued(&self, group: &Group, first: &[u8], next: &[u8], data: &Data) -> bool {
        data.payload <= group.segment
            && group.len + data.payload <= MAX_PACKET
            && (self.flow.protocol == UDP || data.sequence == self.next_sequence)
            && (!self.flow.is_ipv4 || self.is_next_id(next, data.id))
            && have_same_headers(&self.flow, group.headers, first, next)
    }

    /// The kernel's rule: identifications count, or stand still where DF makes them mean nothing (RFC 6864 section 4.1).
    fn is_next_id(&self, packet: &[u8], id: u16) -> bool {
        let step = id.wrapping_sub(self.last_id);
        let is_atomic = packet.get(6).is_some_and(|flags| flags & DONT_FRAGMENT != 0);
        (step == 1 || (step == 0 && is_atomic)) && self.id_step.is_none_or(|known| known == step)
    }

    /// Expects what comes behind the packet.
    pub(super) fn advance(&mut self, data: &Data) {
        self.next_sequence = data.end();
        self.id_step = Some(data.id.wrapping_sub(self.last_id));
        self.last_id = data.id;
    }
}
