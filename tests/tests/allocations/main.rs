//! Memory: what an association costs while nothing moves under it, and that a packet costs none.
//!
//! A binary of its own: what it counts with takes the place of the allocator. It counts what its own thread asks for, in octets asked for.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on ends")]

mod at_rest;
mod ends;
mod packets;
