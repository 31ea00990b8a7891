//! The tunnel's outer side: UDP sockets that receive and send in batches (`recvmmsg(2)`, `sendmmsg(2)`).
//!
//! A [`Receiver`] and a [`Sender`] hold what the system calls need and belong to one worker each, and so do the sockets: several
//! workers have one each at one port ([`UdpSocket::bind_shares`]). A
//! datagram that cannot be received or sent is counted, and the others of its batch go on. Where the kernel can, datagrams of one
//! length to or from one place are one message (`UDP_SEGMENT`, `UDP_GRO`).

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU8;
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use protocol::tunnel::SocketId;
use protocol::tunnel::batch::Fragmentation;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::bind::{self, Transport};
use crate::offloads::Offloads;

mod control;
mod fragments;
mod messages;
mod options;
mod receive;
mod send;
mod steering;

use fragments::Fragmenter;
pub(crate) use options::explain_mark;
pub use receive::{
    MAX_DATAGRAM, MAX_RECEIVED, MAX_RECEIVED_RUN, RECEIVE_DATAGRAMS, RECEIVE_OCTETS, RECEIVE_RUNS, ReceiveReport, Receiver,
};
pub use send::{SendReport, Sender};

/// What the kernel may keep of received datagrams while the exit-point is busy, unless [`SocketOptions`] say otherwise: the most with
/// which 99 of 100 packets are through in 5 ms beside TCP at full rate, where one machine carries both ends (docs/performance.md). The
/// kernel doubles the number and accounts a datagram of 1,500 octets with about 2,300, so it is 7 ms at 1 Gbit/s. What it may keep of
/// sent datagrams that the interface has not taken is half of it, since the interface's own queue comes behind it.
pub const RECEIVE_BUFFER: usize = 768 << 10;

/// From where little more than one message waits, since the kernel takes a message of any length as long as the buffer is not full, to
/// half a second at 1 Gbit/s.
pub const RECEIVE_BUFFERS: RangeInclusive<usize> = 16 << 10..=128 << 20;
const _: () = assert!(*RECEIVE_BUFFERS.start() <= RECEIVE_BUFFER && RECEIVE_BUFFER <= *RECEIVE_BUFFERS.end());

/// The most sockets of one worker: two families on each of 32 interfaces.
pub const MAX_SOCKETS: usize = 64;

/// How a tunnel's socket differs from the others of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    /// The firewall mark of what it sends, which keeps outer packets out of the tunnel's own routes (SO_MARK).
    pub mark: Option<u32>,
    /// The only interface that it uses (SO_BINDTODEVICE).
    pub device: Option<String>,
    /// What of the kernel's offloads it uses.
    pub offloads: Offloads,
    /// Octets of its receive buffer, within [`RECEIVE_BUFFERS`].
    pub receive_buffer: usize,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self { mark: None, device: None, offloads: Offloads::default(), receive_buffer: RECEIVE_BUFFER }
    }
}

/// A bound, non-blocking UDP socket of one family.
#[derive(Debug)]
pub struct UdpSocket {
    socket: Socket,
    local: SocketAddr,
    /// Whether datagrams are sent as one message, until a device shows that it cannot.
    sends_runs: AtomicBool,
    /// Whether datagrams are received as one message.
    receives_runs: bool,
    /// For what goes in fragments; `None` where the kernel makes them, or nobody.
    fragmenter: Option<Fragmenter>,
}

impl UdpSocket {
    /// Binds `local`; port 0 takes a free one. An IPv6 socket is for IPv6 only.
    ///
    /// # Errors
    /// The text names the address and what to do: the address is not (yet) on an interface, the port is taken, the mark
    /// needs CAP_NET_ADMIN, the device does not exist.
    pub fn bind(local: SocketAddr, options: &SocketOptions) -> io::Result<Self> {
        Self::bind_as(local, options, false)
    }

    /// `count` sockets at one port, in the order of the shares of that count ([`Share`](protocol::tunnel::Share)): a datagram comes to the
    /// one in whose share the SA is that it names (SO_REUSEPORT). Where the kernel cannot tell, it comes to any of them.
    ///
    /// # Errors
    /// As for [`Self::bind`]: a port that another program has is taken.
    pub fn bind_shares(local: SocketAddr, options: &SocketOptions, count: NonZeroU8) -> io::Result<Vec<Self>> {
        let first = Self::bind(local, options)?;
        if count == NonZeroU8::MIN {
            return Ok(vec![first]);
        }
        // Not before it is bound: else another program, or an old process of this one, could have the port too.
        first.socket.set_reuse_port(true)?;
        let others = (1..count.get()).map(|_| Self::bind_as(first.local, options, true));
        let others = others.collect::<io::Result<Vec<_>>>()?;
        if let Err(error) = steering::by_share(&first.socket, count) {
            tracing::info!(local = %first.local, %error, "the kernel cannot tell the workers' datagrams apart: they pass them on");
        }
        Ok(std::iter::once(first).chain(others).collect())
    }

    fn bind_as(local: SocketAddr, options: &SocketOptions, beside_others: bool) -> io::Result<Self> {
        let failed = |error| bind::explain(&error, Transport::Udp, local);
        let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(Protocol::UDP)).map_err(failed)?;
        socket.set_nonblocking(true)?;
        if local.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        options::set(&socket, local, options)?;
        socket.set_reuse_port(beside_others)?;
        socket.bind(&SockAddr::from(local)).map_err(failed)?;
        let local = socket.local_addr()?.as_socket().unwrap_or(local);
        options::tell_traffic_class(&socket, local);
        let sends_runs = options.offloads.udp_segment && options::can_send_runs(&socket, local);
        let receives_runs = options.offloads.udp_gro && options::receive_runs(&socket, local);
        let fragmenter = fragmenter(local, options);
        Ok(Self { socket, local, sends_runs: sends_runs.into(), receives_runs, fragmenter })
    }

    /// The address and port that it is bound to.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Whether datagrams of one length to one place leave as one message (`UDP_SEGMENT`).
    pub fn sends_runs(&self) -> bool {
        self.sends_runs.load(Relaxed)
    }

    /// Whether datagrams of one length from one place come as one message (`UDP_GRO`).
    pub fn receives_runs(&self) -> bool {
        self.receives_runs
    }

    /// How datagrams that are too long for their path are treated from now on. One that cannot be treated so is a probe that is lost.
    fn set_fragmentation(&self, fragmentation: Fragmentation) {
        if let Err(error) = options::set_fragmentation(self.as_fd(), self.local, fragmentation) {
            tracing::debug!(local = %self.local, %error, ?fragmentation, "the kernel does not say how to fragment");
        }
    }

    /// Sends no runs any more when the kernel says that the way out is to blame, and not the run.
    fn note_refusal(&self, error: &io::Error) {
        if error.raw_os_error() == Some(libc::EIO) && self.sends_runs.swap(false, Relaxed) {
            tracing::info!(local = %self.local, %error, "the way out takes no UDP_SEGMENT: each datagram is sent by itself");
        }
    }
}

/// Over IPv4 routers fragment what is too long for them.
fn fragmenter(local: SocketAddr, options: &SocketOptions) -> Option<Fragmenter> {
    let SocketAddr::V6(local6) = local else { return None };
    Fragmenter::open(local6, options)
        .inspect_err(|error| {
            tracing::info!(
                %local, %error,
                "inner packets of up to 1,280 octets cannot go in fragments where the path is too small for them: run as root or with \
                 CAP_NET_RAW"
            );
        })
        .ok()
}

impl AsFd for UdpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The sockets of one worker by their numbers.
#[derive(Debug, Default)]
pub struct Sockets(Vec<(SocketId, Arc<UdpSocket>)>);

impl Sockets {
    /// Adds `socket` as `id`, in place of the one that had this number. `false` when there are [`MAX_SOCKETS`] already.
    pub fn add(&mut self, id: SocketId, socket: Arc<UdpSocket>) -> bool {
        self.remove(id);
        if self.0.len() == MAX_SOCKETS {
            return false;
        }
        self.0.push((id, socket));
        true
    }

    /// Forgets the socket `id`.
    pub fn remove(&mut self, id: SocketId) {
        self.0.retain(|(known, _)| *known != id);
    }

    /// The socket `id`.
    pub fn get(&self, id: SocketId) -> Option<&UdpSocket> {
        self.0.iter().find(|(known, _)| *known == id).map(|(_, socket)| &**socket)
    }

    /// Each socket with its number.
    pub fn iter(&self) -> impl Iterator<Item = (SocketId, &UdpSocket)> {
        self.0.iter().map(|(id, socket)| (*id, &**socket))
    }
}

/// Each message that `socket` sends becomes datagrams of `segment` octets.
#[cfg(test)]
pub(crate) fn cut_what_it_sends(socket: &impl AsFd, segment: u16) {
    options::set_int(socket.as_fd(), libc::SOL_UDP, libc::UDP_SEGMENT, segment.into()).unwrap();
}

#[cfg(test)]
pub(crate) mod tests;
