use std::net::IpAddr;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType, SignatureAlgorithm,
};
use rustls::{CertificateError, ClientConfig, ClientConnection, NamedGroup, ProtocolVersion, ServerConnection};
use sha2::Digest;

use super::*;

mod resumption;

const HAC: &str = "hac.example.org";
const ADDRESS: &str = "198.51.100.10";

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
}

impl Authority {
    fn new() -> Self {
        Self::signing_with(&rcgen::PKCS_ECDSA_P256_SHA256)
    }

    fn signing_with(algorithm: &'static SignatureAlgorithm) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "test CA");
        let key = KeyPair::generate_for(algorithm).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).unwrap();
        Arc::new(roots)
    }

    /// A HAC whose certificate has these names.
    fn certify(&self, names: &[&str]) -> Result<Server, TlsError> {
        let (chain, key) = self.certificate(names);
        server(chain, key)
    }

    /// A chain whose leaf has these names and ends with the year 2029, and its key.
    fn certificate(&self, names: &[&str]) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, HAC);
        params.subject_alt_names = names
            .iter()
            .map(|name| match name.parse() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName((*name).try_into().unwrap()),
            })
            .collect();
        params.not_after = rcgen::date_time_ymd(2030, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
    }
}

fn client(authorities: Arc<RootCertStore>, name: &str, connected_to: IpAddr) -> Result<Client, TlsError> {
    Clients::new(authorities).client(name, connected_to)
}

/// Runs a handshake in memory; gives both ends, or the mobile node's error.
fn handshake(server: &Server, client: &Client) -> Result<(ClientConnection, ServerConnection), rustls::Error> {
    handshake_counted(server, client).map(|(mn, hac, _)| (mn, hac))
}

/// The same, and how many octets went to and fro.
fn handshake_counted(server: &Server, client: &Client) -> Result<(ClientConnection, ServerConnection, usize), rustls::Error> {
    let mut mn = ClientConnection::new(client.config.clone(), client.server_name.clone()).unwrap();
    let mut hac = ServerConnection::new(server.config.clone()).unwrap();
    let (mut octets, mut count) = (Vec::new(), 0);
    while mn.is_handshaking() || hac.is_handshaking() {
        count += mn.write_tls(&mut octets).unwrap();
        hac.read_tls(&mut octets.as_slice()).unwrap();
        hac.process_new_packets()?;
        octets.clear();
        count += hac.write_tls(&mut octets).unwrap();
        mn.read_tls(&mut octets.as_slice()).unwrap();
        mn.process_new_packets()?;
        octets.clear();
    }
    Ok((mn, hac, count))
}

fn connect_to(server: &Server, authority: &Authority, name: &str) -> Result<(ClientConnection, ServerConnection), rustls::Error> {
    handshake(server, &client(authority.roots(), name, ADDRESS.parse().unwrap()).unwrap())
}

#[test]
fn both_ends_compute_the_same_channel_binding_and_the_key_exchange_is_hybrid() {
    let authority = Authority::new();
    let server = authority.certify(&[HAC]).unwrap();
    let (mn, hac) = connect_to(&server, &authority, HAC).unwrap();
    assert_eq!(peer_channel_binding(&mn).unwrap(), server.binding);
    let leaf = &mn.peer_certificates().unwrap()[0];
    assert_eq!(server.binding.octets(), sha2::Sha256::digest(leaf).as_slice());
    assert_eq!(mn.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(hac.negotiated_key_exchange_group().unwrap().name(), NamedGroup::X25519MLKEM768);
}

#[test]
fn the_hash_is_that_of_the_issuers_signature() {
    let authority = Authority::signing_with(&rcgen::PKCS_ECDSA_P384_SHA384);
    let server = authority.certify(&[HAC]).unwrap();
    assert_eq!(server.binding.octets().len(), 48);
    let (mn, _) = connect_to(&server, &authority, HAC).unwrap();
    assert_eq!(peer_channel_binding(&mn).unwrap(), server.binding);
}

#[test]
fn a_certificate_signed_with_ed25519_is_refused_at_the_hac_and_by_the_mobile_node() {
    let authority = Authority::signing_with(&rcgen::PKCS_ED25519);
    let error = authority.certify(&[HAC]).unwrap_err();
    assert!(matches!(error, TlsError::EndPoint(EndPointError::NoHash("Ed25519"))), "{error}");
    assert!(error.to_string().contains("Ed25519") && error.to_string().contains("ECDSA"), "{error}");
    let result = channel_binding(authority.certificate.der());
    assert_eq!(result, Err(EndPointError::NoHash("Ed25519")));
}

#[test]
fn tls_1_2_works_where_both_ends_want_the_extended_master_secret() {
    let authority = Authority::new();
    let server = authority.certify(&[HAC]).unwrap();
    let mut old = client(authority.roots(), HAC, ADDRESS.parse().unwrap()).unwrap();
    assert!(old.config.require_ems && server.config.require_ems);
    let reference = Reference::new(HAC, ADDRESS.parse().unwrap()).unwrap();
    let verifier = name::Verifier::new(authority.roots(), provider(), reference).unwrap();
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.require_ems = true;
    old.config = Arc::new(config);
    let (mn, _) = handshake(&server, &old).unwrap();
    assert_eq!(mn.protocol_version(), Some(ProtocolVersion::TLSv1_2));
    assert_eq!(peer_channel_binding(&mn).unwrap(), server.binding);
}

#[test]
fn a_name_is_compared_without_regard_to_case_and_an_address_with_the_one_connected_to() {
    let authority = Authority::new();
    for names in [&["HAC.Example.ORG"][..], &["other.example.org", HAC], &[ADDRESS], &["other.example.org", ADDRESS]] {
        let result = connect_to(&authority.certify(names).unwrap(), &authority, HAC);
        assert!(result.is_ok(), "{names:?}: {:?}", result.err());
    }
    let by_address = connect_to(&authority.certify(&[ADDRESS]).unwrap(), &authority, ADDRESS);
    assert!(by_address.is_ok(), "{:?}", by_address.err());
    let mapped = client(authority.roots(), HAC, "::ffff:198.51.100.10".parse().unwrap()).unwrap();
    assert!(handshake(&authority.certify(&[ADDRESS]).unwrap(), &mapped).is_ok());
}

#[test]
fn a_wildcard_anywhere_refuses_the_certificate() {
    let authority = Authority::new();
    for names in [&["*.example.org"][..], &[HAC, "*.example.org"], &["*.example.org", HAC], &[ADDRESS, "*.net"]] {
        let error = connect_to(&authority.certify(names).unwrap(), &authority, HAC).unwrap_err();
        assert!(matches!(name_error(&error), Some(NameError::Wildcard(_))), "{names:?}: {error}");
        let said = explain_handshake(&io::Error::new(io::ErrorKind::InvalidData, error));
        assert!(said.contains("wildcard name *."), "{said}");
    }
}

#[test]
fn a_common_name_alone_is_no_name() {
    let authority = Authority::new();
    let error = connect_to(&authority.certify(&[]).unwrap(), &authority, HAC).unwrap_err();
    assert_eq!(name_error(&error), Some(&NameError::NoAlternativeName), "{error}");
}

#[test]
fn another_name_and_another_address_are_refused_with_what_was_seen() {
    let authority = Authority::new();
    for names in [&["evil.example.org"][..], &["sub.hac.example.org"], &["198.51.100.11"], &["hac.example.or"]] {
        let error = connect_to(&authority.certify(names).unwrap(), &authority, HAC).unwrap_err();
        assert!(matches!(name_error(&error), Some(NameError::OtherName { .. })), "{names:?}: {error}");
        let said = explain_handshake(&io::Error::new(io::ErrorKind::InvalidData, error));
        assert!(said.contains(names[0]) && said.contains(HAC), "{said}");
    }
}

#[test]
fn an_unknown_authority_is_said_before_a_wrong_name() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    for names in [&[HAC][..], &["evil.example.org"], &["*.example.org"], &[]] {
        let error = connect_to(&theirs.certify(names).unwrap(), &ours, HAC).unwrap_err();
        // Both authorities have the same name, so the signature is what tells them apart.
        let untrusted =
            matches!(error, rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature));
        assert!(untrusted, "{names:?}: {error}");
        let said = explain_handshake(&io::Error::new(io::ErrorKind::InvalidData, error));
        assert!(said.contains("copy the operator's ca.pem"), "{said}");
    }
}

#[test]
fn a_certificate_of_another_time_or_for_another_use_is_refused_with_what_to_do() {
    let authority = Authority::new();
    let year = |year| rcgen::date_time_ymd(year, 1, 1);
    let shown = |from, until, usage| {
        let mut params = CertificateParams::new([HAC.to_owned()]).unwrap();
        (params.not_before, params.not_after, params.extended_key_usages) = (year(from), year(until), vec![usage]);
        let key = KeyPair::generate().unwrap();
        let chain = vec![params.signed_by(&key, &authority.issuer).unwrap().der().clone()];
        let server = server(chain, PrivateKeyDer::try_from(key.serialize_der()).unwrap()).unwrap();
        explain_handshake(&io::Error::new(io::ErrorKind::InvalidData, connect_to(&server, &authority, HAC).unwrap_err()))
    };
    let (server_auth, client_auth) = (ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth);
    for (said, expected) in [
        (shown(2000, 2024, server_auth.clone()), ["expired on Mon, 01 Jan 2024 00:00:00 GMT", "have it made anew"]),
        (shown(4000, 4001, server_auth), ["valid from Sat, 01 Jan 4000 00:00:00 GMT only", "set this node's clock"]),
        (shown(2000, 4000, client_auth), ["is not for a server", "serverAuth"]),
    ] {
        assert!(expected.iter().all(|part| said.contains(part)), "{said}");
    }
}

#[test]
fn files_are_loaded_and_named_when_they_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let (ca, key) = (folder.path().join("ca.pem"), folder.path().join("key.pem"));
    std::fs::write(&ca, authority.certificate.pem()).unwrap();
    std::fs::write(&key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    assert_eq!(load_authorities(&ca).unwrap().len(), 1);
    assert_eq!(load_certificates(&ca).unwrap(), [authority.certificate.der().clone()]);
    let stranger = load_key(&key).unwrap();

    let missing = folder.path().join("nowhere.pem");
    let error = load_certificates(&missing).unwrap_err().to_string();
    assert!(error.contains("nowhere.pem") && error.contains("check the path"), "{error}");
    let error = load_key(&ca).unwrap_err().to_string();
    assert!(error.contains("ca.pem") && error.contains("private key"), "{error}");
    let error = load_authorities(&key).unwrap_err().to_string();
    assert!(error.contains("key.pem") && error.contains("certificate"), "{error}");
    let error = server(load_certificates(&ca).unwrap(), stranger).unwrap_err().to_string();
    assert!(error.contains("belong together"), "{error}");
    assert!(client(authority.roots(), "not a name", ADDRESS.parse().unwrap()).is_err());
}

#[tokio::test]
async fn a_connection_is_made_or_fails_naming_its_address() {
    let listener = tokio::net::TcpListener::bind("[::1]:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stream = connect(address, None, Duration::from_secs(5)).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap(), address);
    drop((listener, stream));
    let error = connect(address, None, Duration::from_secs(5)).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}
