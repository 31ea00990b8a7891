//! What the server does not take from a peer.

use super::*;

const SUITE: Suite = Suite::HmacSha256;

fn the_keys() -> Keys {
    keys(SUITE, &psk(32))
}

fn subscriber() -> Subscriber {
    Subscriber(Some(psk(32)))
}

fn handle(server: &mut GpskServer, data: &[u8]) -> Result<ServerStep, MethodError> {
    server_handle(server, data, subscriber())
}

/// GPSK-Fail comes, and whatever is answered, the run has failed for the key.
fn fails_for_the_key(mut server: GpskServer, step: Result<ServerStep, MethodError>, echo: &[u8]) {
    let fail = FailureCode::AUTHENTICATION.write_fail();
    assert!(matches!(step, Ok(ServerStep::Request(data)) if data == fail));
    assert_eq!(handle(&mut server, echo).unwrap_err(), MethodError::WrongCredentials);
    assert_eq!(handle(&mut server, echo).unwrap_err(), MethodError::OutOfPlace);
}

#[test]
fn the_servers_name_has_bounds() {
    let of = |name: &str| GpskServer::new(name).err();
    assert_eq!((of(&"h".repeat(253)), of(""), of(&"h".repeat(254))), (None, Some(EapError::Identity), Some(EapError::Identity)));
}

#[test]
fn a_peer_with_another_key_a_shorter_one_or_an_unknown_name_gets_the_same_answer() {
    let echo = FailureCode::AUTHENTICATION.write_fail();
    let second = gpsk2(SUITE.octets()).write(&keys(SUITE, &psk(33)));
    let (mut server, _) = started();
    let step = handle(&mut server, &second);
    fails_for_the_key(server, step, &echo);

    let (mut server, _) = started();
    let step = server_handle(&mut server, &gpsk2(SUITE.octets()).write(&the_keys()), Subscriber(Some(psk(16))));
    fails_for_the_key(server, step, &echo);

    for id_peer in ["mallory@example.org", "MN@example.org", ""] {
        let (mut server, _) = started();
        let second = Gpsk2 { id_peer: id_peer.as_bytes(), ..gpsk2(SUITE.octets()) }.write(&the_keys());
        let step = handle(&mut server, &second);
        fails_for_the_key(server, step, &second);
    }
}

#[test]
fn a_gpsk_2_with_any_octet_changed_is_refused() {
    let second = gpsk2(SUITE.octets()).write(&the_keys());
    for at in 0..second.len() {
        let mut changed = second.clone();
        changed[at] ^= 0x01;
        let (mut server, _) = started();
        let fail = FailureCode::AUTHENTICATION.write_fail();
        match handle(&mut server, &changed) {
            Ok(ServerStep::Request(data)) => assert_eq!(data, fail, "octet {at}"),
            Ok(ServerStep::Authenticated { .. }) => panic!("octet {at}"),
            Err(_) => {}
        }
    }
}

#[test]
fn what_gpsk_2_repeats_is_compared_even_under_a_right_mac() {
    let right = gpsk2(SUITE.octets());
    let wrong = [
        Gpsk2 { rand_server: &RAND_PEER, ..right },
        Gpsk2 { id_server: PEER.as_bytes(), ..right },
        Gpsk2 { suites: &SUITES[..6], ..right },
        Gpsk2 { suites: &[], ..right },
    ];
    for (row, message) in wrong.into_iter().enumerate() {
        let (mut server, _) = started();
        assert_eq!(handle(&mut server, &message.write(&the_keys())).unwrap_err(), MethodError::Mismatch, "row {row}");
    }
}

#[test]
fn a_suite_that_was_not_listed_is_refused() {
    let second = gpsk2([0, 0, 0, 0, 0, 3]).write(&the_keys());
    assert_eq!(handle(&mut started().0, &second).unwrap_err(), MethodError::NoCommonSuite);
}

#[test]
fn an_identity_that_is_no_text_is_malformed() {
    let second = Gpsk2 { id_peer: b"\xff", ..gpsk2(SUITE.octets()) }.write(&the_keys());
    assert_eq!(handle(&mut started().0, &second).unwrap_err(), MethodError::Malformed);
}

#[test]
fn a_directory_that_cannot_be_read_is_said_to_be() {
    let second = gpsk2(SUITE.octets()).write(&the_keys());
    let error = server_handle(&mut started().0, &second, Subscriber(None)).unwrap_err();
    assert_eq!(error, MethodError::Unavailable);
}

#[test]
fn a_gpsk_4_without_its_mac_does_not_authenticate() {
    let fourth = write_gpsk4(&the_keys());
    let mut wrong: Vec<Vec<u8>> = (3..fourth.len()).map(|cut| fourth[..cut].to_vec()).collect();
    wrong.extend((3..fourth.len()).map(|at| [&fourth[..at], &[!fourth[at]], &fourth[at + 1..]].concat()));
    wrong.push([fourth.as_slice(), &[0]].concat());
    wrong.push(write_gpsk4(&keys(Suite::AesCmac, &psk(32))));
    for data in wrong {
        let (mut server, _) = started();
        handle(&mut server, &gpsk2(SUITE.octets()).write(&the_keys())).unwrap();
        assert_eq!(handle(&mut server, &data).unwrap_err(), MethodError::WrongCredentials);
        assert_eq!(handle(&mut server, &fourth).unwrap_err(), MethodError::OutOfPlace);
    }
}

#[test]
fn messages_out_of_their_place_are_refused() {
    let (sel, keys) = (SUITE.octets(), the_keys());
    let (second, fourth) = (gpsk2(sel).write(&keys), write_gpsk4(&keys));
    let fail = FailureCode::AUTHENTICATION.write_fail();
    let protected = FailureCode::AUTHORIZATION.write_protected_fail(&keys);
    let own = [gpsk1().write(), gpsk3(sel).write(&keys)];
    for data in [&fourth, &fail, &protected].into_iter().chain(&own) {
        assert_eq!(handle(&mut started().0, data).unwrap_err(), MethodError::OutOfPlace, "OP-Code {}", data[0]);
    }
    for data in [&second, &fail, &protected].into_iter().chain(&own) {
        let (mut server, _) = started();
        handle(&mut server, &second).unwrap();
        assert_eq!(handle(&mut server, data).unwrap_err(), MethodError::OutOfPlace, "OP-Code {}", data[0]);
    }
    let mut never_started = GpskServer::new(SERVER).unwrap();
    assert_eq!(handle(&mut never_started, &second).unwrap_err(), MethodError::OutOfPlace);
}
