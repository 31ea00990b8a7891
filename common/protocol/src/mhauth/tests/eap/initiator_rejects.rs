//! What the node does not take, from its first response to the grant.

use super::*;
use crate::eap::EapError;

/// Sent its identity: awaits the response to Identifier 2; the last EAP request had Identifier 7.
fn in_mid() -> Node {
    let (node, init) = Node::start(eap_offer(SHORT.peer()));
    node.goes_on(&Hac::begin(&init, SHORT.server()).1).0
}

/// Sent its Done: awaits the response to Identifier 4; the last EAP request had Identifier 9.
fn in_done() -> Node {
    Ready::scripted(SHORT).node
}

/// Was told of the success: awaits the response to Identifier 5.
fn told() -> Node {
    in_done().goes_on(&sealed(4, &mid(&success(9)), Key::One, Sender::Controller, &by())).0
}

fn hint(status: Status) -> Failure {
    Failure::Refused { status, retry_after: None, authenticated: false }
}

/// A response of the HAC's keyed with "1".
fn one(identifier: u8, lines: &str) -> Vec<u8> {
    sealed(identifier, lines, Key::One, Sender::Controller, &by())
}

fn with_msk(identifier: u8, lines: &str) -> Vec<u8> {
    sealed(identifier, lines, Key::Msk(&msk()), Sender::Controller, &by())
}

#[test]
fn a_first_response_that_is_not_right_is_not_taken() {
    let good = format!("auth-method:eap\r\n{}", mid(&request(7)));
    let keyed_with_msk = with_msk(1, &good);
    let rows: Vec<(Vec<u8>, Failure)> = vec![
        (one(2, &good), Rejection::Identifier.into()),
        (one(1, &mid(&request(7))), Rejection::Missing(Name::AuthMethod).into()),
        (one(1, &good.replace(":eap", ":eap,psk")), Rejection::Value(Name::AuthMethod).into()),
        (one(1, &good.replace(":eap", ":gpsk")), Rejection::NoCommonMethod.into()),
        (one(1, "auth-method:eap\r\n"), Rejection::Missing(Name::EapPayload).into()),
        (framed(1, &good), Rejection::Missing(Name::Auth).into()),
        (keyed_with_msk, Rejection::WrongAuth.into()),
        (sealed(1, &good, Key::One, Sender::MobileNode, &by()), Rejection::WrongAuth.into()),
        (sealed(1, &good, Key::One, Sender::Controller, &elsewhere()), Rejection::WrongAuth.into()),
        (one(1, &good.replace(&mid(&request(7)), &mid(&success(7)))), Failure::Eap(EapError::Identifier)),
        (one(1, "status-code:200\r\n"), Rejection::PrematureSuccess.into()),
        (one(1, "status-code:501\r\n"), hint(Status::NotImplemented)),
    ];
    for (octets, expected) in rows {
        let (node, _) = Node::start(eap_offer(SHORT.peer()));
        assert_eq!(node.fails(&octets), expected, "{}", String::from_utf8_lossy(&octets));
    }
}

#[test]
fn a_response_to_mid_that_is_not_right_is_not_taken() {
    let good = mid(&request(8));
    let grant = lines(&Ready::scripted(SHORT).authenticated().1.grant(&grant(CipherSuite::Aes128Gcm)));
    let payload = |value: &str| one(2, &format!("eap-payload:{value}\r\n"));
    let rows: Vec<(Vec<u8>, Failure)> = vec![
        (vec![0x20, 2, 0, 1, b'x'], Rejection::Version.into()),
        (one(1, &good), Rejection::Identifier.into()),
        (one(3, &good), Rejection::Identifier.into()),
        (framed(2, &good), Rejection::Missing(Name::Auth).into()),
        (with_msk(2, &good), Rejection::WrongAuth.into()),
        (sealed(2, &good, Key::One, Sender::MobileNode, &by()), Rejection::WrongAuth.into()),
        (sealed(2, &good, Key::One, Sender::Controller, &elsewhere()), Rejection::WrongAuth.into()),
        (one(2, "x:1\r\n"), Rejection::Missing(Name::EapPayload).into()),
        (payload(""), Rejection::Value(Name::EapPayload).into()),
        (payload("0g"), Rejection::Value(Name::EapPayload).into()),
        (payload("010"), Rejection::Value(Name::EapPayload).into()),
        (payload(&"00".repeat(4097)), Rejection::Value(Name::EapPayload).into()),
        (payload(&"00".repeat(4096)), Failure::Eap(EapError::Malformed)),
        (one(2, &mid(&[2, 8, 0, 5, 90])), Failure::Eap(EapError::Malformed)),
        (one(2, &mid(&success(7))), Failure::Eap(EapError::EarlySuccess)),
        (one(2, &mid(&success(6))), Failure::Eap(EapError::Identifier)),
        (one(2, &mid(&failure(7))), Failure::Eap(EapError::Failure)),
        (one(2, &grant), Rejection::PrematureSuccess.into()),
        (with_msk(2, &grant), Rejection::PrematureSuccess.into()),
        (with_msk(2, "status-code:401\r\n"), Rejection::WrongAuth.into()),
    ];
    for (octets, expected) in rows {
        assert_eq!(in_mid().fails(&octets), expected, "{}", String::from_utf8_lossy(&octets));
    }
    assert!(in_mid().handle(&one(2, &good)).is_ok());
}

#[test]
fn a_response_to_done_that_is_not_right_is_not_taken() {
    let good = lines(&Ready::scripted(SHORT).authenticated().1.grant(&grant(CipherSuite::Aes128Gcm)));
    let other = other_msk();
    let with = |packet: &[u8]| with_msk(4, &good.replace(&mid(&success(9)), &mid(packet)));
    let notification = Packet::Request { identifier: 10, kind: Type::NOTIFICATION, data: b"" }.write();
    let key = msk();
    let rows: Vec<(Vec<u8>, Failure)> = vec![
        (with_msk(3, &good), Rejection::Identifier.into()),
        (framed(4, &good), Rejection::Missing(Name::Auth).into()),
        (one(4, &good), Rejection::WrongAuth.into()),
        (sealed(4, &good, Key::Msk(&other), Sender::Controller, &by()), Rejection::WrongAuth.into()),
        (sealed(4, &good, Key::Msk(&key), Sender::MobileNode, &by()), Rejection::WrongAuth.into()),
        (sealed(4, &good, Key::Msk(&key), Sender::Controller, &elsewhere()), Rejection::WrongAuth.into()),
        (with_msk(4, &good.replace(&mid(&success(9)), "")), Rejection::Missing(Name::EapPayload).into()),
        (with(&success(8)), Failure::Eap(EapError::Identifier)),
        (with(&failure(9)), Failure::Eap(EapError::Failure)),
        (with(&notification), Rejection::EapAndStatusDisagree.into()),
        (with(&request(10)), Failure::Eap(EapError::OutOfPlace(KIND))),
        (with_msk(4, &good.replace("{00,9C}", "{00,3C}")), Rejection::SuiteNotOffered.into()),
        (with_msk(4, &good.replace("sas:1", "sas:0")), Rejection::UserDataInTheClear.into()),
        (with_msk(4, &mid(&request(10))), Rejection::WrongAuth.into()),
        (one(4, "x:1\r\n"), Rejection::Missing(Name::EapPayload).into()),
        (one(4, &mid(&request(10))), Failure::Eap(EapError::OutOfPlace(KIND))),
    ];
    for (octets, expected) in rows {
        assert_eq!(in_done().fails(&octets), expected, "{}", String::from_utf8_lossy(&octets));
    }
    assert!(take(in_done(), &with_msk(4, &good)).is_ok());
}

#[test]
fn a_grant_with_another_request_is_not_taken_though_the_method_would_answer_it() {
    let (node, init) = Node::start(eap_offer(ANOTHER_ROUND.peer()));
    let (node, _) = node.goes_on(&one(1, &format!("auth-method:eap\r\n{}", mid(&request(8)))));
    assert!(matches!(node, Node::InDone(_)), "{init:?}");
    let good = lines(&Ready::scripted(SHORT).authenticated().1.grant(&grant(CipherSuite::Aes128Gcm)));
    let octets = with_msk(2, &good.replace(&mid(&success(9)), &mid(&request(9))));
    assert_eq!(node.fails(&octets), Rejection::EapAndStatusDisagree.into());
}

#[test]
fn a_node_that_was_told_of_the_success_takes_nothing_but_a_final_response() {
    for octets in [one(5, &mid(&request(10))), one(5, &mid(&success(9))), with_msk(5, &mid(&success(9)))] {
        assert_eq!(told().fails(&octets), Rejection::Missing(Name::StatusCode).into());
    }
    let bare = lines(&Ready::scripted(SHORT).authenticated().1.grant(&grant(CipherSuite::Aes128Gcm)));
    assert_eq!(told().fails(&one(5, &bare)), Rejection::WrongAuth.into());
    assert!(take(told(), &with_msk(5, &bare)).is_ok());
}

/// RFC 6618 section 5.9: the HAC sends EAP-Failure with the status, and the node says what EAP found.
#[test]
fn an_eap_failure_is_told_apart_from_a_refusal_for_another_reason() {
    let with = |packet: &[u8], status: u16| format!("{}status-code:{status}\r\n", mid(packet));
    let failed = Failure::Eap(EapError::Failure);
    let rows = [
        (with(&failure(7), 401), failed),
        (with(&failure(6), 401), hint(Status::NotAuthenticated)),
        (with(&success(7), 401), hint(Status::NotAuthenticated)),
        (with(&request(8), 401), hint(Status::NotAuthenticated)),
        (with(b"junk", 401), hint(Status::NotAuthenticated)),
        ("status-code:401\r\n".to_owned(), hint(Status::NotAuthenticated)),
        ("eap-payload:0g\r\nstatus-code:401\r\n".to_owned(), hint(Status::NotAuthenticated)),
        (with(&failure(7), 400), hint(Status::Malformed)),
        (with(&failure(7), 500), hint(Status::ServerError)),
        (with(&failure(7), 200), Rejection::PrematureSuccess.into()),
    ];
    for (lines, expected) in rows {
        assert_eq!(in_mid().fails(&one(2, &lines)), expected, "{lines}");
    }
    let failure = with(&failure(9), 401);
    assert_eq!(in_done().fails(&one(4, &failure)), failed);
    assert_eq!(in_done().fails(&with_msk(4, &failure)), failed);
}

/// Whoever ends TLS can say so: a method keeps nothing for later runs on such a word.
#[test]
fn a_success_within_a_refusal_does_not_reach_the_method() {
    let has_succeeded = Arc::default();
    let refusal = format!("{}status-code:401\r\n", mid(&success(9)));
    let node = Ready::of(eap_offer(SHORT.peer_telling(&has_succeeded)), SHORT.server()).node;
    assert_eq!(node.fails(&one(4, &refusal)), hint(Status::NotAuthenticated));
    assert!(!has_succeeded.load(Ordering::Relaxed));
    let (node, hac) = Ready::of(eap_offer(SHORT.peer_telling(&has_succeeded)), SHORT.server()).authenticated();
    take(node, &hac.grant(&grant(CipherSuite::Aes128Gcm))).unwrap();
    assert!(has_succeeded.load(Ordering::Relaxed));
}

#[test]
fn a_time_to_come_again_is_authentic_under_the_msk_and_a_hint_under_1() {
    let retry_after: Option<SystemTime> = Some(UNIX_EPOCH + NOW);
    let expected = |authenticated| Failure::Refused { status: Status::Unavailable, retry_after, authenticated };
    let (node, hac) = Ready::scripted(SHORT).authenticated();
    let refusal = hac.refuse(Status::Unavailable, retry_after);
    assert_final(&refusal, 4, Key::Msk(&msk()));
    assert_eq!(node.fails(&refusal.octets), expected(true));
    let Ready { node, received, .. } = Ready::scripted(SHORT);
    let refusal = received.refuse(Status::Unavailable, retry_after, None);
    assert_final(&refusal, 4, Key::One);
    assert_eq!(node.fails(&refusal.octets), expected(false));
    let (node, hac) = Ready::scripted(KEYLESS).authenticated();
    assert_eq!(node.fails(&hac.refuse(Status::Unavailable, retry_after).octets), expected(false));
}
