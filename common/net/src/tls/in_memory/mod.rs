//! TLS without a socket, for the EAP methods that carry its records (`protocol::eap::method::tls`): rustls' connections in memory.
//!
//! [`EapTlsClient`] makes the mobile node's connections, [`EapTlsServer`] those of a HAC that is the EAP server itself. TLS 1.2 with
//! extended master secret, or 1.3; no early data; sessions of TLS 1.3 are resumed, and the certificate that they began with is verified
//! anew each time. The channel binding of MHAuth has no part in it.

mod failure;
mod identity;
mod peer;
mod run;
mod server;
mod sessions;

use std::io::{Read, Write};

use protocol::eap::TlsFailure;
use protocol::eap::method::tls::{TlsConnection, TlsVersion};
use protocol::sa::Secret;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{Connection, HandshakeKind, ProtocolVersion};
use zeroize::Zeroizing;

pub(super) use failure::is_about_certificates;
pub use peer::{ClientSettings, EapTlsClient};
pub use server::{EapTlsServer, ServerSettings};

/// Octets of application data in one message: inner packets have 4 KiB at most.
const MAX_PLAINTEXT_LEN: usize = 16 * 1024;

/// A certificate to show, and its key.
#[derive(Debug)]
pub struct Identity {
    /// Leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's.
    pub key: PrivateKeyDer<'static>,
}

/// What the two ends have of their own.
trait End: Send {
    /// The handshake is complete: whether the other end's certificate holds, where it was not shown but comes from a session.
    fn confirm(&mut self, connection: &Connection) -> Result<(), rustls::Error>;
}

/// A connection of either end.
struct InMemory<E> {
    connection: Connection,
    end: E,
    plaintext: Zeroizing<Vec<u8>>,
    /// The handshake was complete for TLS, but not for this end: nothing more is said.
    failed: Option<TlsFailure>,
}

impl<E: End> InMemory<E> {
    fn new(connection: Connection, end: E) -> Self {
        Self { connection, end, plaintext: Zeroizing::default(), failed: None }
    }

    fn is_resumed(&self) -> bool {
        self.connection.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Reads what rustls has decrypted: it stops taking records while that is not done.
    fn drain(&mut self, available: usize) -> Result<(), TlsFailure> {
        let len = self.plaintext.len();
        if len.saturating_add(available) > MAX_PLAINTEXT_LEN {
            return Err(TlsFailure::Handshake);
        }
        self.plaintext.resize(len + available, 0);
        let room = self.plaintext.get_mut(len..).unwrap_or_default();
        self.connection.reader().read_exact(room).map_err(|_| TlsFailure::Handshake)
    }

    fn process(&mut self) -> Result<(), TlsFailure> {
        let was_handshaking = self.connection.is_handshaking();
        let state = self.connection.process_new_packets().map_err(|error| failure::of(&error))?;
        if was_handshaking && !self.connection.is_handshaking() {
            self.end.confirm(&self.connection).map_err(|error| *self.failed.insert(failure::of(&error)))?;
        }
        self.drain(state.plaintext_bytes_to_read())
    }
}

impl<E: End> TlsConnection for InMemory<E> {
    fn receive(&mut self, records: &[u8]) -> Result<(), TlsFailure> {
        let mut left = records;
        while !left.is_empty() {
            if let Some(failure) = self.failed {
                return Err(failure);
            }
            match self.connection.read_tls(&mut left) {
                // Nothing is read after the other end's close_notify.
                Ok(0) | Err(_) => return Err(TlsFailure::Handshake),
                Ok(_) => self.process()?,
            }
        }
        Ok(())
    }

    fn take_output(&mut self) -> Vec<u8> {
        let mut records = Vec::new();
        // A Vec takes whatever is written to it.
        while self.connection.wants_write() && self.connection.write_tls(&mut records).is_ok_and(|written| written > 0) {}
        if self.failed.is_some() { Vec::new() } else { records }
    }

    fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    fn version(&self) -> Option<TlsVersion> {
        let version = self.connection.protocol_version()?;
        let both = [(ProtocolVersion::TLSv1_2, TlsVersion::V12), (ProtocolVersion::TLSv1_3, TlsVersion::V13)];
        both.into_iter().find(|(theirs, _)| *theirs == version).map(|(_, ours)| ours)
    }

    fn write(&mut self, plaintext: &[u8]) -> Result<(), TlsFailure> {
        if self.connection.is_handshaking() || self.failed.is_some() {
            return Err(TlsFailure::Handshake);
        }
        self.connection.writer().write_all(plaintext).map_err(|_| TlsFailure::Handshake)
    }

    fn read(&mut self) -> Result<Secret, TlsFailure> {
        Ok(Secret::new(std::mem::take(&mut *self.plaintext)))
    }

    fn export(&self, label: &[u8], context: Option<&[u8]>, len: usize) -> Result<Secret, TlsFailure> {
        let octets = self.connection.export_keying_material(vec![0; len], label, context);
        octets.map(Secret::new).map_err(|error| failure::of(&error))
    }
}

#[cfg(test)]
mod tests;
