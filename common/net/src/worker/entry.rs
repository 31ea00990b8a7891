//! The entry-point's loop: read a batch from the TUN device, seal it, send it.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use protocol::tunnel::batch::MAX_PACKET;
use protocol::tunnel::{DropReason, EntryPoint, PacketBatch, Paths, Place, SendBatch};
use rand::SeedableRng;
use rand::rngs::{StdRng, SysRng};
use rustix::event::{PollFd, PollFlags, poll};

use super::{Inbox, IoCounters, ToControl, WorkerCommand};
use crate::MAX_SEALING_OVERHEAD;
use crate::tun::{MIN_MTU, ReadReport, Tun};
use crate::udp::{Sender, Sockets};

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

pub(super) struct Worker {
    tun: Arc<Tun>,
    entry: EntryPoint,
    inbox: Inbox,
    io: Arc<IoCounters>,
    to_control: ToControl,
    sockets: Sockets,
    rng: StdRng,
    packets: PacketBatch,
    send: SendBatch,
    replies: PacketBatch,
}

impl Worker {
    pub(super) fn new(
        tun: Arc<Tun>,
        entry: EntryPoint,
        inbox: Inbox,
        io: Arc<IoCounters>,
        to_control: ToControl,
    ) -> io::Result<Self> {
        Ok(Self {
            tun,
            entry,
            inbox,
            io,
            to_control,
            sockets: Sockets::default(),
            rng: StdRng::try_from_rng(&mut SysRng).map_err(io::Error::other)?,
            packets: PacketBatch::new(READ_PACKETS, READ_OCTETS),
            send: SendBatch::new(SENDINGS, SEND_OCTETS),
            replies: PacketBatch::new(READ_PACKETS, REPLY_OCTETS),
        })
    }

    pub(super) fn run(&mut self) {
        let mut sender = Sender::new();
        while self.take_commands(&mut sender).is_continue() {
            self.packets.clear();
            match self.tun.read_batch(&mut self.packets) {
                Ok(ReadReport { read: 0, dropped: 0 }) => self.wait(),
                Ok(ReadReport { dropped, .. }) => {
                    (0..dropped).for_each(|_| self.to_control.counters.count_drop(DropReason::BadInnerPacket));
                    // Once more, so that a command sent before a packet counts for it.
                    if self.take_commands(&mut sender).is_break() {
                        return;
                    }
                    self.handle_batch(&mut sender);
                }
                Err(error) => {
                    tracing::error!(device = self.tun.name(), %error, "cannot read the TUN device, which was removed: start again");
                    return;
                }
            }
        }
    }

    fn handle_batch(&mut self, sender: &mut Sender) {
        let now = Instant::now();
        let mut next = Some(Place::default());
        while let Some(place) = next {
            next = self.entry.handle_packets(&self.packets, place, now, &mut self.rng, &mut self.send, &mut self.replies);
            self.flush(sender);
        }
        if !self.replies.is_empty() {
            let report = self.tun.write_batch(self.replies.iter());
            self.io.unwritten.fetch_add(report.failed as u64, Relaxed);
            self.replies.clear();
        }
    }

    /// Carries out what waits, each before the next packet.
    fn take_commands(&mut self, sender: &mut Sender) -> ControlFlow<()> {
        while let Some(command) = self.inbox.next() {
            match command {
                WorkerCommand::Tunnel(command) => {
                    self.entry.apply(&command, &mut self.rng, &mut self.send);
                    self.flush(sender);
                }
                WorkerCommand::AddSocket(id, socket) => {
                    if !self.sockets.add(id, socket) {
                        tracing::error!(?id, "no room for another socket; nothing is sent from it");
                    }
                }
                WorkerCommand::RemoveSocket(id) => self.sockets.remove(id),
                WorkerCommand::Barrier(reached) => _ = reached.try_send(()),
                WorkerCommand::Stop => return ControlFlow::Break(()),
            }
        }
        ControlFlow::Continue(())
    }

    /// Sends what is sealed, and tells control what it has to know.
    fn flush(&mut self, sender: &mut Sender) {
        while let Some(event) = self.entry.poll_event() {
            self.to_control.tell(event);
        }
        if self.send.is_empty() {
            return;
        }
        let report = sender.send(&self.send, &self.sockets);
        if report.failed > 0 {
            self.io.unsent.fetch_add(report.failed as u64, Relaxed);
            tracing::trace!(failed = report.failed, last_error = ?report.last_error, "datagrams not sent");
        }
        self.send.clear();
    }

    fn wait(&self) {
        let mut fds = [PollFd::new(&*self.tun, PollFlags::IN), PollFd::new(&self.inbox, PollFlags::IN)];
        // An error (EINTR) means to look again, as readiness does.
        let _ = poll(&mut fds, None);
        if !fds[1].revents().is_empty() {
            self.inbox.acknowledge();
        }
    }
}
