//! The peer's end of a method over TLS: Start, the handshake, and then what the method has within TLS, its [`Inner`].
//!
//! Nothing of the inner part is asked or sent before the handshake is complete. What TLS finds wrong goes to the server as an alert.

use rand_core::CryptoRng;

use super::connection::PeerTlsConnection;
use super::fragment::{Fragment, PEER_FRAGMENT_LEN};
use super::keys;
use super::transport::{Incoming, Transport};
use crate::eap::method::{PeerMethod, Progress, Reply};
use crate::eap::{MethodError, Msk, Type};
use crate::sa::Secret;

/// What a method does within TLS.
pub(super) trait Inner: Send {
    /// The handshake ends with this end's message, which is about to go.
    fn finish(&mut self, tls: &dyn PeerTlsConnection) -> Progress;

    /// The handshake is complete, and a message of the server's has come, with `plaintext` in it or with none. What is to be said is
    /// written to `tls`.
    ///
    /// # Errors
    /// The run is over.
    fn handle(
        &mut self,
        identifier: u8,
        plaintext: &Secret,
        tls: &mut dyn PeerTlsConnection,
        rng: &mut dyn CryptoRng,
    ) -> Result<Progress, MethodError>;
}

/// One run of a method.
pub(super) struct TlsPeer<I> {
    kind: Type,
    inner: I,
    transport: Transport<dyn PeerTlsConnection>,
    has_started: bool,
    /// What will have been reached when the message has gone as a whole.
    progress: Progress,
    msk: Option<Msk>,
}

impl<I: Inner> TlsPeer<I> {
    pub(super) fn new(kind: Type, tls: Box<dyn PeerTlsConnection>, inner: I) -> Self {
        let transport = Transport::new(tls, PEER_FRAGMENT_LEN);
        Self { kind, inner, transport, has_started: false, progress: Progress::Continue, msk: None }
    }

    /// The server's Start: whatever it has with it is a hint that nobody protects (RFC 5281 section 9.2), and ignored.
    fn start(&mut self, fragment: &Fragment<'_>) -> Result<Vec<u8>, MethodError> {
        if !fragment.is_start {
            return Err(MethodError::OutOfPlace);
        }
        self.has_started = true;
        let hello = self.transport.tls.take_output();
        Ok(self.transport.send(hello))
    }

    fn message(&mut self, identifier: u8, message: &[u8], rng: &mut dyn CryptoRng) -> Result<Vec<u8>, MethodError> {
        let was_handshaking = self.transport.tls.is_handshaking();
        let received = self.transport.receive(message);
        let mut output = self.transport.tls.take_output();
        let is_ours_next = self.transport.tls.is_handshaking() || !output.is_empty();
        self.progress = match received {
            Ok(plaintext) if was_handshaking && is_ours_next => self.handshake(&plaintext, &output)?,
            Ok(plaintext) => self.inner.handle(identifier, &plaintext, &mut *self.transport.tls, rng)?,
            // RFC 5216 section 2.1.3: the response has the alert, or nothing where the server has sent one.
            Err(failure) => Progress::Failed(MethodError::Tls(failure)),
        };
        output.extend(self.transport.tls.take_output());
        if matches!(self.progress, Progress::MayEnd | Progress::Done) {
            self.msk = Some(keys::msk(&*self.transport.tls, self.kind)?);
        }
        Ok(self.transport.send(output))
    }

    /// A message after which the handshake goes on, or ends with this end's own. Application data has no place in it: the server would
    /// have sent it before it verified this end's Finished (RFC 9190 section 2.5).
    fn handshake(&mut self, plaintext: &Secret, output: &[u8]) -> Result<Progress, MethodError> {
        if !plaintext.is_empty() || output.is_empty() {
            return Err(MethodError::OutOfPlace);
        }
        let tls = &*self.transport.tls;
        Ok(if tls.is_handshaking() { Progress::Continue } else { self.inner.finish(tls) })
    }
}

impl<I: Inner> PeerMethod for TlsPeer<I> {
    fn kind(&self) -> Type {
        self.kind
    }

    fn handle(&mut self, identifier: u8, data: &[u8], rng: &mut dyn CryptoRng) -> Result<Reply, MethodError> {
        let fragment = Fragment::parse(data)?;
        let data = if !self.has_started {
            self.start(&fragment)?
        } else if fragment.is_start {
            return Err(MethodError::OutOfPlace);
        } else {
            match self.transport.take(&fragment)? {
                Incoming::Answer(data) => data,
                Incoming::Message(message) => self.message(identifier, &message, rng)?,
            }
        };
        let progress = if self.transport.is_sent() { self.progress } else { Progress::Continue };
        Ok(Reply { data, progress })
    }

    fn msk(&self) -> Option<Msk> {
        self.msk.clone()
    }

    fn succeed(&mut self) {
        self.transport.tls.keep_session();
    }
}
