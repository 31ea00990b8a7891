//! Finds the packets of one flow that the kernel takes as one.

use std::ops::Range;

use super::VirtioHeader;
use super::flow::{Data, Flow, has_right_checksums};
use super::group::{Group, Open};
use super::octets::{TCP, UDP};

/// Groups that may grow at the same time: flows beyond that merge less. Few enough to be looked through for each packet.
const MAX_OPEN: usize = 16;

/// Packets of one batch for which there is memory from the start: a receiving call's 64 messages, each of 64 datagrams.
const MAX_PACKETS: usize = 64 * 64;

/// What the receiver takes as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Merging {
    /// TCP over either family (`TUN_F_TSO4`, `TUN_F_TSO6`).
    pub tcp: bool,
    /// UDP over either family (`TUN_F_USO4`, `TUN_F_USO6`).
    pub udp: bool,
}

/// Opened inner packets on their way to the TUN device.
///
/// In a group are packets of one flow that differ in what cutting makes anew and nothing else, in the order in which they came.
/// What is not plain data of a flow is a group of its own, behind what came before it of the same flow.
#[derive(Debug)]
pub struct Merger {
    merging: Merging,
    /// In the order of their first packets.
    groups: Vec<Group>,
    /// The oldest first, at most one of each flow.
    open: Vec<Open>,
    /// Each packet's group, and which of its octets are written.
    packets: Vec<(usize, Range<usize>)>,
    /// The same ranges, those of one group side by side.
    parts: Vec<Range<usize>>,
    /// Where in `parts` those of each group end.
    ends: Vec<usize>,
}

/// What is written with one call.
#[derive(Debug)]
pub struct Merged<'a> {
    /// What the kernel has to know.
    pub header: VirtioHeader,
    /// Where its octets are, in order: a whole packet, and what the others of its flow carry behind their headers.
    pub parts: &'a [Range<usize>],
}

impl Default for Merger {
    fn default() -> Self {
        Self::new(Merging::default())
    }
}

impl Merger {
    /// No packets yet. What the receiver does not take as one stays apart.
    pub fn new(merging: Merging) -> Self {
        Self {
            merging,
            groups: Vec::with_capacity(MAX_PACKETS),
            open: Vec::with_capacity(MAX_OPEN),
            packets: Vec::with_capacity(MAX_PACKETS),
            parts: Vec::with_capacity(MAX_PACKETS),
            ends: Vec::with_capacity(MAX_PACKETS),
        }
    }

    /// Forgets all packets.
    pub fn clear(&mut self) {
        self.groups.clear();
        self.open.clear();
        self.packets.clear();
        self.parts.clear();
        self.ends.clear();
    }

    /// Takes the inner packet at `range` of `arena`: the whole packet and nothing behind it. Until [`Self::clear`], `arena` is the
    /// same each time, and what was pushed does not change.
    pub fn push(&mut self, arena: &[u8], range: Range<usize>) {
        let packet = arena.get(range.clone()).unwrap_or_default();
        let is_merging = self.merging != Merging::default();
        let placed = match Flow::read(packet).filter(|_| is_merging) {
            Some(flow) => self.place(&flow, arena, packet, &range),
            None => self.begin(Group::alone(range.clone()), &range),
        };
        self.packets.push(placed);
    }

    /// Makes the first packet of each group say what the group is; to be called once, before [`Self::groups`].
    pub fn finish(&mut self, arena: &mut [u8]) {
        self.gather();
        self.groups.iter().for_each(|group| group.patch(arena));
    }

    /// Each group, packets of one flow in their order.
    pub fn groups(&self) -> impl Iterator<Item = Merged<'_>> {
        self.groups.iter().zip(&self.ends).filter_map(|(group, end)| {
            let parts = self.parts.get(end.checked_sub(group.packets)?..*end)?;
            Some(Merged { header: group.virtio(), parts })
        })
    }

    /// Gives the group of a packet of `flow`, and which of its octets are written.
    fn place(&mut self, flow: &Flow, arena: &[u8], packet: &[u8], range: &Range<usize>) -> (usize, Range<usize>) {
        let found = self.open.iter().rposition(|open| open.flow == *flow);
        // A group that PSH would end at once needs no look at its checksums.
        let is_of_use = |data: &Data| (found.is_some() || !data.has_push) && has_right_checksums(flow, packet);
        let data = Data::read(flow, packet).filter(|data| self.takes(flow) && is_of_use(data));
        let joined = found.zip(data).and_then(|(at, data)| self.join(at, arena, packet, &data));
        if let Some((group, headers)) = joined {
            return (group, range.start + headers..range.end);
        }
        self.open.retain(|open| !open.flow.is_ordered_with(flow));
        match data.filter(|data| !data.has_push) {
            Some(data) => self.begin_open(flow, &data, range),
            None => self.begin(Group::alone(range.clone()), range),
        }
    }

    fn takes(&self, flow: &Flow) -> bool {
        match flow.protocol {
            TCP => self.merging.tcp,
            UDP => self.merging.udp,
            _ => false,
        }
    }

    /// Gives the group's number, and how many octets of the packet it has already.
    fn join(&mut self, at: usize, arena: &[u8], packet: &[u8], data: &Data) -> Option<(usize, usize)> {
        let open = self.open.get_mut(at)?;
        let (number, group) = (open.group, self.groups.get_mut(open.group)?);
        let first = arena.get(group.first.clone())?;
        if !open.is_continued(group, first, packet, data) {
            return None;
        }
        open.advance(data);
        if !group.add(data) {
            self.open.remove(at);
        }
        Some((number, data.headers))
    }

    fn begin_open(&mut self, flow: &Flow, data: &Data, range: &Range<usize>) -> (usize, Range<usize>) {
        if self.open.len() >= MAX_OPEN {
            self.open.remove(0);
        }
        self.open.push(Open::new(*flow, self.groups.len(), data));
        self.begin(Group::of(range.clone(), flow, data), range)
    }

    fn begin(&mut self, group: Group, range: &Range<usize>) -> (usize, Range<usize>) {
        self.groups.push(group);
        (self.groups.len() - 1, range.clone())
    }

    /// Sorts the parts by group, in the order in which they came: each group's place follows from how many are before it.
    fn gather(&mut self) {
        self.parts.clear();
        self.parts.resize(self.packets.len(), 0..0);
        self.ends.clear();
        let mut start = 0;
        for group in &self.groups {
            self.ends.push(start);
            start += group.packets;
        }
        for (group, range) in &self.packets {
            let Some(end) = self.ends.get_mut(*group) else { continue };
            if let Some(part) = self.parts.get_mut(*end) {
                *part = range.clone();
            }
            *end += 1;
        }
    }
}
