//! The memory that packets pass through: fixed arenas, filled and drained by the workers, read and written in place by the
//! halves. A batch never grows; what does not fit is the caller's to send or drop first.

use std::net::SocketAddr;
use std::ops::Range;

use super::{Path, SocketId};

/// The largest datagram or inner packet: what an IPv4 or IPv6 packet can be.
pub const MAX_PACKET: usize = 65_535;

/// Inner packets, one behind the other: read from the TUN device, or to be written to it.
#[derive(Debug)]
pub struct PacketBatch {
    octets: Vec<u8>,
    packets: Vec<Range<usize>>,
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

    /// Takes the first `len` octets of [`Self::room`] as a packet.
    pub fn commit(&mut self, len: usize) {
        let end = self.octets.len().min(self.used + len);
        self.packets.push(self.used..end);
        self.used = end;
    }

    /// Copies `packet` in; `false` when there is no room.
    pub fn push(&mut self, packet: &[u8]) -> bool {
        let Some(room) = self.room().get_mut(..packet.len()) else { return false };
        if packet.is_empty() {
            return false;
        }
        room.copy_from_slice(packet);
        self.commit(packet.len());
        true
    }

    /// Each packet.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.packets.iter().filter_map(|range| self.octets.get(range.clone()))
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

/// Where a received datagram lies in its batch, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its octets in the batch.
    pub range: Range<usize>,
    /// The socket that it came in on.
    pub socket: SocketId,
    /// The outer source.
    pub from: SocketAddr,
}

/// Datagrams as received; opened in place.
#[derive(Debug)]
pub struct ReceiveBatch {
    octets: Vec<u8>,
    datagrams: Vec<Received>,
}

impl ReceiveBatch {
    /// An arena of `octets`; whoever fills it says with [`Self::push`] where the datagrams are.
    pub fn new(max_datagrams: usize, octets: usize) -> Self {
        Self { octets: vec![0; octets], datagrams: Vec::with_capacity(max_datagrams) }
    }

    /// Forgets all datagrams.
    pub fn clear(&mut self) {
        self.datagrams.clear();
    }

    /// The whole arena, for the receiving system call.
    pub fn arena(&mut self) -> &mut [u8] {
        &mut self.octets
    }

    /// Says that a datagram lies at `range` of the arena.
    pub fn push(&mut self, range: Range<usize>, socket: SocketId, from: SocketAddr) {
        self.datagrams.push(Received { range, socket, from });
    }

    /// How many datagrams.
    pub fn len(&self) -> usize {
        self.datagrams.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }

    /// The datagram at `index`: where it came from, and its octets to open in place.
    pub fn get_mut(&mut self, index: usize) -> Option<(&Received, &mut [u8])> {
        let received = self.datagrams.get(index)?;
        let octets = self.octets.get_mut(received.range.clone())?;
        Some((received, octets))
    }

    /// The octets at `range`, as a verdict names them.
    pub fn octets(&self, range: Range<usize>) -> &[u8] {
        self.octets.get(range).unwrap_or_default()
    }
}

/// One sending of one sealed datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its octets in the batch; two sendings of one datagram name the same.
    pub range: Range<usize>,
    /// The socket to send from.
    pub socket: SocketId,
    /// Where to.
    pub to: SocketAddr,
}

/// Datagrams to send; an inner packet is copied to its place once and sealed there.
#[derive(Debug)]
pub struct SendBatch {
    octets: Vec<u8>,
    outgoing: Vec<Outgoing>,
    used: usize,
    max_outgoing: usize,
}

impl SendBatch {
    /// Room for `max_outgoing` sendings of `octets` in all.
    pub fn new(max_outgoing: usize, octets: usize) -> Self {
        Self { octets: vec![0; octets], outgoing: Vec::with_capacity(max_outgoing), used: 0, max_outgoing }
    }

    /// Forgets all datagrams.
    pub fn clear(&mut self) {
        self.outgoing.clear();
        self.used = 0;
    }

    /// Room for a datagram of `len` octets on `sendings` paths; `None` when the batch is full.
    pub fn reserve(&mut self, len: usize, sendings: usize) -> Option<Range<usize>> {
        let end = self.used.checked_add(len)?;
        if end > self.octets.len() || self.outgoing.len() + sendings > self.max_outgoing {
            return None;
        }
        let range = self.used..end;
        self.used = end;
        Some(range)
    }

    /// The octets of a reserved range.
    pub fn slot(&mut self, range: Range<usize>) -> &mut [u8] {
        self.octets.get_mut(range).unwrap_or_default()
    }

    /// Sends the datagram at `range` on `path`.
    pub fn push(&mut self, range: Range<usize>, path: &Path) {
        self.outgoing.push(Outgoing { range, socket: path.socket, to: path.remote });
    }

    /// Each sending with its octets, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Outgoing, &[u8])> {
        self.outgoing.iter().filter_map(|out| Some((out, self.octets.get(out.range.clone())?)))
    }

    /// How many sendings.
    pub fn len(&self) -> usize {
        self.outgoing.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.outgoing.is_empty()
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

    #[test]
    fn one_sealed_datagram_is_sent_on_each_of_its_paths() {
        let mut batch = SendBatch::new(2, 16);
        let range = batch.reserve(4, 2).unwrap();
        batch.slot(range.clone()).copy_from_slice(b"data");
        for port in [1, 2] {
            batch.push(range.clone(), &Path::proved(SocketId(0), ([127, 0, 0, 1], port).into()));
        }
        assert_eq!(
            batch.iter().map(|(out, octets)| (out.to.port(), octets)).collect::<Vec<_>>(),
            [(1, b"data".as_slice()), (2, b"data")]
        );
        assert_eq!(batch.reserve(1, 1), None);
    }
}
