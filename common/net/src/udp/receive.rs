//! Receives several datagrams with one system call, each into a slot of its own.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use protocol::tunnel::batch::Received;
use protocol::tunnel::{ReceiveBatch, SocketId};
use socket2::{SockAddr, SockAddrStorage};

use super::UdpSocket;

/// The longest datagram that is received: the largest tunnel MTU with every header and trailer that sealing may add.
pub const MAX_DATAGRAM: usize = 9_216;

const _: () = assert!(MAX_DATAGRAM >= crate::tun::MAX_MTU as usize + crate::MAX_SEALING_OVERHEAD);

/// The distance of two slots: one cache line more than [`MAX_DATAGRAM`], since slots a power of two apart would all fall
/// into the same few sets of the cache.
pub const DATAGRAM_SLOT: usize = MAX_DATAGRAM + 64;

/// The most datagrams of one batch: at 1,400 octets 64 are 90 kB, a fraction of a second-level cache, and the system call
/// is already a small part of their cost.
pub const RECEIVE_DATAGRAMS: usize = 64;

/// What an arena for [`Receiver::receive`] holds.
pub const RECEIVE_OCTETS: usize = RECEIVE_DATAGRAMS * DATAGRAM_SLOT;

const _: () = assert!(RECEIVE_OCTETS <= 1 << 20);

/// What one [`Receiver::receive`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiveReport {
    /// Datagrams in the batch.
    pub received: usize,
    /// Datagrams longer than [`MAX_DATAGRAM`], dropped.
    pub truncated: usize,
}

/// The memory that `recvmmsg(2)` needs beside the batch; one for each thread that receives.
#[derive(Debug)]
pub struct Receiver {
    addresses: Vec<SockAddrStorage>,
    parts: Vec<libc::iovec>,
    messages: Vec<libc::mmsghdr>,
}

impl Receiver {
    /// Room for [`RECEIVE_DATAGRAMS`].
    pub fn new() -> Self {
        Self {
            addresses: (0..RECEIVE_DATAGRAMS).map(|_| SockAddrStorage::zeroed()).collect(),
            parts: Vec::with_capacity(RECEIVE_DATAGRAMS),
            messages: Vec::with_capacity(RECEIVE_DATAGRAMS),
        }
    }

    /// An arena of the right size.
    pub fn new_batch() -> ReceiveBatch {
        ReceiveBatch::new(RECEIVE_DATAGRAMS, RECEIVE_OCTETS)
    }

    /// Replaces what `batch` has by what waits on `socket`, which the batch will call `id`. Never waits: nothing there is
    /// a report of zeroes.
    ///
    /// # Errors
    /// The socket's pending error, which this call has cleared, or the socket is unusable.
    pub fn receive(&mut self, id: SocketId, socket: &UdpSocket, batch: &mut ReceiveBatch) -> io::Result<ReceiveReport> {
        batch.clear();
        self.point_at(batch.arena());
        let count = match self.call(socket) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            other => other?,
        };
        let mut report = ReceiveReport::default();
        for (slot, (message, address)) in self.messages.iter().zip(&mut self.addresses).take(count).enumerate() {
            if message.msg_hdr.msg_flags & libc::MSG_TRUNC != 0 {
                report.truncated += 1;
                continue;
            }
            let Some(from) = source(address, message.msg_hdr.msg_namelen) else { continue };
            let start = slot * DATAGRAM_SLOT;
            let range = start..start + message.msg_len as usize;
            batch.push_with(Received { range, socket: id, from, traffic_class: 0 });
            report.received += 1;
        }
        Ok(report)
    }

    /// Sets up a message for each slot of the arena; allocates nothing after the first time.
    fn point_at(&mut self, arena: &mut [u8]) {
        self.parts.clear();
        self.messages.clear();
        for slot in arena.chunks_exact_mut(DATAGRAM_SLOT).take(RECEIVE_DATAGRAMS) {
            self.parts.push(libc::iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: MAX_DATAGRAM });
        }
        for (part, address) in self.parts.iter_mut().zip(&mut self.addresses) {
            // SAFETY: mmsghdr is a C structure of integers and pointers without invariants; all zeroes is a value of it.
            let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
            message.msg_hdr.msg_name = std::ptr::from_mut(address).cast();
            message.msg_hdr.msg_namelen = size_of::<SockAddrStorage>() as libc::socklen_t;
            message.msg_hdr.msg_iov = part;
            message.msg_hdr.msg_iovlen = 1;
            self.messages.push(message);
        }
    }

    fn call(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        loop {
            // SAFETY: each message names one iovec of `parts`, which names a slot of the batch's arena, and one element of
            // `addresses`. The vectors and the arena neither move nor are they read between `point_at` and here; slots do
            // not overlap and `iov_len` is no longer than a slot. The descriptor is open as long as `socket` is borrowed.
            let count = unsafe {
                libc::recvmmsg(
                    socket.as_fd().as_raw_fd(),
                    self.messages.as_mut_ptr(),
                    self.messages.len() as libc::c_uint,
                    libc::MSG_DONTWAIT as _,
                    std::ptr::null_mut(),
                )
            };
            match usize::try_from(count) {
                Ok(count) => return Ok(count),
                Err(_) => match io::Error::last_os_error() {
                    error if error.kind() == io::ErrorKind::Interrupted => {}
                    error => return Err(error),
                },
            }
        }
    }
}

impl Default for Receiver {
    fn default() -> Self {
        Self::new()
    }
}

fn source(storage: &mut SockAddrStorage, len: libc::socklen_t) -> Option<std::net::SocketAddr> {
    let storage = std::mem::replace(storage, SockAddrStorage::zeroed());
    // SAFETY: the kernel has written an address of `len` octets there (it never says more than it was offered).
    unsafe { SockAddr::new(storage, len) }.as_socket()
}
