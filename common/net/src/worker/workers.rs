//! All workers of one end, as one thing that takes commands.

use std::io;
use std::num::NonZeroU8;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use protocol::tunnel::{Command, Counters, EntryPoint, Event, ExitPoint, Share, SocketId};
use tokio::sync::mpsc;

use super::ports::Ports;
use super::queue::{StrayQueue, WorkerHandle, queues};
use super::run::spawn;
use super::{IoCounters, WorkerCommand, WorkerGone};
use crate::tun::TunQueues;
use crate::udp::UdpSocket;

/// How long the workers may take to reach a barrier: their queues hold at most some thousand commands.
const BARRIER_TIMEOUT: Duration = Duration::from_secs(10);

/// One worker for each queue of a TUN device. Dropping it stops them.
#[derive(Debug)]
pub struct Workers {
    handles: Vec<WorkerHandle>,
    threads: Vec<JoinHandle<()>>,
    io: Arc<IoCounters>,
}

impl Workers {
    /// Starts a thread for each queue of `tun`, at most [`Share::MAX`], with halves that `halves` makes for all SAs; each gets its share
    /// of them. Events go to `events`; when that channel is full, one is dropped and counted: what it was about happens again.
    ///
    /// # Errors
    /// No thread, no descriptor or no random numbers to be had.
    pub fn start(
        tun: &TunQueues,
        halves: impl Fn() -> (EntryPoint, ExitPoint),
        counters: &Arc<Counters>,
        events: &mpsc::Sender<Event>,
    ) -> io::Result<Self> {
        let count = u8::try_from(tun.each.len()).ok().and_then(NonZeroU8::new).unwrap_or(NonZeroU8::MIN);
        let shares: Vec<Share> = Share::all_of(count).collect();
        let mut inboxes = Vec::with_capacity(shares.len());
        let mut others = Vec::with_capacity(shares.len());
        let mut workers = Self { handles: Vec::new(), threads: Vec::new(), io: Arc::default() };
        for _ in &shares {
            let (handle, strays, inbox) = queues()?;
            workers.handles.push(handle);
            others.push(strays);
            inboxes.push(inbox);
        }
        let others: Arc<[StrayQueue]> = others.into();
        for ((tun, share), inbox) in tun.each.iter().zip(shares).zip(inboxes) {
            let ports = Ports {
                tun: tun.clone(),
                sockets: Default::default(),
                counters: counters.clone(),
                io: workers.io.clone(),
                events: events.clone(),
                others: others.clone(),
            };
            workers.threads.push(spawn(halves(), share, ports, inbox)?);
        }
        Ok(workers)
    }

    /// Tells all.
    ///
    /// # Errors
    /// A thread has ended.
    pub fn apply(&self, command: &Command) -> Result<(), WorkerGone> {
        self.handles.iter().try_for_each(|handle| handle.send(WorkerCommand::Tunnel(command.clone())))
    }

    /// Gives each worker one of `sockets`, which are those of one port in the order of [`UdpSocket::bind_shares`]. Where there are
    /// fewer than workers, some have one in common.
    ///
    /// # Errors
    /// A thread has ended.
    pub fn add_sockets(&self, id: SocketId, sockets: &[Arc<UdpSocket>]) -> Result<(), WorkerGone> {
        let mut each = self.handles.iter().zip(sockets.iter().cycle());
        each.try_for_each(|(handle, socket)| handle.send(WorkerCommand::AddSocket(id, socket.clone())))
    }

    /// Has each worker forget a socket.
    ///
    /// # Errors
    /// A thread has ended.
    pub fn remove_socket(&self, id: SocketId) -> Result<(), WorkerGone> {
        self.handles.iter().try_for_each(|handle| handle.send(WorkerCommand::RemoveSocket(id)))
    }

    /// What ends when all have carried out everything that they were told before.
    ///
    /// # Errors
    /// A thread has ended.
    pub fn barrier(&self) -> Result<Barrier, WorkerGone> {
        let expected = self.handles.len();
        let (reached, arrivals) = sync_channel(expected);
        self.handles.iter().try_for_each(|handle| handle.send(WorkerCommand::Barrier(reached.clone())))?;
        Ok(Barrier { arrivals, expected })
    }

    /// Whether all threads run.
    pub fn are_running(&self) -> bool {
        !self.threads.iter().any(JoinHandle::is_finished)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.handles.len()
    }

    /// What they could not pass to or get from the kernel.
    pub fn io(&self) -> &IoCounters {
        &self.io
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.handles.clear();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a worker thread has panicked");
            }
        }
    }
}

/// Ends when each worker has reached its place in the queue.
#[derive(Debug)]
pub struct Barrier {
    arrivals: Receiver<()>,
    expected: usize,
}

impl Barrier {
    /// Waits, blocking the thread.
    ///
    /// # Errors
    /// A worker has ended or is stuck.
    pub fn wait(self) -> Result<(), RecvTimeoutError> {
        let deadline = Instant::now() + BARRIER_TIMEOUT;
        (0..self.expected).try_for_each(|_| self.arrivals.recv_timeout(deadline.saturating_duration_since(Instant::now())))
    }
}
