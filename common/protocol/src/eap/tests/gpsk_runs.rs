//! Whole runs of a peer and an authenticator with EAP-GPSK.

use super::*;
use crate::eap::authenticator::{self, Authenticator};
use crate::eap::method::gpsk::message::{Message, parse};
use crate::eap::method::gpsk::{GpskPeer, GpskServer, Suite};
use crate::eap::peer::{self, Peer};

/// What came out at both ends, and every packet, the server's first.
struct Run {
    peer: Result<Msk, EapError>,
    server: Result<(String, Msk), EapError>,
    packets: Vec<Vec<u8>>,
}

/// Carries packets between the two until one has a result.
fn run(mut peer: Peer, mut server: Authenticator, psk: &Secret) -> Run {
    let (mut rng, mut directory) = (rng(), Subscribers(psk.clone()));
    let mut packets = vec![server.request_identity()];
    let server = loop {
        let step = peer.handle(packets.last().unwrap(), &mut rng).unwrap();
        let (peer::Step::Respond(packet) | peer::Step::RespondLast(packet)) = step else { panic!("a result") };
        packets.push(packet);
        let step = server.handle(packets.last().unwrap(), &mut Around { rng: &mut rng, directory: &mut directory });
        let (packet, result) = match step {
            authenticator::Step::Request(packet) => (packet, None),
            authenticator::Step::Success { packet, identity, msk } => (packet, Some(Ok((identity, msk.unwrap())))),
            authenticator::Step::Failure { packet, error } => (packet, Some(Err(error))),
        };
        packets.push(packet);
        if let Some(result) = result {
            break result;
        }
    };
    let step = peer.handle(packets.last().unwrap(), &mut rng);
    let peer = step.map(|step| {
        assert_eq!(step, peer::Step::Succeeded);
        peer.msk().unwrap()
    });
    Run { peer, server, packets }
}

fn peer(outer: &str, identity: &str, psk: &Secret) -> Peer {
    Peer::new(outer, vec![Box::new(GpskPeer::new(identity, psk.clone()).unwrap())]).unwrap()
}

fn gpsk() -> Box<dyn ServerMethod> {
    Box::new(GpskServer::new("hac.example.org").unwrap())
}

fn server() -> Authenticator {
    Authenticator::new(200, vec![gpsk()])
}

fn psk(len: u8) -> Secret {
    Secret::new((100..100 + len).collect())
}

fn refused(run: &Run) {
    assert_eq!(run.peer.as_ref().unwrap_err(), &EapError::Method(Type::GPSK, MethodError::Refused));
    assert_eq!(run.server.as_ref().unwrap_err(), &EapError::Method(Type::GPSK, MethodError::WrongCredentials));
}

#[test]
fn both_ends_have_the_same_key_and_the_server_has_the_name_of_the_method() {
    for (psk_len, suite) in [(16, Suite::AesCmac), (31, Suite::AesCmac), (32, Suite::HmacSha256), (64, Suite::HmacSha256)] {
        let run = run(peer("anonymous@example.org", ALICE, &psk(psk_len)), server(), &psk(psk_len));
        let (identity, msk) = run.server.unwrap();
        assert_eq!((identity.as_str(), msk.expose()), (ALICE, run.peer.unwrap().expose()));
        let Ok(Packet::Response { data, .. }) = Packet::parse(&run.packets[3]) else { panic!("no response") };
        assert!(matches!(parse(data), Ok(Message::Gpsk2(message, _)) if message.suite == suite.octets()));
        assert_eq!(run.packets.len(), 7);
    }
}

#[test]
fn another_run_has_another_key() {
    let once = run(peer(ALICE, ALICE, &psk(32)), server(), &psk(32)).peer.unwrap();
    let (mut directory, mut rng) = (Subscribers(psk(32)), StdRng::seed_from_u64(8));
    let mut method = GpskServer::new("hac.example.org").unwrap();
    let first = method.start(&mut Around { rng: &mut rng, directory: &mut directory });
    let mut peer = GpskPeer::new(ALICE, psk(32)).unwrap();
    let second = peer.handle(0, &first, &mut rng).unwrap().data;
    let step = method.handle(&second, &mut Around { rng: &mut rng, directory: &mut directory });
    let Ok(ServerStep::Request(third)) = step else { panic!("no GPSK-3") };
    peer.handle(0, &third, &mut rng).unwrap();
    assert_ne!(peer.msk().unwrap().expose(), once.expose());
}

#[test]
fn a_peer_without_tls_says_so_and_gets_gpsk() {
    let server = Authenticator::new(9, vec![ScriptedServer::boxed(Type::TLS, 3), gpsk()]);
    let run = run(peer(ALICE, ALICE, &psk(32)), server, &psk(32));
    assert_eq!(run.packets[3], response(10, Type::NAK, &[Type::GPSK.0]));
    assert_eq!(run.server.unwrap().1.expose(), run.peer.unwrap().expose());
    assert_eq!(run.packets.len(), 9);
}

#[test]
fn a_peer_and_a_server_without_a_method_in_common_fail() {
    let server = Authenticator::new(9, vec![ScriptedServer::boxed(Type::TLS, 3)]);
    let run = run(peer(ALICE, ALICE, &psk(32)), server, &psk(32));
    assert_eq!((run.peer.unwrap_err(), run.server.unwrap_err()), (EapError::NoCommonMethod, EapError::NoCommonMethod));
}

#[test]
fn a_wrong_key_and_an_unknown_name_come_to_the_same_packets_but_for_name_and_nonces() {
    let wrong_key = run(peer(ALICE, ALICE, &psk(33)), server(), &psk(32));
    let unknown = run(peer(ALICE, "malice@example.org", &psk(33)), server(), &psk(32));
    refused(&wrong_key);
    refused(&unknown);
    for at in [0, 2, 4, 6] {
        assert_eq!(wrong_key.packets[at], unknown.packets[at], "the server's packet {at}");
    }
    let lens = |run: &Run| run.packets.iter().map(Vec::len).collect::<Vec<_>>();
    let same_but_for_the_name = lens(&unknown)[3] - 1;
    assert_eq!((lens(&wrong_key)[3], wrong_key.packets.len()), (same_but_for_the_name, 7));
}

#[test]
fn a_key_of_which_one_end_has_the_beginning_only_is_wrong() {
    for (peers, servers) in [(16, 17), (17, 16), (16, 32), (32, 16), (32, 33), (33, 32)] {
        refused(&run(peer(ALICE, ALICE, &psk(peers)), server(), &psk(servers)));
    }
}

#[test]
fn a_peer_with_the_servers_name_or_anothers_name_is_refused() {
    for identity in ["hac.example.org", "bob@example.org"] {
        refused(&run(peer(ALICE, identity, &psk(32)), server(), &psk(32)));
    }
}
