//! Seeds of what comes from a AAA server's address: replies of each kind, and each with one thing that may not be.

use hac::aaa::{Answer, Decision, Kind, verify};
use protocol::eap::{Packet, Type};
use protocol::sa::Secret;
use tests::fuzz::radius::{self as fuzz, AWAITED, SECRET, hidden_key};

use crate::Seed;

/// First octet of what an accounting server answers.
const RECORD: u8 = 4;

/// Name, what the server decides, the attributes, and what that comes to.
type Row = (&'static str, Decision, Vec<u8>, &'static str);

/// Target and seeds.
pub(crate) fn all() -> Vec<(&'static str, Vec<Seed>)> {
    let rows = [accepts(), challenges(), rejects()].concat();
    let as_attributes = rows.iter().enumerate().map(|(number, (name, decision, attributes, _))| {
        let (kind, place) = (kind(*decision), number as u8 * 7);
        (format!("{name}_attributes"), [&[kind, 0, place, 1 << (number % 8)], &attributes[..]].concat())
    });
    let as_datagrams = rows.iter().map(|(name, decision, attributes, _)| {
        let datagram = fuzz::authentic(*decision, attributes);
        ((*name).to_owned(), [&[0], &datagram[..]].concat())
    });
    let seeds = as_attributes.chain(as_datagrams).chain(dropped()).chain(records()).collect();
    vec![("radius", seeds), ("radius_frames", frames())]
}

/// Over TLS: packets behind each other, whole and cut, and a Length that ends it.
fn frames() -> Vec<Seed> {
    let packets = [rejects(), accepts()].concat();
    let packets: Vec<_> = packets.iter().map(|(_, decision, attributes, _)| fuzz::authentic(*decision, attributes)).collect();
    let all = packets.concat();
    let with = |length: u16, pieces: u8| [&[pieces], &all[..], &[2, 7], &length.to_be_bytes(), &[0; 40]].concat();
    let longest = [&[26, 254][..], &[0; 252]].concat().into_iter().cycle().take(16 * 254);
    let longest = fuzz::authentic(Decision::Accept, &longest.chain([1, 2]).collect::<Vec<_>>()[..4058]);
    vec![
        ("one".to_owned(), [&[255], &packets[0][..]].concat()),
        ("several_in_pieces".to_owned(), [&[7], &all[..]].concat()),
        ("half".to_owned(), [&[1], &packets[0][..19]].concat()),
        ("longest".to_owned(), [&[100], &longest[..], &packets[0]].concat()),
        ("too_short_a_length".to_owned(), with(19, 3)),
        ("too_long_a_length".to_owned(), with(4097, 64)),
    ]
}

fn kind(decision: Decision) -> u8 {
    match decision {
        Decision::Accept => 1,
        Decision::Reject => 2,
        Decision::Challenge => 3,
        Decision::Recorded => RECORD,
    }
}

fn attribute(kind: Kind, value: &[u8]) -> Vec<u8> {
    [&[kind.0, u8::try_from(value.len() + 2).unwrap()], value].concat()
}

fn eap(packet: &Packet<'_>) -> Vec<u8> {
    packet.write().chunks(253).flat_map(|piece| attribute(Kind::EAP_MESSAGE, piece)).collect()
}

fn success() -> Vec<u8> {
    eap(&Packet::Success { identifier: 3 })
}

fn accepts() -> Vec<Row> {
    let keys = [hidden_key(17, [0x80, 1], &[0x11; 32]), hidden_key(16, [0x80, 2], &[0x22; 32])].concat();
    let name = attribute(Kind::USER_NAME, b"alice@example.org");
    let told = [
        attribute(Kind::SESSION_TIMEOUT, &[0, 0, 0x0e, 0x10]),
        attribute(Kind::CLASS, b"gold"),
        attribute(Kind::SERVICE_TYPE, &[0, 0, 0, 2]),
        attribute(Kind::FRAMED_IP_ADDRESS, &[10, 9, 0, 7]),
        attribute(Kind::FRAMED_IPV6_PREFIX, &[0, 32, 0x20, 1, 0x0d, 0xb8]),
        attribute(Kind::FRAMED_IPV6_ADDRESS, &[0x20; 16]),
        attribute(Kind::FRAMED_INTERFACE_ID, &[7; 8]),
        attribute(Kind::DELEGATED_IPV6_PREFIX, &[0, 56, 0x20, 1, 0x0d, 0xb8, 0, 0, 1]),
        attribute(Kind::ACCT_INTERIM_INTERVAL, &[0, 0, 0, 30]),
    ];
    let row = |name, parts: &[&[u8]], comes_to| (name, Decision::Accept, parts.concat(), comes_to);
    vec![
        row("accept", &[&success(), &name, &keys], "accept with a key"),
        row("accept_everything", &[&success(), &name, &keys, &told.concat()], "accept with a key"),
        row("accept_bare", &[], "accept"),
        row("accept_half_a_key", &[&success(), &keys[..58]], "accept"),
        row("accept_with_a_failure", &[&eap(&Packet::Failure { identifier: 3 })], "accept"),
        row("accept_nobody", &[&success(), &attribute(Kind::USER_NAME, b"")], "unusable"),
        row("accept_two_names", &[&name, &name], "unusable"),
        row("accept_bits_beyond_the_prefix", &[&attribute(Kind::FRAMED_IPV6_PREFIX, &[0, 4, 0x2f])], "unusable"),
        row("accept_for_login", &[&success(), &attribute(Kind::SERVICE_TYPE, &[0, 0, 0, 1])], "reject"),
    ]
}

fn challenges() -> Vec<Row> {
    let state = attribute(Kind::STATE, b"round 2");
    let request = |data: &[u8]| eap(&Packet::Request { identifier: 2, kind: Type::TLS, data });
    let row = |name, parts: &[&[u8]], comes_to| (name, Decision::Challenge, parts.concat(), comes_to);
    vec![
        row("challenge", &[&request(&[0x20]), &state], "challenge"),
        row("challenge_in_pieces", &[&request(&[7; 1000]), &state], "challenge"),
        row("challenge_apart", &[&request(&[7; 253])[..255], &state, &request(&[7; 253])[255..]], "unusable"),
        row("challenge_without_a_request", &[&state], "unusable"),
        row("challenge_with_a_success", &[&success(), &state], "unusable"),
        row("challenge_cut", &[&attribute(Kind::EAP_MESSAGE, &[1, 2, 0, 9, 13, 0x20])], "unusable"),
    ]
}

fn rejects() -> Vec<Row> {
    let row = |name, attributes, comes_to| (name, Decision::Reject, attributes, comes_to);
    vec![
        row("reject", eap(&Packet::Failure { identifier: 3 }), "reject with a failure"),
        row("reject_with_a_success", success(), "reject"),
        row("reject_bare", Vec::new(), "reject"),
    ]
}

/// Accounting-Responses: as servers send them, as others may, and one that proves nothing.
fn records() -> Vec<Seed> {
    let rows = [
        ("record", Vec::new()),
        ("record_through_a_proxy", attribute(Kind::PROXY_STATE, b"7")),
        ("record_with_a_wrong_message_authenticator", attribute(Kind::MESSAGE_AUTHENTICATOR, &[0; 16])),
        ("record_cut", vec![33, 9, 0]),
    ];
    rows.map(|(name, attributes)| (name.to_owned(), [&[RECORD], &attributes[..]].concat())).to_vec()
}

/// What is no reply, whatever its hashes.
fn dropped() -> Vec<Seed> {
    let accept = fuzz::authentic(Decision::Accept, &success());
    let changed = |place: usize| {
        let mut datagram = accept.clone();
        datagram[place] ^= 1;
        datagram
    };
    let rows: [(&str, u8, Vec<u8>); 8] = [
        ("padded", 0, [&accept[..], &[0; 9]].concat()),
        ("cut", 0, accept[..accept.len() - 1].to_vec()),
        ("another_code", 0, changed(0)),
        ("another_identifier", 0, changed(1)),
        ("wrong_response_authenticator", 0, changed(4)),
        ("wrong_message_authenticator", 0, changed(22)),
        ("two_message_authenticators", 1, [vec![0, 0, 1], attribute(Kind::MESSAGE_AUTHENTICATOR, &[0; 16])].concat()),
        ("short_attribute", 2, vec![0, 0, 1, 24, 1]),
    ];
    rows.map(|(name, kind, octets)| (name.to_owned(), [&[kind], &octets[..]].concat())).to_vec()
}

fn comes_to(decision: Decision, attributes: &[u8]) -> &'static str {
    let secret = Secret::new(SECRET.to_vec());
    let reply = verify(&fuzz::authentic(decision, attributes), &AWAITED, &secret).unwrap();
    match Answer::of(&reply, &secret) {
        Ok(Answer::Challenge { .. }) => "challenge",
        Ok(Answer::Accept(accept)) if accept.msk.is_some() => "accept with a key",
        Ok(Answer::Accept(_)) => "accept",
        Ok(Answer::Reject { eap: Some(_) }) => "reject with a failure",
        Ok(Answer::Reject { eap: None }) => "reject",
        Err(_) => "unusable",
    }
}

#[test]
fn replies_come_to_what_their_seeds_are_named_for() {
    for (name, decision, attributes, expected) in [accepts(), challenges(), rejects()].concat() {
        assert_eq!(comes_to(decision, &attributes), expected, "{name}");
    }
}
