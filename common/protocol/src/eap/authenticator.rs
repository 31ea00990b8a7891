//! The stand-alone authenticator's machine (RFC 4137 section 5): a HAC that is the EAP server itself.
//!
//! Asks for the identity, proposes its methods in its order, minds the peer's Nak, and hands the rest to the one method that runs.

use super::method::{Around, ServerMethod, ServerStep};
use super::{EapError, MAX_IDENTITY_LEN, MAX_REQUESTS, MethodError, Msk, Packet, Type};

/// What follows from a response.
#[derive(Debug)]
pub enum Step {
    /// Send this request.
    Request(Vec<u8>),
    /// The peer is authenticated.
    Success {
        /// EAP-Success, to be sent.
        packet: Vec<u8>,
        /// Who it is, as its method has authenticated it.
        identity: String,
        /// The key.
        msk: Option<Msk>,
    },
    /// It is not.
    Failure {
        /// EAP-Failure, to be sent.
        packet: Vec<u8>,
        /// Why.
        error: EapError,
    },
}

/// One run.
pub struct Authenticator {
    methods: Vec<Box<dyn ServerMethod>>,
    state: State,
    identifier: u8,
    requests: u8,
}

enum State {
    /// The identity was asked for.
    Identity,
    /// The first request of this method was sent: the peer may still want another.
    Proposed(usize),
    /// The peer has answered one of its requests.
    Running(usize),
    Over,
}

impl Authenticator {
    /// An authenticator that proposes `methods`, best first, and whose first request has this Identifier. The run begins with
    /// [`Self::request_identity`].
    pub fn new(identifier: u8, methods: Vec<Box<dyn ServerMethod>>) -> Self {
        Self { methods, state: State::Identity, identifier, requests: 1 }
    }

    /// The first request.
    pub fn request_identity(&self) -> Vec<u8> {
        identity_request(self.identifier)
    }

    /// Takes one packet of the peer. After success and failure the run is over.
    pub fn handle(&mut self, octets: &[u8], around: &mut Around<'_>) -> Step {
        let state = std::mem::replace(&mut self.state, State::Over);
        match self.answer(state, octets, around) {
            Ok(step) => step,
            Err(error) => Step::Failure { packet: self.failure(), error },
        }
    }

    /// EAP-Failure for a peer that is authenticated and refused all the same.
    pub fn failure(&self) -> Vec<u8> {
        Packet::Failure { identifier: self.identifier }.write()
    }

    fn answer(&mut self, state: State, octets: &[u8], around: &mut Around<'_>) -> Result<Step, EapError> {
        let (kind, data) = response_to(self.identifier, octets)?;
        match state {
            State::Identity if kind == Type::IDENTITY => {
                check_identity(data)?;
                self.propose(0, |_| true, around)
            }
            State::Proposed(method) if kind == Type::NAK => self.propose(method + 1, |kind| data.contains(&kind.0), around),
            State::Proposed(method) | State::Running(method) => self.run(method, kind, data, around),
            State::Identity | State::Over => Err(EapError::OutOfPlace(kind)),
        }
    }

    /// Proposes the first method from `place` on that is wanted.
    fn propose(&mut self, place: usize, is_wanted: impl Fn(Type) -> bool, around: &mut Around<'_>) -> Result<Step, EapError> {
        let mut left = self.methods.iter_mut().enumerate().skip(place);
        let (place, method) = left.find(|(_, method)| is_wanted(method.kind())).ok_or(EapError::NoCommonMethod)?;
        let (kind, data) = (method.kind(), method.start(around));
        self.state = State::Proposed(place);
        self.request(kind, &data)
    }

    fn run(&mut self, place: usize, kind: Type, data: &[u8], around: &mut Around<'_>) -> Result<Step, EapError> {
        let method = self.methods.get_mut(place).filter(|method| method.kind() == kind).ok_or(EapError::OutOfPlace(kind))?;
        match method.handle(data, around).map_err(|error| EapError::Method(kind, error))? {
            ServerStep::Request(data) => {
                self.state = State::Running(place);
                self.request(kind, &data)
            }
            ServerStep::Authenticated { identity, .. } if identity.is_empty() || identity.len() > MAX_IDENTITY_LEN => {
                Err(EapError::Method(kind, MethodError::UnknownIdentity))
            }
            ServerStep::Authenticated { identity, msk } => {
                Ok(Step::Success { packet: Packet::Success { identifier: self.identifier }.write(), identity, msk })
            }
        }
    }

    fn request(&mut self, kind: Type, data: &[u8]) -> Result<Step, EapError> {
        if self.requests >= MAX_REQUESTS {
            return Err(EapError::TooManyRequests);
        }
        self.requests += 1;
        self.identifier = self.identifier.wrapping_add(1);
        Ok(Step::Request(Packet::Request { identifier: self.identifier, kind, data }.write()))
    }
}

/// EAP-Request/Identity without a text.
pub fn identity_request(identifier: u8) -> Vec<u8> {
    Packet::Request { identifier, kind: Type::IDENTITY, data: b"" }.write()
}

/// The Type and Type-Data of the response to the request with this Identifier.
///
/// # Errors
/// It is none, or another's.
pub(super) fn response_to(request: u8, octets: &[u8]) -> Result<(Type, &[u8]), EapError> {
    match Packet::parse(octets)? {
        Packet::Response { identifier, kind, data } if identifier == request => Ok((kind, data)),
        Packet::Response { .. } => Err(EapError::Identifier),
        Packet::Request { .. } | Packet::Success { .. } | Packet::Failure { .. } => Err(EapError::Malformed),
    }
}

/// An identity that can be looked up and told to a AAA server.
pub(super) fn check_identity(identity: &[u8]) -> Result<(), EapError> {
    let fits = !identity.is_empty() && identity.len() <= MAX_IDENTITY_LEN;
    if fits { Ok(()) } else { Err(EapError::Identity) }
}
