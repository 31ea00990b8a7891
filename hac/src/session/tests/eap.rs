//! Runs with EAP: with the HAC's own EAP server, and with AAA servers whose answers are made here.

mod accepted;
mod counted;
mod delivered;
mod framed;
mod local;
mod not_accepted;
mod understudies;

use protocol::eap::method::gpsk::{GpskPeer, GpskServer};
use protocol::eap::method::md5::Md5;
use protocol::eap::method::{Around, PeerMethod, Progress, Reply, ServerMethod, ServerStep};
use protocol::eap::peer::Peer;
use protocol::eap::{EapError, MethodError, Msk, Packet, Type};
use protocol::mhauth::EapOffer;
use protocol::mhauth::authenticator::{self, Sender};
use protocol::mhauth::initiator::eap as node;
use protocol::wire::container;

use super::*;
use crate::aaa::Accept;
use crate::authentication::{EapServer, Realm};

/// A type that no method of ours has.
const KIND: Type = Type(90);
/// The Identifier of a AAA server's request.
const CHALLENGE: u8 = 100;
const MSK: [u8; Msk::LEN] = [0x5a; Msk::LEN];

/// Answers one request, which is its last.
struct NodesEnd(Type);

impl PeerMethod for NodesEnd {
    fn kind(&self) -> Type {
        self.0
    }

    fn handle(&mut self, _identifier: u8, _data: &[u8], _rng: &mut dyn CryptoRng) -> Result<Reply, MethodError> {
        Ok(Reply { data: Vec::new(), progress: Progress::Done })
    }

    fn msk(&self) -> Option<Msk> {
        Msk::new(&Secret::new(MSK.to_vec()))
    }
}

/// A HAC all of whose realms have EAP first, with this server.
fn world(server: EapServer) -> World {
    let mut world = World::new();
    world.authentication.default = Realm { methods: vec![Method::Eap, Method::Psk], eap_server: server, keyless: Vec::new() };
    world.authentication.local = Some(Box::new(|| vec![Box::new(GpskServer::new("hac.example.org").unwrap())]));
    world
}

fn offer(mn_id: &str, method: Box<dyn PeerMethod>) -> EapOffer {
    let Offer { profile, suites, user_data, .. } = MobileNode::alice().offer();
    let peer = Peer::new(mn_id, vec![method]).unwrap();
    EapOffer { mn_id: mn_id.parse().unwrap(), peer, psk: None, profile, suites, user_data }
}

/// Of a node that calls itself `mn_id` before, and `identity` within EAP-GPSK.
fn gpsk(mn_id: &str, identity: &str, key: [u8; 32]) -> EapOffer {
    offer(mn_id, Box::new(GpskPeer::new(identity, Secret::new(key.to_vec())).unwrap()))
}

/// Of a node whose EAP server is a AAA server.
fn scripted(mn_id: &str) -> EapOffer {
    offer(mn_id, Box::new(NodesEnd(KIND)))
}

fn source() -> IpAddr {
    Ipv4Addr::new(192, 0, 2, 7).into()
}

fn binding() -> ChannelBinding {
    ChannelBinding::new(vec![5; 32])
}

/// The node, whatever it waits for.
enum Node {
    Selecting(node::AwaitingSelection),
    InMid(node::AwaitingMidResponse),
    InDone(node::AwaitingDoneResponse),
}

impl Node {
    fn start(offer: EapOffer) -> (Self, Vec<u8>) {
        let (node, request) = node::start(offer, binding(), &mut rand::rng());
        (Self::Selecting(node), request)
    }

    fn handle(self, octets: &[u8]) -> Result<node::Step, Failure> {
        match self {
            Self::Selecting(node) => node.handle(octets, &mut rand::rng()),
            Self::InMid(node) => node.handle(octets, &mut rand::rng()),
            Self::InDone(node) => node.handle(octets, &mut rand::rng()),
        }
    }

    fn goes_on(self, octets: &[u8]) -> (Self, Vec<u8>) {
        match self.handle(octets).unwrap() {
            node::Step::Mid(node, request) => (Self::InMid(node), request),
            node::Step::Done(node, request) => (Self::InDone(node), request),
            node::Step::Psk(..) | node::Step::Granted(_) => panic!("EAP does not go on"),
        }
    }

    fn takes(self, octets: &[u8]) -> Grant {
        let Ok(node::Step::Granted(grant)) = self.handle(octets) else { panic!("a grant is taken") };
        *grant
    }
}

/// A AAA server: with a challenge of `kind`, then `answer`.
struct Aaa {
    kind: Type,
    answer: Option<Result<Answer, AaaError>>,
    /// User-Name in every question.
    user_names: Vec<Vec<u8>>,
}

impl Aaa {
    fn saying(answer: Result<Answer, AaaError>) -> Self {
        Self { kind: KIND, answer: Some(answer), user_names: Vec::new() }
    }

    fn answer(&mut self, question: Question) -> Result<Answer, AaaError> {
        self.user_names.push(question.user_name);
        match Packet::parse(&question.eap) {
            Ok(Packet::Response { kind: Type::IDENTITY, .. }) => {
                let eap = Packet::Request { identifier: CHALLENGE, kind: self.kind, data: &[1, 0x77] }.write();
                Ok(Answer::Challenge { eap })
            }
            Ok(Packet::Response { identifier: CHALLENGE, .. }) => self.answer.take().expect("it is asked once"),
            other => panic!("{other:?}"),
        }
    }
}

fn success() -> Vec<u8> {
    Packet::Success { identifier: CHALLENGE }.write()
}

fn failure() -> Vec<u8> {
    Packet::Failure { identifier: CHALLENGE }.write()
}

/// Access for whom the AAA server knows by this name.
fn accept(user_name: Option<&str>) -> Accept {
    Accept {
        eap: Some(success()),
        msk: Some(Secret::new(MSK.to_vec())),
        user_name: user_name.map(str::to_owned),
        session_timeout: None,
        class: Vec::new(),
        framed_ip4: None,
        framed_ip6: None,
        framed_prefix6: None,
        framed_interface: None,
        delegated_prefix6: None,
        interim: None,
    }
}

/// A run up to the HAC's decision.
struct Run {
    session: Session,
    node: Node,
    step: Step,
    /// The HAC's before.
    responses: Vec<Vec<u8>>,
}

impl World {
    /// With the HAC's own EAP server.
    fn eap(&mut self, offer: EapOffer) -> Run {
        self.eap_with(offer, &mut Aaa { kind: KIND, answer: None, user_names: Vec::new() })
    }

    fn eap_with(&mut self, offer: EapOffer, aaa: &mut Aaa) -> Run {
        let (mut node, init) = Node::start(offer);
        let (mut session, mut step) = self.begin(&init);
        let mut responses = Vec::new();
        loop {
            if let Step::Ask(question) = step {
                let answer = aaa.answer(question);
                step = self.around(|around| session.handle_answer(answer, around));
            }
            let Step::Reply(response) = step else { return Run { session, node, step, responses } };
            let (next, request) = node.goes_on(&response);
            responses.push(response);
            (node, step) = (next, self.handle(&mut session, &request));
        }
    }

    /// A session after its first request. The Identifier of its EAP request is drawn: a AAA server sees to it that its own differs.
    fn begin(&mut self, init: &[u8]) -> (Session, Step) {
        loop {
            let mut session = Session::new(binding(), source());
            let step = self.handle(&mut session, init);
            let is_the_servers = |response: &[u8]| lines(response).contains(&format!("eap-payload:01{CHALLENGE:02x}"));
            if !matches!(&step, Step::Reply(response) if is_the_servers(response)) {
                return (session, step);
            }
        }
    }

    /// With a AAA server that accepts.
    fn accepted(&mut self, mn_id: &str, accept: Accept) -> Run {
        self.eap_with(scripted(mn_id), &mut Aaa::saying(Ok(Answer::Accept(accept))))
    }

    fn names(&mut self) -> Vec<String> {
        self.store.subscribers(self.wall).unwrap().into_iter().map(|subscriber| subscriber.nai).collect()
    }
}

impl Run {
    fn granted(self) -> Grant {
        let Step::Deliver(pending) = self.step else { panic!("a grant is pending") };
        self.node.takes(&granted(*pending, Ok(())))
    }

    /// The status, the header lines without `auth`, and what the node makes of them.
    fn closed(self) -> (Status, String, Failure) {
        let Step::Close(octets) = self.step else { panic!("the run ends") };
        let failure = self.node.handle(&octets).err().unwrap();
        (self.session.ended().unwrap(), lines(&octets), failure)
    }
}

/// The header lines of a message up to `auth`.
fn lines(octets: &[u8]) -> String {
    let content = String::from_utf8(octets[4..].to_vec()).unwrap();
    content.split_once("auth:").unwrap().0.to_owned()
}

/// A message of the node's.
fn sealed(identifier: u8, lines: &str, key: &[u8]) -> Vec<u8> {
    let label = Sender::MobileNode.label(WireProfile::Rfc6618);
    let auth = authenticator::auth(key, label, lines.as_bytes(), &binding());
    let content = format!("{lines}auth:{}\r\n\r\n\r\n", hex::encode(auth));
    [&container::header(identifier, u16::try_from(content.len()).unwrap())[..], content.as_bytes()].concat()
}

fn hint(status: Status) -> Failure {
    Failure::Refused { status, retry_after: None, authenticated: false }
}
