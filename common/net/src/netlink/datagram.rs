//! The messages of what a netlink socket has received.

use rtnetlink::packet_core::NetlinkMessage;
use rtnetlink::packet_route::RouteNetlinkMessage;

/// The kernel's messages are no longer than 32 KiB (NLMSG_GOODSIZE and a page); the vector never grows.
const DATAGRAM: usize = 64 << 10;

/// What was received last, which may carry several messages, and how far it was read.
pub(super) struct Datagram {
    octets: Vec<u8>,
    offset: usize,
}

impl Datagram {
    /// Empty.
    pub(super) fn new() -> Self {
        Self { octets: Vec::with_capacity(DATAGRAM), offset: 0 }
    }

    /// Empties it, and gives the memory to receive into.
    pub(super) fn anew(&mut self) -> &mut Vec<u8> {
        self.octets.clear();
        self.offset = 0;
        &mut self.octets
    }

    /// The next message; one that cannot be read is passed over.
    pub(super) fn next(&mut self) -> Option<NetlinkMessage<RouteNetlinkMessage>> {
        loop {
            let rest = self.octets.get(self.offset..)?;
            let length = u32::from_ne_bytes(*rest.first_chunk()?) as usize;
            let octets = rest.get(..length).filter(|_| length > 0)?;
            self.offset += length.next_multiple_of(4);
            match NetlinkMessage::deserialize(octets) {
                Ok(message) => return Some(message),
                Err(error) => tracing::debug!(%error, "a netlink message of an unknown form"),
            }
        }
    }
}
