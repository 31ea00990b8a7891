//! Sends the datagrams of a batch with as few system calls as there are runs of one socket.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use protocol::tunnel::SendBatch;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::SockAddr;

use super::{Sockets, UdpSocket};

/// How long a run waits, once, for a full send buffer: what the buffer holds leaves in 8 ms at 1 Gbit/s; a link that has
/// not taken some of it by then is congested, and the rest of the run is better dropped than late.
pub const SEND_WAIT: Duration = Duration::from_millis(8);

/// The most datagrams of one `sendmmsg(2)`: as for receiving.
const RUN: usize = super::RECEIVE_DATAGRAMS;

/// What became of one [`Sender::send`].
#[derive(Debug, Default)]
pub struct SendReport {
    /// Datagrams that the kernel took.
    pub sent: usize,
    /// Datagrams that it refused, or whose socket is gone.
    pub failed: usize,
    /// Why it refused the last of them.
    pub last_error: Option<io::Error>,
}

/// The memory that `sendmmsg(2)` needs beside the batch; one for each thread that sends.
#[derive(Debug)]
pub struct Sender {
    addresses: Vec<SockAddr>,
    parts: Vec<libc::iovec>,
    messages: Vec<libc::mmsghdr>,
}

impl Sender {
    /// Room for one run.
    pub fn new() -> Self {
        Self { addresses: Vec::with_capacity(RUN), parts: Vec::with_capacity(RUN), messages: Vec::with_capacity(RUN) }
    }

    /// Sends each datagram of `batch` from the socket that it names, in order. One that fails is counted and skipped.
    pub fn send(&mut self, batch: &SendBatch, sockets: &Sockets) -> SendReport {
        let mut report = SendReport::default();
        let mut outgoing = batch.iter().peekable();
        while let Some((first, _)) = outgoing.peek() {
            let id = first.socket;
            self.addresses.clear();
            self.parts.clear();
            while self.parts.len() < RUN
                && let Some((out, octets)) = outgoing.next_if(|(out, _)| out.socket == id)
            {
                self.addresses.push(SockAddr::from(out.to));
                self.parts.push(libc::iovec { iov_base: octets.as_ptr().cast_mut().cast(), iov_len: octets.len() });
            }
            match sockets.get(id) {
                Some(socket) => self.send_run(socket, &mut report),
                None => report.failed += self.parts.len(),
            }
        }
        report
    }

    /// Sends what `addresses` and `parts` name; `batch` of the caller keeps the octets in place.
    fn send_run(&mut self, socket: &UdpSocket, report: &mut SendReport) {
        self.messages.clear();
        for (part, address) in self.parts.iter_mut().zip(&self.addresses) {
            // SAFETY: mmsghdr is a C structure of integers and pointers without invariants; all zeroes is a value of it.
            let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
            message.msg_hdr.msg_name = address.as_ptr().cast_mut().cast();
            message.msg_hdr.msg_namelen = address.len();
            message.msg_hdr.msg_iov = part;
            message.msg_hdr.msg_iovlen = 1;
            self.messages.push(message);
        }
        let mut waited = false;
        let mut done = 0;
        while let Some(rest) = self.messages.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match call(socket, rest) {
                Ok(count) => {
                    report.sent += count;
                    done += count;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && !waited => {
                    waited = true;
                    wait_for_room(socket);
                }
                Err(error) => {
                    let skipped = if error.kind() == io::ErrorKind::WouldBlock { rest.len() } else { 1 };
                    report.failed += skipped;
                    done += skipped;
                    report.last_error = Some(error);
                }
            }
        }
    }
}

impl Default for Sender {
    fn default() -> Self {
        Self::new()
    }
}

/// Only for the messages that [`Sender::send_run`] has just set up.
fn call(socket: &UdpSocket, messages: &mut [libc::mmsghdr]) -> io::Result<usize> {
    // SAFETY: each message names one address and one iovec of the sender's vectors, which do not change during the run, and
    // each iovec names octets of the batch that `send` has borrowed; the kernel only reads them. The descriptor is open as
    // long as `socket` is borrowed.
    let count = unsafe {
        let count = messages.len() as libc::c_uint;
        libc::sendmmsg(socket.as_fd().as_raw_fd(), messages.as_mut_ptr(), count, libc::MSG_DONTWAIT as _)
    };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

fn wait_for_room(socket: &UdpSocket) {
    let timeout = Timespec { tv_sec: 0, tv_nsec: SEND_WAIT.subsec_nanos().into() };
    // Whatever poll says, the next try to send tells what is the case.
    let _ = poll(&mut [PollFd::new(socket, PollFlags::OUT)], Some(&timeout));
}
