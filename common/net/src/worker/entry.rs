//! A worker's way out: read a batch from the TUN queue, seal it, send it. Where a send buffer is full the rest of the batch waits for
//! room, and what is behind it waits in the kernel.

use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use protocol::tunnel::batch::MAX_PACKET;
use protocol::tunnel::{Command, DropReason, EntryPoint, PacketBatch, Paths, Place, SendBatch, SocketId};
use rand::rngs::StdRng;

use super::ports::Ports;
use crate::MAX_SEALING_OVERHEAD;
use crate::tun::MIN_MTU;
use crate::udp::{SendReport, Sender};

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

/// How long what is sealed waits for room in a full send buffer: twice as long as what the buffer holds by default takes at 1 Gbit/s. A
/// link that has not made room by then is congested, and the rest is better dropped than late.
const SEND_WAIT: Duration = Duration::from_millis(8);

const _: () = assert!(READ_OCTETS + SEND_OCTETS + REPLY_OCTETS <= 1 << 20);

/// An entry-point with the memory that its batches need.
pub(super) struct Entry {
    entry: EntryPoint,
    rng: StdRng,
    packets: PacketBatch,
    send: SendBatch,
    replies: PacketBatch,
    sender: Sender,
    /// From where on the packets are not sealed yet.
    rest: Option<Place>,
    stall: Option<Stall>,
}

/// Something sealed waits for room.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stall {
    /// In whose send buffer.
    pub(super) socket: SocketId,
    /// When it is dropped.
    pub(super) until: Instant,
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
            rest: None,
            stall: None,
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

    /// What the batch waits for; until it waits no more, nothing is read.
    pub(super) fn stall(&self) -> Option<Stall> {
        self.stall
    }

    /// Seals and sends the batch.
    pub(super) fn handle_batch(&mut self, ports: &Ports) {
        self.rest = Some(Place::default());
        self.go_on(ports);
    }

    /// Sends what stands in the send buffer, and goes on with a batch that waits for room.
    pub(super) fn resume(&mut self, ports: &Ports) {
        self.flush(ports);
        self.go_on(ports);
    }

    fn go_on(&mut self, ports: &Ports) {
        while self.stall.is_none()
            && let Some(place) = self.rest
        {
            let Self { entry, packets, rng, send, replies, .. } = self;
            self.rest = entry.handle_packets(packets, place, Instant::now(), rng, send, replies);
            self.flush(ports);
        }
        if !self.replies.is_empty() {
            ports.count_unwritten(ports.tun.write_batch(self.replies.iter()).failed);
            self.replies.clear();
        }
    }

    /// Obeys control, and sends what it has to say.
    pub(super) fn apply(&mut self, command: &Command, ports: &Ports) {
        while self.entry.apply(command, &mut self.rng, &mut self.send) && self.stall.is_none() {
            self.flush(ports);
        }
        self.resume(ports);
    }

    /// Sends what is sealed, and tells control what it has to know.
    fn flush(&mut self, ports: &Ports) {
        while let Some(event) = self.entry.poll_event() {
            ports.tell(event);
        }
        if self.send.is_empty() {
            return;
        }
        let SendReport { mut failed, last_error, full, .. } = self.sender.send(&self.send, &ports.sockets);
        self.stall = full.map(|socket| {
            let same = self.stall.filter(|stall| stall.socket == socket);
            same.unwrap_or_else(|| Stall { socket, until: Instant::now() + SEND_WAIT })
        });
        if self.stall.is_some_and(|stall| stall.until <= Instant::now()) {
            failed += self.sender.drop_rest(&self.send);
            self.stall = None;
        }
        match self.stall {
            Some(_) => self.send.end_runs(),
            None => self.send.clear(),
        }
        if failed > 0 {
            ports.io.unsent.fetch_add(failed as u64, Relaxed);
            tracing::trace!(failed, ?last_error, ?full, "datagrams not sent");
        }
    }
}
