//! What comes from a AAA server's address: datagrams as they are, and attributes in a reply that is made authentic here, so that a
//! fuzzer gets behind its hashes. These are written once more, after the RFCs, so that a mistake of the client is not confirmed by itself.

use hac::aaa::{
    Accept, Answer, Attributes, Awaited, Decision, Dropped, Kind, MAX_CLASSES, Malformed, Reply, SHORTEST_INTERIM, Service,
    verify,
};
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use protocol::sa::Secret;

/// The request that waits.
pub const AWAITED: Awaited = Awaited { identifier: 7, authenticator: [0x5a; 16], service: Service::Authentication };
/// One of accounting.
pub const RECORDING: Awaited = Awaited { service: Service::Accounting, ..AWAITED };
/// What the server shares with this HAC.
pub const SECRET: &[u8] = b"shared with this HAC";
/// Code, Identifier, Length, Authenticator (RFC 2865 section 3).
const HEADER_LEN: usize = 20;
/// Message-Authenticator with its Type and Length.
const MAC_LEN: usize = 18;
/// Octets of the longest packet (RFC 2865 section 3).
const MAX_LEN: usize = 4096;

/// The first octet says what the rest is: 0 a datagram; 1, 2 and 3 the attributes of an Access-Accept, an Access-Reject and an
/// Access-Challenge, behind three octets of which the first two say which octet of the reply is changed then, the third how; 4 the
/// attributes of an Accounting-Response.
pub fn radius(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    match kind % 5 {
        0 => check_datagram(rest),
        1 => check_reply(Decision::Accept, rest),
        2 => check_reply(Decision::Reject, rest),
        3 => check_reply(Decision::Challenge, rest),
        _ => check_record(rest),
    }
}

/// An Accounting-Response that is proved by Response Authenticator alone has no Message-Authenticator, or it is none.
fn check_record(attributes: &[u8]) {
    let datagram = unsigned(5, attributes);
    let is_plain = Attributes::parse(attributes).is_ok_and(|read| read.first(Kind::MESSAGE_AUTHENTICATOR).is_none());
    let taken = verify(&datagram, &RECORDING, &secret()).map(|reply| reply.decision());
    assert_eq!(taken.is_ok(), is_plain && datagram.len() <= MAX_LEN, "an authentic reply is {taken:?}");
    assert!(verify(&datagram, &AWAITED, &secret()).is_err(), "access is granted by an Accounting-Response");
}

/// A datagram is authentic by both hashes, or it is no reply.
fn check_datagram(datagram: &[u8]) {
    let Ok(reply) = verify(datagram, &AWAITED, &secret()) else { return };
    let packet = &datagram[..usize::from(u16::from_be_bytes([datagram[2], datagram[3]]))];
    let head = &packet[..4];
    assert_eq!(
        packet[4..HEADER_LEN],
        response_authenticator(&AWAITED, head, &packet[HEADER_LEN..]),
        "Response Authenticator is wrong"
    );
    let macs = reply.attributes().all(Kind::MESSAGE_AUTHENTICATOR).count();
    assert_eq!((macs, reply.attributes().octets()), (1, &packet[HEADER_LEN..]), "other attributes, or not one that proves them");
    check_answer(&reply);
}

fn check_reply(decision: Decision, rest: &[u8]) {
    let Some(([high, low, change], attributes)) = rest.split_first_chunk::<3>() else { return };
    let datagram = authentic(decision, attributes);
    match verify(&datagram, &AWAITED, &secret()) {
        Ok(reply) => {
            assert_eq!(reply.decision(), decision, "another decision");
            assert_eq!(reply.attributes().octets().get(MAC_LEN..), Some(attributes), "other attributes");
            check_answer(&reply);
            check_changed(datagram, usize::from(u16::from_be_bytes([*high, *low])), *change);
        }
        Err(dropped) => assert_eq!(dropped, reason_to_drop(&datagram, attributes), "an authentic reply is dropped"),
    }
}

/// Why these attributes are no reply's though all hashes are right.
fn reason_to_drop(datagram: &[u8], attributes: &[u8]) -> Dropped {
    match Attributes::parse(attributes) {
        Ok(attributes) if datagram.len() <= MAX_LEN => {
            assert!(attributes.first(Kind::MESSAGE_AUTHENTICATOR).is_some(), "nothing is wrong with it");
            Dropped::NoMessageAuthenticator
        }
        Ok(_) | Err(Malformed) => Dropped::Malformed,
    }
}

/// With one octet changed a reply is none.
fn check_changed(mut datagram: Vec<u8>, place: usize, change: u8) {
    let place = place % datagram.len();
    datagram[place] ^= change.max(1);
    assert!(verify(&datagram, &AWAITED, &secret()).is_err(), "a reply is taken with octet {place} changed");
}

fn check_answer(reply: &Reply) {
    let answer = Answer::of(reply, &secret());
    let read = Answer::read(reply.decision(), reply.attributes(), &AWAITED.authenticator, &secret());
    assert_eq!(answer, read, "a reply and its attributes say different things");
    match (reply.decision(), answer) {
        (Decision::Challenge, Ok(Answer::Challenge { eap })) => check_eap(&eap, 1, 5),
        (Decision::Accept, Ok(Answer::Accept(accept))) => check_accept(&accept),
        (Decision::Accept, Ok(Answer::Reject { eap: None })) => {}
        (Decision::Reject, Ok(Answer::Reject { eap })) => eap.iter().for_each(|eap| check_eap(eap, 4, 4)),
        (Decision::Accept | Decision::Challenge | Decision::Recorded, Err(_)) => {}
        (decision, answer) => panic!("{decision:?} comes to {answer:?}"),
    }
}

fn check_accept(accept: &Accept) {
    accept.eap.iter().for_each(|eap| check_eap(eap, 3, 4));
    assert!(accept.msk.as_ref().is_none_or(|msk| msk.len() == 64), "half a key");
    assert!(accept.user_name.as_ref().is_none_or(|name| (1..=253).contains(&name.len())), "an empty name, or one too long");
    assert!(accept.class.len() <= MAX_CLASSES, "more of Class than is kept");
    let prefixes = [accept.framed_prefix6, accept.delegated_prefix6];
    assert!(prefixes.iter().flatten().all(|prefix| *prefix == prefix.trunc()), "a prefix with bits beyond its length");
    assert!(accept.interim.is_none_or(|interim| interim >= SHORTEST_INTERIM), "an interval that MUST NOT be");
}

/// An EAP packet of this Code, as long as it says.
fn check_eap(packet: &[u8], code: u8, least: usize) {
    let [first, _, high, low, ..] = *packet else { panic!("an EAP packet of {} octets", packet.len()) };
    assert_eq!((first, usize::from(u16::from_be_bytes([high, low]))), (code, packet.len()), "another EAP packet");
    assert!(packet.len() >= least, "an EAP packet without a Type");
}

/// A reply with Message-Authenticator, then these attributes.
pub fn authentic(decision: Decision, attributes: &[u8]) -> Vec<u8> {
    authentic_to(&AWAITED, decision, attributes)
}

/// The same to another request.
pub fn authentic_to(asked: &Awaited, decision: Decision, attributes: &[u8]) -> Vec<u8> {
    let code = match decision {
        Decision::Accept => 2,
        Decision::Reject => 3,
        Decision::Challenge => 11,
        Decision::Recorded => 5,
    };
    let len = u16::try_from(HEADER_LEN + MAC_LEN + attributes.len()).unwrap_or(u16::MAX).to_be_bytes();
    let head = [code, asked.identifier, len[0], len[1]];
    let mut all = [&[Kind::MESSAGE_AUTHENTICATOR.0, 18][..], &[0; 16], attributes].concat();
    let mac = message_authenticator(&[&head[..], &asked.authenticator, &all].concat());
    all[2..MAC_LEN].copy_from_slice(&mac);
    [&head[..], &response_authenticator(asked, &head, &all), &all].concat()
}

/// A reply with these attributes alone.
pub fn unsigned(code: u8, attributes: &[u8]) -> Vec<u8> {
    let len = u16::try_from(HEADER_LEN + attributes.len()).unwrap_or(u16::MAX).to_be_bytes();
    let head = [code, AWAITED.identifier, len[0], len[1]];
    [&head[..], &response_authenticator(&AWAITED, &head, attributes), attributes].concat()
}

/// RFC 3579 section 3.2.
fn message_authenticator(octets: &[u8]) -> [u8; 16] {
    match Hmac::<Md5>::new_from_slice(SECRET) {
        Ok(mac) => mac.chain_update(octets).finalize().into_bytes().into(),
        Err(error) => unreachable!("HMAC takes a key of any length: {error}"),
    }
}

/// RFC 2865 section 3.
fn response_authenticator(asked: &Awaited, head: &[u8], attributes: &[u8]) -> [u8; 16] {
    let md5 = Md5::new().chain_update(head).chain_update(asked.authenticator).chain_update(attributes);
    md5.chain_update(SECRET).finalize().into()
}

/// MS-MPPE-Send-Key (16) or -Recv-Key (17) in a Vendor-Specific of its own, hidden after RFC 2548 section 2.4.2.
pub fn hidden_key(kind: u8, salt: [u8; 2], key: &[u8; 32]) -> Vec<u8> {
    let mut attribute = vec![Kind::VENDOR_SPECIFIC.0, 58, 0, 0, 1, 55, kind, 2 + 2 + 48];
    attribute.extend(salt);
    let plain = [&[32][..], key, &[0; 15]].concat();
    let mut before = [&AWAITED.authenticator[..], &salt].concat();
    for block in plain.chunks(16) {
        let stream = Md5::new().chain_update(SECRET).chain_update(&before).finalize();
        before = block.iter().zip(stream).map(|(octet, hiding)| octet ^ hiding).collect();
        attribute.extend(&before);
    }
    attribute
}

fn secret() -> Secret {
    Secret::new(SECRET.to_vec())
}
