//! What the HAC refuses, with which status and under which key.

use super::runs::told;
use super::*;

/// The HAC that has asked for the identity: the next Identifier is above 1, the EAP request's is 7.
fn awaiting_request() -> hac::AwaitingRequest {
    let (_, init) = Node::start(eap_offer(SHORT.peer()));
    Hac::begin(&init, SHORT.server()).0.exchange
}

/// A request of the node's keyed with "1".
fn one(identifier: u8, lines: &str) -> Vec<u8> {
    sealed(identifier, lines, Key::One, Sender::MobileNode, &by())
}

fn with_msk(identifier: u8, lines: &str) -> Vec<u8> {
    sealed(identifier, lines, Key::Msk(&msk()), Sender::MobileNode, &by())
}

fn answer() -> Vec<u8> {
    Packet::Response { identifier: 7, kind: Type::IDENTITY, data: ALICE.as_bytes() }.write()
}

#[test]
fn a_request_that_is_not_right_is_refused_under_the_key_1_with_its_status() {
    let good = mid(&answer());
    let payload = |value: &str| one(2, &format!("eap-payload:{value}\r\n"));
    let init = Node::start(eap_offer(SHORT.peer())).1;
    let rows: Vec<(Vec<u8>, u8, Rejection, Status)> = vec![
        (vec![], 0, Rejection::Container, Status::Malformed),
        (vec![0x20, 2, 0, 1, b'x'], 2, Rejection::Version, Status::NotImplemented),
        (one(0, &good), 0, Rejection::Identifier, Status::Malformed),
        (one(1, &good), 1, Rejection::Identifier, Status::Malformed),
        (init.clone(), 1, Rejection::Identifier, Status::Malformed),
        ([&[0, 2], &init[2..]].concat(), 2, Rejection::Missing(Name::Auth), Status::Malformed),
        (framed(2, &good), 2, Rejection::Missing(Name::Auth), Status::Malformed),
        (framed(2, &format!("{good}auth:00\r\n")), 2, Rejection::Value(Name::Auth), Status::Malformed),
        (with_msk(2, &good), 2, Rejection::WrongAuth, Status::NotAuthenticated),
        (sealed(2, &good, Key::One, Sender::Controller, &by()), 2, Rejection::WrongAuth, Status::NotAuthenticated),
        (sealed(2, &good, Key::One, Sender::MobileNode, &elsewhere()), 2, Rejection::WrongAuth, Status::NotAuthenticated),
        (one(2, "x:1\r\n"), 2, Rejection::Missing(Name::EapPayload), Status::Malformed),
        (one(2, PROPOSAL), 2, Rejection::Missing(Name::EapPayload), Status::Malformed),
        (with_msk(2, PROPOSAL), 2, Rejection::Missing(Name::EapPayload), Status::Malformed),
        (payload(""), 2, Rejection::Value(Name::EapPayload), Status::Malformed),
        (payload("0g"), 2, Rejection::Value(Name::EapPayload), Status::Malformed),
        (payload("020"), 2, Rejection::Value(Name::EapPayload), Status::Malformed),
        (payload(&"00".repeat(4097)), 2, Rejection::Value(Name::EapPayload), Status::Malformed),
        (one(2, &good.repeat(2)), 2, Rejection::Headers(HeaderError::Repeated(Name::EapPayload)), Status::Malformed),
    ];
    for (octets, identifier, rejection, status) in rows {
        let refusal = awaiting_request().handle(&octets).err().unwrap();
        let text = String::from_utf8_lossy(&octets).into_owned();
        assert_eq!((refusal.rejection, refusal.status), (Some(rejection), status), "{text}");
        assert_final(&refusal, identifier, Key::One);
    }
}

#[test]
fn a_request_in_another_legal_form_is_taken() {
    let good = mid(&answer());
    for octets in [
        one(2, &good),
        one(255, &good),
        one(2, &format!("x-new:1\r\nEAP-Payload: {}\r\n", hex::encode_upper(answer()))),
        one(2, &mid(&[&answer()[..], &vec![0; 4096 - answer().len()]].concat())),
        with_msk(2, &format!("{PROPOSAL}{good}")),
        framed(2, &format!("{PROPOSAL}{good}")),
    ] {
        let received = awaiting_request().handle(&octets).unwrap();
        assert!(received.packet().starts_with(&answer()));
    }
}

#[test]
fn a_done_that_is_not_right_is_refused_under_the_msk_once_eap_has_succeeded() {
    let Ready { success, messages, .. } = Ready::scripted(SHORT);
    let good = lines(messages.last().unwrap());
    let suites = "{00,9C},{00,2F},{00,02}";
    let with = |from: &str, to: &str| with_msk(4, &good.replace(from, to));
    let without =
        |name: &str| with_msk(4, &good.split_inclusive("\r\n").filter(|line| !line.starts_with(name)).collect::<String>());
    let (key, other) = (msk(), other_msk());
    let rows: Vec<(Vec<u8>, Rejection, Status)> = vec![
        (framed(4, &good), Rejection::Missing(Name::Auth), Status::Malformed),
        (one(4, &good), Rejection::WrongAuth, Status::NotAuthenticated),
        (sealed(4, &good, Key::Msk(&other), Sender::MobileNode, &by()), Rejection::WrongAuth, Status::NotAuthenticated),
        (sealed(4, &good, Key::Msk(&key), Sender::Controller, &by()), Rejection::WrongAuth, Status::NotAuthenticated),
        (sealed(4, &good, Key::Msk(&key), Sender::MobileNode, &elsewhere()), Rejection::WrongAuth, Status::NotAuthenticated),
        (without("mip6-sas"), Rejection::Missing(Name::Sas), Status::Malformed),
        (with("sas:1", "sas:2"), Rejection::Value(Name::Sas), Status::Malformed),
        (without("mip6-suitelist"), Rejection::Missing(Name::SuiteList), Status::Malformed),
        (with(suites, ""), Rejection::Value(Name::SuiteList), Status::Malformed),
        (with(suites, "{00,35}"), Rejection::NoCommonSuite, Status::NotImplemented),
    ];
    for (octets, rejection, status) in rows {
        let received = hac_before_done().handle(&octets).unwrap();
        let refusal = received.succeed(Some(msk()), success.clone()).err().unwrap();
        assert_eq!((refusal.rejection, refusal.status), (Some(rejection), status), "{}", String::from_utf8_lossy(&octets));
        assert_final(&refusal, 4, Key::Msk(&msk()));
    }
}

/// The HAC that has sent the method's last request; the next Identifier is above 3.
fn hac_before_done() -> hac::AwaitingRequest {
    let Ready { messages, .. } = Ready::scripted(SHORT);
    let (mut hac, _) = Hac::begin(&messages[0], SHORT.server());
    for request in [&messages[2], &messages[4]] {
        let Ok(Answer::Goes(next, _)) = hac.handle(request) else { panic!("EAP goes on") };
        hac = next;
    }
    hac.exchange
}

#[test]
fn an_identifier_that_does_not_rise_is_refused_in_every_round() {
    let packet = mid(&answer());
    for identifier in [0, 1, 2, 3] {
        let refusal = hac_before_done().handle(&one(identifier, &packet)).err().unwrap();
        assert_eq!(refusal.rejection, Some(Rejection::Identifier), "{identifier}");
    }
    assert!(hac_before_done().handle(&one(4, &packet)).is_ok());
}

#[test]
fn a_done_of_a_method_without_a_key_must_be_keyed_with_1() {
    let Ready { success, messages, .. } = Ready::scripted(KEYLESS);
    let good = lines(messages.last().unwrap());
    let refusal = hac_before_done().handle(&with_msk(4, &good)).unwrap().succeed(None, success.clone()).err().unwrap();
    assert_eq!((refusal.rejection, refusal.status), (Some(Rejection::WrongAuth), Status::NotAuthenticated));
    assert_final(&refusal, 4, Key::One);
    assert!(hac_before_done().handle(&one(4, &good)).unwrap().succeed(None, success).is_ok());
}

#[test]
fn after_the_success_was_told_nothing_but_a_done_without_an_eap_packet_is_taken() {
    let done = format!("{PROPOSAL}{}", mid(&answer()));
    let rows: Vec<(Vec<u8>, u8, Rejection, Status)> = vec![
        (vec![0, 5, 0, 0], 5, Rejection::Container, Status::Malformed),
        (with_msk(4, PROPOSAL), 4, Rejection::Identifier, Status::Malformed),
        (one(5, &mid(&answer())), 5, Rejection::Missing(Name::Sas), Status::Malformed),
        (with_msk(5, &mid(&answer())), 5, Rejection::Missing(Name::Sas), Status::Malformed),
        (with_msk(5, &done), 5, Rejection::EapAndStatusDisagree, Status::Malformed),
        (one(5, PROPOSAL), 5, Rejection::WrongAuth, Status::NotAuthenticated),
        (framed(5, PROPOSAL), 5, Rejection::Missing(Name::Auth), Status::Malformed),
        (with_msk(5, "mip6-sas:1\r\n"), 5, Rejection::Missing(Name::SuiteList), Status::Malformed),
    ];
    for (octets, identifier, rejection, status) in rows {
        let refusal = told().0.handle(&octets).err().unwrap();
        assert_eq!((refusal.rejection, refusal.status), (Some(rejection), status), "{}", String::from_utf8_lossy(&octets));
        assert_final(&refusal, identifier, Key::Msk(&msk()));
    }
    assert!(told().0.handle(&with_msk(200, PROPOSAL)).is_ok());
}
