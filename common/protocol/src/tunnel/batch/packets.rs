use std::ops::Range;

use super::MAX_PACKET;
use crate::offload::VirtioHeader;

/// Inner packets, one behind the other: read from the TUN device, or to be written to it. Each has the header with which the kernel
/// handed it over: a packet may stand for many segments.
#[derive(Debug)]
pub struct PacketBatch {
    octets: Vec<u8>,
    packets: Vec<(VirtioHeader, Range<usize>)>,
    used: usize,
    max_packets: usize,
}

impl PacketBatch {
    /// Room for `max_packets` packets of `octets` in all.
    pub fn new(max_packets: usize, octets: usize) -> Self {
        Self { octets: vec![0; octets], packets: Vec::with_capacity(max_packets), used: 0, max_packets }
    }

    /// Forgets all packets.
    pub fn clear(&mut self) {
        self.packets.clear();
        self.used = 0;
    }

    /// The free room, at most one packet long; empty when the batch is full.
    pub fn room(&mut self) -> &mut [u8] {
        if self.packets.len() == self.max_packets {
            return &mut [];
        }
        let end = self.octets.len().min(self.used + MAX_PACKET);
        self.octets.get_mut(self.used..end).unwrap_or_default()
    }

    /// Takes the first `len` octets of [`Self::room`] as a packet that is whole as it is.
    pub fn commit(&mut self, len: usize) {
        self.commit_with(VirtioHeader::default(), len);
    }

    /// Takes the first `len` octets of [`Self::room`] as a packet that the kernel handed over with `header`.
    pub fn commit_with(&mut self, header: VirtioHeader, len: usize) {
        let end = self.octets.len().min(self.used + len);
        self.packets.push((header, self.used..end));
        self.used = end;
    }

    /// Copies `packet` in; `false` when there is no room.
    pub fn push(&mut self, packet: &[u8]) -> bool {
        self.push_with(VirtioHeader::default(), packet)
    }

    /// Copies `packet` in with its `header`; `false` when there is no room.
    pub fn push_with(&mut self, header: VirtioHeader, packet: &[u8]) -> bool {
        let Some(room) = self.room().get_mut(..packet.len()) else { return false };
        if packet.is_empty() {
            return false;
        }
        room.copy_from_slice(packet);
        self.commit_with(header, packet.len());
        true
    }

    /// The packet at `index` with its header.
    pub fn get(&self, index: usize) -> Option<(&VirtioHeader, &[u8])> {
        let (header, range) = self.packets.get(index)?;
        Some((header, self.octets.get(range.clone())?))
    }

    /// Each packet.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.packets.iter().filter_map(|(_, range)| self.octets.get(range.clone()))
    }

    /// How many packets.
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_batch_refuses_and_keeps_what_it_has() {
        let mut batch = PacketBatch::new(2, 8);
        assert!(batch.push(b"abc") && batch.push(b"defg"));
        assert!(!batch.push(b"h"), "two packets are the most");
        assert_eq!(batch.iter().collect::<Vec<_>>(), [b"abc".as_slice(), b"defg"]);
        batch.clear();
        assert!(!batch.push(b"123456789"), "nine octets do not fit in eight");
        assert!(batch.is_empty());
    }
}
