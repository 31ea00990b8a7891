//! EAP-GPSK (RFC 5433): both ends prove that they have the same pre-shared key, in four messages, and derive an MSK. [`message`] has the
//! octets, `keys` the derivation, [`GpskPeer`] the mobile node's end, [`GpskServer`] that of a HAC which is the EAP server itself.
//!
//! Who sees one exchange can try keys offline, so the key is random octets, never a passphrase (section 4). What RFC 5433 section 10
//! discards in silence ends the run here, for the reason in [`crate::eap`].

mod keys;
pub mod message;
mod peer;
mod server;
mod suite;

pub use keys::{Keys, Seed};
pub use peer::GpskPeer;
pub use server::GpskServer;
pub use suite::Suite;

/// Octets of RAND_Peer and RAND_Server (section 2).
pub const RAND_LEN: usize = 32;
/// Octets of the shortest pre-shared key (section 4), which the first suite can use.
pub const MIN_PSK_LEN: usize = 16;

#[cfg(test)]
mod tests;
