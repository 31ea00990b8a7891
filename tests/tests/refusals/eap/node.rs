//! A mobile node in a run with EAP-GPSK over real TLS, which gives each of its right requests away to be spoilt.

use protocol::eap::method::gpsk::GpskPeer;
use protocol::eap::peer::{Peer, Step};
use protocol::mhauth::authenticator::Sender;
use protocol::profile::WireProfile;
use protocol::sa::Secret;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::controller::{ALICE, Hac};
use crate::mhauth::answer::Answer;
use crate::mhauth::request::{Auth, Made, Request};
use crate::mhauth::say;

/// See the module.
pub(super) struct Node {
    pub(super) stream: TlsStream<TcpStream>,
    peer: Peer,
    made: Made,
}

/// Who somebody is within EAP.
pub(super) struct Who<'a> {
    /// What MHAuth-Init says.
    pub(super) mn_id: &'a str,
    /// Whose name EAP-GPSK has.
    pub(super) identity: &'a str,
    pub(super) psk: Vec<u8>,
}

impl Who<'_> {
    pub(super) fn alice(hac: &Hac) -> Self {
        Self { mn_id: ALICE, identity: ALICE, psk: hac.psk("alice") }
    }
}

/// MHAuth-Init with EAP as the only method.
pub(super) fn init(mn_id: &str) -> Request {
    let mut init = Request::init(mn_id);
    init.set("auth-method", "eap");
    init
}

impl Node {
    /// Says Init; gives the request that follows.
    pub(super) async fn begin(hac: &Hac, who: &Who<'_>) -> (Self, Request) {
        let gpsk = GpskPeer::new(who.identity, Secret::new(who.psk.clone())).unwrap();
        let peer = Peer::new(who.identity, vec![Box::new(gpsk)]).unwrap();
        let (profile, binding) = (WireProfile::Rfc6618, hac.binding.clone());
        let made = Made { key: b"1".into(), sender: Sender::MobileNode, profile, binding };
        let mut node = Self { stream: hac.handshake().await, peer, made };
        let first = node.go_on(&init(who.mn_id)).await;
        (node, first)
    }

    /// Alice behind so many requests: 1 gives her first Mid, 2 that with GPSK-2, 3 her Done.
    pub(super) async fn behind(hac: &Hac, requests: u8) -> (Self, Request) {
        let (mut node, mut request) = Self::begin(hac, &Who::alice(hac)).await;
        for _ in 1..requests {
            request = node.go_on(&request).await;
        }
        (node, request)
    }

    /// The key of the session; only once the server has proved that it has the pre-shared one.
    pub(super) fn msk(&self) -> Vec<u8> {
        self.peer.msk().unwrap().expose().to_vec()
    }

    /// Says a request; gives the one that follows.
    pub(super) async fn go_on(&mut self, request: &Request) -> Request {
        let answer = say(&mut self.stream, request).await;
        self.follow(&answer).unwrap_or_else(|| panic!("the run ended: {:?}", answer.headers()))
    }

    /// The request that follows from an answer; `None` where that was the last.
    pub(super) fn follow(&mut self, answer: &Answer) -> Option<Request> {
        if answer.get("status-code").is_some() {
            return None;
        }
        let packet = hex::decode(answer.get("eap-payload").unwrap()).unwrap();
        let (lines, key) = match self.peer.handle(&packet, &mut rand::rng()).unwrap() {
            Step::Respond(packet) => (payload(&packet), self.made.key.clone()),
            Step::RespondLast(packet) => (PROPOSAL.to_owned() + &payload(&packet), self.msk()),
            Step::Succeeded => (PROPOSAL.to_owned(), self.msk()),
        };
        let auth = Auth::Over(Made { key, ..self.made.clone() });
        Some(Request { version: 0, identifier: answer.identifier() + 1, length: None, lines, auth, end: "\r\n\r\n" })
    }
}

/// What a Done proposes.
const PROPOSAL: &str = "mip6-sas:1\r\nmip6-suitelist:{00,9C},{00,2F}\r\n";

fn payload(packet: &[u8]) -> String {
    format!("eap-payload:{}\r\n", hex::encode(packet))
}

/// Changes a request's EAP packet.
pub(super) fn change(request: &mut Request, change: impl FnOnce(&mut Vec<u8>)) {
    let line = request.lines.lines().find_map(|line| line.strip_prefix("eap-payload:")).unwrap();
    let mut packet = hex::decode(line).unwrap();
    change(&mut packet);
    request.set("eap-payload", &hex::encode(packet));
}

/// Puts Type and Type-Data of its own into a request's EAP packet, whose Length then says so.
pub(super) fn put(request: &mut Request, kind: u8, data: &[u8]) {
    change(request, |packet| {
        packet.truncate(4);
        packet.push(kind);
        packet.extend(data);
        let len = u16::try_from(packet.len()).unwrap().to_be_bytes();
        packet[2..4].copy_from_slice(&len);
    });
}
