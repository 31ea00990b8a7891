//! TLS in fragments: what comes is put together and acknowledged, what goes waits for acknowledgements. Both ends use it.

use super::connection::TlsConnection;
use super::fragment::{Fragment, Outgoing, Reassembly};
use crate::eap::{MethodError, TlsFailure};
use crate::sa::Secret;

/// What a packet comes to.
pub(super) enum Incoming {
    /// Another fragment is wanted from this end or from the other: this Type-Data goes back.
    Answer(Vec<u8>),
    /// A whole message; empty where the other end had nothing to say.
    Message(Vec<u8>),
}

/// A connection with its fragments.
pub(super) struct Transport<T: ?Sized> {
    pub(super) tls: Box<T>,
    incoming: Reassembly,
    outgoing: Outgoing,
}

impl<T: TlsConnection + ?Sized> Transport<T> {
    pub(super) fn new(tls: Box<T>, fragment_len: usize) -> Self {
        Self { tls, incoming: Reassembly::default(), outgoing: Outgoing::new(fragment_len) }
    }

    /// Whether the last message has gone out as a whole.
    pub(super) fn is_sent(&self) -> bool {
        !self.outgoing.is_pending()
    }

    /// # Errors
    /// What [`Reassembly::take`] refuses; [`MethodError::OutOfPlace`] for anything but an acknowledgement while fragments are left.
    pub(super) fn take(&mut self, fragment: &Fragment<'_>) -> Result<Incoming, MethodError> {
        if self.outgoing.is_pending() {
            return if fragment.is_acknowledgement() {
                Ok(Incoming::Answer(self.outgoing.next_fragment()))
            } else {
                Err(MethodError::OutOfPlace)
            };
        }
        let message = self.incoming.take(fragment)?;
        Ok(message.map_or_else(|| Incoming::Answer(Fragment::ACKNOWLEDGEMENT.write()), Incoming::Message))
    }

    /// Hands a message to TLS and gives the application data in it.
    pub(super) fn receive(&mut self, message: &[u8]) -> Result<Secret, TlsFailure> {
        if !message.is_empty() {
            self.tls.receive(message)?;
        }
        self.tls.read()
    }

    /// Type-Data with the first fragment of `message`.
    pub(super) fn send(&mut self, message: Vec<u8>) -> Vec<u8> {
        self.outgoing.load(message);
        self.outgoing.next_fragment()
    }
}
