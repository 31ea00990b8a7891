//! The refusal table: input -> status, sentence, alert or drop reason. A file for each group, in which each row is one input.
//!
//! A driver runs every row of a table, wants exactly the outcome that stands there, then that nothing was lost: no association, no
//! binding, no counter but the one expected, and the right input still works.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up has failed")]

mod certificates;
mod controller;
mod eap;
mod fallback;
mod framed;
mod mhauth;
mod mobile_node;
mod openssl;
mod packets;
mod tls;
