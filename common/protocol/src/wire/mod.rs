//! Octets <-> meaning, without state.

pub mod checksum;
pub mod container;
pub mod ecn;
pub mod envelope;
pub mod header;
pub mod icmp;
pub mod ip;
pub mod mobility;
pub mod mss;
pub mod neighbour;
pub mod pref64;
pub mod signalling;
