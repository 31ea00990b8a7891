//! The two threads that carry packets, as one: what the gateway tells them goes to both, in the same order.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use net::tun::Tun;
use net::udp::UdpSocket;
use net::worker::{IoCounters, WorkerCommand, WorkerGone, WorkerHandle, spawn_entry, spawn_exit};
use protocol::sa::Role;
use protocol::tunnel::entry::IcmpSources;
use protocol::tunnel::{Command, Counters, EntryPoint, Event, ExitPoint, Guard, SocketId};
use tokio::sync::mpsc;

use crate::report::IoReport;

/// How long the workers may take to reach a barrier: their queues hold at most some thousand commands.
const BARRIER_TIMEOUT: Duration = Duration::from_secs(10);

/// Entry-point and exit-point, each on its thread. Dropping it stops them.
#[derive(Debug)]
pub(crate) struct Workers {
    handles: [WorkerHandle; 2],
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts both threads on `tun` and `sockets`; what control has to know goes to `events`.
    ///
    /// # Errors
    /// No thread or no event descriptor.
    pub(crate) fn start(
        tun: &Arc<Tun>,
        sockets: &[Arc<UdpSocket>],
        icmp_sources: IcmpSources,
        guard: Guard,
        counters: &Arc<Counters>,
        events: mpsc::Sender<Event>,
    ) -> io::Result<Self> {
        let entry = EntryPoint::new(Role::HomeAgent, counters.clone(), icmp_sources);
        let exit = ExitPoint::new(Role::HomeAgent, counters.clone()).guarded(guard);
        let (entry, entry_thread) = spawn_entry(tun.clone(), entry, counters.clone(), events.clone())?;
        let (exit, exit_thread) = spawn_exit(tun.clone(), exit, counters.clone(), events)?;
        let workers = Self { handles: [entry, exit], threads: vec![entry_thread, exit_thread] };
        for (id, socket) in (0..).map(SocketId).zip(sockets) {
            workers.send(|| WorkerCommand::AddSocket(id, socket.clone())).map_err(io::Error::other)?;
        }
        Ok(workers)
    }

    /// Tells both.
    ///
    /// # Errors
    /// A thread has ended.
    pub(crate) fn apply(&self, command: &Command) -> Result<(), WorkerGone> {
        self.send(|| WorkerCommand::Tunnel(command.clone()))
    }

    /// What ends when both have applied everything that was sent before.
    ///
    /// # Errors
    /// A thread has ended.
    pub(crate) fn barrier(&self) -> Result<Barrier, WorkerGone> {
        let (reached, arrivals) = sync_channel(self.handles.len());
        self.send(|| WorkerCommand::Barrier(reached.clone()))?;
        Ok(Barrier { arrivals, expected: self.handles.len() })
    }

    /// Whether both threads run.
    pub(crate) fn are_running(&self) -> bool {
        !self.threads.iter().any(JoinHandle::is_finished)
    }

    /// What neither the kernel nor the network took: datagrams, packets to the device, and errors while receiving.
    pub(crate) fn io(&self) -> IoReport {
        let io = || self.handles.iter().map(WorkerHandle::io);
        IoReport {
            unsent: io().map(IoCounters::unsent).sum(),
            unwritten: io().map(IoCounters::unwritten).sum(),
            receive_errors: io().map(IoCounters::receive_errors).sum(),
        }
    }

    fn send(&self, command: impl Fn() -> WorkerCommand) -> Result<(), WorkerGone> {
        self.handles.iter().try_for_each(|handle| handle.send(command()))
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // A thread that is gone already has nothing to stop.
        let _ = self.send(|| WorkerCommand::Stop);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a worker thread has panicked");
            }
        }
    }
}

/// Ends when each worker has reached its place in the queue.
#[derive(Debug)]
pub(crate) struct Barrier {
    arrivals: Receiver<()>,
    expected: usize,
}

impl Barrier {
    /// Waits, blocking the thread.
    ///
    /// # Errors
    /// A worker has ended or is stuck.
    pub(crate) fn wait(self) -> Result<(), RecvTimeoutError> {
        let deadline = Instant::now() + BARRIER_TIMEOUT;
        (0..self.expected).try_for_each(|_| self.arrivals.recv_timeout(deadline.saturating_duration_since(Instant::now())))
    }
}
