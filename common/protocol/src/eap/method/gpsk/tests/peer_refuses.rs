//! What the peer does not take from a server.

use super::*;

const SUITE: Suite = Suite::HmacSha256;

/// A peer that has sent GPSK-2.
fn answered() -> GpskPeer {
    let mut peer = GpskPeer::new(PEER, psk(32)).unwrap();
    peer_handle(&mut peer, &gpsk1().write()).unwrap();
    peer
}

fn the_keys() -> Keys {
    keys(SUITE, &psk(32))
}

#[test]
fn the_identity_and_the_key_have_bounds() {
    let of = |identity: &str, len| GpskPeer::new(identity, psk(len)).err();
    assert_eq!((of(PEER, 16), of(&"n".repeat(253), 32)), (None, None));
    assert_eq!((of("", 32), of(&"n".repeat(254), 32)), (Some(EapError::Identity), Some(EapError::Identity)));
    assert_eq!(of(PEER, 15), Some(EapError::Method(Type::GPSK, MethodError::ShortKey)));
}

#[test]
fn the_suite_is_the_best_that_the_server_lists_and_the_key_is_long_enough_for() {
    let chosen = |psk_len, suites: &[u8]| {
        let mut peer = GpskPeer::new(PEER, psk(psk_len)).unwrap();
        let reply = peer_handle(&mut peer, &Gpsk1 { suites, ..gpsk1() }.write())?;
        let Ok(Message::Gpsk2(message, _)) = parse(&reply.data) else { panic!("no GPSK-2") };
        assert_eq!(message.suites, suites);
        Ok(message.suite[5])
    };
    let (one, two, other) = (&SUITES[6..], &SUITES[..6], &[0, 0, 0, 9, 0, 2]);
    assert_eq!((chosen(32, SUITES), chosen(31, SUITES), chosen(16, SUITES)), (Ok(2), Ok(1), Ok(1)));
    assert_eq!((chosen(32, one), chosen(32, &[one, two].concat())), (Ok(1), Ok(2)));
    assert_eq!((chosen(16, &[other, one].concat()), chosen(64, two)), (Ok(1), Ok(2)));
    for (psk_len, suites) in [(16, two), (31, two), (32, other), (32, &[])] {
        assert_eq!(chosen(psk_len, suites), Err(MethodError::NoCommonSuite), "{psk_len} octets, {suites:?}");
    }
}

#[test]
fn a_server_with_another_key_is_not_believed() {
    let third = gpsk3(SUITE.octets()).write(&keys(SUITE, &psk(33)));
    let mut peer = answered();
    assert_eq!(peer_handle(&mut peer, &third), Err(MethodError::WrongCredentials));
    assert!(peer.msk().is_none());
}

#[test]
fn a_gpsk_3_with_any_octet_changed_or_its_mac_cut_is_refused() {
    let third = gpsk3(SUITE.octets()).write(&the_keys());
    for at in 0..third.len() {
        let mut changed = third.clone();
        changed[at] ^= 0x40;
        let mut peer = answered();
        assert!(peer_handle(&mut peer, &changed).is_err(), "octet {at}");
        assert!(peer.msk().is_none());
    }
    for cut in 0..third.len() {
        assert!(peer_handle(&mut answered(), &third[..cut]).is_err(), "{cut} octets");
    }
    let longer = [third, vec![0]].concat();
    assert_eq!(peer_handle(&mut answered(), &longer), Err(MethodError::WrongCredentials));
}

#[test]
fn what_gpsk_3_repeats_is_compared_even_under_a_right_mac() {
    let other = [0x33; RAND_LEN];
    let right = gpsk3(SUITE.octets());
    let wrong = [
        Gpsk3 { rand_peer: &other, ..right },
        Gpsk3 { rand_server: &other, ..right },
        Gpsk3 { rand_peer: &RAND_SERVER, rand_server: &RAND_PEER, ..right },
        Gpsk3 { id_server: PEER.as_bytes(), ..right },
        Gpsk3 { suite: Suite::AesCmac.octets(), ..right },
    ];
    for (row, message) in wrong.into_iter().enumerate() {
        let mut peer = answered();
        assert_eq!(peer_handle(&mut peer, &message.write(&the_keys())), Err(MethodError::Mismatch), "row {row}");
        assert!(peer.msk().is_none());
    }
}

#[test]
fn a_failure_is_sent_back_as_it_came_and_nothing_follows_it() {
    let refused = |data: Vec<u8>| Reply { data, progress: Progress::Failed(MethodError::Refused) };
    for code in [FailureCode::PSK_NOT_FOUND, FailureCode::AUTHENTICATION, FailureCode(99)] {
        let mut peer = answered();
        assert_eq!(peer_handle(&mut peer, &code.write_fail()), Ok(refused(code.write_fail())));
        let third = gpsk3(SUITE.octets()).write(&the_keys());
        assert_eq!(peer_handle(&mut peer, &third), Err(MethodError::OutOfPlace));
        assert!(peer.msk().is_none());
    }
    let protected = FailureCode::AUTHORIZATION.write_protected_fail(&the_keys());
    assert_eq!(peer_handle(&mut answered(), &protected), Ok(refused(protected)));
    let forged = FailureCode::AUTHORIZATION.write_protected_fail(&keys(SUITE, &psk(33)));
    assert_eq!(peer_handle(&mut answered(), &forged), Err(MethodError::WrongCredentials));
}

#[test]
fn messages_out_of_their_place_are_refused() {
    let (sel, keys) = (SUITE.octets(), the_keys());
    let third = gpsk3(sel).write(&keys);
    let [fail, protected] = [FailureCode::AUTHENTICATION.write_fail(), FailureCode::AUTHORIZATION.write_protected_fail(&keys)];
    let own = [gpsk2(sel).write(&keys), write_gpsk4(&keys)];
    let refuses = |peer: &mut GpskPeer, data: &[u8]| {
        assert_eq!(peer_handle(peer, data), Err(MethodError::OutOfPlace), "OP-Code {}", data[0]);
    };
    for data in [&third, &fail, &protected].into_iter().chain(&own) {
        refuses(&mut GpskPeer::new(PEER, psk(32)).unwrap(), data);
    }
    for data in [&gpsk1().write()].into_iter().chain(&own) {
        refuses(&mut answered(), data);
    }
    let mut done = answered();
    peer_handle(&mut done, &third).unwrap();
    for data in [&gpsk1().write(), &third, &fail, &protected] {
        refuses(&mut done, data);
    }
}
