use protocol::eap::Type;
use protocol::eap::method::mschapv2::MsChapV2Peer;
use protocol::eap::method::tls::peap;
use rustls::ServerConnection;

use super::ms_chap_v2::authenticator_response;
use super::tunnel::{self, Say, Tunnelled};
use super::*;

const PASSWORD: &str = "correct horse";
const CHALLENGE: [u8; 16] = *b"0123456789abcdef";
const SUCCESS: u8 = 1;
const FAILURE: u8 = 2;

fn failed(error: MethodError) -> EapError {
    EapError::Method(Type::PEAP, error)
}

fn client_and_server(versions: &'static [&'static SupportedProtocolVersion]) -> (EapTlsClient, Arc<rustls::ServerConfig>) {
    let world = World::new(versions);
    let client = ClientSettings { identity: None, ..world.client };
    (EapTlsClient::new(client).unwrap(), tunnel::server_config(world.server))
}

fn method(client: &EapTlsClient) -> impl PeerMethod + use<> {
    let inner = MsChapV2Peer::new(ALICE, Secret::new(PASSWORD.into()));
    peap::peer(client.connection().unwrap(), ALICE.to_owned(), Box::new(inner))
}

fn run(versions: &'static [&'static SupportedProtocolVersion], inner: tunnel::Inner<'_>) -> Tunnelled {
    let (client, server) = client_and_server(versions);
    tunnel::run(method(&client), &server, inner)
}

/// The whole packet with a result.
fn result(identifier: u8, status: u8) -> Say {
    Say::Within(vec![1, identifier, 0, 11, 33, 0x80, 3, 0, 2, 0, status])
}

fn result_response(identifier: u8, status: u8) -> Vec<u8> {
    vec![2, identifier, 0, 11, 33, 0x80, 3, 0, 2, 0, status]
}

/// An inner server: MSCHAPv2 from the identity to the result, a step for each response.
struct Server {
    password: &'static str,
    step: usize,
}

impl Server {
    fn new(password: &'static str) -> Self {
        Self { password, step: 0 }
    }

    fn next(&mut self, plaintext: &[u8], identifier: u8) -> Say {
        self.step += 1;
        match self.step {
            1 => {
                assert!(plaintext.is_empty());
                Say::Within(vec![1])
            }
            2 => {
                assert_eq!(plaintext, [&[1], ALICE.as_bytes()].concat());
                Say::Within([&[26, 1, 7, 0, 24, 16], &CHALLENGE[..], b"aaa"].concat())
            }
            3 => {
                assert_eq!((&plaintext[..6], &plaintext[55..]), (&[26, 2, 7, 0, 71, 49][..], ALICE.as_bytes()));
                let right = authenticator_response(&CHALLENGE, &plaintext[6..22], &plaintext[30..54], ALICE, self.password);
                Say::Within([&[26, 3, 7, 0, 51], right.as_bytes(), b" M=OK"].concat())
            }
            4 => {
                assert_eq!(plaintext, [26, 3]);
                result(identifier, SUCCESS)
            }
            _ => {
                assert_eq!(plaintext, result_response(identifier - 1, SUCCESS));
                Say::Success
            }
        }
    }
}

#[test]
fn the_inner_method_and_the_result_within_tls_come_before_the_success_and_both_ends_have_the_same_key() {
    for versions in [TLS_12, TLS_13] {
        let mut server = Server::new(PASSWORD);
        let outcome = run(versions, &mut |plaintext, identifier, _| server.next(plaintext, identifier));
        assert_eq!(outcome.peer.unwrap().expose(), &outcome.exported[..64]);
        assert_eq!(server.step, 5);
    }
}

#[test]
fn a_success_before_the_result_within_tls_is_not_believed() {
    for place in 0..4 {
        let mut server = Server::new(PASSWORD);
        let outcome = run(TLS_13, &mut |plaintext, identifier, _| match server.step {
            step if step == place => Say::Success,
            _ => server.next(plaintext, identifier),
        });
        assert_eq!(outcome.peer.err(), Some(EapError::EarlySuccess), "{place}");
    }
}

#[test]
fn a_result_of_success_before_the_inner_method_is_done_is_answered_with_failure() {
    for versions in [TLS_12, TLS_13] {
        for place in 0..4 {
            let mut server = Server::new(PASSWORD);
            let outcome = run(versions, &mut |plaintext, identifier, _| {
                if server.step > place {
                    assert_eq!(plaintext, result_response(identifier - 1, if place == 3 { SUCCESS } else { FAILURE }));
                    return Say::Success;
                }
                if server.step == place {
                    server.step += 1;
                    return result(identifier, SUCCESS);
                }
                server.next(plaintext, identifier)
            });
            let expected = if place == 3 { None } else { Some(failed(MethodError::OutOfPlace)) };
            assert_eq!(outcome.peer.err(), expected, "{place}");
        }
    }
}

#[test]
fn a_server_without_the_password_is_not_believed() {
    let mut server = Server::new("another");
    let outcome = run(TLS_13, &mut |plaintext, identifier, _| server.next(plaintext, identifier));
    assert_eq!(outcome.peer.unwrap_err(), failed(MethodError::WrongCredentials));
    assert_eq!(server.step, 3);
}

#[test]
fn a_wrong_password_is_what_the_run_has_failed_of_and_the_result_is_acknowledged() {
    let mut server = Server::new(PASSWORD);
    let outcome = run(TLS_13, &mut |plaintext, identifier, _| {
        if server.step < 2 {
            return server.next(plaintext, identifier);
        }
        server.step += 1;
        match server.step {
            3 => Say::Within(b"\x1a\x04\x07\x00\x1bE=691 R=0 C=00 V=3 M=no".to_vec()),
            4 => {
                assert_eq!(plaintext, [26, 4]);
                result(identifier, FAILURE)
            }
            _ => {
                assert_eq!(plaintext, result_response(identifier - 1, FAILURE));
                Say::Failure
            }
        }
    });
    assert_eq!(outcome.peer.unwrap_err(), failed(MethodError::Refused));
    assert_eq!(server.step, 5);
}

#[test]
fn another_inner_method_is_answered_with_ours_and_a_whole_request_for_the_identity_like_one_without_header() {
    let mut server = Server::new(PASSWORD);
    let mut has_proposed = false;
    let outcome = run(TLS_13, &mut |plaintext, identifier, _| match server.step {
        0 => {
            server.step = 1;
            Say::Within(vec![1, identifier, 0, 5, 1])
        }
        1 if !has_proposed => {
            has_proposed = true;
            Say::Within(vec![6, 1, 2, 3])
        }
        1 => {
            assert_eq!(plaintext, [3, 26]);
            server.next(&[&[1], ALICE.as_bytes()].concat(), identifier)
        }
        _ => server.next(plaintext, identifier),
    });
    assert!(outcome.peer.is_ok() && has_proposed);
}

#[test]
fn a_resumed_session_needs_no_inner_method_if_the_one_before_it_had_one() {
    let (client, server) = client_and_server(TLS_13);
    let at_once = |plaintext: &[u8], identifier: u8, tls: &ServerConnection| match tls.handshake_kind() {
        Some(HandshakeKind::Resumed) if plaintext.is_empty() => Some(result(identifier, SUCCESS)),
        Some(HandshakeKind::Resumed) => Some(Say::Success),
        _ => None,
    };
    let run = |password| {
        let mut inner = Server::new(password);
        tunnel::run(method(&client), &server, &mut |plaintext, identifier, tls| {
            at_once(plaintext, identifier, tls).unwrap_or_else(|| inner.next(plaintext, identifier))
        })
    };
    assert!(run("another").peer.is_err());
    let first = run(PASSWORD);
    assert!(!first.is_resumed && first.peer.is_ok(), "the run that failed has left no session");
    let second = run(PASSWORD);
    assert!(second.is_resumed);
    assert_eq!(second.peer.unwrap().expose(), &second.exported[..64]);
}

#[test]
fn no_identity_goes_to_a_server_whose_certificate_is_not_believed() {
    let (client, _) = client_and_server(TLS_13);
    let (_, stranger) = client_and_server(TLS_13);
    let outcome = tunnel::run(method(&client), &stranger, &mut |_, _, _| panic!("nothing comes within TLS"));
    assert_eq!(outcome.peer.unwrap_err(), failed(MethodError::Tls(TlsFailure::UnknownAuthority)));
}
