//! The methods with a password under the peer's machine.

use super::*;
use crate::eap::method::md5::Md5;
use crate::eap::method::mschapv2::MsChapV2Peer;
use crate::eap::peer::{Peer, Step};

fn peer() -> Peer {
    let password = || Secret::new(b"clientPass".to_vec());
    let methods: Vec<Box<dyn PeerMethod>> = vec![Box::new(MsChapV2Peer::new("User", password())), Box::new(Md5::new(password()))];
    Peer::new(ALICE, methods).unwrap()
}

fn handle(peer: &mut Peer, octets: &[u8]) -> Result<Step, EapError> {
    peer.handle(octets, &mut rng())
}

#[test]
fn md5_ends_with_its_response_and_has_no_key() {
    let mut peer = peer();
    let step = handle(&mut peer, &request(3, Type::MD5, b"\x04abcdhac"));
    assert!(matches!(step, Ok(Step::RespondLast(packet)) if packet.len() == 22));
    assert_eq!(handle(&mut peer, &success(3)), Ok(Step::Succeeded));
    assert!(peer.msk().is_none() && peer.method() == Some(Type::MD5));
}

#[test]
fn a_success_before_the_server_has_shown_that_it_knows_the_password_is_refused() {
    let challenge = [&[1, 7, 0, 24, 16][..], &[0x5b; 16], b"hac"].concat();
    let answered = || {
        let mut peer = peer();
        assert!(matches!(handle(&mut peer, &request(3, Type::MSCHAPV2, &challenge)), Ok(Step::Respond(_))));
        peer
    };
    assert_eq!(handle(&mut answered(), &success(3)), Err(EapError::EarlySuccess));

    let mut peer = answered();
    let forged = [&[3, 7, 0, 46][..], b"S=", &[b'0'; 40]].concat();
    let error = EapError::Method(Type::MSCHAPV2, MethodError::WrongCredentials);
    assert_eq!(handle(&mut peer, &request(4, Type::MSCHAPV2, &forged)), Err(error));
    assert_eq!(handle(&mut peer, &success(4)), Err(EapError::Identifier));
    assert!(peer.msk().is_none());
}

#[test]
fn a_failure_request_is_the_reason_of_the_eap_failure_that_follows() {
    let mut peer = peer();
    let challenge = [&[1, 7, 0, 21, 16][..], &[0x5b; 16]].concat();
    handle(&mut peer, &request(3, Type::MSCHAPV2, &challenge)).unwrap();
    let failed = handle(&mut peer, &request(4, Type::MSCHAPV2, b"\x04\x07\0\x0eE=691 R=0"));
    assert_eq!(failed, Ok(Step::Respond(response(4, Type::MSCHAPV2, &[4]))));
    assert_eq!(handle(&mut peer, &failure(4)), Err(EapError::Method(Type::MSCHAPV2, MethodError::Refused)));
}
