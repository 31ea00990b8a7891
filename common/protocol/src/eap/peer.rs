//! The peer's machine (RFC 4137 section 4): the mobile node's end of EAP, whatever the method.
//!
//! Answers Identity and Notification itself, proposes its own methods to a server that begins with another (Nak), and hands the rest to
//! the one method that runs. A Success counts when that method says so, and not before.

use rand_core::CryptoRng;

use super::method::{PeerMethod, Progress, Reply};
use super::{EapError, MAX_IDENTITY_LEN, MAX_REQUESTS, Msk, Packet, Type};

/// What follows from a packet.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this response; more will come.
    Respond(Vec<u8>),
    /// Send this response; the server may be content with it. It goes with MHAuth-Done (RFC 6618 section 5.9).
    RespondLast(Vec<u8>),
    /// A Success was accepted.
    Succeeded,
}

/// One run.
pub struct Peer {
    identity: Vec<u8>,
    methods: Vec<Box<dyn PeerMethod>>,
    state: State,
    requests: u8,
    /// The last request's Identifier, with the response to it: an authenticator may send it again.
    last: Option<(u8, Vec<u8>)>,
}

enum State {
    /// No request of a method that is ours has come.
    Idle,
    /// The method in this place has begun.
    Running { method: usize, progress: Progress },
    /// It succeeded, or failed.
    Over { method: Option<usize> },
}

impl Peer {
    /// A peer that gives `identity` to whoever asks, which may be the anonymous name of its realm (RFC 7542 section 2.4), and takes any of
    /// `methods`, best first.
    ///
    /// # Errors
    /// [`EapError::Identity`] for an identity that is empty or too long, [`EapError::NoCommonMethod`] for no method.
    pub fn new(identity: &str, methods: Vec<Box<dyn PeerMethod>>) -> Result<Self, EapError> {
        if identity.is_empty() || identity.len() > MAX_IDENTITY_LEN {
            return Err(EapError::Identity);
        }
        if methods.is_empty() {
            return Err(EapError::NoCommonMethod);
        }
        Ok(Self { identity: identity.into(), methods, state: State::Idle, requests: 0, last: None })
    }

    /// Takes one packet.
    ///
    /// # Errors
    /// The run is over, and stays so: the server said so, or what it sent cannot be answered.
    pub fn handle(&mut self, octets: &[u8], rng: &mut dyn CryptoRng) -> Result<Step, EapError> {
        let step = self.handle_packet(octets, rng);
        if step.is_err() {
            self.state = State::Over { method: None };
        }
        step
    }

    /// The key, once a response may be the last.
    pub fn msk(&self) -> Option<Msk> {
        let method = match self.state {
            State::Running { method, progress: Progress::MayEnd | Progress::Done } => Some(method),
            State::Over { method } => method,
            State::Idle | State::Running { .. } => None,
        };
        self.methods.get(method?)?.msk()
    }

    /// The method that runs or ran.
    pub fn method(&self) -> Option<Type> {
        match self.state {
            State::Running { method, .. } => self.methods.get(method).map(|method| method.kind()),
            State::Over { method } => self.methods.get(method?).map(|method| method.kind()),
            State::Idle => None,
        }
    }

    fn handle_packet(&mut self, octets: &[u8], rng: &mut dyn CryptoRng) -> Result<Step, EapError> {
        match Packet::parse(octets)? {
            Packet::Request { identifier, kind, data } => self.handle_request(identifier, kind, data, rng),
            Packet::Success { identifier } => self.handle_success(identifier),
            Packet::Failure { identifier } => self.handle_failure(identifier),
            Packet::Response { .. } => Err(EapError::Malformed),
        }
    }

    fn handle_request(&mut self, identifier: u8, kind: Type, data: &[u8], rng: &mut dyn CryptoRng) -> Result<Step, EapError> {
        self.requests = self.requests.saturating_add(1);
        if self.requests > MAX_REQUESTS {
            return Err(EapError::TooManyRequests);
        }
        let repeated = self.last.as_ref().filter(|(last, _)| *last == identifier).map(|(_, response)| response.clone());
        let (kind, data) = match (&self.state, repeated, kind) {
            (State::Over { .. }, ..) => return Err(EapError::OutOfPlace(kind)),
            (_, Some(response), _) => return Ok(self.respond(response)),
            (_, None, Type::NOTIFICATION) => (kind, Vec::new()),
            (State::Idle, None, Type::IDENTITY) => (kind, self.identity.clone()),
            (State::Idle, None, _) => self.begin(identifier, kind, data, rng)?,
            (State::Running { method, .. }, None, _) => (kind, self.run(*method, identifier, kind, data, rng)?),
        };
        let response = Packet::Response { identifier, kind, data: &data }.write();
        self.last = Some((identifier, response.clone()));
        Ok(self.respond(response))
    }

    /// The first request of a method: one of ours, or else a Nak with ours (RFC 3748 section 5.3.1).
    fn begin(&mut self, identifier: u8, kind: Type, data: &[u8], rng: &mut dyn CryptoRng) -> Result<(Type, Vec<u8>), EapError> {
        match self.methods.iter().position(|method| method.kind() == kind) {
            Some(method) => Ok((kind, self.run(method, identifier, kind, data, rng)?)),
            None if kind.0 > Type::NAK.0 => Ok((Type::NAK, self.methods.iter().map(|method| method.kind().0).collect())),
            None => Err(EapError::OutOfPlace(kind)),
        }
    }

    fn run(
        &mut self,
        place: usize,
        identifier: u8,
        kind: Type,
        data: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, EapError> {
        let is_complete = matches!(self.state, State::Running { progress: Progress::Done | Progress::Failed(_), .. });
        let method = self.methods.get_mut(place).filter(|method| method.kind() == kind && !is_complete);
        let Some(method) = method else { return Err(EapError::OutOfPlace(kind)) };
        match method.handle(identifier, data, rng) {
            Ok(Reply { data, progress }) => {
                self.state = State::Running { method: place, progress };
                Ok(data)
            }
            Err(error) => Err(EapError::Method(kind, error)),
        }
    }

    fn respond(&self, response: Vec<u8>) -> Step {
        match self.state {
            State::Running { progress: Progress::MayEnd | Progress::Done, .. } => Step::RespondLast(response),
            State::Running { .. } | State::Idle | State::Over { .. } => Step::Respond(response),
        }
    }

    fn handle_success(&mut self, identifier: u8) -> Result<Step, EapError> {
        self.check_result(identifier)?;
        let State::Running { method, progress: Progress::MayEnd | Progress::Done } = self.state else {
            return Err(self.failed_or(EapError::EarlySuccess));
        };
        self.state = State::Over { method: Some(method) };
        self.methods.get_mut(method).into_iter().for_each(|method| method.succeed());
        Ok(Step::Succeeded)
    }

    fn handle_failure(&self, identifier: u8) -> Result<Step, EapError> {
        self.check_result(identifier)?;
        let otherwise = if self.has_proposed() { EapError::NoCommonMethod } else { EapError::Failure };
        Err(self.failed_or(otherwise))
    }

    /// Whether the last word was a Nak: to that a Failure says that the server has none of our methods (RFC 3748 section 5.3.1).
    fn has_proposed(&self) -> bool {
        let last = self.last.as_ref().map(|(_, response)| Packet::parse(response));
        matches!(last, Some(Ok(Packet::Response { kind: Type::NAK, .. })))
    }

    /// A result belongs to the last response (RFC 3748 section 4.2), and nothing follows it.
    fn check_result(&self, identifier: u8) -> Result<(), EapError> {
        let is_over = matches!(self.state, State::Over { .. });
        let is_right = self.last.as_ref().is_some_and(|(last, _)| *last == identifier);
        if is_right && !is_over { Ok(()) } else { Err(EapError::Identifier) }
    }

    /// What the method itself found wrong says more than the result that follows from it.
    fn failed_or(&self, otherwise: EapError) -> EapError {
        match self.state {
            State::Running { method, progress: Progress::Failed(error) } => {
                let kind = self.methods.get(method).map(|method| method.kind());
                kind.map_or(otherwise, |kind| EapError::Method(kind, error))
            }
            State::Running { .. } | State::Idle | State::Over { .. } => otherwise,
        }
    }
}
