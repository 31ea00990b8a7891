use super::*;
use crate::eap::method::tls::ttls::{Credentials, InnerMethod};
use crate::eap::method::tls::{eap_tls, ttls};
use crate::eap::{EapError, peer};

/// A run of EAP-TLS whose Start was answered with this ClientHello.
fn started(version: TlsVersion, hello: &str) -> impl PeerMethod + use<> {
    let mut method = eap_tls::peer(Box::new(Scripted { output: hello.into(), ..Scripted::new(version) }));
    let Reply { progress, .. } = method.handle(0, &Fragment::START.write(), &mut rng()).unwrap();
    assert_eq!(progress, Progress::Continue);
    method
}

fn handle(method: &mut impl PeerMethod, message: &str) -> Result<(String, Progress), MethodError> {
    let Reply { data, progress } = method.handle(1, &whole(message), &mut rng())?;
    Ok((text(&data), progress))
}

fn said(text: &str, progress: Progress) -> Result<(String, Progress), MethodError> {
    Ok((text.to_owned(), progress))
}

#[test]
fn under_tls_1_3_a_run_is_done_with_the_servers_indication_and_not_before() {
    let mut method = started(TlsVersion::V13, "hello");
    assert_eq!(handle(&mut method, "done|say finished"), said("finished", Progress::Continue));
    assert_eq!(handle(&mut method, "say "), said("", Progress::Continue), "tickets");
    assert!(method.msk().is_none());
    assert_eq!(handle(&mut method, "data 00"), said("", Progress::Done));
    assert_eq!(msk_text(method.msk()), "EXPORTER_EAP_TLS_Key_Material/\r");
}

#[test]
fn under_tls_1_2_a_run_is_done_with_the_handshake() {
    let mut method = started(TlsVersion::V12, "hello");
    assert_eq!(handle(&mut method, "say certificate"), said("certificate", Progress::Continue));
    assert_eq!(handle(&mut method, "done"), said("", Progress::Done));
    assert_eq!(msk_text(method.msk()), "client EAP encryption/none");
    let mut method = started(TlsVersion::V12, "hello");
    assert_eq!(handle(&mut method, "done|say finished"), said("finished", Progress::Done), "resumed");
}

#[test]
fn other_application_data_than_the_indication_ends_the_run_and_so_does_an_early_one() {
    for data in ["01", "0000", "00ff"] {
        let mut method = started(TlsVersion::V13, "hello");
        handle(&mut method, "done|say finished").unwrap();
        assert_eq!(handle(&mut method, &format!("data {data}")), Err(MethodError::OutOfPlace), "{data}");
    }
    let mut method = started(TlsVersion::V13, "hello");
    assert_eq!(handle(&mut method, "done|say finished|data 00"), Err(MethodError::OutOfPlace));
    let mut method = started(TlsVersion::V12, "hello");
    assert_eq!(handle(&mut method, "done|data 00"), Err(MethodError::OutOfPlace));
}

/// Start and the end of the handshake in EAP's machine, with the Identifiers 1 and 2.
fn machine() -> (peer::Peer, Seen) {
    let connection = Scripted { output: b"hello".to_vec(), ..Scripted::new(TlsVersion::V13) };
    let seen = connection.seen.clone();
    let mut machine = peer::Peer::new("@example.org", vec![Box::new(eap_tls::peer(Box::new(connection)))]).unwrap();
    for (identifier, data) in [(1, Fragment::START.write()), (2, whole("done|say finished"))] {
        let request = Packet::Request { identifier, kind: Type::TLS, data: &data }.write();
        assert!(matches!(machine.handle(&request, &mut rng()), Ok(peer::Step::Respond(_))));
    }
    (machine, seen)
}

#[test]
fn a_success_before_the_indication_is_not_believed() {
    let (mut machine, seen) = machine();
    assert_eq!(machine.handle(&Packet::Success { identifier: 2 }.write(), &mut rng()), Err(EapError::EarlySuccess));
    assert!(!seen.is_kept());
}

#[test]
fn a_session_is_kept_when_the_run_has_succeeded_and_not_before() {
    let (mut machine, seen) = machine();
    let indication = Packet::Request { identifier: 3, kind: Type::TLS, data: &whole("data 00") }.write();
    assert!(matches!(machine.handle(&indication, &mut rng()), Ok(peer::Step::RespondLast(_))));
    assert!(!seen.is_kept());
    assert_eq!(machine.handle(&Packet::Success { identifier: 3 }.write(), &mut rng()), Ok(peer::Step::Succeeded));
    assert!(seen.is_kept());
}

#[test]
fn what_tls_finds_wrong_goes_with_its_alert_and_an_alert_of_the_servers_is_answered_with_nothing() {
    for (message, alert) in [("say alert|fail", "alert"), ("fail", "")] {
        let mut method = started(TlsVersion::V13, "hello");
        let failed = Progress::Failed(MethodError::Tls(TlsFailure::Expired));
        assert_eq!(handle(&mut method, message), said(alert, failed));
        assert!(method.msk().is_none());
    }
}

#[test]
fn a_run_begins_with_start_and_has_one() {
    let mut method = eap_tls::peer(Box::new(Scripted::new(TlsVersion::V13)));
    assert_eq!(method.handle(0, &whole("say hello"), &mut rng()), Err(MethodError::OutOfPlace));
    let mut method = started(TlsVersion::V13, "hello");
    assert_eq!(method.handle(1, &Fragment::START.write(), &mut rng()), Err(MethodError::OutOfPlace));
}

#[test]
fn an_empty_request_while_the_handshake_waits_for_the_server_has_no_place() {
    let mut method = started(TlsVersion::V13, "hello");
    assert_eq!(handle(&mut method, ""), Err(MethodError::OutOfPlace));
}

#[test]
fn a_long_message_waits_for_acknowledgements_and_nothing_is_reached_before_its_last_fragment() {
    let long = "c".repeat(2 * PEER_FRAGMENT_LEN + 1);
    let mut method = started(TlsVersion::V12, "hello");
    let mut came = String::new();
    let mut request = whole(&format!("done|say {long}"));
    for (is_more, expected) in [(true, Progress::Continue), (true, Progress::Continue), (false, Progress::Done)] {
        let Reply { data, progress } = method.handle(1, &request, &mut rng()).unwrap();
        let fragment = Fragment::parse(&data).unwrap();
        assert_eq!((fragment.is_more, progress), (is_more, expected));
        came.push_str(std::str::from_utf8(fragment.data).unwrap());
        request = Fragment::ACKNOWLEDGEMENT.write();
    }
    assert_eq!(came, long);
}

#[test]
fn anything_but_an_acknowledgement_between_fragments_ends_the_run() {
    let more = Fragment { total: Some(9), is_more: true, is_start: false, data: b"say" }.write();
    for request in [whole("say x"), more, Fragment { is_more: true, ..Fragment::ACKNOWLEDGEMENT }.write()] {
        let mut method = started(TlsVersion::V13, &"h".repeat(PEER_FRAGMENT_LEN + 1));
        assert_eq!(method.handle(1, &request, &mut rng()), Err(MethodError::OutOfPlace));
    }
}

#[test]
fn fragments_of_the_servers_are_acknowledged_and_one_that_lies_about_its_length_ends_the_run() {
    let mut method = started(TlsVersion::V13, "hello");
    let first = Fragment { total: Some(9), is_more: true, is_start: false, data: b"say" }.write();
    let Reply { data, progress } = method.handle(1, &first, &mut rng()).unwrap();
    assert_eq!((data, progress), (Fragment::ACKNOWLEDGEMENT.write(), Progress::Continue));
    assert_eq!(handle(&mut method, " hello"), said("hello", Progress::Continue));
    method.handle(1, &first, &mut rng()).unwrap();
    assert_eq!(handle(&mut method, " hello again"), Err(MethodError::Malformed));
    let mut method = started(TlsVersion::V13, "hello");
    let endless = Fragment { total: u32::try_from(MAX_MESSAGE_LEN + 1).ok(), is_more: true, is_start: false, data: b"s" };
    assert_eq!(method.handle(1, &endless.write(), &mut rng()), Err(MethodError::TooLong));
}

fn ttls_peer(version: TlsVersion, inner: InnerMethod, is_resumed: bool) -> (impl PeerMethod + use<>, Seen) {
    let connection = Scripted { output: b"hello".to_vec(), is_resumed, ..Scripted::new(version) };
    let seen = connection.seen.clone();
    let credentials = Credentials { user: "alice".to_owned(), password: Secret::new(b"secret".to_vec()) };
    let mut method = ttls::peer(Box::new(connection), inner, credentials);
    method.handle(0, &Fragment::START.write(), &mut rng()).unwrap();
    (method, seen)
}

/// User-Name and a User-Password of sixteen octets.
const PAP: &str = "000000014000000d616c6963650000000000000240000018736563726574000000000000000000";

#[test]
fn ttls_sends_the_password_once_the_handshake_is_complete_filled_up_with_zeros() {
    let (mut method, seen) = ttls_peer(TlsVersion::V12, InnerMethod::Pap, false);
    assert_eq!(handle(&mut method, "done"), said("sealed", Progress::MayEnd));
    assert_eq!(hex::encode(&seen.written()[0]), format!("{PAP:0<80}"));
    assert_eq!(msk_text(method.msk()), "ttls keying material/none");
    let (mut method, seen) = ttls_peer(TlsVersion::V13, InnerMethod::Pap, false);
    assert_eq!(handle(&mut method, "done|say finished"), said("finished", Progress::Continue));
    assert!(seen.written().is_empty());
    assert_eq!(handle(&mut method, ""), said("sealed", Progress::MayEnd));
    assert_eq!(msk_text(method.msk()), "EXPORTER_EAP_TLS_Key_Material/\u{15}");
    assert_eq!(handle(&mut method, "data 00"), said("", Progress::Done));
}

#[test]
fn ttls_takes_the_indication_for_a_success_under_tls_1_3_and_where_it_has_authenticated_alone() {
    for (version, inner, is_resumed, expected) in [
        (TlsVersion::V13, InnerMethod::Pap, true, said("", Progress::Done)),
        (TlsVersion::V12, InnerMethod::Pap, true, Err(MethodError::OutOfPlace)),
        (TlsVersion::V13, InnerMethod::Pap, false, Err(MethodError::OutOfPlace)),
    ] {
        let (mut method, _) = ttls_peer(version, inner, is_resumed);
        let finished = if is_resumed { Progress::MayEnd } else { Progress::Continue };
        assert_eq!(handle(&mut method, "done|say finished"), said("finished", finished));
        assert_eq!(handle(&mut method, "data 00"), expected);
    }
    let (mut method, _) = ttls_peer(TlsVersion::V13, InnerMethod::MsChapV2, false);
    handle(&mut method, "done|say finished").unwrap();
    assert_eq!(handle(&mut method, ""), said("sealed", Progress::Continue));
    assert_eq!(handle(&mut method, "data 00"), Err(MethodError::Malformed));
}
