//! Requests that another program has made, and what is not one. The sibling modules make theirs with [`sealed`].

use super::*;

/// Made with Python's hashlib: User-Name, Event-Timestamp and two Proxy-States, with Message-Authenticator.
pub(in super::super) const DISCONNECT: &str = "280700478cd1d89227090539893597fd653a0d98501279cb03e01578f12b437baa4bcfdf4d260113616c696365406578616d706c652e6f726737066a28fd602104703121047032";
/// Acct-Session-Id, Event-Timestamp, Service-Type Authorize Only and State, without Message-Authenticator.
pub(in super::super) const CHANGE: &str =
    "2b08003cc1af7911f305c2559146bd1fe32d6c8f2c1531303030303030312d36613238666438302d3237066a28fd6006060000001118077374617465";

pub(in super::super) fn secret() -> Secret {
    Secret::new(b"shared with this HAC".to_vec())
}

/// Event-Timestamp of both.
pub(in super::super) fn stamped() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_781_071_200)
}

/// An attribute.
pub(in super::super) fn attribute(kind: Kind, value: &[u8]) -> Vec<u8> {
    [&[kind.0, value.len() as u8 + 2][..], value].concat()
}

/// A request of these attributes.
pub(in super::super) fn sealed(code: u8, attributes: &[u8]) -> Vec<u8> {
    let [high, low] = (20 + attributes.len() as u16).to_be_bytes();
    let head = [code, 9, high, low];
    [&head[..], &digest::request_authenticator(&secret(), &head, attributes), attributes].concat()
}

fn decoded(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

#[test]
fn requests_of_another_program_are_taken() {
    let disconnect = verify(&decoded(DISCONNECT), &secret()).unwrap();
    assert_eq!((disconnect.code(), disconnect.identifier, disconnect.is_signed), (Code::Disconnect, 7, true));
    assert_eq!(disconnect.attributes().first(Kind::USER_NAME), Some(&b"alice@example.org"[..]));
    let change = verify(&decoded(CHANGE), &secret()).unwrap();
    assert_eq!((change.code(), change.identifier, change.is_signed), (Code::Change, 8, false));
}

#[test]
fn no_octet_of_a_request_can_be_changed() {
    for whole in [DISCONNECT, CHANGE].map(decoded) {
        for place in 0..whole.len() {
            for bit in 0..8 {
                let mut changed = whole.clone();
                changed[place] ^= 1 << bit;
                assert!(verify(&changed, &secret()).is_err(), "octet {place}, bit {bit}");
            }
        }
    }
}

#[test]
fn only_the_two_codes_of_requests_are_taken_and_only_under_the_secret() {
    for code in (0..=u8::MAX).filter(|code| ![40, 43].contains(code)) {
        assert_eq!(verify(&sealed(code, &[]), &secret()).unwrap_err(), Dropped::Code, "{code}");
    }
    let another = Secret::new(b"another secret".to_vec());
    assert_eq!(verify(&sealed(40, &[]), &another).unwrap_err(), Dropped::Authenticator);
    assert_eq!(verify(&sealed(40, &[])[..19], &secret()).unwrap_err(), Dropped::Malformed);
}

#[test]
fn a_wrong_message_authenticator_is_not_made_up_for_by_the_request_authenticator() {
    let wrong = attribute(Kind::MESSAGE_AUTHENTICATOR, &[0; 16]);
    for attributes in [wrong.clone(), attribute(Kind::MESSAGE_AUTHENTICATOR, &[]), [wrong.clone(), wrong].concat()] {
        assert_eq!(verify(&sealed(40, &attributes), &secret()).unwrap_err(), Dropped::MessageAuthenticator);
    }
}

/// RFC 5176 section 6.3.
#[test]
fn a_stamp_must_be_current_and_not_from_before_the_start() {
    let request = verify(&decoded(CHANGE), &secret()).unwrap();
    let (long_ago, second) = (UNIX_EPOCH, Duration::from_secs(1));
    assert_eq!(request.check_time(long_ago, stamped() + WINDOW), Ok(()));
    assert_eq!(request.check_time(long_ago, stamped() - WINDOW), Ok(()));
    assert_eq!(request.check_time(long_ago, stamped() + WINDOW + second), Err(Dropped::Stale));
    assert_eq!(request.check_time(long_ago, stamped() - WINDOW - second), Err(Dropped::Stale));
    assert_eq!(request.check_time(stamped(), stamped()), Ok(()));
    assert_eq!(request.check_time(stamped() + second, stamped() + second), Err(Dropped::Stale));
    let odd = verify(&sealed(40, &attribute(Kind::EVENT_TIMESTAMP, &[0; 3])), &secret()).unwrap();
    assert_eq!(odd.check_time(long_ago, long_ago), Err(Dropped::Stale));
    assert_eq!(verify(&sealed(40, &[]), &secret()).unwrap().check_time(stamped(), stamped()), Ok(()));
}
