use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use protocol::eap::Type;
use protocol::eap::method::tls::ttls;
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

use super::tunnel::{self, Say};
use super::*;

#[test]
fn a_session_is_resumed_in_fewer_requests_under_another_key_and_with_the_same_identity() {
    let authority = Authority::new().below("issuing CA", 3_000);
    let (client, server) = World::under(&authority, TLS_13).ends();
    let full = run(&client, &server);
    for _ in 0..2 {
        let resumed = run(&client, &server);
        assert!(resumed.requests + 4 <= full.requests, "{} of {}", resumed.requests, full.requests);
        assert_ne!(resumed.msk(), full.msk());
        assert_eq!(resumed.server.unwrap().0, ALICE);
    }
}

#[test]
fn under_tls_1_2_nothing_is_resumed() {
    let (client, server) = World::new(TLS_12).ends();
    assert_eq!(run(&client, &server).requests, run(&client, &server).requests);
}

#[test]
fn a_session_is_of_no_use_to_a_server_that_began_anew() {
    let authority = Authority::new();
    let (client, server) = World::under(&authority, TLS_13).ends();
    let (_, other) = World::under(&authority, TLS_13).ends();
    let full = run(&client, &server).requests;
    let again = run(&client, &other);
    again.msk();
    assert!(again.requests >= full);
}

#[derive(Debug)]
struct Clock(AtomicU64);

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0.load(Ordering::Relaxed))))
    }
}

/// 2026-01-01.
const NOW: u64 = 1_767_225_600;
const MINUTE: u64 = 60;

/// An end's certificate that ends an hour after NOW.
fn short_lived(mut params: CertificateParams) -> CertificateParams {
    params.not_after = rcgen::date_time_ymd(2026, 1, 1) + Duration::from_secs(60 * MINUTE);
    params
}

/// Runs half an hour before the certificate of one end ends, then half an hour later or more.
fn across_the_end(change: fn(&mut World, &Authority), minutes: u64) -> (Outcome, Outcome) {
    let authority = Authority::new();
    let mut world = World::under(&authority, TLS_13);
    change(&mut world, &authority);
    let clock = Arc::new(Clock(AtomicU64::new(NOW + 30 * MINUTE)));
    let client = EapTlsClient::with_time(world.client, clock.clone()).unwrap();
    let server = EapTlsServer::with_time(world.server, clock.clone()).unwrap();
    let first = run(&client, &server);
    clock.0.fetch_add(minutes * MINUTE, Ordering::Relaxed);
    (first, run(&client, &server))
}

#[test]
fn no_session_outlives_the_certificate_of_either_end() {
    let tls = |failure| EapError::Method(Type::TLS, MethodError::Tls(failure));
    let of_server: fn(&mut World, &Authority) = |world, own| world.server.identity = own.certify(&short_lived(server_params()));
    let (first, second) = across_the_end(of_server, 20);
    assert_ne!(first.msk(), second.msk());
    let (first, second) = across_the_end(of_server, 40);
    first.msk();
    assert_eq!(second.failures(), (tls(TlsFailure::Expired), tls(TlsFailure::OwnCertificate)));
    let of_client: fn(&mut World, &Authority) =
        |world, own| world.client.identity = Some(own.certify(&short_lived(alice_params())));
    let (first, second) = across_the_end(of_client, 40);
    first.msk();
    // It was not shown again, so there is no alert for it.
    assert_eq!(second.failures(), (EapError::Failure, tls(TlsFailure::Expired)));
}

#[test]
fn a_server_that_fails_the_sessions_which_it_has_offered_is_not_asked_for_them_for_long() {
    let world = World::new(TLS_13);
    let client = EapTlsClient::new(ClientSettings { identity: None, ..world.client }).unwrap();
    let server = tunnel::server_config(world.server);
    let run = || {
        let credentials = ttls::Credentials { user: ALICE.to_owned(), password: Secret::new(b"secret".to_vec()) };
        let method = ttls::peer(client.connection().unwrap(), ttls::InnerMethod::Pap, credentials);
        let outcome = tunnel::run(method, &server, &mut |_, _, tls| match tls.handshake_kind() {
            Some(HandshakeKind::Resumed) => Say::Failure,
            _ => Say::Success,
        });
        (outcome.is_resumed, outcome.peer.is_ok())
    };
    let runs: Vec<_> = (0..7).map(|_| run()).collect();
    let (full, resumed) = ((false, true), (true, false));
    assert_eq!(runs, [full, resumed, full, resumed, full, full, full]);
}
