//! Both ends of MHAuth-EAP, with methods that follow a script and with EAP-GPSK. What each end refuses, and every order of messages, are in
//! the modules below.

mod beside_psk;
mod initiator_rejects;
mod initiator_walk;
mod proxy;
mod responder_refuses;
mod responder_walk;
mod runs;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rand_core::CryptoRng;

use super::*;
use crate::eap::authenticator::{self, Authenticator as EapServer};
use crate::eap::method::gpsk::{GpskPeer, GpskServer};
use crate::eap::method::{Around, Directory, PeerMethod, Progress, Reply, ServerMethod, ServerStep};
use crate::eap::peer::Peer;
use crate::eap::{MethodError, Msk, Packet, Type};
use crate::mhauth::initiator::eap as node;
use crate::mhauth::responder::eap as hac;

const ALICE: &str = "alice@example.org";
/// A type that no method of ours has.
const KIND: Type = Type(90);

/// A method without a meaning, for both ends.
#[derive(Clone, Copy)]
struct Script {
    /// What the node's end says to one request after another.
    says: &'static [Progress],
    /// Requests that the HAC's end sends.
    requests: usize,
    has_key: bool,
}

/// Both ends know which response is the last.
const SHORT: Script = Script { says: &[Progress::Continue, Progress::Done], requests: 2, has_key: true };
const KEYLESS: Script = Script { has_key: false, ..SHORT };
/// The node takes each response for the last, and the server wants another.
const ANOTHER_ROUND: Script = Script { says: &[Progress::MayEnd, Progress::Done], ..SHORT };

fn msk() -> Msk {
    Msk::new(&Secret::new(vec![0x5a; Msk::LEN])).unwrap()
}

fn other_msk() -> Msk {
    Msk::new(&Secret::new(vec![0x5b; Msk::LEN])).unwrap()
}

struct NodesEnd {
    script: Script,
    round: usize,
    has_succeeded: Arc<AtomicBool>,
}

impl PeerMethod for NodesEnd {
    fn kind(&self) -> Type {
        KIND
    }

    fn handle(&mut self, _identifier: u8, _data: &[u8], _rng: &mut dyn CryptoRng) -> Result<Reply, MethodError> {
        let progress = self.script.says[self.round];
        self.round += 1;
        Ok(Reply { data: b"response".to_vec(), progress })
    }

    fn msk(&self) -> Option<Msk> {
        self.script.has_key.then(msk)
    }

    fn succeed(&mut self) {
        self.has_succeeded.store(true, Ordering::Relaxed);
    }
}

struct HacsEnd {
    script: Script,
    sent: usize,
}

impl ServerMethod for HacsEnd {
    fn kind(&self) -> Type {
        KIND
    }

    fn start(&mut self, _around: &mut Around<'_>) -> Vec<u8> {
        self.sent = 1;
        b"request".to_vec()
    }

    fn handle(&mut self, _data: &[u8], _around: &mut Around<'_>) -> Result<ServerStep, MethodError> {
        if self.sent == self.script.requests {
            return Ok(ServerStep::Authenticated { identity: ALICE.into(), msk: self.script.has_key.then(msk) });
        }
        self.sent += 1;
        Ok(ServerStep::Request(b"request".to_vec()))
    }
}

/// Everybody has the key of [`psk`].
struct Subscribers;

impl Directory for Subscribers {
    fn pre_shared_key(&mut self, _identity: &str) -> Result<Secret, MethodError> {
        Ok(Secret::new(psk().expose().to_vec()))
    }
}

impl Script {
    fn peer(self) -> Peer {
        self.peer_telling(&Arc::default())
    }

    /// One that sets `has_succeeded` when it hears of a Success.
    fn peer_telling(self, has_succeeded: &Arc<AtomicBool>) -> Peer {
        let method = NodesEnd { script: self, round: 0, has_succeeded: has_succeeded.clone() };
        Peer::new(ALICE, vec![Box::new(method)]).unwrap()
    }

    fn server(self) -> EapServer {
        EapServer::new(7, vec![Box::new(HacsEnd { script: self, sent: 0 })])
    }
}

fn gpsk_peer() -> Peer {
    let key = Secret::new(psk().expose().to_vec());
    Peer::new("anonymous@example.org", vec![Box::new(GpskPeer::new(ALICE, key).unwrap())]).unwrap()
}

fn gpsk_server() -> EapServer {
    EapServer::new(7, vec![Box::new(GpskServer::new("hac.example.org").unwrap())])
}

fn rng() -> StdRng {
    StdRng::seed_from_u64(1)
}

fn eap_offer(peer: Peer) -> EapOffer {
    let Offer { mn_id, profile, suites, user_data, .. } = offer();
    EapOffer { mn_id, peer, psk: None, profile, suites, user_data }
}

/// The node, whatever it waits for.
enum Node {
    Selecting(node::AwaitingSelection),
    InMid(node::AwaitingMidResponse),
    InDone(node::AwaitingDoneResponse),
}

impl Node {
    fn start(offer: EapOffer) -> (Self, Vec<u8>) {
        let (node, request) = node::start(offer, binding(), &mut rng());
        (Self::Selecting(node), request)
    }

    fn handle(self, octets: &[u8]) -> Result<node::Step, Failure> {
        match self {
            Self::Selecting(node) => node.handle(octets, &mut rng()),
            Self::InMid(node) => node.handle(octets, &mut rng()),
            Self::InDone(node) => node.handle(octets, &mut rng()),
        }
    }

    /// The node behind this response, with its next request.
    fn goes_on(self, octets: &[u8]) -> (Self, Vec<u8>) {
        match self.handle(octets).unwrap() {
            node::Step::Mid(node, request) => (Self::InMid(node), request),
            node::Step::Done(node, request) => (Self::InDone(node), request),
            node::Step::Psk(..) | node::Step::Granted(_) => panic!("EAP does not go on"),
        }
    }

    /// Why this response ends the run.
    fn fails(self, octets: &[u8]) -> Failure {
        self.handle(octets).err().unwrap()
    }
}

/// The HAC with its EAP server, until that one is content.
struct Hac {
    exchange: hac::AwaitingRequest,
    server: EapServer,
}

/// What follows from a request.
enum Answer {
    Goes(Hac, Vec<u8>),
    Succeeds(hac::Received, Option<Msk>, Vec<u8>),
    Fails(hac::Received, Vec<u8>),
}

impl Hac {
    /// With the response MHAuth-Init.
    fn begin(init: &[u8], server: EapServer) -> (Self, Vec<u8>) {
        let init = awaiting_init().with(&Method::ALL).handle(init).unwrap();
        assert!(init.offered().contains(&Method::Eap));
        let (exchange, response) = init.begin_eap(&server.request_identity());
        (Self { exchange, server }, response)
    }

    fn handle(self, octets: &[u8]) -> Result<Answer, Refusal> {
        let Self { exchange, mut server } = self;
        let received = exchange.handle(octets)?;
        let step = server.handle(received.packet(), &mut Around { rng: &mut rng(), directory: &mut Subscribers });
        Ok(match step {
            authenticator::Step::Request(packet) => {
                let (exchange, response) = received.respond(&packet);
                Answer::Goes(Self { exchange, server }, response)
            }
            authenticator::Step::Success { packet, msk, .. } => Answer::Succeeds(received, msk, packet),
            authenticator::Step::Failure { packet, .. } => Answer::Fails(received, packet),
        })
    }
}

/// The last request of a run, of which the EAP server says Success; and all messages up to it.
struct Ready {
    node: Node,
    received: hac::Received,
    msk: Option<Msk>,
    success: Vec<u8>,
    messages: Vec<Vec<u8>>,
}

impl Ready {
    fn of(offer: EapOffer, server: EapServer) -> Self {
        let (mut node, init) = Node::start(offer);
        let (mut hac, response) = Hac::begin(&init, server);
        let mut messages = vec![init, response];
        loop {
            let (next, request) = node.goes_on(messages.last().unwrap());
            node = next;
            messages.push(request);
            match hac.handle(messages.last().unwrap()).unwrap() {
                Answer::Goes(next, response) => {
                    hac = next;
                    messages.push(response);
                }
                Answer::Succeeds(received, msk, success) => return Self { node, received, msk, success, messages },
                Answer::Fails(..) => panic!("EAP fails"),
            }
        }
    }

    /// Both ends of a run with a scripted method.
    fn scripted(script: Script) -> Self {
        Self::of(eap_offer(script.peer()), script.server())
    }

    fn authenticated(self) -> (Node, Authenticated) {
        match self.received.succeed(self.msk, self.success).unwrap() {
            hac::Succeeded::Authenticated(authenticated) => (self.node, authenticated),
            hac::Succeeded::Told(..) => panic!("the node is not in Done"),
        }
    }
}

/// What the node makes of this grant.
fn take(node: Node, octets: &[u8]) -> Result<Grant, Failure> {
    match node.handle(octets)? {
        node::Step::Granted(grant) => Ok(*grant),
        node::Step::Mid(..) | node::Step::Done(..) | node::Step::Psk(..) => panic!("the run goes on"),
    }
}

/// Header lines of a message with this EAP packet, Done's with its proposal.
fn mid(packet: &[u8]) -> String {
    format!("eap-payload:{}\r\n", hex::encode(packet))
}

const PROPOSAL: &str = "mip6-sas:1\r\nmip6-suitelist:{00,9C}\r\n";

fn request(identifier: u8) -> Vec<u8> {
    Packet::Request { identifier, kind: KIND, data: b"request" }.write()
}

fn success(identifier: u8) -> Vec<u8> {
    Packet::Success { identifier }.write()
}

fn failure(identifier: u8) -> Vec<u8> {
    Packet::Failure { identifier }.write()
}
