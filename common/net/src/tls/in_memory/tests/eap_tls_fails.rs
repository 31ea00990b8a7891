use protocol::eap::Type;

use super::*;

/// A change to the world before it runs.
type Flaw = fn(&mut World, &Authority);

fn tls(failure: TlsFailure) -> EapError {
    EapError::Method(Type::TLS, MethodError::Tls(failure))
}

fn outcome(versions: &'static [&'static SupportedProtocolVersion], flaw: Flaw) -> (EapError, EapError) {
    let authority = Authority::new();
    let mut world = World::under(&authority, versions);
    flaw(&mut world, &authority);
    world.run().failures()
}

fn expired(mut params: CertificateParams) -> CertificateParams {
    (params.not_before, params.not_after) = (rcgen::date_time_ymd(2000, 1, 1), rcgen::date_time_ymd(2024, 1, 1));
    params
}

fn yet_to_come(mut params: CertificateParams) -> CertificateParams {
    (params.not_before, params.not_after) = (rcgen::date_time_ymd(4000, 1, 1), rcgen::date_time_ymd(4001, 1, 1));
    params
}

fn named(name: &str) -> CertificateParams {
    let mut params = server_params();
    params.subject_alt_names = vec![SanType::DnsName(name.try_into().unwrap())];
    params
}

fn with_usage(mut params: CertificateParams, usage: ExtendedKeyUsagePurpose) -> CertificateParams {
    params.extended_key_usages = vec![usage];
    params
}

#[test]
fn what_is_wrong_with_the_servers_certificate_is_known_to_the_peer_and_told_to_the_server() {
    let flaws: [(Flaw, TlsFailure); 8] = [
        (|world, _| world.server.identity = Authority::named("other").certify(&server_params()), TlsFailure::UnknownAuthority),
        (|world, _| world.server.identity = Authority::new().certify(&server_params()), TlsFailure::UnknownAuthority),
        (|world, own| world.server.identity = own.certify(&expired(server_params())), TlsFailure::Expired),
        (|world, own| world.server.identity = own.certify(&yet_to_come(server_params())), TlsFailure::Expired),
        (|world, own| world.server.identity = own.certify(&named("evil.example.org")), TlsFailure::WrongName),
        (|world, own| world.server.identity = own.certify(&named("*.example.org")), TlsFailure::WrongName),
        (|world, own| world.server.identity = own.certify(&CertificateParams::default()), TlsFailure::WrongName),
        (
            |world, own| {
                let params = with_usage(server_params(), ExtendedKeyUsagePurpose::ClientAuth);
                world.server.identity = own.certify(&params);
            },
            TlsFailure::Certificate,
        ),
    ];
    for (place, (flaw, expected)) in flaws.into_iter().enumerate() {
        for versions in [TLS_12, TLS_13] {
            assert_eq!(outcome(versions, flaw), (tls(expected), tls(TlsFailure::OwnCertificate)), "{place}");
        }
    }
}

#[test]
fn what_is_wrong_with_the_peers_certificate_is_known_to_the_server_and_told_to_the_peer() {
    let flaws: [(Flaw, TlsFailure); 6] = [
        (
            |world, _| world.client.identity = Some(Authority::named("other").certify(&alice_params())),
            TlsFailure::UnknownAuthority,
        ),
        (|world, _| world.client.identity = Some(Authority::new().certify(&alice_params())), TlsFailure::UnknownAuthority),
        (|world, own| world.client.identity = Some(own.certify(&expired(alice_params()))), TlsFailure::Expired),
        (|world, own| world.client.identity = Some(own.certify(&yet_to_come(alice_params()))), TlsFailure::Expired),
        (|world, _| world.client.identity = None, TlsFailure::Certificate),
        (
            |world, own| {
                let params = with_usage(alice_params(), ExtendedKeyUsagePurpose::ServerAuth);
                world.client.identity = Some(own.certify(&params));
            },
            TlsFailure::Certificate,
        ),
    ];
    for (place, (flaw, expected)) in flaws.into_iter().enumerate() {
        for versions in [TLS_12, TLS_13] {
            assert_eq!(outcome(versions, flaw), (tls(TlsFailure::OwnCertificate), tls(expected)), "{place}");
        }
    }
}

#[test]
fn a_certificate_that_names_nobody_is_refused_before_the_peer_is_told_of_success() {
    for versions in [TLS_12, TLS_13] {
        let nameless: Flaw = |world, own| {
            let mut params = with_usage(server_params(), ExtendedKeyUsagePurpose::ClientAuth);
            params.distinguished_name = rcgen::DistinguishedName::new();
            world.client.identity = Some(own.certify(&params));
        };
        let unknown = EapError::Method(Type::TLS, MethodError::UnknownIdentity);
        assert_eq!(outcome(versions, nameless), (EapError::Failure, unknown));
    }
}

#[test]
fn ends_without_a_version_in_common_say_so() {
    let (peer, server) = outcome(TLS_12, |world, _| world.server.versions = TLS_13);
    assert_eq!((peer, server), (tls(TlsFailure::Alert), tls(TlsFailure::Handshake)));
}

#[test]
fn settings_that_cannot_work_are_refused_with_what_to_correct() {
    let authority = Authority::new();
    let mut world = World::under(&authority, TLS_13);
    world.client.server_name = "not a name".to_owned();
    assert!(EapTlsClient::new(world.client).unwrap_err().to_string().contains("neither a DNS name"));
    let mut world = World::under(&authority, TLS_13);
    world.server.identity.key = authority.certify(&server_params()).key;
    assert!(EapTlsServer::new(world.server).unwrap_err().to_string().contains("belong together"));
    let mut world = World::under(&authority, TLS_13);
    world.server.client_roots = Arc::new(RootCertStore::empty());
    assert!(EapTlsServer::new(world.server).is_err());
}
