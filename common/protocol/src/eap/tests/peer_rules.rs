//! The peer's rules (RFC 3748 sections 2, 4, 5; RFC 4137 section 4).

use super::*;
use crate::eap::peer::{Peer, Step};

const SCRIPT: &[Progress] = &[Progress::Continue, Progress::MayEnd, Progress::Done];

fn peer() -> Peer {
    Peer::new(ALICE, vec![ScriptedPeer::boxed(FIRST, SCRIPT), ScriptedPeer::boxed(SECOND, &[Progress::Done])]).unwrap()
}

fn handle(peer: &mut Peer, octets: &[u8]) -> Result<Step, EapError> {
    peer.handle(octets, &mut rng())
}

/// A peer that has answered so many requests of its first method, Identifiers from 1 on.
fn in_round(rounds: u8) -> Peer {
    let mut peer = peer();
    for identifier in 1..=rounds {
        handle(&mut peer, &request(identifier, FIRST, b"")).unwrap();
    }
    peer
}

#[test]
fn a_success_counts_when_the_method_says_that_it_may_end() {
    assert_eq!(handle(&mut in_round(1), &success(1)), Err(EapError::EarlySuccess));
    for rounds in [2, 3] {
        let mut peer = in_round(rounds);
        assert_eq!(handle(&mut peer, &success(rounds)), Ok(Step::Succeeded));
        assert!(peer.msk().is_some() && peer.method() == Some(FIRST));
    }
}

#[test]
fn a_success_without_a_method_is_refused() {
    assert_eq!(handle(&mut peer(), &success(0)), Err(EapError::Identifier));
    let mut asked = peer();
    handle(&mut asked, &request(4, Type::IDENTITY, b"")).unwrap();
    assert_eq!(handle(&mut asked, &success(4)), Err(EapError::EarlySuccess));
    let mut proposed = peer();
    handle(&mut proposed, &request(5, Type::TLS, b"")).unwrap();
    assert_eq!(handle(&mut proposed, &success(5)), Err(EapError::EarlySuccess));
}

#[test]
fn a_success_after_the_method_has_failed_is_refused_with_the_methods_reason() {
    let refused = EapError::Method(FIRST, MethodError::Refused);
    for result in [success, failure] {
        let mut peer = in_round(1);
        assert!(matches!(handle(&mut peer, &request(2, FIRST, REFUSE)), Ok(Step::Respond(_))));
        assert!(peer.msk().is_none());
        assert_eq!(handle(&mut peer, &result(2)), Err(refused));
    }
    let mut peer = in_round(1);
    handle(&mut peer, &request(2, FIRST, REFUSE)).unwrap();
    assert_eq!(handle(&mut peer, &request(3, FIRST, b"")), Err(EapError::OutOfPlace(FIRST)));
}

#[test]
fn after_an_error_nothing_is_accepted_any_more() {
    for bad in [success(1), failure(3), request(3, SECOND, b""), request(3, FIRST, BREAK), response(3, FIRST, b""), vec![1]] {
        let mut peer = in_round(2);
        assert!(peer.msk().is_some());
        handle(&mut peer, &bad).unwrap_err();
        assert!(peer.msk().is_none() && peer.method().is_none());
        assert_eq!(handle(&mut peer, &success(2)), Err(EapError::Identifier));
        assert_eq!(handle(&mut peer, &request(2, FIRST, b"")), Err(EapError::OutOfPlace(FIRST)));
    }
}

#[test]
fn a_failure_ends_the_run_wherever_it_comes() {
    let mut asked = peer();
    handle(&mut asked, &request(0, Type::IDENTITY, b"")).unwrap();
    assert_eq!(handle(&mut asked, &failure(0)), Err(EapError::Failure));
    for rounds in 1..=3 {
        let mut peer = in_round(rounds);
        assert_eq!(handle(&mut peer, &failure(rounds)), Err(EapError::Failure));
        assert_eq!(handle(&mut peer, &success(rounds)), Err(EapError::Identifier));
        assert!(peer.msk().is_none());
    }
}

#[test]
fn a_failure_in_answer_to_what_we_proposed_says_that_there_is_no_common_method() {
    let mut proposed = peer();
    handle(&mut proposed, &request(5, Type::TLS, b"")).unwrap();
    assert_eq!(handle(&mut proposed, &failure(5)), Err(EapError::NoCommonMethod));
    let mut begun = peer();
    handle(&mut begun, &request(5, Type::TLS, b"")).unwrap();
    handle(&mut begun, &request(6, FIRST, b"")).unwrap();
    assert_eq!(handle(&mut begun, &failure(6)), Err(EapError::Failure));
}

#[test]
fn a_result_has_the_identifier_of_the_last_response() {
    for result in [success(1), success(3), failure(1), failure(3)] {
        assert_eq!(handle(&mut in_round(2), &result), Err(EapError::Identifier));
    }
}

#[test]
fn a_request_after_the_last_round_or_after_success_is_refused() {
    for kind in [FIRST, SECOND, Type::TLS, Type::IDENTITY, Type::NAK] {
        assert_eq!(handle(&mut in_round(3), &request(4, kind, b"")), Err(EapError::OutOfPlace(kind)));
        let mut peer = in_round(3);
        handle(&mut peer, &success(3)).unwrap();
        assert_eq!(handle(&mut peer, &request(4, kind, b"")), Err(EapError::OutOfPlace(kind)));
    }
}

#[test]
fn another_method_is_answered_with_ours_until_one_of_ours_has_begun() {
    let nak = |identifier| Ok(Step::Respond(response(identifier, Type::NAK, &[FIRST.0, SECOND.0])));
    let mut peer = peer();
    assert_eq!(handle(&mut peer, &request(1, Type::TLS, b"")), nak(1));
    assert_eq!(handle(&mut peer, &request(2, Type(254), b"")), nak(2));
    assert_eq!(handle(&mut peer, &request(3, SECOND, b"")), Ok(Step::RespondLast(response(3, SECOND, &[3]))));
    assert_eq!(peer.method(), Some(SECOND));
    for kind in [Type::TLS, SECOND, Type(254)] {
        assert_eq!(handle(&mut in_round(1), &request(2, kind, b"")), Err(EapError::OutOfPlace(kind)));
    }
    assert_eq!(handle(&mut in_round(0), &request(1, Type::NAK, b"")), Err(EapError::OutOfPlace(Type::NAK)));
    assert_eq!(handle(&mut in_round(0), &request(1, Type(0), b"")), Err(EapError::OutOfPlace(Type(0))));
}

#[test]
fn the_identity_is_given_as_often_as_it_is_asked_for_before_a_method_and_not_later() {
    let mut peer = peer();
    for identifier in [7, 8] {
        let answer = response(identifier, Type::IDENTITY, ALICE.as_bytes());
        assert_eq!(handle(&mut peer, &request(identifier, Type::IDENTITY, b"who?")), Ok(Step::Respond(answer)));
    }
    assert_eq!(handle(&mut in_round(1), &request(2, Type::IDENTITY, b"")), Err(EapError::OutOfPlace(Type::IDENTITY)));
}

#[test]
fn a_notification_is_answered_empty_and_changes_nothing() {
    let answer = response(9, Type::NOTIFICATION, b"");
    assert_eq!(handle(&mut peer(), &request(9, Type::NOTIFICATION, b"hello")), Ok(Step::Respond(answer.clone())));
    let mut peer = in_round(2);
    assert_eq!(handle(&mut peer, &request(9, Type::NOTIFICATION, b"soon")), Ok(Step::RespondLast(answer)));
    assert_eq!(handle(&mut peer, &success(9)), Ok(Step::Succeeded));
}

#[test]
fn a_repeated_request_gets_the_same_response_and_the_method_does_not_see_it() {
    let mut peer = in_round(1);
    let answer = Ok(Step::Respond(response(1, FIRST, &[1])));
    for _ in 0..3 {
        assert_eq!(handle(&mut peer, &request(1, FIRST, b"")), answer);
    }
    assert_eq!(handle(&mut peer, &success(1)), Err(EapError::EarlySuccess));
    let mut peer = in_round(2);
    assert_eq!(handle(&mut peer, &request(2, FIRST, b"")), Ok(Step::RespondLast(response(2, FIRST, &[2]))));
}

#[test]
fn the_51st_request_is_one_too_many_even_a_repeated_one() {
    for step in [0, 1] {
        let mut peer = peer();
        for count in 0..MAX_REQUESTS {
            handle(&mut peer, &request(count * step, Type::IDENTITY, b"")).unwrap();
        }
        assert_eq!(handle(&mut peer, &request(MAX_REQUESTS * step, FIRST, b"")), Err(EapError::TooManyRequests));
    }
}

#[test]
fn a_packet_of_the_peers_own_direction_is_malformed() {
    assert_eq!(handle(&mut in_round(2), &response(2, FIRST, b"")), Err(EapError::Malformed));
}

#[test]
fn a_peer_has_an_identity_that_fits_and_a_method() {
    let of = |identity: &str, methods| Peer::new(identity, methods).err();
    let method = || vec![ScriptedPeer::boxed(FIRST, SCRIPT)];
    assert_eq!(of(&"a".repeat(MAX_IDENTITY_LEN), method()), None);
    assert_eq!(of(&"a".repeat(MAX_IDENTITY_LEN + 1), method()), Some(EapError::Identity));
    assert_eq!((of("", method()), of(ALICE, vec![])), (Some(EapError::Identity), Some(EapError::NoCommonMethod)));
}
