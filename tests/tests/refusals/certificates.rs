//! Certificates: what a server shows -> what the mobile node's user reads (RFC 6618 section 9.2), and that the server heard nothing
//! of MHAuth before.

use std::sync::Arc;

use fixture::{Authority, Certified, in_new_network_namespace_async};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, PKCS_ED25519, SanType, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::controller::NAME;
use super::mobile_node::{HAC_ADDRESS, HAC_PORT, believing_in, give_the_hac_its_address, is_told};
use Signer::{Ed25519, Itself, Ours, Unknown};

/// Who signed a certificate.
#[derive(Clone, Copy)]
enum Signer {
    /// The operator's CA.
    Ours,
    /// Another CA.
    Unknown,
    /// A CA that the node believes too, whose key is of that kind.
    Ed25519,
    /// Its own key.
    Itself,
}

/// What is wrong with a certificate, who signed it, how a right one is made so, and what must stand in the sentence: what was seen,
/// and what to do.
type Row = (&'static str, Signer, fn(&mut CertificateParams), [&'static str; 2]);

const ROWS: &[Row] = &[
    ("expired", Ours, |it| until(it, 2024), ["expired on Mon, 01 Jan 2024", "have it made anew at the HAC"]),
    ("not yet valid", Ours, |it| since(it, 4000), ["valid from Sat, 01 Jan 4000", "set this node's clock"]),
    ("a wildcard SAN", Ours, |it| name_it(it, &["*.example.org"]), ["*.example.org", "for its own name"]),
    ("a wildcard beside the name", Ours, |it| name_it(it, &[NAME, "*.net"]), ["*.net", "for its own name"]),
    ("the name in the CN only", Ours, |it| name_it(it, &[]), ["a common name does not count", "as dNSName"]),
    ("another iPAddress", Ours, |it| name_it(it, &["192.0.2.11"]), ["192.0.2.11", "correct the name or the address"]),
    ("the SRV target's name", Ours, |it| name_it(it, &["hac1.example.org"]), ["hac1.example.org", "correct the name"]),
    ("a name below the HAC's", Ours, |it| name_it(it, &["a.hac.example.org"]), ["a.hac.example.org", "correct the name"]),
    ("for a client", Ours, |it| it.extended_key_usages = CLIENT_AUTH.into(), ["not for a server", "serverAuth"]),
    ("an unknown CA", Unknown, |_| (), ["not signed by the CA in [hac] ca", "copy the operator's ca.pem again"]),
    ("an unknown CA, another name", Unknown, |it| name_it(it, &["evil.net"]), ["not signed by", "copy the operator's"]),
    ("signed by itself", Itself, |_| (), ["not signed by the CA in [hac] ca", "copy the operator's ca.pem again"]),
    ("signed with Ed25519", Ed25519, |_| (), ["Ed25519", "have it signed by a CA with an ECDSA or RSA key"]),
];

const CLIENT_AUTH: [ExtendedKeyUsagePurpose; 1] = [ExtendedKeyUsagePurpose::ClientAuth];

/// It ends with the year before.
fn until(certificate: &mut CertificateParams, year: i32) {
    certificate.not_after = date_time_ymd(year, 1, 1);
}

/// It begins with this year.
fn since(certificate: &mut CertificateParams, year: i32) {
    certificate.not_before = date_time_ymd(year, 1, 1);
}

/// Gives it these subject alternative names: dNSName, or iPAddress where the name is an address.
fn name_it(certificate: &mut CertificateParams, names: &[&str]) {
    let name = |name: &&str| name.parse().map_or_else(|_| SanType::DnsName((*name).try_into().unwrap()), SanType::IpAddress);
    certificate.subject_alt_names = names.iter().map(name).collect();
}

/// The CAs of a test.
struct Authorities {
    ours: Authority,
    unknown: Authority,
    ed25519: Authority,
}

impl Authorities {
    fn new() -> Self {
        Self { ours: Authority::new(), unknown: Authority::new(), ed25519: Authority::signing_with(&PKCS_ED25519) }
    }

    fn certify(&self, signer: Signer, spoil: fn(&mut CertificateParams)) -> Certified {
        let mut parameters = CertificateParams::new([NAME.to_owned()]).unwrap();
        parameters.distinguished_name.push(DnType::CommonName, NAME);
        spoil(&mut parameters);
        match signer {
            Ours => self.ours.certify_as(&parameters),
            Unknown => self.unknown.certify_as(&parameters),
            Ed25519 => self.ed25519.certify_as(&parameters),
            Itself => {
                let key = KeyPair::generate().unwrap();
                Certified { certificate: parameters.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
            }
        }
    }
}

/// A TLS server, rustls as it is, which shows `certified` to one client and says nothing; gives the application octets that it was
/// sent, or how the handshake failed.
async fn show(listener: TcpListener, certified: Certified) -> std::io::Result<Vec<u8>> {
    let chain = vec![CertificateDer::from_pem_slice(certified.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(certified.key.as_bytes()).unwrap();
    let builder = ServerConfig::builder_with_provider(net::tls::provider()).with_safe_default_protocol_versions().unwrap();
    let config = builder.with_no_client_auth().with_single_cert(chain, key).unwrap();
    let (tcp, _) = listener.accept().await.unwrap();
    let mut stream = TlsAcceptor::from(Arc::new(config)).accept(tcp).await?;
    let mut said = vec![0; 4096];
    let len = stream.read(&mut said).await?;
    said.truncate(len);
    Ok(said)
}

/// What a node that believes in the operator's CA is told by its program, and what the server was sent.
async fn meet(
    authorities: &Authorities,
    signer: Signer,
    spoil: fn(&mut CertificateParams),
) -> (String, std::io::Result<Vec<u8>>) {
    let listener = TcpListener::bind((HAC_ADDRESS, HAC_PORT)).await.unwrap();
    let server = tokio::spawn(show(listener, authorities.certify(signer, spoil)));
    let told = is_told(&believing_in(&[&authorities.ours.pem, &authorities.ed25519.pem])).await;
    (told, server.await.unwrap())
}

#[test]
fn a_certificate_that_is_not_the_hacs_is_refused_with_what_to_do_before_a_word_of_mhauth() {
    in_new_network_namespace_async(|| async {
        give_the_hac_its_address();
        let authorities = Authorities::new();
        for (shown, signer, spoil, sentence) in ROWS {
            let (told, heard) = meet(&authorities, *signer, *spoil).await;
            for part in sentence {
                assert!(told.contains(part), "{shown}: {part:?} is not in: {told}");
            }
            assert!(told.contains("192.0.2.10:7872") && told.lines().count() == 1, "{shown}: {told}");
            assert!(heard.as_ref().map_or(true, Vec::is_empty), "{shown}: the server heard {heard:?}");
            still_speaks_to_the_right_one(&authorities).await;
        }
    });
}

/// The right certificate, by name or by the address connected to: MHAuth begins. So the servers above would have heard it.
async fn still_speaks_to_the_right_one(authorities: &Authorities) {
    for right in [(|_| ()) as fn(&mut CertificateParams), |it| name_it(it, &["192.0.2.10"])] {
        let heard = meet(authorities, Ours, right).await.1.unwrap();
        assert!(heard.starts_with(&[0, 1]) && heard.windows(6).any(|octets| octets == b"mn-id:"), "{heard:?}");
    }
}
