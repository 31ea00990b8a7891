//! The lab: real programs in network namespaces of their own.
//!
//! A test or the demo re-executes itself in new user (when not root), network, mount and PID namespaces ([`enter`]), builds
//! the plan's links there ([`topology`], [`plan`]) and starts the programs ([`deployment`]). Whatever happens, all of it ends
//! with the PID namespace; nothing is written outside the lab's folder, and labs at the same time do not see each other.

pub mod aaa;
pub mod capture;
pub mod clear;
pub mod daemon;
pub mod debian;
pub mod deployment;
pub mod dhcp;
pub mod dns;
pub mod emulator;
pub mod enter;
pub mod handover;
pub mod kernel_events;
mod logs;
pub mod mix;
pub mod nat;
pub mod nat64;
pub mod oracle;
pub mod pcap;
pub mod plan;
pub mod programs;
pub mod remapping;
pub mod snapshot;
pub mod topology;
pub mod traffic;
pub mod wait;

pub use aaa::AaaServer;
pub use daemon::Daemon;
pub use debian::Debian;
pub use deployment::{Deployment, Setup};
pub use dns::NameServer;
pub use emulator::Emulator;
pub use enter::{inside, program_inside};
pub use mix::Mix;
pub use nat::Nat;
pub use topology::Lab;
pub use wait::wait_for;
