//! A run with EAP (RFC 6618 section 5.9): the packets between the mobile node and its EAP server, which is this HAC or a AAA server, and
//! what follows from the server's word. [`subscriber`] tells whose word that is.

mod subscriber;
mod word;

use protocol::eap::authenticator::{self, Authenticator};
use protocol::eap::method::Around;
use protocol::eap::pass_through::{Kind, PassThrough};
use protocol::eap::{EapError, MethodError, Msk, Type};
use protocol::mhauth::Status;
use protocol::mhauth::responder::{self, eap};
use rand::RngExt;

use subscriber::{Subscribers, authorise};
use word::Word;

use super::{Authorised, RETRY_BUSY, Session, State, Step, Surroundings};
use crate::aaa::{AaaError, Accept, Answer};
use crate::authentication::{EapServer, named};

/// Waits for the mobile node.
pub(super) struct Run {
    exchange: eap::AwaitingRequest,
    mn_id: String,
    server: Server,
}

enum Server {
    Local(Authenticator),
    Radius(PassThrough),
}

/// Waits for a AAA server.
pub(super) struct Asking {
    received: eap::Received,
    mn_id: String,
    machine: PassThrough,
}

/// EAP has ended in success, of which the mobile node was told; waits for its MHAuth-Done.
pub(super) struct Told {
    pub(super) exchange: eap::AwaitingDone,
    pub(super) mn_id: String,
    pub(super) authorised: Authorised,
}

/// What a AAA server is asked.
pub struct Question {
    /// User-Name.
    pub user_name: Vec<u8>,
    /// The mobile node's EAP packet.
    pub eap: Vec<u8>,
}

/// Who an EAP server has authenticated.
struct Authenticated {
    identity: String,
    method: Option<Type>,
    msk: Option<Msk>,
    /// The AAA server's word, where it was one.
    word: Option<Word>,
}

impl Run {
    pub(super) fn understudy(&self) -> eap::AwaitingRequest {
        self.exchange.clone()
    }
}

impl Asking {
    pub(super) fn understudy(&self) -> eap::Understudy {
        self.received.understudy()
    }
}

impl Session {
    pub(super) fn begin_eap(&mut self, init: responder::InitReceived, server: EapServer, around: &mut Surroundings<'_>) -> Step {
        let identifier = around.rng.random();
        let mn_id = init.mn_id().to_owned();
        let (server, packet) = match (server, &around.authentication.local) {
            (EapServer::Local, Some(methods)) => {
                let machine = Authenticator::new(identifier, methods());
                let packet = machine.request_identity();
                (Server::Local(machine), packet)
            }
            (EapServer::Local, None) => return self.close(init.refuse(Status::NotImplemented, None)),
            (EapServer::Radius, _) => {
                let machine = PassThrough::new(identifier);
                let packet = machine.request_identity();
                (Server::Radius(machine), packet)
            }
        };
        let (exchange, response) = init.begin_eap(&packet);
        self.state = State::Eap(Box::new(Run { exchange, mn_id, server }));
        Step::Reply(response)
    }

    pub(super) fn handle_eap(&mut self, run: Run, octets: &[u8], around: &mut Surroundings<'_>) -> Step {
        let Run { exchange, mn_id, server } = run;
        let received = match exchange.handle(octets) {
            Ok(received) => received,
            Err(refusal) => {
                around.admission.failed(self.source, None, around.now);
                return self.close(refusal);
            }
        };
        match server {
            Server::Local(machine) => self.ask_local_server(received, mn_id, machine, around),
            Server::Radius(machine) => self.ask_aaa_server(received, mn_id, machine, around),
        }
    }

    fn ask_local_server(
        &mut self,
        received: eap::Received,
        mn_id: String,
        mut machine: Authenticator,
        around: &mut Surroundings<'_>,
    ) -> Step {
        let mut directory = Subscribers { store: &mut around.store };
        let step = machine.handle(received.packet(), &mut Around { rng: around.rng, directory: &mut directory });
        match step {
            authenticator::Step::Request(packet) => self.respond(received, mn_id, Server::Local(machine), &packet),
            authenticator::Step::Success { packet, identity, msk } => {
                let who = Authenticated { identity, method: None, msk, word: None };
                self.succeed(received, &mn_id, packet, machine.failure(), who, around)
            }
            authenticator::Step::Failure { packet, error } => self.fail_eap(received, &mn_id, error, &packet, around),
        }
    }

    fn ask_aaa_server(
        &mut self,
        received: eap::Received,
        mn_id: String,
        mut machine: PassThrough,
        around: &mut Surroundings<'_>,
    ) -> Step {
        if let Err(error) = machine.handle_response(received.packet()) {
            return self.fail_eap(received, &mn_id, error, &machine.failure(), around);
        }
        let question = Question { user_name: machine.identity().to_vec(), eap: received.packet().to_vec() };
        self.state = State::Asking(Box::new(Asking { received, mn_id, machine }));
        Step::Ask(question)
    }

    pub(super) fn handle_aaa_answer(
        &mut self,
        asking: Asking,
        answer: Result<Answer, AaaError>,
        around: &mut Surroundings<'_>,
    ) -> Step {
        let Asking { received, mn_id, mut machine } = asking;
        match answer {
            Ok(Answer::Challenge { eap }) => match machine.handle_from_server(&eap) {
                Ok(Kind::Request) => self.respond(received, mn_id, Server::Radius(machine), &eap),
                Ok(Kind::Success | Kind::Failure) => {
                    self.fail_eap(received, &mn_id, EapError::Malformed, &machine.failure(), around)
                }
                Err(error) => self.fail_eap(received, &mn_id, error, &machine.failure(), around),
            },
            Ok(Answer::Accept(accept)) => self.accept(received, &mn_id, machine, accept, around),
            Ok(Answer::Reject { eap }) => {
                let failure = eap.unwrap_or_else(|| machine.failure());
                self.fail_eap(received, &mn_id, EapError::Failure, &failure, around)
            }
            Err(error) => self.aaa_failed(received, &error, around),
        }
    }

    /// Who the AAA server has authenticated: User-Name in its Access-Accept, else the identity that it was asked with, where that is the
    /// one that the method authenticates. Else a node would be whomever it names.
    fn accept(
        &mut self,
        received: eap::Received,
        mn_id: &str,
        mut machine: PassThrough,
        accept: Accept,
        around: &mut Surroundings<'_>,
    ) -> Step {
        let word = Word::of(&accept);
        let success = accept.eap.filter(|packet| machine.handle_from_server(packet) == Ok(Kind::Success));
        let is_proved = machine.method().is_some_and(|method| !method.hides_identity());
        let asked = str::from_utf8(machine.identity()).ok().filter(|_| is_proved).map(ToOwned::to_owned);
        let identity = accept.user_name.or(asked).unwrap_or_default();
        let Some(packet) = success else {
            tracing::error!(
                "a AAA server granted access without EAP-Success: a session ends with 500; look into its configuration"
            );
            return self.close(received.refuse(Status::ServerError, None, Some(&machine.failure())));
        };
        let msk = accept.msk.as_ref().and_then(Msk::new);
        let who = Authenticated { identity, method: machine.method(), msk, word: Some(word) };
        self.succeed(received, mn_id, packet, machine.failure(), who, around)
    }

    fn aaa_failed(&mut self, received: eap::Received, error: &AaaError, around: &Surroundings<'_>) -> Step {
        let (status, retry_after) = match error {
            AaaError::Silent { .. } | AaaError::Unreachable { .. } => (Status::GatewayTimeout, None),
            AaaError::Busy { .. } | AaaError::Socket { .. } => (Status::Unavailable, Some(around.wall + RETRY_BUSY)),
            AaaError::Unusable { .. } => (Status::ServerError, None),
            AaaError::NotAResponse | AaaError::Identity(_) | AaaError::TooLong(_) => (Status::Malformed, None),
        };
        if status != Status::Malformed {
            tracing::warn!(%error, status = status.code(), "a mobile node is not authenticated");
        }
        self.close(received.refuse(status, retry_after, None))
    }

    fn respond(&mut self, received: eap::Received, mn_id: String, server: Server, packet: &[u8]) -> Step {
        let (exchange, response) = received.respond(packet);
        self.state = State::Eap(Box::new(Run { exchange, mn_id, server }));
        Step::Reply(response)
    }

    /// EAP ended without success: its Failure goes with the final response.
    fn fail_eap(
        &mut self,
        received: eap::Received,
        mn_id: &str,
        error: EapError,
        failure: &[u8],
        around: &mut Surroundings<'_>,
    ) -> Step {
        let status = status_of(error);
        tracing::debug!(source = %self.source, %error, status = status.code(), "an EAP run failed");
        if status != Status::ServerError {
            around.admission.failed(self.source, named(mn_id), around.now);
        }
        self.close(received.refuse(status, None, Some(failure)))
    }

    /// The EAP server is content. The HAC is where name and method are allowed, and `auth` is right.
    fn succeed(
        &mut self,
        received: eap::Received,
        mn_id: &str,
        success: Vec<u8>,
        failure: Vec<u8>,
        who: Authenticated,
        around: &mut Surroundings<'_>,
    ) -> Step {
        let realm = around.authentication.realm_of(mn_id);
        let is_keyed = who.msk.is_some() || who.method.is_some_and(|method| realm.keyless.contains(&method));
        // The methods of the local server all make a key.
        if !is_keyed && who.word.is_some() {
            tracing::warn!("an EAP method that derives no key is refused: name it in `without-key` of the realm to allow it");
        }
        let authorised = match is_keyed.then(|| authorise(mn_id, &who, around)).transpose() {
            Ok(authorised) => authorised.flatten(),
            Err(error) => {
                tracing::error!(%error, "a session ends with 500");
                return self.close(received.refuse(Status::ServerError, None, None));
            }
        };
        let Some(authorised) = authorised else {
            around.admission.failed(self.source, named(mn_id), around.now);
            return self.close(received.refuse(Status::NotAuthenticated, None, Some(&failure)));
        };
        match received.succeed(who.msk, success) {
            Ok(eap::Succeeded::Authenticated(authenticated)) => self.provision(authenticated, &authorised, around),
            Ok(eap::Succeeded::Told(exchange, response)) => {
                self.state = State::Told(Box::new(Told { exchange, mn_id: mn_id.to_owned(), authorised }));
                Step::Reply(response)
            }
            Err(refusal) => {
                around.admission.failed(self.source, named(mn_id), around.now);
                self.close(refusal)
            }
        }
    }
}

fn status_of(error: EapError) -> Status {
    match error {
        EapError::Malformed
        | EapError::Identifier
        | EapError::OutOfPlace(_)
        | EapError::TooManyRequests
        | EapError::Identity
        | EapError::Method(_, MethodError::Malformed | MethodError::OutOfPlace | MethodError::TooLong) => Status::Malformed,
        EapError::Method(_, MethodError::Unavailable) => Status::ServerError,
        EapError::EarlySuccess | EapError::Failure | EapError::NoCommonMethod | EapError::Method(..) => Status::NotAuthenticated,
    }
}
