//! EAP methods over TLS: EAP-TLS, both ends; EAP-TTLS and PEAP, the peer's end.
//!
//! All carry TLS records in requests and responses, in [`fragment`]s. TLS itself is run by a [`connection`] that the caller brings along:
//! this crate has no certificates, no clock, and no cipher of TLS. What goes within TLS goes only when its handshake is complete, so after
//! the server's certificate and name were verified.

pub mod avp;
pub mod connection;
pub mod eap_tls;
pub mod fragment;
mod keys;
pub mod peap;
mod peer;
mod transport;
pub mod ttls;

#[cfg(test)]
mod tests;

pub use connection::{PeerTlsConnection, ServerTlsConnection, TlsConnection, TlsVersion};
