//! Octets of any kind are answered or end the run: nothing panics, nobody is let in.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::eap::authenticator::{Authenticator, Step};
use crate::eap::method::gpsk::{GpskPeer, GpskServer, message};
use crate::eap::method::md5::Md5;
use crate::eap::method::mschapv2::MsChapV2Peer;
use crate::eap::pass_through::PassThrough;
use crate::eap::peer::{self, Peer};

fn key() -> Secret {
    Secret::new(vec![0x21; 32])
}

fn the_peer() -> Peer {
    let methods: Vec<Box<dyn PeerMethod>> = vec![
        Box::new(GpskPeer::new(ALICE, key()).unwrap()),
        Box::new(MsChapV2Peer::new(ALICE, key())),
        Box::new(Md5::new(key())),
    ];
    Peer::new(ALICE, methods).unwrap()
}

/// A packet with an honest header more often than not, with a Type that a method of ours has, and what may be its beginning.
fn packets(code: u8) -> impl Strategy<Value = Vec<u8>> {
    let kind = prop_oneof![Just(Type::GPSK), Just(Type::MSCHAPV2), Just(Type::MD5), any::<u8>().prop_map(Type)];
    let framed = (0..4_u8, kind, 0..8_u8, vec(any::<u8>(), 0..120)).prop_map(move |(identifier, kind, op, rest)| {
        let mut packet = request(identifier, kind, &[&[op, 0], rest.as_slice()].concat());
        packet[0] = code;
        packet
    });
    prop_oneof![4 => framed, 1 => vec(any::<u8>(), 0..40)]
}

proptest! {
    #[test]
    fn a_peer_answers_any_octets_or_ends_the_run(packets in vec(packets(1), 1..8)) {
        let mut peer = the_peer();
        for packet in packets {
            if let Ok(peer::Step::Succeeded) = peer.handle(&packet, &mut rng()) {
                let is_md5 = peer.method() == Some(Type::MD5) && peer.msk().is_none();
                prop_assert!(is_md5, "the one method that authenticates no server");
            }
        }
    }

    #[test]
    fn an_authenticator_answers_any_octets_and_lets_nobody_in(packets in vec(packets(2), 1..8)) {
        let mut server = Authenticator::new(0, vec![Box::new(GpskServer::new("hac.example.org").unwrap())]);
        let (mut rng, mut directory) = (rng(), Subscribers(key()));
        let mut around = Around { rng: &mut rng, directory: &mut directory };
        server.handle(&response(0, Type::IDENTITY, b"a"), &mut around);
        for packet in packets {
            let is_let_in = matches!(server.handle(&packet, &mut around), Step::Success { .. });
            prop_assert!(!is_let_in);
        }
    }

    #[test]
    fn a_pass_through_takes_any_octets(packets in vec((any::<bool>(), packets(1), packets(2)), 1..8)) {
        let mut run = PassThrough::new(0);
        for (is_from_server, to_peer, from_peer) in packets {
            if is_from_server {
                let _ = run.handle_from_server(&to_peer);
            } else {
                let _ = run.handle_response(&from_peer);
            }
        }
    }

    #[test]
    fn a_message_of_gpsk_is_parsed_or_refused(op in 0..8_u8, data in vec(any::<u8>(), 0..300)) {
        let _ = message::parse(&[&[op], data.as_slice()].concat());
    }
}
