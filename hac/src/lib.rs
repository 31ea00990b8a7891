//! The Home Agent Controller (RFC 6618): authenticates mobile nodes, provisions security associations, home agents and home
//! addresses to them, and feeds the same associations to the home agents.
//!
//! - [`store`]: what is kept, on disk and sealed.
#![forbid(unsafe_code)]

pub mod store;
