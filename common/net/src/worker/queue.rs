//! What comes to a worker from elsewhere: control's commands, and datagrams that other workers have received for it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};

use protocol::tunnel::batch::Received;
use rustix::event::{EventfdFlags, eventfd};

use super::{WorkerCommand, WorkerGone};

/// Commands that may wait for a worker. One takes microseconds and a batch less than a millisecond, so a full queue means
/// that whoever sends is far ahead: then it waits.
pub(super) const COMMANDS: usize = 1_024;

/// Datagrams of other workers that may wait: as many as one system call receives one by one. The kernel knows whose they are, so
/// that they are few; more are dropped and counted.
const STRAYS: usize = crate::udp::RECEIVE_DATAGRAMS;

/// A datagram that came to a worker that does not have its SA.
#[derive(Debug)]
pub(super) struct Stray {
    /// Its range is that in the batch of the worker that received it.
    pub(super) received: Received,
    pub(super) octets: Vec<u8>,
}

/// Speaks to one worker. When it is dropped the worker ends.
///
/// The order of the fields matters: the worker has to find the channel closed when it is woken for the last time.
#[derive(Debug)]
pub(super) struct WorkerHandle {
    commands: SyncSender<WorkerCommand>,
    wake: WakeOnDrop,
}

#[derive(Debug)]
struct WakeOnDrop(Arc<OwnedFd>);

/// Where a worker takes datagrams of its SAs; does not keep it alive.
#[derive(Clone, Debug)]
pub(super) struct StrayQueue {
    strays: SyncSender<Stray>,
    wake: Arc<OwnedFd>,
}

/// A worker's end of its queues: readable when there may be something.
#[derive(Debug)]
pub(super) struct Inbox {
    commands: Receiver<WorkerCommand>,
    strays: Receiver<Stray>,
    wake: Arc<OwnedFd>,
}

/// Empty queues of one worker.
pub(super) fn queues() -> rustix::io::Result<(WorkerHandle, StrayQueue, Inbox)> {
    let wake = Arc::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?);
    let (send_command, commands) = sync_channel(COMMANDS);
    let (send_stray, strays) = sync_channel(STRAYS);
    Ok((
        WorkerHandle { commands: send_command, wake: WakeOnDrop(wake.clone()) },
        StrayQueue { strays: send_stray, wake: wake.clone() },
        Inbox { commands, strays, wake },
    ))
}

impl WorkerHandle {
    /// Hands over a command; the worker takes it after at most one batch. Waits while [`COMMANDS`] of them wait, which a
    /// living worker makes short.
    ///
    /// # Errors
    /// The worker has ended.
    pub(super) fn send(&self, command: WorkerCommand) -> Result<(), WorkerGone> {
        // Woken before a wait for room, too: what fills the queue has woken the worker already.
        self.commands.send(command).map_err(|_| WorkerGone)?;
        wake(&self.wake.0);
        Ok(())
    }
}

impl Drop for WakeOnDrop {
    fn drop(&mut self) {
        wake(&self.0);
    }
}

impl StrayQueue {
    /// Never waits; `false` when there is no room.
    pub(super) fn pass_on(&self, stray: Stray) -> bool {
        let is_taken = self.strays.try_send(stray).is_ok();
        wake(&self.wake);
        is_taken
    }
}

impl Inbox {
    /// The next command; `Stop` when nobody is left to send one.
    pub(super) fn next(&self) -> Option<WorkerCommand> {
        match self.commands.try_recv() {
            Ok(command) => Some(command),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(WorkerCommand::Stop),
        }
    }

    /// The next datagram that came elsewhere.
    pub(super) fn next_stray(&self) -> Option<Stray> {
        self.strays.try_recv().ok()
    }

    /// Makes the descriptor unreadable; what waits is looked for afterwards, so that nothing is overslept.
    pub(super) fn acknowledge(&self) {
        let _ = rustix::io::read(&*self.wake, &mut [0; 8]);
    }
}

impl AsFd for Inbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

/// Cannot fail in a way that matters: a full counter (EAGAIN) is readable already.
fn wake(fd: &OwnedFd) {
    let _ = rustix::io::write(fd, &1u64.to_ne_bytes());
}
