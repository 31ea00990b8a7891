//! What is said of several addresses, and what follows from it.

use std::io::{Error, ErrorKind};

use super::*;

fn at(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 7872))
}

fn connect(last: u8, kind: ErrorKind) -> (SocketAddr, HacError) {
    let address = at(last);
    let source = Error::new(kind, format!("cannot connect to {address}: {kind}"));
    (address, HacError::Connect { address, source })
}

fn untrusted(last: u8) -> (SocketAddr, HacError) {
    let error = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
    (at(last), HacError::Tls { address: at(last), source: Error::new(ErrorKind::InvalidData, error) })
}

fn refused(last: u8, status: Status, pause: Option<u64>) -> (SocketAddr, HacError) {
    let retry_after = pause.map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
    (at(last), HacError::Failure(Failure::Refused { status, retry_after, authenticated: true }))
}

fn tried(failures: Vec<(SocketAddr, HacError)>) -> HacError {
    let mut tried = Tried::default();
    failures.into_iter().for_each(|(address, error)| tried.push(address, error));
    tried.into()
}

fn pause(failures: Vec<(SocketAddr, HacError)>) -> Option<u64> {
    tried(failures).retry_after(SystemTime::UNIX_EPOCH).map(|pause| pause.as_secs())
}

#[test]
fn one_address_is_told_of_as_if_there_were_no_others() {
    let said = tried(vec![connect(1, ErrorKind::ConnectionRefused)]).to_string();
    let expected =
        "cannot reach the HAC at 192.0.2.1:7872: connection refused; is it running, and does the network let TCP through?";
    assert_eq!(said, expected);
    let (_, busy) = refused(1, Status::Unavailable, None);
    assert_eq!(tried(vec![refused(1, Status::Unavailable, None)]).to_string(), format!("{busy} (it is at 192.0.2.1:7872)"));
}

#[test]
fn of_several_that_were_not_reached_each_is_named_with_its_reason() {
    let said = tried(vec![connect(1, ErrorKind::ConnectionRefused), connect(2, ErrorKind::NetworkUnreachable)]).to_string();
    assert_eq!(
        said,
        "cannot reach the HAC at any of its addresses: 192.0.2.1:7872 (connection refused), 192.0.2.2:7872 (network unreachable); is \
         it running, and does the network let TCP through?"
    );
}

#[test]
fn what_says_most_comes_first_and_the_others_in_brief() {
    let said =
        tried(vec![connect(1, ErrorKind::ConnectionRefused), untrusted(2), (at(3), HacError::TimedOut(RESPONSE))]).to_string();
    let (first, others) = said.split_once("; its other addresses: ").unwrap();
    assert!(
        first.starts_with("the HAC at 192.0.2.2:7872 was not trusted") && first.contains("copy the operator's ca.pem"),
        "{said}"
    );
    assert_eq!(others, "192.0.2.3:7872 (no answer within 30 s), 192.0.2.1:7872 (connection refused)");
}

const RESPONSE: Duration = Duration::from_secs(30);

#[test]
fn a_list_of_many_addresses_ends() {
    let said = tried((0..16).map(|last| connect(last, ErrorKind::ConnectionRefused)).collect()).to_string();
    assert!(said.matches("192.0.2.").count() == 8 && said.contains(" and 8 more; is it running"), "{said}");
}

#[test]
fn a_run_is_final_only_where_every_address_that_could_be_asked_is() {
    let (no_network, down) = (connect(2, ErrorKind::NetworkUnreachable), connect(3, ErrorKind::ConnectionRefused));
    let verdict = || refused(1, Status::NotAuthenticated, None);
    assert!(tried(vec![verdict()]).is_final());
    assert!(tried(vec![verdict(), no_network]).is_final(), "this host has no IPv6, say: that will not change the key");
    assert!(!tried(vec![verdict(), down]).is_final(), "the other one may come back");
    assert!(!tried(vec![verdict(), refused(2, Status::Unavailable, Some(9))]).is_final());
    assert!(!tried(vec![connect(1, ErrorKind::NetworkUnreachable)]).is_final());
    assert!(!tried(vec![]).is_final());
}

#[test]
fn whoever_answers_in_the_place_of_the_hac_ends_no_node() {
    let junk = rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType);
    let portal = (at(2), HacError::Tls { address: at(2), source: Error::new(ErrorKind::InvalidData, junk) });
    assert!(!tried(vec![untrusted(1), portal, connect(3, ErrorKind::NetworkUnreachable)]).is_final());
}

#[test]
fn a_pause_is_the_earliest_and_only_where_each_address_that_could_be_asked_wants_one() {
    let busy = |last, seconds| refused(last, Status::Unavailable, Some(seconds));
    assert_eq!(pause(vec![busy(1, 100), busy(2, 40)]), Some(40));
    assert_eq!(pause(vec![busy(1, 100), (at(2), HacError::Paused(Duration::from_secs(7)))]), Some(7));
    assert_eq!(pause(vec![busy(1, 100), connect(2, ErrorKind::NetworkUnreachable)]), Some(100));
    assert_eq!(pause(vec![busy(1, 100), connect(2, ErrorKind::ConnectionRefused)]), None, "the other is tried again sooner");
    assert_eq!(pause(vec![busy(1, 100), refused(2, Status::Unavailable, None)]), None);
    assert_eq!(pause(vec![connect(1, ErrorKind::NetworkUnreachable)]), None);
}

#[test]
fn a_pause_is_a_second_at_least_and_an_hour_at_most() {
    assert_eq!(pause(vec![refused(1, Status::Unavailable, Some(0))]), Some(1));
    assert_eq!(pause(vec![refused(1, Status::Unavailable, Some(1 << 40))]), Some(3600));
}

#[test]
fn a_hac_that_knows_who_asks_decides_for_all_and_one_that_is_busy_for_itself() {
    for status in [Status::Malformed, Status::NotAuthenticated, Status::NotImplemented] {
        assert!(refused(1, status, None).1.is_verdict() && refused(1, status, None).1.is_final());
    }
    let wrong_key = HacError::Failure(Failure::Rejected(Rejection::WrongAuth));
    assert!(wrong_key.is_verdict() && wrong_key.is_final());
    assert!(!refused(1, Status::Unavailable, Some(9)).1.is_verdict() && !untrusted(1).1.is_verdict());
}

#[test]
fn a_501_and_a_504_say_what_to_do() {
    for (status, remedies) in [
        (Status::NotImplemented, ["501", "ask the operator how nodes of this realm authenticate", "`methods` in [identity]"]),
        (Status::GatewayTimeout, ["504", "tries again by itself", "the log of the HAC"]),
    ] {
        let said = refused(1, status, None).1.to_string();
        assert!(remedies.iter().all(|remedy| said.contains(remedy)), "{said}");
    }
}

#[test]
fn a_503_is_explained_by_all_that_it_may_mean() {
    let said = refused(1, Status::Unavailable, None).1.to_string();
    for cause in ["no home agent is connected", "pools are used up", "under this name or from this address"] {
        assert!(said.contains(cause), "{said}");
    }
}
