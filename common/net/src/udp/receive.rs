//! Receives several messages with one system call, each into a slot of its own; a message may be several datagrams.

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd};

use protocol::tunnel::batch::{MAX_PACKET, Received};
use protocol::tunnel::{ReceiveBatch, SocketId};
use socket2::{SockAddr, SockAddrStorage};

use super::UdpSocket;
use super::control::{Control, Told};

/// The longest datagram that is received: the largest tunnel MTU with every header and trailer that sealing may add.
pub const MAX_DATAGRAM: usize = 9_216;

const _: () = assert!(MAX_DATAGRAM >= crate::tun::MAX_MTU as usize + crate::MAX_SEALING_OVERHEAD);

/// One cache line between two slots: slots a power of two apart would all fall into the same few sets of the cache.
const GAP: usize = 64;

/// The most datagrams of one batch where each comes by itself: at 1,400 octets 64 are 90 kB, a fraction of a second-level cache, and
/// the system call is already a small part of their cost.
pub const RECEIVE_DATAGRAMS: usize = 64;

/// The most messages of one batch where a message may be several datagrams. Each may have 64 KB, so that a batch of full ones is more
/// than a second-level cache already; of small ones it is enough to make the system call cheap.
pub const RECEIVE_RUNS: usize = 32;

/// The most datagrams of one message: what one `UDP_SEGMENT` takes since Linux 6.9, where sender and receiver are on one host; what
/// GRO puts together is 64 at most.
pub const MAX_RECEIVED_RUN: usize = 128;

/// The most datagrams of one batch.
pub const MAX_RECEIVED: usize = max(RECEIVE_DATAGRAMS, RECEIVE_RUNS * MAX_RECEIVED_RUN);

/// What an arena for [`Receiver::receive`] holds. Pages of it that no message reaches are never touched, and cost nothing.
pub const RECEIVE_OCTETS: usize = max(Slots::SINGLE.octets(), Slots::RUNS.octets());

const _: () = assert!(RECEIVE_OCTETS <= 4 << 20 && MAX_RECEIVED <= 1 << 12);

/// How the arena is divided for one system call.
#[derive(Clone, Copy)]
struct Slots {
    count: usize,
    len: usize,
}

impl Slots {
    const SINGLE: Self = Self { count: RECEIVE_DATAGRAMS, len: MAX_DATAGRAM };
    const RUNS: Self = Self { count: RECEIVE_RUNS, len: MAX_PACKET + 1 };

    const fn distance(self) -> usize {
        self.len + GAP
    }

    const fn octets(self) -> usize {
        self.count * self.distance()
    }
}

const fn max(one: usize, other: usize) -> usize {
    if one > other { one } else { other }
}

/// What one [`Receiver::receive`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiveReport {
    /// Datagrams in the batch.
    pub received: usize,
    /// Datagrams longer than [`MAX_DATAGRAM`], dropped.
    pub truncated: usize,
}

/// Messages that room is made for where nothing says that more come: one that comes alone is to touch little memory.
const FEWEST: usize = 4;

/// The memory that `recvmmsg(2)` needs beside the batch; one for each thread that receives.
#[derive(Debug)]
pub struct Receiver {
    /// How many messages there is room for in the next call: twice as many as came with the latest.
    expected: usize,
    addresses: Vec<SockAddrStorage>,
    controls: Vec<Control>,
    parts: Vec<libc::iovec>,
    messages: Vec<libc::mmsghdr>,
}

impl Receiver {
    /// Room for one system call.
    pub fn new() -> Self {
        const MESSAGES: usize = max(RECEIVE_DATAGRAMS, RECEIVE_RUNS);
        Self {
            expected: MESSAGES,
            addresses: (0..MESSAGES).map(|_| SockAddrStorage::zeroed()).collect(),
            controls: vec![Control::new(); MESSAGES],
            parts: Vec::with_capacity(MESSAGES),
            messages: Vec::with_capacity(MESSAGES),
        }
    }

    /// An arena of the right size.
    pub fn new_batch() -> ReceiveBatch {
        ReceiveBatch::new(MAX_RECEIVED, RECEIVE_OCTETS)
    }

    /// Replaces what `batch` has by what waits on `socket`, which the batch will call `id`, or the first of it. Never waits: nothing
    /// there is a report of zeroes.
    ///
    /// # Errors
    /// The socket's pending error, which this call has cleared, or the socket is unusable.
    pub fn receive(&mut self, id: SocketId, socket: &UdpSocket, batch: &mut ReceiveBatch) -> io::Result<ReceiveReport> {
        batch.clear();
        let slots = if socket.receives_runs() { Slots::RUNS } else { Slots::SINGLE };
        self.point_at(batch.arena(), slots);
        let count = match self.call(socket) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            other => other?,
        };
        self.expected = (2 * count).max(FEWEST);
        let mut report = ReceiveReport::default();
        for (slot, ((message, address), control)) in
            self.messages.iter().zip(&mut self.addresses).zip(&self.controls).take(count).enumerate()
        {
            let Some(from) = source(address, message.msg_hdr.msg_namelen) else { continue };
            if message.msg_hdr.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0 {
                report.truncated += 1;
                continue;
            }
            let start = slot * slots.distance();
            let told = control.told(message.msg_hdr.msg_controllen as _);
            let received =
                Received { range: start..start + message.msg_len as usize, socket: id, from, traffic_class: told.traffic_class };
            split(received, told, batch, &mut report);
        }
        Ok(report)
    }

    /// Sets up a message for each slot of the arena; allocates nothing after the first time.
    fn point_at(&mut self, arena: &mut [u8], slots: Slots) {
        self.parts.clear();
        self.messages.clear();
        for slot in arena.chunks_exact_mut(slots.distance()).take(slots.count.min(self.expected)) {
            self.parts.push(libc::iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: slots.len });
        }
        for ((part, address), control) in self.parts.iter_mut().zip(&mut self.addresses).zip(&mut self.controls) {
            // SAFETY: mmsghdr is a C structure of integers and pointers without invariants; all zeroes is a value of it.
            let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
            message.msg_hdr.msg_name = std::ptr::from_mut(address).cast();
            message.msg_hdr.msg_namelen = size_of::<SockAddrStorage>() as libc::socklen_t;
            message.msg_hdr.msg_iov = part;
            message.msg_hdr.msg_iovlen = 1;
            let (control, len) = control.room();
            message.msg_hdr.msg_control = control;
            message.msg_hdr.msg_controllen = len as _;
            self.messages.push(message);
        }
    }

    fn call(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        loop {
            // SAFETY: each message names one iovec of `parts`, which names a slot of the batch's arena, one element of `addresses`
            // and one of `controls` with its capacity. The vectors and the arena neither move nor are they read between `point_at`
            // and here; slots do not overlap and `iov_len` is no longer than a slot. The descriptor is open as long as `socket` is
            // borrowed.
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

/// Puts each datagram of one message into the batch: one, or several of `told.segment` octets, of which the last may be shorter.
fn split(message: Received, told: Told, batch: &mut ReceiveBatch, report: &mut ReceiveReport) {
    let Range { start, end } = message.range;
    let len = told.segment.filter(|len| *len > 0).unwrap_or(end - start).max(1);
    for at in (start..end).step_by(len) {
        let range = at..end.min(at + len);
        // Beyond MAX_RECEIVED is beyond what the kernel makes.
        if range.len() > MAX_DATAGRAM || batch.len() == MAX_RECEIVED {
            report.truncated += 1;
        } else {
            batch.push_with(Received { range, ..message.clone() });
            report.received += 1;
        }
    }
}

fn source(storage: &mut SockAddrStorage, len: libc::socklen_t) -> Option<std::net::SocketAddr> {
    let storage = std::mem::replace(storage, SockAddrStorage::zeroed());
    // SAFETY: the kernel has written an address of `len` octets there (it never says more than it was offered).
    unsafe { SockAddr::new(storage, len) }.as_socket()
}
