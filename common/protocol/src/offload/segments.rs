//! Cuts a packet that the kernel handed over into the segments that it stands for.

use super::{Segmentation, VirtioHeader};
use crate::tunnel::DropReason;

/// The segments of one packet: one, unless the kernel left the cutting to us.
#[derive(Clone, Copy, Debug)]
pub struct Segments<'a> {
    packet: &'a [u8],
}

impl<'a> Segments<'a> {
    /// Takes the packet with its header.
    ///
    /// # Errors
    /// [`DropReason::BadInnerPacket`] when the header does not fit the packet.
    pub fn new(header: &VirtioHeader, packet: &'a [u8]) -> Result<Self, DropReason> {
        if header.segmentation != Segmentation::None || header.needs_checksum || packet.is_empty() {
            return Err(DropReason::BadInnerPacket);
        }
        Ok(Self { packet })
    }

    /// How many; at least one.
    pub fn count(&self) -> usize {
        1
    }

    /// Octets of the segment at `index`, which is below [`Self::count`]: a whole IP packet.
    pub fn len(&self, _index: usize) -> usize {
        self.packet.len()
    }

    /// Writes the segment at `index` into `to`, of [`Self::len`] octets: lengths, numbers, flags and checksums are its own.
    pub fn write(&self, _index: usize, to: &mut [u8]) {
        to.copy_from_slice(self.packet);
    }
}
