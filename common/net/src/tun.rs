//! The tunnel's inner side: a TUN device, which hands the kernel's IP packets to us and ours to the kernel.
//!
//! The workers read and write it in batches; [`Tun::read_batch`], [`Tun::write_batch`] and [`Tun::write_merged`] are the only
//! ways in and out. Where the kernel can, each packet has a [`VirtioHeader`](protocol::offload::VirtioHeader) in front, by which
//! many segments of a flow cross as one ([`TunSegments`]). The device is not persistent: it goes with its last descriptor,
//! whatever ends the process. Addresses and routes are the business of netlink, not of this.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

mod create;
mod read;
mod write;

pub use create::is_device_name;
pub use read::ReadReport;
pub use write::WriteReport;

/// The least MTU of a tunnel: IPv6 has to pass (RFC 8200 section 5).
pub const MIN_MTU: u16 = 1_280;

/// The largest MTU of a tunnel: jumbo frames, above which every sealed packet would be fragmented on every network.
pub const MAX_MTU: u16 = 9_000;

/// A TUN device, or one of its queues; the device lives as long as any of them.
#[derive(Debug)]
pub struct Tun {
    fd: OwnedFd,
    name: String,
    index: u32,
    segments: TunSegments,
}

/// The queues of a TUN device.
#[derive(Clone, Debug)]
pub struct TunQueues {
    /// The device's name.
    pub name: String,
    /// The device's interface index.
    pub index: u32,
    /// What crosses as one packet.
    pub segments: TunSegments,
    /// Each of them, at least one.
    pub each: Vec<Arc<Tun>>,
}

/// What the kernel and a device hand each other as one packet, though it stands for many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TunSegments {
    /// Nothing: no packet has a header in front.
    None,
    /// Segments of a TCP connection.
    Tcp,
    /// Those, and datagrams of a UDP flow.
    TcpAndUdp,
}

impl Tun {
    /// The device's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The device's interface index.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// What crosses as one packet, as the kernel agreed to when the device was made.
    pub fn segments(&self) -> TunSegments {
        self.segments
    }

    /// Whether each packet has a header in front, read and written.
    fn has_headers(&self) -> bool {
        self.segments > TunSegments::None
    }
}

impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests;
