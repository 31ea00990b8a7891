//! MHAuth: the exchange in which a mobile node authenticates to its Home Agent Controller inside TLS and gets its security
//! association, home agent and home addresses (RFC 6618 section 5).
//!
//! [`initiator`] is the mobile node's end, [`responder`] the HAC's; each state is a type named for what it waits for, and
//! is used up by the message that it waits for. Authentication is with a pre-shared key or with EAP, in both wire profiles.
//! No I/O, clock or random source: whole messages (see [`crate::wire::container`]), nonces and dates come in as arguments.

pub mod authenticator;
mod fallback_server;
mod grant;
pub mod initiator;
mod message;
mod method;
mod nai;
mod psk;
mod rejection;
pub mod responder;
mod status;

pub use authenticator::ChannelBinding;
pub use fallback_server::{FallbackServer, FallbackServerError};
pub use grant::{DEFAULT_PORT, Grant};
pub use initiator::{EapOffer, Failure, Offer};
pub use method::Method;
pub use nai::{Nai, NaiError};
pub use psk::{Psk, PskError};
pub use rejection::{Fault, Rejection};
pub use responder::{Known, Refusal};
pub use status::Status;

/// Octets of `mn-rand` and `hac-rand` (RFC 6618 section 5.5.8).
pub const NONCE_LEN: usize = 32;

#[cfg(test)]
mod tests;
