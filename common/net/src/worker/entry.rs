//! A worker's way out: read a batch from the TUN queue, seal it, send it.

use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use protocol::tunnel::batch::MAX_PACKET;
use protocol::tunnel::{Command, DropReason, EntryPoint, PacketBatch, Paths, Place, SendBatch};
use rand::rngs::StdRng;

use super::ports::Ports;
use crate::MAX_SEALING_OVERHEAD;
use crate::tun::MIN_MTU;
use crate::udp::Sender;

/// The most packets of one read batch: as many as one `sendmmsg(2)` takes.
const READ_PACKETS: usize = crate::udp::RECEIVE_DATAGRAMS;

/// Room for that many of [`ORDINARY_PACKET`] octets and one that stands for many, behind which reading ends; a batch ends too when
/// one of [`MAX_PACKET`] might not fit.
const READ_OCTETS: usize = READ_PACKETS * ORDINARY_PACKET + MAX_PACKET;

/// Octets of a packet of an ordinary MTU, rounded up; longer ones make batches shorter.
const ORDINARY_PACKET: usize = 2_048;

/// Every packet of a read batch once on each of its paths, or as many runs of one packet's segments.
const SENDINGS: usize = READ_PACKETS * Paths::MAX;

/// Every packet of a read batch sealed, and the segments of the one that stands for many. Of segments so short that they do not fit
/// the rest is sent after the first.
const SEND_OCTETS: usize = READ_OCTETS + (READ_PACKETS + SEGMENTS) * MAX_SEALING_OVERHEAD + SEGMENTS * MAX_HEADERS;

/// Segments of a packet of [`MAX_PACKET`] octets on a device of the least MTU.
const SEGMENTS: usize = MAX_PACKET.div_ceil(MIN_MTU as usize - MAX_HEADERS);

/// IPv6 and TCP with as many options as there can be, in front of every segment.
const MAX_HEADERS: usize = 40 + 60;

/// An ICMP error for every packet of a read batch; none is longer than IPv6's least MTU (RFC 4443 section 2.4).
const REPLY_OCTETS: usize = READ_PACKETS * MIN_MTU as usize;

const _: () = assert!(READ_OCTETS + SEND_OCTETS + REPLY_OCTETS <= 1 << 20);

/// An entry-point with the memory that its batches need.
pub(super) struct Entry {
    entry: EntryPoint,
    rng: StdRng,
    packets: PacketBatch,
    send: SendBatch,
    replies: PacketBatch,
    sender: Sender,
}

impl Entry {
    /// With a generator for IVs.
    pub(super) fn new(entry: EntryPoint, rng: StdRng) -> Self {
        Self {
            entry,
            rng,
            packets: PacketBatch::new(READ_PACKETS, READ_OCTETS),
            send: SendBatch::new(SENDINGS, SEND_OCTETS),
            replies: PacketBatch::new(READ_PACKETS, REPLY_OCTETS),
            sender: Sender::new(),
        }
    }

    /// Fills the batch with what waits on the TUN queue; whether that is anything.
    ///
    /// # Errors
    /// The device is gone.
    pub(super) fn read(&mut self, ports: &Ports) -> io::Result<bool> {
        self.packets.clear();
        let report = ports.tun.read_batch(&mut self.packets)?;
        (0..report.dropped).for_each(|_| ports.counters.count_drop(DropReason::BadInnerPacket));
        Ok(report.read > 0)
    }

    /// Seals and sends the batch.
    pub(super) fn handle_batch(&mut self, ports: &Ports) {
        let now = Instant::now();
        let mut next = Some(Place::default());
        while let Some(place) = next {
            next = self.entry.handle_packets(&self.packets, place, now, &mut self.rng, &mut self.send, &mut self.replies);
            self.flush(ports);
        }
        if !self.replies.is_empty() {
            ports.count_unwritten(ports.tun.write_batch(self.replies.iter()).failed);
            self.replies.clear();
        }
    }

    /// Obeys control, and sends what it has to say.
    pub(super) fn apply(&mut self, command: &Command, ports: &Ports) {
        self.entry.apply(command, &mut self.rng, &mut self.send);
        self.flush(ports);
    }

    /// Sends what is sealed, and tells control what it has to know.
    fn flush(&mut self, ports: &Ports) {
        while let Some(event) = self.entry.poll_event() {
            ports.tell(event);
        }
        if self.send.is_empty() {
            return;
        }
        let report = self.sender.send(&self.send, &ports.sockets);
        if report.failed > 0 {
            ports.io.unsent.fetch_add(report.failed as u64, Relaxed);
            tracing::trace!(failed = report.failed, last_error = ?report.last_error, "datagrams not sent");
        }
        self.send.clear();
    }
}
