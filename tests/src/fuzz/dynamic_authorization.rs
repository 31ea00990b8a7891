//! What comes to the port of dynamic authorization: datagrams as they are, and attributes in a request that is made authentic here, so that
//! a fuzzer gets behind its hashes. These are written once more, after the RFCs, so that a mistake of the HAC is not confirmed by itself.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hac::aaa::{Attributes, Kind, MAX_CLASSES, SHORTEST_INTERIM};
use hac::dynamic_authorization::{
    Action, Clients, Code, Dropped, ErrorCause, LEAST_SECONDS, Order, Request, Sessions, Taken, Verdict, read, verify, write,
};
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use protocol::sa::Secret;

/// What the server shares with this HAC.
pub const SECRET: &[u8] = b"shared with this HAC";
/// NAS-Identifier of this HAC.
pub const HAC: &str = "hac.example.org";
/// When requests come, as Event-Timestamp has it.
pub const NOW: u32 = 1_781_071_200;
/// Disconnect-Request and CoA-Request.
pub const CODES: [u8; 2] = [40, 43];
const FROM: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Octets of the longest packet (RFC 2865 section 3).
const MAX_LEN: usize = 4096;

/// The first octet says what the rest is: 0 a datagram; 1 and 2 the attributes of a Disconnect-Request and of a CoA-Request; 3 and 4 the same
/// behind a Message-Authenticator.
pub fn dynamic_authorization(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    match kind % 5 {
        0 => check_datagram(rest),
        1 => check_request(&sealed(CODES[0], rest), rest, false),
        2 => check_request(&sealed(CODES[1], rest), rest, false),
        3 => check_request(&signed(CODES[0], rest), rest, true),
        _ => check_request(&signed(CODES[1], rest), rest, true),
    }
}

/// A datagram is authentic, or it is no request.
fn check_datagram(datagram: &[u8]) {
    let Ok(request) = verify(datagram, &secret()) else { return };
    let packet = &datagram[..usize::from(u16::from_be_bytes([datagram[2], datagram[3]]))];
    let head = [packet[0], packet[1], packet[2], packet[3]];
    assert_eq!(packet[4..20], authenticator(&head, &packet[20..]), "Request Authenticator is wrong");
    assert_eq!(request.attributes().octets(), &packet[20..], "other attributes");
    check_order(&request);
}

fn check_request(datagram: &[u8], attributes: &[u8], is_signed: bool) {
    let parsed = Attributes::parse(attributes);
    let has_more = parsed.is_ok_and(|attributes| attributes.first(Kind::MESSAGE_AUTHENTICATOR).is_some());
    match verify(datagram, &secret()) {
        Ok(request) => {
            assert!(!(is_signed && has_more), "two Message-Authenticators");
            check_order(&request);
            check_answers(&request, is_signed || has_more);
            check_once(datagram, &request);
        }
        Err(Dropped::Malformed) => assert!(parsed.is_err() || datagram.len() > MAX_LEN, "a sound packet is malformed"),
        Err(Dropped::MessageAuthenticator) => assert!(has_more, "a right Message-Authenticator is wrong"),
        Err(dropped) => panic!("an authentic request is dropped: {dropped:?}"),
    }
}

/// What is ordered has bounds, names somebody, and stands in the request.
fn check_order(request: &Request) {
    let Ok(Order { sessions, action }) = read(request, HAC) else { return };
    assert_ne!(sessions, Sessions::default(), "nobody is named");
    let is_stamped = request.attributes().first(Kind::EVENT_TIMESTAMP).is_some();
    let classes = match action {
        Action::Disconnect { class } => {
            assert!(request.code() == Code::Disconnect && (is_stamped || sessions.session_id.is_some()), "it could come again");
            class
        }
        Action::Reauthorise => {
            assert!(request.code() == Code::Change && is_stamped, "it could come again");
            None
        }
        Action::Change { ends_in, class, interim } => {
            assert!(request.code() == Code::Change && is_stamped, "it could come again");
            assert!(ends_in.is_none_or(|left| left.as_secs() >= LEAST_SECONDS.into()), "no time to come back");
            assert!(interim.is_none_or(|interim| interim >= SHORTEST_INTERIM), "too often");
            class
        }
    };
    assert!(classes.is_none_or(|classes| (1..=MAX_CLASSES).contains(&classes.len())), "more of Class than is kept");
}

/// Answers are authentic packets, and have what must come back.
fn check_answers(request: &Request, is_signed: bool) {
    for verdict in [Verdict::Done, Verdict::Refused(ErrorCause::RequestInitiated), Verdict::Refused(ErrorCause::MissingAttribute)]
    {
        let Ok(answer) = write(request, verdict, &secret()) else { continue };
        assert!(answer.len() <= MAX_LEN, "longer than a packet");
        assert_eq!(usize::from(u16::from_be_bytes([answer[2], answer[3]])), answer.len(), "another length");
        let Ok(attributes) = Attributes::parse(&answer[20..]) else { panic!("an answer is malformed") };
        for kind in [Kind::PROXY_STATE, Kind::STATE] {
            assert!(attributes.all(kind).eq(request.attributes().all(kind)), "{kind:?} is another");
        }
        assert_eq!(attributes.first(Kind::MESSAGE_AUTHENTICATOR).is_some(), is_signed, "signed otherwise than asked");
    }
}

/// The second time it is answered as before, or dropped as before.
fn check_once(datagram: &[u8], request: &Request) {
    let now = now();
    let mut clients = Clients::new([(FROM, secret())], HAC.to_owned(), now - Duration::from_secs(1000));
    let (question, verdict) = match clients.take(datagram, FROM, now) {
        Ok(Taken::Order(question, _)) => (question, Verdict::Done),
        Ok(Taken::Refused(question, cause)) => (question, Verdict::Refused(cause)),
        Ok(Taken::Again(_)) => panic!("answered before it came"),
        Err(dropped) => {
            let stamps = request.attributes().first(Kind::EVENT_TIMESTAMP).is_some();
            assert!(dropped == Dropped::Stale && stamps, "{dropped:?}");
            return;
        }
    };
    let Some(answer) = clients.settle(question, verdict, now) else { return };
    assert!(matches!(clients.take(datagram, FROM, now), Ok(Taken::Again(again)) if again == answer), "done twice");
}

/// A request of these attributes (RFC 2866 section 3, RFC 5176 section 2.3).
pub fn sealed(code: u8, attributes: &[u8]) -> Vec<u8> {
    let head = head(code, attributes.len());
    [&head[..], &authenticator(&head, attributes), attributes].concat()
}

/// The same behind Message-Authenticator (RFC 5176 section 3.4).
pub fn signed(code: u8, attributes: &[u8]) -> Vec<u8> {
    let zeroed = [&[Kind::MESSAGE_AUTHENTICATOR.0, 18][..], &[0; 16], attributes].concat();
    let head = head(code, zeroed.len());
    let mac = match Hmac::<Md5>::new_from_slice(SECRET) {
        Ok(mac) => mac.chain_update(head).chain_update([0; 16]).chain_update(&zeroed).finalize().into_bytes(),
        Err(error) => unreachable!("HMAC takes a key of any length: {error}"),
    };
    sealed(code, &[&zeroed[..2], &mac, attributes].concat())
}

fn head(code: u8, len: usize) -> [u8; 4] {
    let [high, low] = u16::try_from(20 + len).unwrap_or(u16::MAX).to_be_bytes();
    [code, 7, high, low]
}

fn authenticator(head: &[u8; 4], attributes: &[u8]) -> [u8; 16] {
    Md5::new().chain_update(head).chain_update([0; 16]).chain_update(attributes).chain_update(SECRET).finalize().into()
}

fn secret() -> Secret {
    Secret::new(SECRET.to_vec())
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW.into())
}
