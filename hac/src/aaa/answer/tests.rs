use super::super::packet::AttributeList;
use super::super::reply::tests::{authentic, secret};
use super::*;

const ACCEPT: u8 = 2;
const REJECT: u8 = 3;
const CHALLENGE: u8 = 11;

fn answer(code: u8, attributes: &[(Kind, &[u8])]) -> Result<Answer, Unusable> {
    let mut list = AttributeList::default();
    attributes.iter().for_each(|(kind, value)| list.push(*kind, value).unwrap());
    Answer::of(&authentic(code, &list), &secret())
}

fn accepted(attributes: &[(Kind, &[u8])]) -> Accept {
    match answer(ACCEPT, attributes).unwrap() {
        Answer::Accept(accept) => accept,
        other @ (Answer::Challenge { .. } | Answer::Reject { .. }) => panic!("{other:?}"),
    }
}

const REQUEST_PACKET: &[u8] = &[1, 9, 0, 6, 4, 0];
const SUCCESS_PACKET: &[u8] = &[3, 9, 0, 4];
const FAILURE_PACKET: &[u8] = &[4, 9, 0, 4];

#[test]
fn a_challenge_has_a_sound_eap_request_or_nothing_to_go_on_with() {
    let challenge = answer(CHALLENGE, &[(Kind::EAP_MESSAGE, REQUEST_PACKET)]);
    assert_eq!(challenge, Ok(Answer::Challenge { eap: REQUEST_PACKET.to_vec() }));
    let long: &[u8] = &[1, 9, 0, 7, 4, 0];
    for eap in [SUCCESS_PACKET, FAILURE_PACKET, &[2, 9, 0, 6, 4, 0], long, &[]] {
        assert_eq!(answer(CHALLENGE, &[(Kind::EAP_MESSAGE, eap)]), Err(Unusable::NoRequest), "{eap:?}");
    }
    assert_eq!(answer(CHALLENGE, &[]), Err(Unusable::NoRequest));
}

#[test]
fn the_code_decides_and_not_the_eap_packet() {
    assert_eq!(accepted(&[(Kind::EAP_MESSAGE, SUCCESS_PACKET)]).eap.as_deref(), Some(SUCCESS_PACKET));
    for eap in [FAILURE_PACKET, REQUEST_PACKET, &[]] {
        assert_eq!(accepted(&[(Kind::EAP_MESSAGE, eap)]).eap, None, "{eap:?}");
        assert_eq!(accepted(&[]).eap, None);
    }
    let rejected = |eap| answer(REJECT, &[(Kind::EAP_MESSAGE, eap)]);
    assert_eq!(rejected(FAILURE_PACKET), Ok(Answer::Reject { eap: Some(FAILURE_PACKET.to_vec()) }));
    for eap in [SUCCESS_PACKET, REQUEST_PACKET, &[]] {
        assert_eq!(rejected(eap), Ok(Answer::Reject { eap: None }), "{eap:?}");
    }
    assert_eq!(answer(REJECT, &[]), Ok(Answer::Reject { eap: None }));
}

#[test]
fn eap_messages_apart_spoil_what_they_are_needed_for() {
    let apart = [(Kind::EAP_MESSAGE, &REQUEST_PACKET[..3]), (Kind::STATE, b"s"), (Kind::EAP_MESSAGE, &REQUEST_PACKET[3..])];
    assert_eq!(answer(CHALLENGE, &apart), Err(Unusable::EapApart));
    assert_eq!(answer(ACCEPT, &apart), Err(Unusable::EapApart));
    assert_eq!(answer(REJECT, &apart), Ok(Answer::Reject { eap: None }));
}

#[test]
fn a_service_that_is_not_framed_is_a_reject() {
    assert!(matches!(answer(ACCEPT, &[(Kind::SERVICE_TYPE, &2_u32.to_be_bytes())]), Ok(Answer::Accept(_))));
    for service in [0_u32, 1, 6, 17, 0x0200_0000] {
        let accept = answer(ACCEPT, &[(Kind::EAP_MESSAGE, SUCCESS_PACKET), (Kind::SERVICE_TYPE, &service.to_be_bytes())]);
        assert_eq!(accept, Ok(Answer::Reject { eap: None }), "{service}");
    }
}

#[test]
fn an_accept_says_who_and_what_and_for_how_long() {
    let address: Ipv6Addr = "2001:db8::7".parse().unwrap();
    let accept = accepted(&[
        (Kind::USER_NAME, b"alice@example.org"),
        (Kind::SESSION_TIMEOUT, &3600_u32.to_be_bytes()),
        (Kind::CLASS, b"gold"),
        (Kind::CLASS, b"\xff"),
        (Kind::FRAMED_IP_ADDRESS, &[192, 0, 2, 7]),
        (Kind::FRAMED_IPV6_ADDRESS, &address.octets()),
        (Kind::FRAMED_IPV6_PREFIX, &[0, 32, 0x20, 1, 0x0d, 0xb8]),
        (Kind::FRAMED_INTERFACE_ID, &[0, 0, 0, 0, 0, 0, 0, 7]),
        (Kind::DELEGATED_IPV6_PREFIX, &[0, 32, 0x20, 1, 0x0d, 0xb9, 0, 0]),
        (Kind::ACCT_INTERIM_INTERVAL, &600_u32.to_be_bytes()),
        (Kind(18), b"Hello"),
    ]);
    assert_eq!(accept.user_name.as_deref(), Some("alice@example.org"));
    assert_eq!(accept.session_timeout, Some(Duration::from_secs(3600)));
    assert_eq!(accept.class, [b"gold".to_vec(), vec![0xff]]);
    assert_eq!(accept.framed_ip4, Some(Ipv4Addr::new(192, 0, 2, 7)));
    assert_eq!((accept.framed_ip6, accept.framed_prefix6), (Some(address), Some("2001:db8::/32".parse().unwrap())));
    assert_eq!(
        (accept.framed_interface, accept.delegated_prefix6),
        (Some([0, 0, 0, 0, 0, 0, 0, 7]), "2001:db9::/32".parse().ok())
    );
    assert_eq!(accept.interim, Some(Duration::from_secs(600)));
    assert_eq!((accept.eap, accept.msk), (None, None));
}

/// RFC 2869 section 5.16.
#[test]
fn an_interval_of_accounting_below_a_minute_is_a_minute() {
    for (said, counts) in [(0_u32, 60), (59, 60), (60, 60), (61, 61), (u32::MAX, u64::from(u32::MAX))] {
        let accept = accepted(&[(Kind::ACCT_INTERIM_INTERVAL, &said.to_be_bytes())]);
        assert_eq!(accept.interim, Some(Duration::from_secs(counts)), "{said}");
    }
    assert_eq!(accepted(&[]).interim, None);
}

#[test]
fn addresses_that_leave_the_choice_to_others_are_none() {
    for address in [[255; 4], [255, 255, 255, 254]] {
        assert_eq!(accepted(&[(Kind::FRAMED_IP_ADDRESS, &address)]).framed_ip4, None);
    }
}

#[test]
fn an_accept_with_a_wrong_value_grants_nothing() {
    let wrong: [(Kind, &[u8]); 14] = [
        (Kind::USER_NAME, b"\xff"),
        (Kind::USER_NAME, b""),
        (Kind::SERVICE_TYPE, &[2]),
        (Kind::SESSION_TIMEOUT, &[0, 0, 1]),
        (Kind::FRAMED_IP_ADDRESS, &[192, 0, 2, 7, 0]),
        (Kind::FRAMED_IPV6_ADDRESS, &[0x20; 15]),
        (Kind::FRAMED_IPV6_PREFIX, &[0]),
        (Kind::FRAMED_IPV6_PREFIX, &[0, 129, 0x20]),
        (Kind::FRAMED_IPV6_PREFIX, &[0, 64, 0x20, 1]),
        (Kind::FRAMED_IPV6_PREFIX, &[0, 8, 0x20, 1]),
        (Kind::DELEGATED_IPV6_PREFIX, &[0, 64, 0x20, 1]),
        (Kind::FRAMED_INTERFACE_ID, &[1; 7]),
        (Kind::FRAMED_INTERFACE_ID, &[1; 9]),
        (Kind::ACCT_INTERIM_INTERVAL, &[0, 1, 0]),
    ];
    for (kind, value) in wrong {
        assert_eq!(answer(ACCEPT, &[(kind, value)]), Err(Unusable::Value(kind)), "{kind:?} {value:?}");
    }
    let twice = [(Kind::USER_NAME, &b"alice"[..]), (Kind::USER_NAME, b"bob")];
    assert_eq!(answer(ACCEPT, &twice), Err(Unusable::Repeated(Kind::USER_NAME)));
}

#[test]
fn classes_are_bounded() {
    let many = vec![(Kind::CLASS, &b"c"[..]); 30];
    assert_eq!(accepted(&many).class.len(), MAX_CLASSES);
}
