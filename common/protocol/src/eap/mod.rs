//! The Extensible Authentication Protocol (RFC 3748), with the machines of RFC 4137: [`peer`] is the mobile node's end, [`authenticator`]
//! that of a HAC which is the EAP server itself, [`pass_through`] that of one which asks a AAA server. [`method`] has the methods.
//!
//! Called by MHAuth-EAP (RFC 6618 section 5.9), whose messages carry one packet each. That lower layer loses and reorders nothing, so
//! nothing is retransmitted (RFC 3748 section 4.3), and what RFC 3748 would discard in silence ends the run: nobody would send again.
//! No I/O, clock or random source.

pub mod authenticator;
mod error;
pub mod method;
mod msk;
pub mod packet;
pub mod pass_through;
pub mod peer;

pub use error::{EapError, MethodError, TlsFailure};
pub use msk::Msk;
pub use packet::{Packet, Type};

/// Requests that one run may take: the longest method, EAP-TLS with chains of 16 KiB each way in fragments of a
/// kilobyte, takes 35.
pub const MAX_REQUESTS: u8 = 50;
/// Octets of an identity: the longest NAI (RFC 7542 section 2.2), and what a RADIUS attribute carries.
pub const MAX_IDENTITY_LEN: usize = 253;

#[cfg(test)]
pub(crate) mod tests;
