//! The kernel's packets, for the tunnel's entry-point.

use std::io::{self, IoSliceMut};

use protocol::offload::{Segmentation, VirtioHeader};
use protocol::tunnel::PacketBatch;
use protocol::tunnel::batch::MAX_PACKET;
use rustix::io::Errno;

use super::Tun;

/// The most packets that are dropped in one batch: what waits in the inbox is taken in between.
const MAX_UNKNOWN: usize = 64;

/// What one [`Tun::read_batch`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadReport {
    /// Packets that were put into the batch.
    pub read: usize,
    /// Packets that stand for a kind of segments that nobody asked for, dropped.
    pub dropped: usize,
}

/// One packet of the kernel.
enum Packet {
    /// With its header, and so many octets.
    Whole(VirtioHeader, usize),
    /// One that cannot be understood; the kernel has no longer either.
    Unknown,
}

impl Tun {
    /// Reads packets behind those in `batch` until the kernel has no more, the batch cannot take one of [`MAX_PACKET`] octets (a
    /// shorter room would cut a packet silently), or one stands for many segments: that is work enough, and what waits behind it
    /// waits in the kernel. Nothing to be read is a report of zeroes.
    ///
    /// # Errors
    /// The device is gone. Packets that were read before are in the batch and the error comes with the next call.
    pub fn read_batch(&self, batch: &mut PacketBatch) -> io::Result<ReadReport> {
        let mut report = ReadReport::default();
        loop {
            let room = batch.room();
            if room.len() < MAX_PACKET {
                return Ok(report);
            }
            match self.read(room) {
                Ok(Packet::Whole(header, len)) => {
                    batch.commit_with(header, len);
                    report.read += 1;
                    if header.segmentation != Segmentation::None {
                        return Ok(report);
                    }
                }
                Ok(Packet::Unknown) if report.dropped < MAX_UNKNOWN => report.dropped += 1,
                Ok(Packet::Unknown) | Err(Errno::AGAIN) => return Ok(report),
                Err(Errno::INTR) => {}
                Err(_) if report.read > 0 => return Ok(report),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn read(&self, room: &mut [u8]) -> rustix::io::Result<Packet> {
        if !self.has_headers() {
            return rustix::io::read(&self.fd, room).map(|len| Packet::Whole(VirtioHeader::default(), len));
        }
        let mut header = [0; VirtioHeader::LEN];
        let mut parts = [IoSliceMut::new(&mut header), IoSliceMut::new(room)];
        match rustix::io::readv(&self.fd, &mut parts) {
            Ok(len) => Ok(match (VirtioHeader::parse(&header), len.checked_sub(VirtioHeader::LEN)) {
                (Some(header), Some(len)) => Packet::Whole(header, len),
                _ => Packet::Unknown,
            }),
            // The kernel finds no header for the packet's kind, and has freed it.
            Err(Errno::INVAL) => Ok(Packet::Unknown),
            Err(error) => Err(error),
        }
    }
}
