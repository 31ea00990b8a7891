//! A worker's loop: what is ready, and what is done about it.

use std::io;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;

use protocol::tunnel::{EntryPoint, ExitPoint, Share, SocketId};
use rand::SeedableRng;
use rand::rngs::{StdRng, SysRng};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

use super::WorkerCommand;
use super::entry::Entry;
use super::exit::Exit;
use super::ports::Ports;
use super::queue::Inbox;
use crate::udp::{MAX_SOCKETS, UdpSocket};

/// Tell inbox and TUN queue from a [`SocketId`], which is an octet.
const INBOX: u64 = u64::MAX;
const TUN: u64 = u64::MAX - 1;

struct Worker {
    entry: Entry,
    exit: Exit,
    ports: Ports,
    inbox: Inbox,
    epoll: OwnedFd,
}

/// Starts a worker's thread, with halves for all SAs, of which it gets `share`.
///
/// # Errors
/// No thread, no descriptor or no random numbers to be had.
pub(super) fn spawn(
    (entry, exit): (EntryPoint, ExitPoint),
    share: Share,
    ports: Ports,
    inbox: Inbox,
) -> io::Result<JoinHandle<()>> {
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &inbox, EventData::new_u64(INBOX), EventFlags::IN)?;
    epoll::add(&epoll, &*ports.tun, EventData::new_u64(TUN), EventFlags::IN)?;
    let rng = StdRng::try_from_rng(&mut SysRng).map_err(io::Error::other)?;
    std::thread::Builder::new().name(format!("tunnel-{}", share.index())).spawn(move || {
        let entry = Entry::new(entry.for_share(share), rng);
        let exit = Exit::new(exit.for_share(share), &ports.tun);
        Worker { entry, exit, ports, inbox, epoll }.run();
    })
}

impl Worker {
    /// One batch of each that is ready, again and again; what is left of it is ready again at once.
    ///
    /// Commands are taken when they come, and between reading and handling a batch, so that one sent before a packet counts for it: a
    /// node that sends right behind its Binding Acknowledgement is bound.
    fn run(mut self) {
        let mut ready = Vec::with_capacity(MAX_SOCKETS + 2);
        loop {
            self.wait(&mut ready);
            for event in &ready {
                let next = match event.data.u64() {
                    INBOX => self.open_inbox(),
                    TUN => self.read(),
                    id => self.receive(SocketId(id as u8)),
                };
                if next.is_break() {
                    return;
                }
            }
        }
    }

    fn open_inbox(&mut self) -> ControlFlow<()> {
        self.inbox.acknowledge();
        self.take_commands()?;
        while let Some(stray) = self.inbox.next_stray() {
            self.exit.take(&stray, &self.ports);
        }
        ControlFlow::Continue(())
    }

    fn read(&mut self) -> ControlFlow<()> {
        match self.entry.read(&self.ports) {
            Ok(false) => {}
            Ok(true) => {
                self.take_commands()?;
                self.entry.handle_batch(&self.ports);
            }
            Err(error) => {
                let device = self.ports.tun.name();
                tracing::error!(device, %error, "cannot read the TUN device, which was removed: start again");
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    fn receive(&mut self, id: SocketId) -> ControlFlow<()> {
        if self.exit.receive(id, &self.ports) {
            self.take_commands()?;
            self.exit.handle_batch(&self.ports);
        }
        ControlFlow::Continue(())
    }

    /// Carries out what waits: the exit-point first, so that it knows an SA before the entry-point uses it.
    fn take_commands(&mut self) -> ControlFlow<()> {
        while let Some(command) = self.inbox.next() {
            match command {
                WorkerCommand::Tunnel(command) => {
                    self.exit.apply(&command);
                    self.entry.apply(&command, &self.ports);
                }
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
        } else if !self.ports.sockets.add(id, socket) {
            tracing::error!(?id, "no room for another socket; nothing is received from it or sent");
        }
    }

    /// Others may hold the socket still, so it does not leave the watched ones by itself.
    fn remove(&mut self, id: SocketId) {
        if let Some(socket) = self.ports.sockets.get(id) {
            let _ = epoll::delete(&self.epoll, socket);
        }
        self.ports.sockets.remove(id);
    }

    fn wait(&self, ready: &mut Vec<Event>) {
        ready.clear();
        // An error (EINTR) means to look again, as readiness does.
        let _ = epoll::wait(&self.epoll, spare_capacity(ready), None);
    }
}
