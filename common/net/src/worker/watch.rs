//! What a worker waits for.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Instant;

use protocol::tunnel::SocketId;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

use super::entry::Stall;
use super::ports::Ports;
use super::queue::Inbox;
use crate::udp::{MAX_SOCKETS, UdpSocket};

/// The most that is ready at once.
pub(super) const MAX_READY: usize = MAX_SOCKETS + 2;

/// Tell inbox and TUN queue from a [`SocketId`], which is an octet.
const INBOX: u64 = u64::MAX;
const TUN: u64 = u64::MAX - 1;

/// What something is to be had from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Inbox,
    Tun,
    Socket(SocketId),
}

impl Source {
    pub(super) fn of(event: &Event) -> Self {
        match event.data.u64() {
            INBOX => Self::Inbox,
            TUN => Self::Tun,
            id => Self::Socket(SocketId(id as u8)),
        }
    }
}

/// Inbox, TUN queue and sockets.
pub(super) struct Watch {
    epoll: OwnedFd,
    /// Whose room is waited for, while the TUN queue is not watched.
    stalled_on: Option<SocketId>,
}

impl Watch {
    /// Without sockets.
    ///
    /// # Errors
    /// No descriptor to be had.
    pub(super) fn new(inbox: &Inbox, ports: &Ports) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, inbox, EventData::new_u64(INBOX), EventFlags::IN)?;
        epoll::add(&epoll, &*ports.tun, EventData::new_u64(TUN), EventFlags::IN)?;
        Ok(Self { epoll, stalled_on: None })
    }

    /// Watches a socket.
    ///
    /// # Errors
    /// No memory for it.
    pub(super) fn add(&self, id: SocketId, socket: &UdpSocket) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, socket, EventData::new_u64(id.0.into()), EventFlags::IN)?)
    }

    /// Others may hold the socket still, so it does not leave the watched ones by itself.
    pub(super) fn remove(&self, socket: &UdpSocket) {
        let _ = epoll::delete(&self.epoll, socket);
    }

    /// Waits until something is to be had; what is left of it is ready again at once. While a batch is stalled that is room for it, and
    /// nothing from the TUN queue, and the wait ends when the batch is to be dropped.
    pub(super) fn wait(&mut self, stall: Option<Stall>, ports: &Ports, ready: &mut Vec<Event>) {
        self.turn_to(stall.map(|stall| stall.socket), ports);
        let timeout = stall.map(|stall| stall.until.saturating_duration_since(Instant::now()));
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        ready.clear();
        // An error (EINTR) means to look again, as readiness does.
        let _ = epoll::wait(&self.epoll, spare_capacity(ready), timeout.as_ref());
    }

    fn turn_to(&mut self, stalled_on: Option<SocketId>, ports: &Ports) {
        if self.stalled_on == stalled_on {
            return;
        }
        let reading = if stalled_on.is_some() { EventFlags::empty() } else { EventFlags::IN };
        let _ = epoll::modify(&self.epoll, &*ports.tun, EventData::new_u64(TUN), reading);
        for (id, flags) in [(self.stalled_on, EventFlags::IN), (stalled_on, EventFlags::IN | EventFlags::OUT)] {
            if let Some((id, socket)) = id.and_then(|id| Some((id, ports.sockets.get(id)?))) {
                let _ = epoll::modify(&self.epoll, socket, EventData::new_u64(id.0.into()), flags);
            }
        }
        self.stalled_on = stalled_on;
    }
}
