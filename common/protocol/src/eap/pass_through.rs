//! The pass-through authenticator (RFC 4137 section 6): a HAC that asks a AAA server, which has the methods. It asks for the identity,
//! and carries what follows, minding the order: a response answers the last request, a result the last response.

use super::authenticator::{check_identity, identity_request, response_to};
use super::{EapError, MAX_REQUESTS, Packet, Type};

/// One run.
pub struct PassThrough {
    turn: Turn,
    identifier: u8,
    requests: u8,
    /// What the peer gave as its identity; empty before.
    identity: Vec<u8>,
    method: Option<Type>,
}

/// Whose packet comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Peer,
    Server,
    /// Nobody's: there was a result, or an error.
    Over,
}

/// What the AAA server's packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Another request to the peer.
    Request,
    /// The peer is authenticated.
    Success,
    /// It is not.
    Failure,
}

impl PassThrough {
    /// A run whose first request has this Identifier. It begins with [`Self::request_identity`].
    pub fn new(identifier: u8) -> Self {
        Self { turn: Turn::Peer, identifier, requests: 1, identity: Vec::new(), method: None }
    }

    /// The first request.
    pub fn request_identity(&self) -> Vec<u8> {
        identity_request(self.identifier)
    }

    /// What the peer gave as its identity: User-Name in every request to the AAA server (RFC 3579 section 2.1).
    pub fn identity(&self) -> &[u8] {
        &self.identity
    }

    /// The method of the AAA server's last request.
    pub fn method(&self) -> Option<Type> {
        self.method
    }

    /// Takes the peer's packet, which then goes to the AAA server as it is.
    ///
    /// # Errors
    /// It is no response to the last request, or the first is no identity: the run is over, and stays so.
    pub fn handle_response(&mut self, octets: &[u8]) -> Result<(), EapError> {
        let turn = std::mem::replace(&mut self.turn, Turn::Over);
        let (kind, data) = response_to(self.identifier, octets)?;
        match (turn, kind) {
            (Turn::Peer, _) if !self.identity.is_empty() => {}
            (Turn::Peer, Type::IDENTITY) => {
                check_identity(data)?;
                self.identity = data.to_vec();
            }
            (Turn::Peer | Turn::Server | Turn::Over, _) => return Err(EapError::OutOfPlace(kind)),
        }
        self.turn = Turn::Server;
        Ok(())
    }

    /// Takes the AAA server's packet, which then goes to the peer as it is. A result belongs to the last response (RFC 3748 section 4.2).
    ///
    /// # Errors
    /// It is none that an authenticator sends, it does not follow from a response, or it is one request too many: the run is over.
    pub fn handle_from_server(&mut self, octets: &[u8]) -> Result<Kind, EapError> {
        let turn = std::mem::replace(&mut self.turn, Turn::Over);
        match Packet::parse(octets)? {
            Packet::Request { kind, .. } if turn != Turn::Server => Err(EapError::OutOfPlace(kind)),
            Packet::Request { .. } if self.requests >= MAX_REQUESTS => Err(EapError::TooManyRequests),
            Packet::Request { identifier, kind, .. } => {
                self.requests += 1;
                self.identifier = identifier;
                self.method = Some(kind);
                self.turn = Turn::Peer;
                Ok(Kind::Request)
            }
            Packet::Success { identifier } if self.is_result(turn, identifier) => Ok(Kind::Success),
            Packet::Failure { identifier } if self.is_result(turn, identifier) => Ok(Kind::Failure),
            Packet::Success { .. } | Packet::Failure { .. } => Err(EapError::Identifier),
            Packet::Response { .. } => Err(EapError::Malformed),
        }
    }

    /// EAP-Failure for a peer whose run ends without a word of the AAA server.
    pub fn failure(&self) -> Vec<u8> {
        Packet::Failure { identifier: self.identifier }.write()
    }

    fn is_result(&self, turn: Turn, identifier: u8) -> bool {
        turn == Turn::Server && identifier == self.identifier
    }
}
