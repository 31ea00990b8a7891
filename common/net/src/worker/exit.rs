//! A worker's way in: receive a batch, open it, write what is in it to the TUN queue, hand events to control.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use protocol::offload::{Merger, Merging};
use protocol::tunnel::batch::Received;
use protocol::tunnel::{Command, DropReason, ExitPoint, ReceiveBatch, SocketId, Verdict};

use super::ports::Ports;
use super::queue::Stray;
use crate::tun::{Tun, TunSegments};
use crate::udp::{MAX_DATAGRAM, MAX_RECEIVED, Receiver};

/// An exit-point with the memory that its batches need.
pub(super) struct Exit {
    exit: ExitPoint,
    receiver: Receiver,
    datagrams: ReceiveBatch,
    /// One that another worker has received.
    stray: ReceiveBatch,
    verdicts: Vec<Verdict>,
    merger: Merger,
}

impl Exit {
    pub(super) fn new(exit: ExitPoint, tun: &Tun) -> Self {
        let segments = tun.segments();
        let merging = Merging { tcp: segments >= TunSegments::Tcp, udp: segments >= TunSegments::TcpAndUdp };
        Self {
            exit,
            receiver: Receiver::new(),
            datagrams: Receiver::new_batch(),
            stray: ReceiveBatch::new(1, MAX_DATAGRAM),
            verdicts: Vec::with_capacity(MAX_RECEIVED),
            merger: Merger::new(merging),
        }
    }

    /// Obeys control.
    pub(super) fn apply(&mut self, command: &Command) {
        self.exit.apply(command);
    }

    /// Fills the batch with what waits on a socket; whether that is anything. What is left makes the socket ready again at once.
    pub(super) fn receive(&mut self, id: SocketId, ports: &Ports) -> bool {
        let Some(socket) = ports.sockets.get(id) else { return false };
        match self.receiver.receive(id, socket, &mut self.datagrams) {
            Ok(report) => {
                (0..report.truncated).for_each(|_| ports.counters.count_drop(DropReason::Truncated));
                report.received > 0
            }
            Err(error) => {
                ports.io.receive_errors.fetch_add(1, Relaxed);
                tracing::debug!(?id, %error, "a socket's error while receiving");
                false
            }
        }
    }

    /// Opens the batch and delivers what is in it.
    pub(super) fn handle_batch(&mut self, ports: &Ports) {
        let Self { exit, datagrams, verdicts, merger, .. } = self;
        exit.handle_datagrams(datagrams, Instant::now(), verdicts);
        tell_events(exit, ports);
        deliver(datagrams, verdicts, merger, ports);
    }

    /// A batch of one that another worker has received.
    pub(super) fn take(&mut self, stray: &Stray, ports: &Ports) {
        let Self { exit, stray: batch, verdicts, merger, .. } = self;
        batch.clear();
        let Some(room) = batch.arena().get_mut(..stray.octets.len()) else { return };
        room.copy_from_slice(&stray.octets);
        batch.push_with(Received { range: 0..stray.octets.len(), ..stray.received.clone() });
        exit.handle_datagrams(batch, Instant::now(), verdicts);
        tell_events(exit, ports);
        deliver(batch, verdicts, merger, ports);
    }
}

/// Before anything is delivered: a node that has moved and sends again what was lost has to be answered first.
fn tell_events(exit: &mut ExitPoint, ports: &Ports) {
    while let Some(event) = exit.poll_event() {
        ports.tell(event);
    }
}

/// Inner packets to the TUN queue, those of one flow with one call; what is another worker's to that worker.
fn deliver(datagrams: &mut ReceiveBatch, verdicts: &[Verdict], merger: &mut Merger, ports: &Ports) {
    let (received, arena) = datagrams.split();
    merger.clear();
    for (verdict, received) in verdicts.iter().zip(received) {
        match verdict {
            Verdict::Deliver(range) => merger.push(arena, range.clone()),
            Verdict::PassOn(share) => {
                let octets = arena.get(received.range.clone()).unwrap_or_default().to_vec();
                ports.pass_on(*share, Stray { received: received.clone(), octets });
            }
            Verdict::Consumed | Verdict::Drop(_) => {}
        }
    }
    merger.finish(arena);
    let report = ports.tun.write_merged(arena, merger);
    if let Some(error) = report.last_error {
        ports.count_unwritten(report.failed);
        tracing::trace!(%error, failed = report.failed, "packets not written to the TUN device");
    }
}
