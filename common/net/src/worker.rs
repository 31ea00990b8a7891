//! The hot loops: threads without await, each of which drives an entry-point and an exit-point on its own queue of the TUN device and
//! its own sockets.
//!
//! ```text
//!                           +--------------------- a worker ----------------------+
//!  control (tokio)          |  TUN queue -> EntryPoint -> UDP sockets             |
//!     --commands--> each    |  TUN queue <- ExitPoint  <- UDP sockets             |
//!     <---events--- each    +--------|--------------------------^-----------------+
//!                                    v datagrams of another's SA |
//!                                  the worker that has it -------+
//! ```
//!
//! All get the same commands in the same order, and take them between batches. They share counters, and the sequence numbers of
//! outbound SAs; nothing that changes otherwise.

use std::num::NonZeroU8;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, mpsc};

use protocol::tunnel::{Command, Share, SocketId};

use crate::udp::UdpSocket;

mod entry;
mod exit;
mod ports;
mod queue;
mod run;
mod watch;
mod workers;

pub use workers::{Barrier, Workers};

/// What control tells a worker.
#[derive(Debug)]
enum WorkerCommand {
    /// For both halves of the tunnel.
    Tunnel(Command),
    /// A socket to receive from and to send on.
    AddSocket(SocketId, Arc<UdpSocket>),
    /// Forgets a socket.
    RemoveSocket(SocketId),
    /// Answers when every command before it has been carried out.
    Barrier(mpsc::SyncSender<()>),
    /// Nobody is left to send another: ends the thread.
    Stop,
}

/// A worker's thread has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a worker thread of the tunnel has ended: its TUN device was removed, or it was stopped; see the log, then start the program again"
)]
pub struct WorkerGone;

/// As many workers as the machine has processors for this process, within the most that there can be.
pub fn one_for_each_processor() -> NonZeroU8 {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    NonZeroU8::new(u8::try_from(processors).unwrap_or(Share::MAX).min(Share::MAX)).unwrap_or(NonZeroU8::MIN)
}

/// What the workers could not pass to or get from the kernel; what the halves drop is in [`Counters`](protocol::tunnel::Counters).
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

#[cfg(test)]
mod tests;
