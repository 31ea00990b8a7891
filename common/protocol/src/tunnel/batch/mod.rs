//! The memory that packets pass through: fixed arenas, filled and drained by the workers, read and written in place by the
//! halves. A batch never grows; what does not fit is the caller's to send or drop first.

mod disjoint;
mod packets;
mod receive;
mod send;

pub(crate) use disjoint::disjoint;
pub use packets::PacketBatch;
pub use receive::{ReceiveBatch, Received};
pub use send::{Fragmentation, MAX_RUN_DATAGRAMS, MAX_RUN_OCTETS, Run, SendBatch};

/// The largest datagram or inner packet: what an IPv4 or IPv6 packet can be.
pub const MAX_PACKET: usize = 65_535;
