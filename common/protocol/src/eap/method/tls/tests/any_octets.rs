//! Octets of any kind, in fragments and within TLS, are answered or end the run.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::eap::method::mschapv2::MsChapV2Peer;
use crate::eap::method::tls::fragment::{MAX_FRAGMENTS, Reassembly};
use crate::eap::method::tls::ttls::{Credentials, InnerMethod};
use crate::eap::method::tls::{avp, peap, ttls};

/// What a server may say within TLS: what the methods know, with anything behind, or anything.
fn plaintexts() -> impl Strategy<Value = Vec<u8>> {
    let known = prop_oneof![
        Just(vec![1]),
        Just(vec![26, 1, 7, 0, 21, 16]),
        Just(vec![26, 3, 7, 0, 46, b'S', b'=']),
        Just(vec![1, 9, 0, 11, 33, 0x80, 3, 0, 2, 0, 1]),
        Just(vec![0, 0, 0, 26, 0xc0, 0, 0, 55, 0, 0, 1, 55]),
        Just(vec![0]),
        Just(Vec::new()),
    ];
    (known, vec(any::<u8>(), 0..60), any::<bool>()).prop_map(
        |(known, rest, is_more)| {
            if is_more { [known, rest].concat() } else { known }
        },
    )
}

/// Whether any of these makes a peer content, after a handshake in which the server was authenticated by its certificate alone.
fn contents(method: &mut dyn PeerMethod, said: &[Vec<u8>]) -> bool {
    method.handle(0, &Fragment::START.write(), &mut rng()).unwrap();
    method.handle(1, &whole("done|say finished"), &mut rng()).unwrap();
    let mut answers = said.iter().map(|data| method.handle(2, &whole(&format!("data {}", hex::encode(data))), &mut rng()));
    answers.any(|answer| answer.is_ok_and(|reply| matches!(reply.progress, Progress::MayEnd | Progress::Done)))
}

fn connection() -> Box<Scripted> {
    Box::new(Scripted { output: b"hello".to_vec(), ..Scripted::new(TlsVersion::V13) })
}

proptest! {
    #[test]
    fn a_server_without_the_password_contents_no_peer(said in vec(plaintexts(), 1..8)) {
        let password = || Secret::new(b"secret".to_vec());
        let inner = MsChapV2Peer::new("alice", password());
        let mut method = peap::peer(connection(), "alice".to_owned(), Box::new(inner));
        prop_assert!(!contents(&mut method, &said));
        let credentials = Credentials { user: "alice".to_owned(), password: password() };
        let mut method = ttls::peer(connection(), InnerMethod::MsChapV2, credentials);
        prop_assert!(!contents(&mut method, &said));
    }

    #[test]
    fn avps_of_any_octets_are_parsed_or_refused(octets in vec(any::<u8>(), 0..200)) {
        if let Ok(avps) = avp::parse(&octets) {
            let mut written = Vec::new();
            avps.iter().for_each(|avp| avp.write(&mut written));
            prop_assert!(avp::parse(&written) == Ok(avps));
        }
    }

    #[test]
    fn fragments_of_any_octets_come_to_a_message_or_an_end(packets in vec(vec(any::<u8>(), 0..20), 1..100)) {
        let (mut reassembly, mut in_a_row) = (Reassembly::default(), 0);
        for packet in &packets {
            let Ok(came) = Fragment::parse(packet).and_then(|fragment| reassembly.take(&fragment)) else { break };
            in_a_row = if came.is_some() { 0 } else { in_a_row + 1 };
            prop_assert!(in_a_row <= MAX_FRAGMENTS);
        }
    }
}
