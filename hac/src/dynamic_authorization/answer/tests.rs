//! Answers, against octets that another program has made.

use super::super::request::tests::{CHANGE, DISCONNECT, attribute, sealed, secret};
use super::super::request::verify;
use super::*;
use crate::aaa::packet::Packet;

/// Made with Python's hashlib.
const ACK: &str = "2907002edb306b2e448384248f551c63fdb920505012da1ba65b8a324186ebe59ae3ba5cc0f62104703121047032";
const NAK: &str = "2d0800276ee17b197b92a5d8b97e582a5943e38d6506000001fb06060000001118077374617465";

fn answer(request: &str, verdict: Verdict) -> String {
    let request = verify(&hex::decode(request).unwrap(), &secret()).unwrap();
    hex::encode(write(&request, verdict, &secret()).unwrap())
}

/// RFC 5176 sections 2.3, 3.1, 3.3 and 3.4.
#[test]
fn answers_are_the_octets_that_another_program_expects() {
    assert_eq!(answer(DISCONNECT, Verdict::Done), ACK);
    assert_eq!(answer(CHANGE, Verdict::Refused(ErrorCause::RequestInitiated)), NAK);
}

#[test]
fn each_request_is_answered_by_its_own_codes() {
    for (code, done, refused) in [(40, 41, 42), (43, 44, 45)] {
        let request = verify(&sealed(code, &[]), &secret()).unwrap();
        let code = |verdict| Packet::parse(&write(&request, verdict, &secret()).unwrap()).unwrap().code();
        assert_eq!(code(Verdict::Done), done);
        assert_eq!(code(Verdict::Refused(ErrorCause::SessionContextNotFound)), refused);
    }
}

#[test]
fn what_does_not_fit_behind_the_proxies_is_not_answered() {
    let states: Vec<u8> = (0..15).flat_map(|_| attribute(Kind::PROXY_STATE, &[7; 253])).collect();
    let fits = verify(&sealed(40, &states), &secret()).unwrap();
    assert!(write(&fits, Verdict::Refused(ErrorCause::MissingAttribute), &secret()).is_ok());
    let full = verify(&sealed(40, &[&states[..], &attribute(Kind::PROXY_STATE, &[7; 230])].concat()), &secret()).unwrap();
    assert_eq!(write(&full, Verdict::Refused(ErrorCause::MissingAttribute), &secret()), Err(TooLong));
}
