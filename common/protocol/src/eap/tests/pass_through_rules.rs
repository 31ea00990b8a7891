//! The pass-through's rules (RFC 3748 sections 2.3, 4; RFC 4137 section 6).

use super::*;
use crate::eap::pass_through::{Kind, PassThrough};

/// One whose peer has given its identity.
fn asked() -> PassThrough {
    let mut run = PassThrough::new(3);
    run.handle_response(&response(3, Type::IDENTITY, ALICE.as_bytes())).unwrap();
    run
}

/// One whose AAA server has sent a request with Identifier 77.
fn requested() -> PassThrough {
    let mut run = asked();
    assert_eq!(run.handle_from_server(&request(77, Type::TLS, b"")), Ok(Kind::Request));
    run
}

/// One whose peer has answered that.
fn answered() -> PassThrough {
    let mut run = requested();
    run.handle_response(&response(77, Type::TLS, b"")).unwrap();
    run
}

#[test]
fn a_run_goes_from_the_identity_through_the_rounds_to_the_servers_result() {
    assert_eq!(PassThrough::new(3).request_identity(), request(3, Type::IDENTITY, b""));
    assert_eq!(asked().identity(), ALICE.as_bytes());
    assert_eq!(answered().handle_from_server(&success(77)), Ok(Kind::Success));
    assert_eq!(answered().handle_from_server(&failure(77)), Ok(Kind::Failure));
    assert_eq!(answered().failure(), failure(77));
}

#[test]
fn a_nak_and_an_identity_within_the_rounds_are_the_servers_business() {
    for kind in [Type::NAK, Type::IDENTITY] {
        let mut run = requested();
        assert_eq!(run.handle_response(&response(77, kind, b"x")), Ok(()));
        assert_eq!(run.identity(), ALICE.as_bytes());
    }
}

#[test]
fn the_first_response_is_an_identity_that_fits() {
    let first = |kind, data: &[u8]| PassThrough::new(3).handle_response(&response(3, kind, data));
    assert_eq!(first(Type::IDENTITY, &[b'a'; MAX_IDENTITY_LEN]), Ok(()));
    assert_eq!(first(Type::IDENTITY, &[b'a'; MAX_IDENTITY_LEN + 1]), Err(EapError::Identity));
    assert_eq!((first(Type::IDENTITY, b""), first(FIRST, b"")), (Err(EapError::Identity), Err(EapError::OutOfPlace(FIRST))));
}

#[test]
fn a_response_answers_the_last_request_once() {
    assert_eq!(requested().handle_response(&response(3, Type::TLS, b"")), Err(EapError::Identifier));
    assert_eq!(answered().handle_response(&response(77, Type::TLS, b"")), Err(EapError::OutOfPlace(Type::TLS)));
    assert_eq!(asked().handle_response(&response(3, Type::IDENTITY, b"b")), Err(EapError::OutOfPlace(Type::IDENTITY)));
}

#[test]
fn a_result_belongs_to_the_last_response() {
    assert_eq!(answered().handle_from_server(&success(78)), Err(EapError::Identifier));
    assert_eq!(answered().handle_from_server(&failure(3)), Err(EapError::Identifier));
    for mut run in [PassThrough::new(77), requested()] {
        assert_eq!(run.handle_from_server(&success(77)), Err(EapError::Identifier));
    }
}

#[test]
fn a_server_speaks_when_it_is_asked() {
    let unasked = Err(EapError::OutOfPlace(Type::TLS));
    assert_eq!(PassThrough::new(3).handle_from_server(&request(4, Type::TLS, b"")), unasked);
    assert_eq!(requested().handle_from_server(&request(78, Type::TLS, b"")), unasked);
}

#[test]
fn packets_of_the_wrong_direction_are_malformed() {
    for packet in [request(77, Type::TLS, b""), success(77), failure(77)] {
        assert_eq!(requested().handle_response(&packet), Err(EapError::Malformed));
    }
    assert_eq!(answered().handle_from_server(&response(77, Type::TLS, b"")), Err(EapError::Malformed));
}

#[test]
fn a_run_that_has_ended_stays_ended() {
    let mut failed = requested();
    failed.handle_response(&response(3, Type::TLS, b"")).unwrap_err();
    assert_eq!(failed.handle_response(&response(77, Type::TLS, b"")), Err(EapError::OutOfPlace(Type::TLS)));
    assert_eq!(failed.handle_from_server(&success(77)), Err(EapError::Identifier));
    let mut succeeded = answered();
    succeeded.handle_from_server(&success(77)).unwrap();
    assert_eq!(succeeded.handle_from_server(&success(77)), Err(EapError::Identifier));
}

#[test]
fn there_is_no_51st_request() {
    let mut run = asked();
    for identifier in 1..MAX_REQUESTS {
        assert_eq!(run.handle_from_server(&request(identifier, Type::TLS, b"")), Ok(Kind::Request));
        run.handle_response(&response(identifier, Type::TLS, b"")).unwrap();
    }
    assert_eq!(run.handle_from_server(&request(99, Type::TLS, b"")), Err(EapError::TooManyRequests));
}
