//! The exit-point's loop: receive a batch, open it, write what is in it to the TUN device, hand events to control.

use std::io;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use protocol::offload::{Merger, Merging};
use protocol::tunnel::{DropReason, ExitPoint, ReceiveBatch, SocketId, Verdict};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

use super::{Inbox, IoCounters, ToControl, WorkerCommand};
use crate::tun::{Tun, TunSegments};
use crate::udp::{MAX_RECEIVED, MAX_SOCKETS, Receiver, Sockets, UdpSocket};

/// Tells the inbox from a [`SocketId`], which is an octet.
const INBOX: u64 = u64::MAX;

pub(super) struct Worker {
    tun: Arc<Tun>,
    exit: ExitPoint,
    inbox: Inbox,
    io: Arc<IoCounters>,
    to_control: ToControl,
    sockets: Sockets,
    epoll: OwnedFd,
    datagrams: ReceiveBatch,
    verdicts: Vec<Verdict>,
    merger: Merger,
}

impl Worker {
    pub(super) fn new(
        tun: Arc<Tun>,
        exit: ExitPoint,
        inbox: Inbox,
        io: Arc<IoCounters>,
        to_control: ToControl,
    ) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &inbox, EventData::new_u64(INBOX), EventFlags::IN)?;
        let segments = tun.segments();
        let merging = Merging { tcp: segments >= TunSegments::Tcp, udp: segments >= TunSegments::TcpAndUdp };
        Ok(Self {
            tun,
            exit,
            inbox,
            io,
            to_control,
            sockets: Sockets::default(),
            epoll,
            datagrams: Receiver::new_batch(),
            verdicts: Vec::with_capacity(MAX_RECEIVED),
            merger: Merger::new(merging),
        })
    }

    pub(super) fn run(&mut self) {
        let mut receiver = Receiver::new();
        let mut ready = Vec::with_capacity(MAX_SOCKETS + 1);
        while self.take_commands().is_continue() {
            self.wait(&mut ready);
            for event in &ready {
                match u8::try_from(event.data.u64()) {
                    Ok(id) if self.receive(SocketId(id), &mut receiver).is_break() => return,
                    Ok(_) => {}
                    Err(_) => self.inbox.acknowledge(),
                }
            }
        }
    }

    /// One batch; what is left on the socket makes it ready again at once, after the other sockets and the commands.
    ///
    /// Commands are taken once more between receiving and opening, so that one sent before a datagram counts for it: a node
    /// that sends right behind its Binding Acknowledgement is bound.
    fn receive(&mut self, id: SocketId, receiver: &mut Receiver) -> ControlFlow<()> {
        let Some(socket) = self.sockets.get(id) else { return ControlFlow::Continue(()) };
        match receiver.receive(id, socket, &mut self.datagrams) {
            Ok(report) => {
                (0..report.truncated).for_each(|_| self.to_control.counters.count_drop(DropReason::Truncated));
                if report.received > 0 {
                    self.take_commands()?;
                    self.handle_batch();
                }
            }
            Err(error) => {
                self.io.receive_errors.fetch_add(1, Relaxed);
                tracing::debug!(?id, %error, "a socket's error while receiving");
            }
        }
        ControlFlow::Continue(())
    }

    fn handle_batch(&mut self) {
        let now = Instant::now();
        self.exit.handle_datagrams(&mut self.datagrams, now, &mut self.verdicts);
        let arena = self.datagrams.arena();
        self.merger.clear();
        for verdict in &self.verdicts {
            match verdict {
                Verdict::Deliver(range) => self.merger.push(arena, range.clone()),
                Verdict::Consumed | Verdict::Drop(_) => {}
            }
        }
        self.merger.finish(arena);
        let report = self.tun.write_merged(arena, &self.merger);
        if let Some(error) = report.last_error {
            self.io.unwritten.fetch_add(report.failed as u64, Relaxed);
            tracing::trace!(%error, failed = report.failed, "packets not written to the TUN device");
        }
        while let Some(event) = self.exit.poll_event() {
            self.to_control.tell(event);
        }
    }

    /// Carries out what waits, each before the next packet.
    fn take_commands(&mut self) -> ControlFlow<()> {
        while let Some(command) = self.inbox.next() {
            match command {
                WorkerCommand::Tunnel(command) => self.exit.apply(&command),
                WorkerCommand::AddSocket(id, socket) => self.add(id, socket),
                WorkerCommand::RemoveSocket(id) => self.remove(id),
                WorkerCommand::Barrier(reached) => _ = reached.try_send(()),
                WorkerCommand::Stop => return ControlFlow::Break(()),
            }
        }
        ControlFlow::Continue(())
    }

    fn add(&mut self, id: SocketId, socket: Arc<UdpSocket>) {
        self.remove(id);
        let watched = epoll::add(&self.epoll, &*socket, EventData::new_u64(id.0.into()), EventFlags::IN);
        if let Err(error) = watched {
            tracing::error!(?id, %error, "cannot watch a socket; nothing is received from it");
        } else if !self.sockets.add(id, socket) {
            tracing::error!(?id, "no room for another socket; nothing is received from it");
        }
    }

    /// The entry-point's worker may hold the socket still, so it does not leave the watched ones by itself.
    fn remove(&mut self, id: SocketId) {
        if let Some(socket) = self.sockets.get(id) {
            let _ = epoll::delete(&self.epoll, socket);
        }
        self.sockets.remove(id);
    }

    fn wait(&self, ready: &mut Vec<Event>) {
        ready.clear();
        // An error (EINTR) means to look again, as readiness does.
        let _ = epoll::wait(&self.epoll, spare_capacity(ready), None);
    }
}
