//! Octets <-> meaning, without state.

pub mod checksum;
pub mod envelope;
pub mod icmp;
pub mod ip;
pub mod mobility;
pub mod signalling;
