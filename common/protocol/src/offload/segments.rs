//! Cuts a packet that the kernel handed over into the segments that it stands for.

use std::ops::Range;

use super::octets::{never_zero, put16};
use super::template::{At, Template, ip_header};
use super::{Segmentation, VirtioHeader};
use crate::tunnel::DropReason;
use crate::tunnel::batch::MAX_PACKET;
use crate::wire::checksum;

/// The segments of one packet: one, unless the kernel left the cutting to us.
#[derive(Clone, Copy, Debug)]
pub struct Segments<'a> {
    packet: &'a [u8],
    work: Work,
}

/// What there is to do.
#[derive(Clone, Copy, Debug)]
enum Work {
    Copy,
    /// The checksum over all from `start` on goes to `field`.
    Checksum {
        start: usize,
        field: usize,
    },
    Cut {
        template: Template,
        /// Octets of payload in each segment but the last.
        segment: usize,
    },
}

impl<'a> Segments<'a> {
    /// Takes the packet with its header. `packet` is a whole IP packet and nothing behind it; where it stands for many, the headers
    /// of one and the payload of all.
    ///
    /// # Errors
    /// [`DropReason::BadInnerPacket`] when the header does not fit the packet.
    pub fn new(header: &VirtioHeader, packet: &'a [u8]) -> Result<Self, DropReason> {
        let work = match header.segmentation {
            Segmentation::None if !header.needs_checksum => (!packet.is_empty()).then_some(Work::Copy),
            Segmentation::None => checksum_to_complete(header, packet),
            Segmentation::Tcp4 | Segmentation::Tcp6 | Segmentation::Udp => cut(header, packet),
        };
        Ok(Self { packet, work: work.ok_or(DropReason::BadInnerPacket)? })
    }

    /// How many; at least one.
    pub fn count(&self) -> usize {
        match &self.work {
            Work::Copy | Work::Checksum { .. } => 1,
            Work::Cut { template, segment } => self.packet.len().saturating_sub(template.headers).div_ceil(*segment).max(1),
        }
    }

    /// Octets of the segment at `index`, which is below [`Self::count`]: a whole IP packet.
    pub fn len(&self, index: usize) -> usize {
        match &self.work {
            Work::Copy | Work::Checksum { .. } => self.packet.len(),
            Work::Cut { template, segment } => template.headers + self.payload(template, *segment, index).len(),
        }
    }

    /// Writes the segment at `index` into `to`, of [`Self::len`] octets: lengths, numbers, flags and checksums are its own. Into
    /// room of another length it writes nothing.
    pub fn write(&self, index: usize, to: &mut [u8]) {
        match &self.work {
            _ if to.len() != self.len(index) => {}
            Work::Copy => to.copy_from_slice(self.packet),
            Work::Checksum { start, field } => self.write_with_checksum(*start, *field, to),
            Work::Cut { template, segment } => self.write_segment(template, *segment, index, to),
        }
    }

    fn write_with_checksum(&self, start: usize, field: usize, to: &mut [u8]) {
        to.copy_from_slice(self.packet);
        let sum = checksum::bare(to.get(start..).unwrap_or_default());
        put16(to, field, never_zero(sum));
    }

    fn write_segment(&self, template: &Template, segment: usize, index: usize, to: &mut [u8]) {
        let range = self.payload(template, segment, index);
        let at = At { index, offset: range.start - template.headers, is_last: range.end == self.packet.len() };
        let parts = (self.packet.get(..template.headers), self.packet.get(range), to.split_at_mut_checked(template.headers));
        let (Some(headers), Some(payload), Some((own_headers, own_payload))) = parts else { return };
        own_headers.copy_from_slice(headers);
        own_payload.copy_from_slice(payload);
        template.finish(at, own_headers, own_payload);
    }

    /// Where in the packet the payload of the segment at `index` lies; empty behind the last.
    fn payload(&self, template: &Template, segment: usize, index: usize) -> Range<usize> {
        let start = segment.saturating_mul(index).saturating_add(template.headers).min(self.packet.len());
        start..start.saturating_add(segment).min(self.packet.len())
    }
}

fn checksum_to_complete(header: &VirtioHeader, packet: &[u8]) -> Option<Work> {
    let (ip, _) = ip_header(packet)?;
    let start = usize::from(header.checksum_start);
    let field = start + usize::from(header.checksum_offset);
    (start >= ip && field + 2 <= packet.len()).then_some(Work::Checksum { start, field })
}

fn cut(header: &VirtioHeader, packet: &[u8]) -> Option<Work> {
    let template = Template::read(header, packet)?;
    let segment = usize::from(header.segment);
    (segment > 0 && packet.len() <= MAX_PACKET).then_some(Work::Cut { template, segment })
}
