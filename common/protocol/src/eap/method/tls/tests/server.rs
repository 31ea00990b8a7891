use super::*;
use crate::eap::method::tls::eap_tls;
use crate::eap::method::tls::fragment::SERVER_FRAGMENT_LEN;

struct Nobody;

impl Directory for Nobody {
    fn pre_shared_key(&mut self, _: &str) -> Result<Secret, MethodError> {
        Err(MethodError::Unavailable)
    }
}

fn server(version: TlsVersion) -> (impl ServerMethod + use<>, Seen) {
    named(version, Some("alice"))
}

fn named(version: TlsVersion, identity: Option<&str>) -> (impl ServerMethod + use<>, Seen) {
    let connection = Scripted { identity: identity.map(str::to_owned), ..Scripted::new(version) };
    let seen = connection.seen.clone();
    let mut method = eap_tls::server(Box::new(connection));
    let start = method.start(&mut Around { rng: &mut rng(), directory: &mut Nobody });
    assert_eq!(start, Fragment::START.write());
    (method, seen)
}

fn answer(method: &mut impl ServerMethod, data: &[u8]) -> Result<ServerStep, MethodError> {
    method.handle(data, &mut Around { rng: &mut rng(), directory: &mut Nobody })
}

/// The next request's message.
fn request(method: &mut impl ServerMethod, message: &str) -> Result<String, MethodError> {
    match answer(method, &whole(message))? {
        ServerStep::Request(data) => Ok(text(&data)),
        ServerStep::Authenticated { .. } => panic!("it is not over"),
    }
}

fn is_authenticated(method: &mut impl ServerMethod, message: &str) -> bool {
    match answer(method, &whole(message)).unwrap() {
        ServerStep::Request(_) => false,
        ServerStep::Authenticated { identity, msk } => identity == "alice" && msk.is_some(),
    }
}

#[test]
fn under_tls_1_3_the_peer_is_told_of_success_after_its_finished_and_has_to_take_it() {
    let (mut method, seen) = server(TlsVersion::V13);
    assert_eq!(request(&mut method, "say certificate").unwrap(), "certificate");
    assert!(seen.written().is_empty());
    assert_eq!(request(&mut method, "done|say tickets").unwrap(), "ticketssealed");
    assert_eq!(seen.written(), [[0]]);
    assert!(is_authenticated(&mut method, ""));
}

#[test]
fn under_tls_1_2_the_last_message_is_the_servers_or_in_a_resumed_session_the_peers() {
    let (mut method, seen) = server(TlsVersion::V12);
    request(&mut method, "say certificate").unwrap();
    assert_eq!(request(&mut method, "done|say finished").unwrap(), "finished");
    assert!(is_authenticated(&mut method, ""));
    let (mut method, _) = server(TlsVersion::V12);
    request(&mut method, "say finished").unwrap();
    assert!(is_authenticated(&mut method, "done"));
    assert!(seen.written().is_empty());
}

#[test]
fn a_peer_that_says_something_in_place_of_taking_the_success_is_not_authenticated() {
    for (message, expected) in [
        ("say more", MethodError::OutOfPlace),
        ("say ", MethodError::OutOfPlace),
        ("data 00", MethodError::OutOfPlace),
        ("say alert|fail", MethodError::Tls(TlsFailure::Expired)),
    ] {
        let (mut method, _) = server(TlsVersion::V13);
        request(&mut method, "done|say tickets").unwrap();
        assert_eq!(request(&mut method, message), Err(expected), "{message}");
    }
}

#[test]
fn an_alert_is_sent_and_whatever_comes_then_the_run_has_failed() {
    let failed = MethodError::Tls(TlsFailure::Expired);
    for answered in ["", "done", "say more"] {
        let (mut method, _) = server(TlsVersion::V13);
        assert_eq!(request(&mut method, "say alert|fail").unwrap(), "alert");
        assert_eq!(request(&mut method, answered), Err(failed));
    }
    let (mut method, _) = server(TlsVersion::V13);
    assert_eq!(request(&mut method, "fail"), Err(failed), "the peer's alert needs no answer");
}

#[test]
fn a_certificate_that_names_nobody_is_refused_before_success_is_told() {
    for version in [TlsVersion::V12, TlsVersion::V13] {
        let (mut method, seen) = named(version, None);
        assert_eq!(request(&mut method, "done|say finished"), Err(MethodError::UnknownIdentity));
        assert!(seen.written().is_empty());
    }
}

#[test]
fn application_data_and_empty_responses_have_no_place_in_a_handshake() {
    for message in ["", "data 00|say hello", "say "] {
        let (mut method, _) = server(TlsVersion::V13);
        assert_eq!(request(&mut method, message), Err(MethodError::OutOfPlace), "{message}");
    }
}

#[test]
fn fragments_are_acknowledged_in_both_directions() {
    let (mut method, _) = server(TlsVersion::V13);
    let long = "c".repeat(SERVER_FRAGMENT_LEN + 1);
    let message = format!("say {long}");
    let (first, last) = message.split_at(1_000);
    let total = u32::try_from(message.len()).ok();
    let first = Fragment { total, is_more: true, is_start: false, data: first.as_bytes() }.write();
    let Ok(ServerStep::Request(data)) = answer(&mut method, &first) else { panic!("no acknowledgement") };
    assert_eq!(data, Fragment::ACKNOWLEDGEMENT.write());
    let Ok(ServerStep::Request(data)) = answer(&mut method, &whole(last)) else { panic!("no fragment") };
    let fragment = Fragment::parse(&data).unwrap();
    assert_eq!((fragment.total, fragment.data.len()), (u32::try_from(long.len()).ok(), SERVER_FRAGMENT_LEN));
    assert_eq!(request(&mut method, "").unwrap(), "c");
}
