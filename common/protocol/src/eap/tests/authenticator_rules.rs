//! The rules of an authenticator that is the EAP server itself (RFC 3748 sections 2, 4, 5; RFC 4137 section 5).

use super::*;
use crate::eap::authenticator::{Authenticator, Step};

fn authenticator() -> Authenticator {
    Authenticator::new(254, vec![ScriptedServer::boxed(FIRST, 2), ScriptedServer::boxed(SECOND, 1)])
}

fn handle(authenticator: &mut Authenticator, octets: &[u8]) -> Step {
    let mut directory = Subscribers(Secret::empty());
    authenticator.handle(octets, &mut Around { rng: &mut rng(), directory: &mut directory })
}

/// One that has proposed its first method with Identifier 255.
fn proposing() -> Authenticator {
    let mut authenticator = authenticator();
    sends(handle(&mut authenticator, &response(254, Type::IDENTITY, ALICE.as_bytes())), &request(255, FIRST, b"first"));
    authenticator
}

fn sends(step: Step, packet: &[u8]) {
    let Step::Request(sent) = step else { panic!("no request: {step:?}") };
    assert_eq!(sent, packet);
}

fn fails(step: Step, identifier: u8, expected: EapError) {
    let Step::Failure { packet, error } = step else { panic!("no failure: {step:?}") };
    assert_eq!((packet, error), (failure(identifier), expected));
}

#[test]
fn a_run_goes_from_the_identity_through_the_rounds_to_success() {
    let mut authenticator = authenticator();
    assert_eq!(authenticator.request_identity(), request(254, Type::IDENTITY, b""));
    sends(handle(&mut authenticator, &response(254, Type::IDENTITY, b"outer@example.org")), &request(255, FIRST, b"first"));
    sends(handle(&mut authenticator, &response(255, FIRST, b"")), &request(0, FIRST, b"next"));
    let step = handle(&mut authenticator, &response(0, FIRST, b""));
    let Step::Success { packet, identity, msk } = step else { panic!("no success: {step:?}") };
    assert_eq!((packet, identity.as_str(), msk.is_some()), (success(0), ALICE, true));
    fails(handle(&mut authenticator, &response(0, FIRST, b"")), 0, EapError::OutOfPlace(FIRST));
}

#[test]
fn the_peer_may_want_another_method_until_it_has_answered_one() {
    let mut authenticator = proposing();
    sends(handle(&mut authenticator, &response(255, Type::NAK, &[13, SECOND.0])), &request(0, SECOND, b"first"));
    assert!(matches!(handle(&mut authenticator, &response(0, SECOND, b"")), Step::Success { .. }));

    let mut authenticator = proposing();
    sends(handle(&mut authenticator, &response(255, FIRST, b"")), &request(0, FIRST, b"next"));
    fails(handle(&mut authenticator, &response(0, Type::NAK, &[SECOND.0])), 0, EapError::OutOfPlace(Type::NAK));
}

#[test]
fn a_nak_for_what_was_proposed_before_or_nothing_ends_the_run() {
    for wanted in [&[][..], &[0], &[13], &[FIRST.0]] {
        fails(handle(&mut proposing(), &response(255, Type::NAK, wanted)), 255, EapError::NoCommonMethod);
    }
    let mut authenticator = proposing();
    handle(&mut authenticator, &response(255, Type::NAK, &[SECOND.0]));
    fails(handle(&mut authenticator, &response(0, Type::NAK, &[FIRST.0, SECOND.0])), 0, EapError::NoCommonMethod);
    let mut none = Authenticator::new(1, vec![]);
    fails(handle(&mut none, &response(1, Type::IDENTITY, b"a")), 1, EapError::NoCommonMethod);
}

#[test]
fn the_first_response_is_an_identity_that_fits() {
    let longest = [b'a'; MAX_IDENTITY_LEN];
    assert!(matches!(handle(&mut authenticator(), &response(254, Type::IDENTITY, &longest)), Step::Request(_)));
    for identity in [&[][..], &[b'a'; MAX_IDENTITY_LEN + 1]] {
        fails(handle(&mut authenticator(), &response(254, Type::IDENTITY, identity)), 254, EapError::Identity);
    }
    for kind in [FIRST, Type::NAK, Type::NOTIFICATION] {
        fails(handle(&mut authenticator(), &response(254, kind, b"")), 254, EapError::OutOfPlace(kind));
    }
    fails(handle(&mut proposing(), &response(255, Type::IDENTITY, b"a")), 255, EapError::OutOfPlace(Type::IDENTITY));
}

#[test]
fn a_response_has_the_identifier_of_the_last_request() {
    for identifier in [254, 0] {
        fails(handle(&mut proposing(), &response(identifier, FIRST, b"")), 255, EapError::Identifier);
    }
}

#[test]
fn packets_of_the_authenticators_own_direction_are_malformed() {
    for packet in [request(255, FIRST, b""), success(255), failure(255), vec![2, 255, 0, 4]] {
        fails(handle(&mut proposing(), &packet), 255, EapError::Malformed);
    }
}

#[test]
fn a_response_of_another_method_or_to_a_run_that_is_over_is_refused() {
    fails(handle(&mut proposing(), &response(255, SECOND, b"")), 255, EapError::OutOfPlace(SECOND));
    let mut over = proposing();
    fails(handle(&mut over, &response(255, FIRST, BREAK)), 255, EapError::Method(FIRST, MethodError::Malformed));
    fails(handle(&mut over, &response(255, FIRST, b"")), 255, EapError::OutOfPlace(FIRST));
}

#[test]
fn there_is_no_51st_request() {
    let mut authenticator = Authenticator::new(0, vec![ScriptedServer::boxed(FIRST, 100)]);
    let mut step = handle(&mut authenticator, &response(0, Type::IDENTITY, b"a"));
    for identifier in 1..MAX_REQUESTS {
        assert!(matches!(step, Step::Request(_)), "request {identifier}");
        step = handle(&mut authenticator, &response(identifier, FIRST, b""));
    }
    fails(step, MAX_REQUESTS - 1, EapError::TooManyRequests);
}

#[test]
fn an_identity_of_the_method_that_does_not_fit_is_unknown() {
    struct Names(String);
    impl ServerMethod for Names {
        fn kind(&self) -> Type {
            FIRST
        }
        fn start(&mut self, _around: &mut Around<'_>) -> Vec<u8> {
            vec![]
        }
        fn handle(&mut self, _data: &[u8], _around: &mut Around<'_>) -> Result<ServerStep, MethodError> {
            Ok(ServerStep::Authenticated { identity: self.0.clone(), msk: None })
        }
    }
    for len in [0, MAX_IDENTITY_LEN + 1] {
        let mut authenticator = Authenticator::new(0, vec![Box::new(Names("a".repeat(len)))]);
        handle(&mut authenticator, &response(0, Type::IDENTITY, b"a"));
        fails(handle(&mut authenticator, &response(1, FIRST, b"")), 1, EapError::Method(FIRST, MethodError::UnknownIdentity));
    }
}
