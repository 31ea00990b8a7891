//! What one `sendmmsg(2)` sends: for each message an address, octets and control messages.

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd};

use protocol::tunnel::batch::Run;
use socket2::SockAddr;

use super::UdpSocket;
use super::control::Control;

/// Messages to be sent from one socket. Their octets are those of a batch, which has to stay borrowed until the last call.
#[derive(Debug)]
pub(super) struct Messages {
    addresses: Vec<SockAddr>,
    parts: Vec<libc::iovec>,
    controls: Vec<Control>,
    /// Octets of each datagram of a message but its last.
    datagrams: Vec<usize>,
    headers: Vec<libc::mmsghdr>,
}

impl Messages {
    /// Room for `max` messages.
    pub(super) fn new(max: usize) -> Self {
        Self {
            addresses: Vec::with_capacity(max),
            parts: Vec::with_capacity(max),
            controls: Vec::with_capacity(max),
            datagrams: Vec::with_capacity(max),
            headers: Vec::with_capacity(max),
        }
    }

    pub(super) fn clear(&mut self) {
        self.addresses.clear();
        self.parts.clear();
        self.controls.clear();
        self.datagrams.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }

    /// Adds `octets` of `run`, all of it or one datagram.
    pub(super) fn push(&mut self, run: &Run, octets: &[u8]) {
        let part = libc::iovec { iov_base: octets.as_ptr().cast_mut().cast(), iov_len: octets.len() };
        let mut control = Control::new();
        if octets.len() > run.datagram {
            // A run is shorter than 65,536 octets, and so are its datagrams.
            control.put_segment(u16::try_from(run.datagram).unwrap_or(u16::MAX));
        }
        if run.traffic_class != 0 {
            control.put_traffic_class(run.to, run.traffic_class);
        }
        self.add(SockAddr::from(run.to), part, control, run.datagram);
    }

    /// Whether the message at `index` is several datagrams.
    pub(super) fn is_run(&self, index: usize) -> bool {
        self.datagrams_of(index) > 1
    }

    /// Datagrams of some messages.
    pub(super) fn datagrams(&self, which: Range<usize>) -> usize {
        which.map(|index| self.datagrams_of(index)).sum()
    }

    /// Octets of some messages.
    pub(super) fn octets(&self, which: Range<usize>) -> usize {
        self.parts.get(which).unwrap_or_default().iter().map(|part| part.iov_len).sum()
    }

    /// Puts each datagram of the message at `index` into `singles` as a message of its own.
    pub(super) fn split(&self, index: usize, singles: &mut Self) {
        singles.clear();
        let (Some(address), Some(part), Some(control)) =
            (self.addresses.get(index), self.parts.get(index), self.controls.get(index))
        else {
            return;
        };
        let datagram = self.datagrams.get(index).copied().unwrap_or_default().max(1);
        for at in (0..part.iov_len).step_by(datagram) {
            let iov_base = part.iov_base.wrapping_byte_add(at);
            let iov_len = datagram.min(part.iov_len - at);
            singles.add(address.clone(), libc::iovec { iov_base, iov_len }, control.without_segment(), datagram);
        }
    }

    /// Sends the messages at `from` and behind it; gives how many the kernel took.
    pub(super) fn send(&mut self, from: usize, socket: &UdpSocket) -> io::Result<usize> {
        self.headers.clear();
        for ((part, address), control) in self.parts.iter_mut().zip(&self.addresses).zip(&mut self.controls).skip(from) {
            // SAFETY: mmsghdr is a C structure of integers and pointers without invariants; all zeroes is a value of it.
            let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
            header.msg_hdr.msg_name = address.as_ptr().cast_mut().cast();
            header.msg_hdr.msg_namelen = address.len();
            header.msg_hdr.msg_iov = part;
            header.msg_hdr.msg_iovlen = 1;
            let (control, len) = control.written();
            if len > 0 {
                header.msg_hdr.msg_control = control;
                header.msg_hdr.msg_controllen = len as _;
            }
            self.headers.push(header);
        }
        let count = self.headers.len() as libc::c_uint;
        // SAFETY: each header names one address, one iovec and one control buffer of this value's vectors, which have not changed
        // since, and each iovec names octets of a batch that the caller has borrowed; the kernel only reads them. The descriptor is
        // open as long as `socket` is borrowed.
        let count =
            unsafe { libc::sendmmsg(socket.as_fd().as_raw_fd(), self.headers.as_mut_ptr(), count, libc::MSG_DONTWAIT as _) };
        usize::try_from(count).map_err(|_| io::Error::last_os_error())
    }

    fn add(&mut self, address: SockAddr, part: libc::iovec, control: Control, datagram: usize) {
        self.addresses.push(address);
        self.parts.push(part);
        self.controls.push(control);
        self.datagrams.push(datagram);
    }

    fn datagrams_of(&self, index: usize) -> usize {
        self.parts
            .get(index)
            .zip(self.datagrams.get(index))
            .map_or(0, |(part, datagram)| part.iov_len.div_ceil((*datagram).max(1)))
    }
}
