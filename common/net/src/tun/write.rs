//! Packets for the kernel, from the tunnel's exit-point or instead of one that could not be sent.

use std::io::{self, IoSlice};

use protocol::offload::{MAX_GROUP_PACKETS, Merged, Merger, VirtioHeader};
use rustix::io::{retry_on_intr, write, writev};

use super::Tun;

/// The most parts of one call: a header and one for each packet of a group.
const MAX_PARTS: usize = 1 + MAX_GROUP_PACKETS;

/// What became of the packets of one [`Tun::write_batch`] or [`Tun::write_merged`].
#[derive(Debug, Default)]
pub struct WriteReport {
    /// Packets that the kernel took.
    pub written: usize,
    /// Packets that it refused: malformed, or the device is down.
    pub failed: usize,
    /// Why it refused the last of them.
    pub last_error: Option<io::Error>,
}

impl WriteReport {
    fn count(&mut self, packets: usize, result: rustix::io::Result<usize>) {
        match result {
            Ok(_) => self.written += packets,
            Err(error) => {
                self.failed += packets;
                self.last_error = Some(error.into());
            }
        }
    }
}

impl Tun {
    /// Writes each packet; one that the kernel refuses is counted and the others go on.
    pub fn write_batch<'a>(&self, packets: impl Iterator<Item = &'a [u8]>) -> WriteReport {
        let no_segments = VirtioHeader::default().emit();
        let mut report = WriteReport::default();
        for packet in packets {
            let result = retry_on_intr(|| match self.has_headers() {
                true => writev(&self.fd, &[IoSlice::new(&no_segments), IoSlice::new(packet)]),
                false => write(&self.fd, packet),
            });
            report.count(1, result);
        }
        report
    }

    /// Writes each group of `merger`, whose packets lie in `arena`, with one call. A group that the kernel refuses is counted with
    /// all its packets and the others go on.
    pub fn write_merged(&self, arena: &[u8], merger: &Merger) -> WriteReport {
        let mut report = WriteReport::default();
        merger.groups().for_each(|group| report.count(group.parts.len(), self.write_group(arena, &group)));
        report
    }

    pub(super) fn write_group(&self, arena: &[u8], group: &Merged<'_>) -> rustix::io::Result<usize> {
        let header = group.header.emit();
        let mut parts = [IoSlice::new(&[]); MAX_PARTS];
        let mut used = 0;
        let header = self.has_headers().then_some(header.as_slice());
        let packets = group.parts.iter().map(|range| arena.get(range.clone()).unwrap_or_default());
        for octets in header.into_iter().chain(packets) {
            *parts.get_mut(used).ok_or(rustix::io::Errno::MSGSIZE)? = IoSlice::new(octets);
            used += 1;
        }
        retry_on_intr(|| writev(&self.fd, parts.get(..used).unwrap_or_default()))
    }
}
