//! The two hot loops, each a plain thread without await: one drives the tunnel's entry-point, one its exit-point.
//!
//! ```text
//!  control (tokio) --commands--> entry thread:  TUN read -> EntryPoint -> UDP send
//!                  --commands--> exit thread:   UDP recv -> ExitPoint  -> TUN write
//!                  <--events---- both
//! ```
//!
//! Both get the same commands in the same order, and take them between batches. They share the TUN device, the sockets and
//! the counters, and nothing that changes otherwise.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use protocol::tunnel::{Command, Counters, DropReason, EntryPoint, Event, ExitPoint, SocketId};
use rustix::event::{EventfdFlags, eventfd};

use crate::tun::Tun;
use crate::udp::UdpSocket;

mod entry;
mod exit;

/// Commands that may wait for a worker. One takes microseconds and a batch less than a millisecond, so a full queue means
/// that whoever sends is far ahead: then [`WorkerHandle::send`] waits.
pub const COMMANDS: usize = 1_024;

/// What control tells a worker.
#[derive(Debug)]
pub enum WorkerCommand {
    /// For the half of the tunnel.
    Tunnel(Command),
    /// A socket to receive from or to send on.
    AddSocket(SocketId, Arc<UdpSocket>),
    /// Forgets a socket.
    RemoveSocket(SocketId),
    /// Answers when every command before it has been carried out.
    Barrier(mpsc::SyncSender<()>),
    /// Ends the thread.
    Stop,
}

/// The worker's thread has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the tunnel's worker thread has ended: its TUN device was removed, or it was stopped; see the log, then start the program again"
)]
pub struct WorkerGone;

/// What the workers could not pass to or get from the kernel; what the halves drop is in [`Counters`].
#[derive(Debug, Default)]
pub struct IoCounters {
    unsent: AtomicU64,
    unwritten: AtomicU64,
    receive_errors: AtomicU64,
}

impl IoCounters {
    /// Datagrams that no socket took.
    pub fn unsent(&self) -> u64 {
        self.unsent.load(Relaxed)
    }

    /// Packets that the TUN device refused.
    pub fn unwritten(&self) -> u64 {
        self.unwritten.load(Relaxed)
    }

    /// Errors of sockets while receiving.
    pub fn receive_errors(&self) -> u64 {
        self.receive_errors.load(Relaxed)
    }
}

/// Speaks to one worker; copies speak to the same. When the last is dropped the worker ends.
#[derive(Clone, Debug)]
pub struct WorkerHandle {
    queue: Arc<Queue>,
    io: Arc<IoCounters>,
}

/// The order of the fields matters: the worker has to find the channel closed when it is woken for the last time.
#[derive(Debug)]
struct Queue {
    commands: SyncSender<WorkerCommand>,
    wake: WakeOnDrop,
}

#[derive(Debug)]
struct WakeOnDrop(Arc<OwnedFd>);

impl WorkerHandle {
    /// Hands over a command; the worker takes it after at most one batch. Waits while [`COMMANDS`] of them wait, which a
    /// living worker makes short.
    ///
    /// # Errors
    /// The worker has ended.
    pub fn send(&self, command: WorkerCommand) -> Result<(), WorkerGone> {
        // Woken before a wait for room, too: what fills the queue has woken the worker already.
        self.queue.commands.send(command).map_err(|_| WorkerGone)?;
        wake(&self.queue.wake.0);
        Ok(())
    }

    /// What this worker could not pass to or get from the kernel.
    pub fn io(&self) -> &IoCounters {
        &self.io
    }
}

impl Drop for WakeOnDrop {
    fn drop(&mut self) {
        wake(&self.0);
    }
}

/// Starts the entry-point's thread: inner packets from `tun` to the sockets, replies back to `tun`, events to `events`. When
/// that channel is full, an event is dropped and counted: what it was about happens again.
///
/// # Errors
/// No thread, no descriptor or no random numbers to be had.
pub fn spawn_entry(
    tun: Arc<Tun>,
    entry: EntryPoint,
    counters: Arc<Counters>,
    events: tokio::sync::mpsc::Sender<Event>,
) -> io::Result<(WorkerHandle, JoinHandle<()>)> {
    let (handle, inbox, io) = queue()?;
    let mut worker = entry::Worker::new(tun, entry, inbox, io, ToControl { events, counters })?;
    let thread = std::thread::Builder::new().name("tunnel-entry".to_owned()).spawn(move || worker.run())?;
    Ok((handle, thread))
}

/// Starts the exit-point's thread: datagrams from the sockets to `tun`, events to `events`. When that channel is full, an
/// event is dropped and counted: whoever signals repeats it.
///
/// # Errors
/// No thread or no descriptor to be had.
pub fn spawn_exit(
    tun: Arc<Tun>,
    exit: ExitPoint,
    counters: Arc<Counters>,
    events: tokio::sync::mpsc::Sender<Event>,
) -> io::Result<(WorkerHandle, JoinHandle<()>)> {
    let (handle, inbox, io) = queue()?;
    let mut worker = exit::Worker::new(tun, exit, inbox, io, ToControl { events, counters })?;
    let thread = std::thread::Builder::new().name("tunnel-exit".to_owned()).spawn(move || worker.run())?;
    Ok((handle, thread))
}

/// A worker's way to control.
#[derive(Debug)]
struct ToControl {
    events: tokio::sync::mpsc::Sender<Event>,
    counters: Arc<Counters>,
}

impl ToControl {
    /// Never waits: packets do not stop because control is behind.
    fn tell(&self, event: Event) {
        if self.events.try_send(event).is_err() {
            self.counters.count_drop(DropReason::EventQueueFull);
        }
    }
}

/// A worker's end of its queue: readable when there may be a command.
#[derive(Debug)]
struct Inbox {
    commands: Receiver<WorkerCommand>,
    wake: Arc<OwnedFd>,
}

impl Inbox {
    /// The next command; `Stop` when nobody is left to send one.
    fn next(&self) -> Option<WorkerCommand> {
        match self.commands.try_recv() {
            Ok(command) => Some(command),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(WorkerCommand::Stop),
        }
    }

    /// Makes the descriptor unreadable; the commands are looked for afterwards, so that none is overslept.
    fn acknowledge(&self) {
        let _ = rustix::io::read(&*self.wake, &mut [0; 8]);
    }
}

impl AsFd for Inbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

fn queue() -> io::Result<(WorkerHandle, Inbox, Arc<IoCounters>)> {
    let wake = Arc::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?);
    let (sender, commands) = sync_channel(COMMANDS);
    let io = Arc::new(IoCounters::default());
    let queue = Queue { commands: sender, wake: WakeOnDrop(wake.clone()) };
    Ok((WorkerHandle { queue: Arc::new(queue), io: io.clone() }, Inbox { commands, wake }, io))
}

/// Cannot fail in a way that matters: a full counter (EAGAIN) is readable already.
fn wake(fd: &OwnedFd) {
    let _ = rustix::io::write(fd, &1u64.to_ne_bytes());
}

#[cfg(test)]
mod tests;
