use protocol::eap::Type;
use protocol::eap::method::tls::avp::{self, Avp, Code};
use protocol::eap::method::tls::ttls::{self, Credentials, InnerMethod};
use rustls::ServerConnection;

use super::ms_chap_v2::authenticator_response;
use super::tunnel::{self, Say, Tunnelled};
use super::*;

const PASSWORD: &str = "correct horse";

fn failed(error: MethodError) -> EapError {
    EapError::Method(Type::TTLS, error)
}

fn credentials(password: &str) -> Credentials {
    Credentials { user: ALICE.to_owned(), password: Secret::new(password.into()) }
}

fn client_and_server(versions: &'static [&'static SupportedProtocolVersion]) -> (EapTlsClient, Arc<rustls::ServerConfig>) {
    let world = World::new(versions);
    let client = ClientSettings { identity: None, ..world.client };
    (EapTlsClient::new(client).unwrap(), tunnel::server_config(world.server))
}

/// One run with new ends.
fn run(versions: &'static [&'static SupportedProtocolVersion], method: InnerMethod, inner: tunnel::Inner<'_>) -> Tunnelled {
    let (client, server) = client_and_server(versions);
    tunnel::run(ttls::peer(client.connection().unwrap(), method, credentials(PASSWORD)), &server, inner)
}

fn value(plaintext: &[u8], code: Code) -> Option<Vec<u8>> {
    avp::parse(plaintext).unwrap().iter().find(|avp| avp.code == code).map(|avp| avp.data.to_vec())
}

fn sealed(code: Code, data: &[u8]) -> Say {
    let mut octets = Vec::new();
    Avp::mandatory(code, data).write(&mut octets);
    Say::Within(octets)
}

fn pap(password: &'static str) -> impl FnMut(&[u8], u8, &ServerConnection) -> Say {
    move |plaintext, _, _| {
        assert_eq!(value(plaintext, Code::USER_NAME).unwrap(), ALICE.as_bytes());
        let came = value(plaintext, Code::USER_PASSWORD).unwrap();
        assert_eq!(came.len(), 16);
        let is_right = came.strip_prefix(password.as_bytes()).is_some_and(|rest| rest.iter().all(|octet| *octet == 0));
        if is_right { Say::Success } else { Say::Failure }
    }
}

/// A server that has this password, and says it right or not.
fn ms_chap_v2(password: &'static str, is_honest: bool) -> impl FnMut(&[u8], u8, &ServerConnection) -> Say {
    move |plaintext, _, tls| {
        let Some(response) = value(plaintext, Code::MS_CHAP2_RESPONSE) else { return Say::Success };
        assert_eq!(value(plaintext, Code::USER_NAME).unwrap(), ALICE.as_bytes());
        let challenge = tls.export_keying_material([0; 17], b"ttls challenge", None).unwrap();
        assert_eq!(value(plaintext, Code::MS_CHAP_CHALLENGE).unwrap(), challenge[..16]);
        assert_eq!((response.len(), response[0], response[1]), (50, challenge[16], 0));
        let (peer_challenge, nt_response) = (&response[2..18], &response[26..]);
        let right = authenticator_response(&challenge[..16], peer_challenge, nt_response, ALICE, password);
        let ident = if is_honest { challenge[16] } else { challenge[16].wrapping_add(1) };
        sealed(Code::MS_CHAP2_SUCCESS, &[&[ident], right.as_bytes()].concat())
    }
}

#[test]
fn the_password_gets_to_the_server_within_tls_and_both_have_the_same_key() {
    for versions in [TLS_12, TLS_13] {
        let outcome = run(versions, InnerMethod::Pap, &mut pap(PASSWORD));
        assert_eq!(outcome.peer.unwrap().expose(), &outcome.exported[..64]);
        let outcome = run(versions, InnerMethod::MsChapV2, &mut ms_chap_v2(PASSWORD, true));
        assert_eq!(outcome.peer.unwrap().expose(), &outcome.exported[..64]);
    }
}

#[test]
fn a_wrong_password_ends_in_the_servers_failure() {
    for versions in [TLS_12, TLS_13] {
        let outcome = run(versions, InnerMethod::Pap, &mut pap("another"));
        assert_eq!(outcome.peer.unwrap_err(), EapError::Failure);
        let mut refusing = |plaintext: &[u8], _: u8, _: &ServerConnection| match plaintext {
            [] => Say::Failure,
            _ => sealed(Code::MS_CHAP_ERROR, b"\x07E=691 R=0 C=00 V=3 M=no"),
        };
        let outcome = run(versions, InnerMethod::MsChapV2, &mut refusing);
        assert_eq!(outcome.peer.unwrap_err(), failed(MethodError::Refused));
    }
}

#[test]
fn a_server_that_does_not_prove_to_have_the_password_is_not_believed() {
    for versions in [TLS_12, TLS_13] {
        for (password, is_honest) in [("another", true), (PASSWORD, false)] {
            let mut inner = ms_chap_v2(password, is_honest);
            let mut failing = |plaintext: &[u8], identifier, tls: &ServerConnection| match plaintext {
                [] => Say::Failure,
                _ => inner(plaintext, identifier, tls),
            };
            let outcome = run(versions, InnerMethod::MsChapV2, &mut failing);
            assert_eq!(outcome.peer.unwrap_err(), failed(MethodError::WrongCredentials));
        }
        let outcome = run(versions, InnerMethod::MsChapV2, &mut |_, _, _| Say::Success);
        assert_eq!(outcome.peer.unwrap_err(), EapError::EarlySuccess);
        let outcome = run(versions, InnerMethod::MsChapV2, &mut |_, _, _| sealed(Code::REPLY_MESSAGE, b"welcome"));
        assert_eq!(outcome.peer.unwrap_err(), failed(MethodError::OutOfPlace));
    }
}

#[test]
fn an_avp_that_must_be_understood_and_is_not_ends_the_run_and_a_text_does_not() {
    let unknown = Code { vendor: 0, code: 79 };
    let outcome = run(TLS_13, InnerMethod::Pap, &mut |_, _, _| sealed(unknown, b"\x01"));
    assert_eq!(outcome.peer.unwrap_err(), failed(MethodError::OutOfPlace));
    let mut greeting = |plaintext: &[u8], _: u8, _: &ServerConnection| match plaintext {
        [] => Say::Success,
        _ => sealed(Code::REPLY_MESSAGE, b"welcome"),
    };
    assert!(run(TLS_13, InnerMethod::Pap, &mut greeting).peer.is_ok());
}

#[test]
fn no_password_goes_to_a_server_whose_certificate_is_not_believed() {
    for versions in [TLS_12, TLS_13] {
        let (client, _) = client_and_server(versions);
        let (_, stranger) = client_and_server(versions);
        let method = ttls::peer(client.connection().unwrap(), InnerMethod::Pap, credentials(PASSWORD));
        let outcome = tunnel::run(method, &stranger, &mut |_, _, _| panic!("nothing comes within TLS"));
        assert_eq!(outcome.peer.unwrap_err(), failed(MethodError::Tls(TlsFailure::UnknownAuthority)));
    }
}

/// A server that is content with a session of before, and says so in one way or the other.
fn content(how: impl Fn() -> Say) -> impl FnMut(&[u8], u8, &ServerConnection) -> Say {
    let mut password = pap(PASSWORD);
    let mut has_indicated = false;
    move |plaintext, identifier, tls| match tls.handshake_kind() {
        Some(HandshakeKind::Resumed) if has_indicated => Say::Success,
        Some(HandshakeKind::Resumed) => {
            assert!(plaintext.is_empty(), "no password is sent where it is not asked for");
            has_indicated = true;
            how()
        }
        _ => password(plaintext, identifier, tls),
    }
}

#[test]
fn a_session_that_was_authenticated_is_resumed_without_the_password() {
    for how in [|| Say::Success, || Say::Within(vec![0])] {
        let (client, server) = client_and_server(TLS_13);
        let again = || ttls::peer(client.connection().unwrap(), InnerMethod::Pap, credentials(PASSWORD));
        let first = tunnel::run(again(), &server, &mut content(how));
        let second = tunnel::run(again(), &server, &mut content(how));
        assert!(!first.is_resumed && second.is_resumed);
        let (first, msk) = (first.peer.unwrap(), second.peer.unwrap());
        assert_eq!(msk.expose(), &second.exported[..64]);
        assert_ne!(msk.expose(), first.expose());
    }
}

#[test]
fn a_server_that_asks_for_the_password_in_a_resumed_session_gets_it() {
    let (client, server) = client_and_server(TLS_13);
    let again = || ttls::peer(client.connection().unwrap(), InnerMethod::Pap, credentials(PASSWORD));
    assert!(tunnel::run(again(), &server, &mut pap(PASSWORD)).peer.is_ok());
    let mut inner = pap(PASSWORD);
    let mut insistent = |plaintext: &[u8], identifier, tls: &ServerConnection| match plaintext {
        [] => Say::Within(Vec::new()),
        _ => inner(plaintext, identifier, tls),
    };
    let second = tunnel::run(again(), &server, &mut insistent);
    assert!(second.is_resumed && second.peer.is_ok());
}

#[test]
fn a_session_whose_run_did_not_succeed_is_not_resumed() {
    let (client, server) = client_and_server(TLS_13);
    let again = || ttls::peer(client.connection().unwrap(), InnerMethod::MsChapV2, credentials(PASSWORD));
    for _ in 0..2 {
        let outcome = tunnel::run(again(), &server, &mut ms_chap_v2("another", true));
        assert!(!outcome.is_resumed && outcome.peer.is_err());
    }
}
