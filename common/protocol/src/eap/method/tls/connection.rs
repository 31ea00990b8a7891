//! What the methods need of TLS: a connection whose records are octets in memory.
//!
//! Implemented where TLS is (`net::tls::in_memory`). An implementation verifies chain, validity and name of the other end's certificate
//! within the handshake, refuses early data, and has the extended master secret (RFC 7627) under TLS 1.2.

use crate::eap::TlsFailure;
use crate::sa::Secret;

/// The version that was negotiated: it decides about keys and about the protected success indication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2.
    V12,
    /// TLS 1.3.
    V13,
}

/// One end of a connection.
pub trait TlsConnection: Send {
    /// Takes records of the other end.
    ///
    /// # Errors
    /// The connection is over. An alert for the other end may be in [`Self::take_output`].
    fn receive(&mut self, records: &[u8]) -> Result<(), TlsFailure>;

    /// The records to be sent; none where nothing is to be said.
    fn take_output(&mut self) -> Vec<u8>;

    /// Whether the handshake goes on: this end has not yet verified the other's Finished, or not yet made its own.
    fn is_handshaking(&self) -> bool;

    /// `None` before the ServerHello.
    fn version(&self) -> Option<TlsVersion>;

    /// Seals application data; its records are in [`Self::take_output`].
    ///
    /// # Errors
    /// The connection is over, or the handshake goes on.
    fn write(&mut self, plaintext: &[u8]) -> Result<(), TlsFailure>;

    /// The application data that came since the last call; not more than some kilobytes.
    ///
    /// # Errors
    /// It is more.
    fn read(&mut self) -> Result<Secret, TlsFailure>;

    /// Exports `len` octets of keying material (RFC 5705, RFC 8446 section 7.5). Under TLS 1.2 no context differs from an empty one.
    ///
    /// # Errors
    /// The handshake goes on.
    fn export(&self, label: &[u8], context: Option<&[u8]>, len: usize) -> Result<Secret, TlsFailure>;
}

/// The peer's end: the client of TLS.
pub trait PeerTlsConnection: TlsConnection {
    /// Whether this is a session of before, authenticated then.
    fn is_resumed(&self) -> bool;

    /// The run has succeeded, and is over: this session may be resumed by a later run. One that is not kept is never resumed, so a
    /// resumed one was once authenticated by the whole method, not by TLS alone.
    fn keep_session(&mut self);
}

/// The server's end.
pub trait ServerTlsConnection: TlsConnection {
    /// Who the peer is by its certificate, once the handshake is complete; `None` where that names nobody or more than one.
    fn peer_identity(&self) -> Option<String>;
}
