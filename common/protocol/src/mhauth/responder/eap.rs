//! The HAC's end of MHAuth-EAP (RFC 6618 section 5.9).
//!
//! ```text
//! InitReceived::begin_eap → AwaitingRequest → Received (ask the EAP server) → respond → AwaitingRequest → …
//!                                               → authenticated → Authenticated (decide, commit) → grant
//!                                               → complete → AwaitingDone → Authenticated
//! ```
//! The last EAP-Response rides in MHAuth-Done, keyed with an MSK that the HAC learns by giving that response to its EAP server: so EAP
//! comes first, then `auth`, and only then the rest of the message. A Done with which the EAP server is not content is answered like a Mid.

use std::time::SystemTime;

use super::{Authenticated, Refusal, Refusing, Run, SharedKey};
use crate::eap::Msk;
use crate::mhauth::authenticator::{Authenticator, Key, Sender};
use crate::mhauth::message::{self, Message};
use crate::mhauth::{Rejection, Status};
use crate::wire::container;
use crate::wire::header::Name;

const INIT: u8 = 1;

/// Gives the response MHAuth-Init with the EAP server's first packet.
pub(super) fn begin(by: Authenticator, packet: &[u8]) -> (AwaitingRequest, Vec<u8>) {
    let response = message::seal(message::eap_init_response(packet), INIT, Key::One, Sender::Controller, &by);
    (AwaitingRequest { by, last: INIT }, response)
}

/// A response with an EAP packet was sent. A copy is for a caller whose handling of the next request may break off.
#[derive(Clone)]
pub struct AwaitingRequest {
    by: Authenticator,
    /// The last request's Identifier.
    last: u8,
}

impl AwaitingRequest {
    /// Takes a request MHAuth-Mid, or MHAuth-Done, whose `auth` is still to be verified.
    ///
    /// # Errors
    /// A refusal keyed with "1".
    pub fn handle(self, octets: &[u8]) -> Result<Received, Refusal> {
        let identifier = container::identifier(octets);
        match self.read(octets) {
            Ok((request, packet)) => Ok(Received { by: self.by, request, packet }),
            Err(rejection) => Err(Refusing::under_one(identifier, &self.by).reject(rejection)),
        }
    }

    fn read(&self, octets: &[u8]) -> Result<(Message, Vec<u8>), Rejection> {
        let request = Message::receive(octets)?;
        if request.identifier <= self.last {
            return Err(Rejection::Identifier);
        }
        if !request.is_done() && !request.is_keyed_with(Key::One, Sender::MobileNode, &self.by)? {
            return Err(Rejection::WrongAuth);
        }
        let packet = request.eap_payload()?.ok_or(Rejection::Missing(Name::EapPayload))?;
        Ok((request, packet))
    }
}

/// A request with an EAP packet, which now goes to the EAP server.
pub struct Received {
    by: Authenticator,
    request: Message,
    packet: Vec<u8>,
}

impl Received {
    /// The mobile node's EAP packet.
    pub fn packet(&self) -> &[u8] {
        &self.packet
    }

    /// What a [`Refusal`] of this request is made of, for a caller whose handling of it may break off.
    pub fn understudy(&self) -> Understudy {
        Understudy { by: self.by.clone(), identifier: self.request.identifier }
    }

    /// The EAP server sent another request: gives the response MHAuth-Mid.
    pub fn respond(self, packet: &[u8]) -> (AwaitingRequest, Vec<u8>) {
        let Self { by, request, .. } = self;
        let response = message::seal(message::mid(packet), request.identifier, Key::One, Sender::Controller, &by);
        (AwaitingRequest { by, last: request.identifier }, response)
    }

    /// The EAP server sent Success, with this key where the method derives one. In answer to MHAuth-Done the mobile node is authenticated
    /// once `auth` has proved that it has the key too; in answer to MHAuth-Mid it is told of the success, and sends its Done.
    ///
    /// # Errors
    /// A refusal keyed with the MSK: 401 for a wrong `auth`.
    pub fn succeed(self, msk: Option<Msk>, success: Vec<u8>) -> Result<Succeeded, Refusal> {
        let Self { by, request, .. } = self;
        let run = Run { by, key: msk.map_or(SharedKey::None, SharedKey::Msk), nonces: None };
        if request.is_done() {
            return run.authenticate(&request, Some(success)).map(Succeeded::Authenticated);
        }
        let response = message::seal(message::mid(&success), request.identifier, Key::One, Sender::Controller, &run.by);
        Ok(Succeeded::Told(AwaitingDone { run, last: request.identifier }, response))
    }

    /// The EAP server sent Failure, which goes with the refusal, or did not answer.
    pub fn refuse(self, status: Status, retry_after: Option<SystemTime>, failure: Option<&[u8]>) -> Refusal {
        self.understudy().refuse(status, retry_after, failure)
    }
}

/// What a refusal of one request is made of.
#[derive(Clone)]
pub struct Understudy {
    by: Authenticator,
    identifier: u8,
}

impl Understudy {
    /// Ends the exchange with a response keyed with "1".
    pub fn refuse(&self, status: Status, retry_after: Option<SystemTime>, failure: Option<&[u8]>) -> Refusal {
        Refusing { failure, ..Refusing::under_one(self.identifier, &self.by) }.refuse(status, retry_after, None)
    }
}

/// What follows from a success.
pub enum Succeeded {
    /// The mobile node has the key too; now the HAC decides.
    Authenticated(Authenticated),
    /// Send this response and wait for MHAuth-Done.
    Told(AwaitingDone, Vec<u8>),
}

/// EAP has ended in success, of which the mobile node was told. A copy is for a caller whose handling of the next request may break off.
#[derive(Clone)]
pub struct AwaitingDone {
    run: Run,
    last: u8,
}

impl AwaitingDone {
    /// Takes the request MHAuth-Done, which carries no EAP packet any more.
    ///
    /// # Errors
    /// A refusal keyed with the MSK: 401 for a wrong `auth`.
    pub fn handle(self, octets: &[u8]) -> Result<Authenticated, Refusal> {
        let identifier = container::identifier(octets);
        match self.read(octets) {
            Ok(request) => self.run.authenticate(&request, None),
            Err(rejection) => Err(self.run.refusing(identifier).reject(rejection)),
        }
    }

    fn read(&self, octets: &[u8]) -> Result<Message, Rejection> {
        let request = Message::receive(octets)?;
        if request.identifier <= self.last {
            return Err(Rejection::Identifier);
        }
        request.check_is_done()?;
        if request.eap_payload()?.is_some() { Err(Rejection::EapAndStatusDisagree) } else { Ok(request) }
    }
}

impl Run {
    fn authenticate(self, request: &Message, success: Option<Vec<u8>>) -> Result<Authenticated, Refusal> {
        let identifier = request.identifier;
        match self.read_proposal(request) {
            Ok((user_data, suites)) => Ok(Authenticated { run: self, identifier, user_data, suites, success }),
            Err(rejection) => Err(self.refusing(identifier).reject(rejection)),
        }
    }
}
