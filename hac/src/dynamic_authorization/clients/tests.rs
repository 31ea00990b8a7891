//! Who is heard, what is done once, and what is dropped.

use super::super::answered::MAX_ANSWERED;
use super::super::request::tests::{DISCONNECT, attribute, sealed, secret, stamped};
use super::*;
use crate::aaa::Kind;

fn address(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

fn clients() -> Clients {
    let another = Secret::new(b"another".to_vec());
    let known = [(address(1), another), (address(1), secret()), (address(1), secret()), (address(2), Secret::new(b"2".to_vec()))];
    Clients::new(known, "hac.example.org".to_owned(), stamped())
}

fn disconnect() -> Vec<u8> {
    hex::decode(DISCONNECT).unwrap()
}

fn question(taken: Result<Taken, Dropped>) -> Question {
    match taken.unwrap() {
        Taken::Order(question, _) | Taken::Refused(question, _) => question,
        Taken::Again(answer) => panic!("answered before: {answer:?}"),
    }
}

#[test]
fn a_server_is_heard_under_any_secret_of_its_address_and_nobody_else_is() {
    let mapped = "::ffff:192.0.2.1".parse().unwrap();
    for from in [address(1), mapped] {
        assert!(matches!(clients().take(&disconnect(), from, stamped()), Ok(Taken::Order(..))));
    }
    assert_eq!(clients().take(&disconnect(), address(2), stamped()).unwrap_err(), Dropped::Authenticator);
    assert_eq!(clients().take(&disconnect(), address(3), stamped()).unwrap_err(), Dropped::Source);
    assert_eq!(clients().take(b"", address(1), stamped()).unwrap_err(), Dropped::Malformed);
    assert_eq!(clients().by_address[&address(1)].secrets.len(), 2);
}

/// RFC 5176 sections 2.3 and 6.3.
#[test]
fn a_request_that_comes_again_gets_the_same_octets_and_is_not_done_again() {
    let mut clients = clients();
    let first = question(clients.take(&disconnect(), address(1), stamped()));
    let answer = clients.settle(first, Verdict::Done, stamped()).unwrap();
    let again = clients.take(&disconnect(), address(1), stamped() + super::super::request::WINDOW);
    assert!(matches!(again, Ok(Taken::Again(octets)) if octets == answer));
    let late = stamped() + super::super::answered::KEPT;
    assert_eq!(clients.take(&disconnect(), address(1), late).unwrap_err(), Dropped::Stale);
}

#[test]
fn a_process_that_has_forgotten_what_it_did_takes_nothing_from_before_its_start() {
    let later = stamped() + std::time::Duration::from_secs(1);
    let mut clients = Clients::new([(address(1), secret())], "hac.example.org".to_owned(), later);
    assert_eq!(clients.take(&disconnect(), address(1), later).unwrap_err(), Dropped::Stale);
}

#[test]
fn a_refusal_is_remembered_too() {
    let mut clients = clients();
    let nameless = sealed(40, &[]);
    let taken = clients.take(&nameless, address(1), stamped());
    assert!(matches!(taken, Ok(Taken::Refused(_, ErrorCause::MissingAttribute))));
    let answer = clients.settle(question(taken), Verdict::Refused(ErrorCause::MissingAttribute), stamped()).unwrap();
    assert!(matches!(clients.take(&nameless, address(1), stamped()), Ok(Taken::Again(octets)) if octets == answer));
}

#[test]
fn a_server_that_asks_too_much_is_told_so_and_others_are_served() {
    let known = [1, 2].map(|last| (address(last), secret()));
    let mut clients = Clients::new(known, "hac.example.org".to_owned(), stamped());
    let request = |number: u32| sealed(40, &attribute(Kind::ACCT_SESSION_ID, number.to_string().as_bytes()));
    for number in 0..MAX_ANSWERED as u32 {
        let taken = question(clients.take(&request(number), address(1), stamped()));
        clients.settle(taken, Verdict::Done, stamped()).unwrap();
    }
    let mut beyond = |from| clients.take(&request(u32::MAX), address(from), stamped());
    assert!(matches!(beyond(1), Ok(Taken::Refused(_, ErrorCause::ResourcesUnavailable))));
    assert!(matches!(beyond(2), Ok(Taken::Order(..))));
    assert!(matches!(clients.take(&request(0), address(1), stamped()), Ok(Taken::Again(_))));
}
