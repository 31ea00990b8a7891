//! The Home Agent Controller (RFC 6618): authenticates mobile nodes, provisions security associations, home agents and home
//! addresses to them, and feeds the same associations to the home agents.
//!
//! - [`session`]: one mobile node's run, without I/O; [`admission`] limits failures, [`provisioning`] decides what is given.
//! - [`store`]: what is kept, on disk and sealed.
#![forbid(unsafe_code)]

pub mod admission;
pub mod provisioning;
pub mod session;
pub mod store;
