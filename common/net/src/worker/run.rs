//! A worker's loop: what is ready, and what is done about it.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread::JoinHandle;

use protocol::tunnel::{EntryPoint, ExitPoint, Share, SocketId};
use rand::SeedableRng;
use rand::rngs::{StdRng, SysRng};

use super::WorkerCommand;
use super::entry::Entry;
use super::exit::Exit;
use super::ports::Ports;
use super::queue::Inbox;
use super::watch::{MAX_READY, Source, Watch};
use crate::priority;
use crate::udp::UdpSocket;

struct Worker {
    entry: Entry,
    exit: Exit,
    ports: Ports,
    inbox: Inbox,
    watch: Watch,
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
    let watch = Watch::new(&inbox, &ports)?;
    let rng = StdRng::try_from_rng(&mut SysRng).map_err(io::Error::other)?;
    std::thread::Builder::new().name(format!("tunnel-{}", share.index())).spawn(move || {
        priority::carry_packets();
        let entry = Entry::new(entry.for_share(share), rng);
        let exit = Exit::new(exit.for_share(share), &ports.tun);
        Worker { entry, exit, ports, inbox, watch }.run();
    })
}

impl Worker {
    /// One batch of each that is ready, again and again. A batch on its way out that waits for room stops nothing but the way out.
    ///
    /// Commands are taken when they come, and between reading and handling a batch, so that one sent before a packet counts for it: a
    /// node that sends right behind its Binding Acknowledgement is bound.
    fn run(mut self) {
        let mut ready = Vec::with_capacity(MAX_READY);
        loop {
            self.watch.wait(self.entry.stall(), &self.ports, &mut ready);
            for source in ready.iter().map(Source::of) {
                let next = match source {
                    Source::Inbox => self.open_inbox(),
                    Source::Tun => self.read(),
                    Source::Socket(id) => self.receive(id),
                };
                if next.is_break() {
                    return;
                }
            }
            if self.entry.stall().is_some() {
                self.entry.resume(&self.ports);
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
        if self.entry.stall().is_some() {
            return ControlFlow::Continue(());
        }
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
        if let Err(error) = self.watch.add(id, &socket) {
            tracing::error!(?id, %error, "cannot watch a socket; nothing is received from it");
        } else if !self.ports.sockets.add(id, socket) {
            tracing::error!(?id, "no room for another socket; nothing is received from it or sent");
        }
    }

    fn remove(&mut self, id: SocketId) {
        if let Some(socket) = self.ports.sockets.get(id) {
            self.watch.remove(socket);
        }
        self.ports.sockets.remove(id);
    }
}
