//! The peer is ours, the server says what the input has.

use protocol::eap::peer::{Peer, Step};
use protocol::eap::{MAX_REQUESTS, Packet, Type};
use protocol::sa::Secret;

use super::key_holder::KeyHolder;
use super::{ALICE, peer_methods, psk, rng, unshared_psk};

/// A peer with EAP-GPSK, which has this key, and EAP-MD5.
pub fn peer(psk: Secret) -> Peer {
    match Peer::new(ALICE, peer_methods(psk)) {
        Ok(peer) => peer,
        Err(error) => unreachable!("{error}"),
    }
}

pub(super) fn run(packets: &[&[u8]], is_keyed: bool) -> bool {
    let psk = if is_keyed { psk() } else { unshared_psk() };
    let (mut peer, mut rng, mut server) = (peer(psk), rng(), KeyHolder::default());
    let (mut is_over, mut succeeded, mut responses) = (false, false, 0);
    for packet in packets {
        let packet = if is_keyed { server.says(packet) } else { packet.to_vec() };
        let step = peer.handle(&packet, &mut rng);
        assert!(!is_over || step.is_err(), "a run that was over goes on");
        match step {
            Ok(Step::Respond(response)) => {
                responses += 1;
                check_response(&response, &packet);
                server.hears(&response);
            }
            Ok(Step::RespondLast(response)) => {
                responses += 1;
                check_response(&response, &packet);
                check_content(&peer, &server, is_keyed);
            }
            Ok(Step::Succeeded) => {
                check_content(&peer, &server, is_keyed);
                (is_over, succeeded) = (true, true);
            }
            Err(_) => is_over = true,
        }
        assert!(is_keyed || peer.msk().is_none(), "a key without the pre-shared key");
    }
    assert!(responses <= MAX_REQUESTS, "{responses} responses");
    succeeded
}

/// A response answers the request that came.
fn check_response(response: &[u8], request: &[u8]) {
    let (Ok(Packet::Response { identifier, .. }), Ok(request)) = (Packet::parse(response), Packet::parse(request)) else {
        panic!("a response that is none, or to nothing")
    };
    assert_eq!(identifier, request.identifier(), "a response to another request");
}

/// A peer that is content has a method which authenticates nobody, or the server has the key.
fn check_content(peer: &Peer, server: &KeyHolder, is_keyed: bool) {
    let msk = peer.msk();
    match peer.method() {
        Some(Type::MD5) => assert!(msk.is_none(), "a key of EAP-MD5"),
        Some(Type::GPSK) if is_keyed => {
            let [ours, theirs] = [msk.as_ref(), server.msk()].map(|msk| msk.map(|msk| msk.expose()));
            assert!(ours.is_some() && ours == theirs, "the two ends have different keys");
        }
        method => panic!("content with {method:?} of a server without the key"),
    }
}
