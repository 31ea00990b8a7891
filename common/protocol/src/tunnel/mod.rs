//! The tunnel (RFC 2473): one data path for both roles.
//!
//! [`entry`] takes inner packets and gives protected datagrams; [`exit`] takes datagrams and gives inner packets. They
//! share nothing that changes: each owns its SAs and its copy of the [`table`], and both are told the same [`command`]s; what
//! they have to say comes back as [`event`]s. Where several of each work at once, a [`share`] says which has an inbound SA, and
//! outbound ones have but their counter in common.

pub mod allowance;
pub mod batch;
pub mod command;
pub mod counters;
pub mod drop_reason;
pub mod entry;
pub mod event;
pub mod exit;
pub mod guard;
pub mod look_up;
pub mod rate_limit;
pub mod share;
pub mod table;
pub mod traffic;

pub use allowance::Allowance;
pub use batch::{PacketBatch, ReceiveBatch, SendBatch};
pub use command::{Command, Encapsulation, Install, Path, Paths, SocketId};
pub use counters::Counters;
pub use drop_reason::DropReason;
pub use entry::kept::KEPT_FOR;
pub use entry::{EntryPoint, IcmpSources, Place};
pub use event::{Event, Sighting, SignallingReceived};
pub use exit::{ExitPoint, Verdict};
pub use guard::Guard;
pub use share::Share;
pub use table::TunnelTable;
pub use traffic::{Traffic, TrafficCounters, Volume};

#[cfg(test)]
mod tests;
