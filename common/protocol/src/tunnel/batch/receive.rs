use std::net::SocketAddr;
use std::ops::Range;

use crate::tunnel::SocketId;

/// Where a received datagram lies in its batch, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its octets in the batch.
    pub range: Range<usize>,
    /// The socket that it came in on.
    pub socket: SocketId,
    /// The outer source.
    pub from: SocketAddr,
    /// The outer header's Traffic Class, or IPv4's Type of Service: DSCP and ECN.
    pub traffic_class: u8,
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

    /// The whole arena, for the receiving system call and for what is done in place.
    pub fn arena(&mut self) -> &mut [u8] {
        &mut self.octets
    }

    /// Says that a datagram without any traffic class lies at `range` of the arena.
    pub fn push(&mut self, range: Range<usize>, socket: SocketId, from: SocketAddr) {
        self.push_with(Received { range, socket, from, traffic_class: 0 });
    }

    /// Says that a datagram lies at its range of the arena.
    pub fn push_with(&mut self, received: Received) {
        self.datagrams.push(received);
    }

    /// Copies a datagram in behind the last one, as a socket would have put it there; `false` when there is no room.
    pub fn copy_in(&mut self, octets: &[u8], socket: SocketId, from: SocketAddr) -> bool {
        let start = self.datagrams.last().map_or(0, |last| last.range.end);
        let range = start..start + octets.len();
        let Some(place) = self.octets.get_mut(range.clone()) else { return false };
        place.copy_from_slice(octets);
        self.push(range, socket, from);
        true
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

    /// All datagrams, and the arena in which they lie.
    pub fn split(&mut self) -> (&[Received], &mut [u8]) {
        (&self.datagrams, &mut self.octets)
    }

    /// The octets at `range`, as a verdict names them.
    pub fn octets(&self, range: Range<usize>) -> &[u8] {
        self.octets.get(range).unwrap_or_default()
    }
}
