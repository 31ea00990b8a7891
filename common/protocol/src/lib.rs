//! The protocol of RFC 6618, pure.
//!
//! Takes octets, `now`, randomness and commands; gives octets, events and deadlines. No socket, clock, thread or random
//! source is reached from here: `clippy.toml` beside this crate and its dependency list keep that line.
//!
//! - [`wire`]: octets <-> meaning, no state.
//! - [`mhauth`]: the exchange between mobile node and Home Agent Controller (RFC 6618 section 5).
//! - [`eap`]: EAP, both ends (RFC 3748), which MHAuth may carry (RFC 6618 section 5.9).
//! - [`sa`]: security associations: SPI, suites, keys, replay window, sealing and opening (RFC 6618 section 6, RFC 4303).
//! - [`features`]: what a home agent can do beyond the RFC.
//! - [`nat64`]: IPv6 addresses that stand for IPv4 addresses.
//! - [`offload`]: many segments handed over as one packet: cut, and merged again.
//! - [`prefixes`]: the networks behind a mobile router.
//! - [`profile`]: which of the two documents is followed where they differ.
//! - [`tunnel`]: entry-point and exit-point (RFC 2473), the table they share with the binding cache, drop reasons.
#![forbid(unsafe_code)]

pub mod addr;
pub mod eap;
pub mod features;
pub mod mhauth;
pub mod nat64;
pub mod offload;
pub mod prefixes;
pub mod profile;
pub mod sa;
pub mod time;
pub mod tunnel;
pub mod wire;
