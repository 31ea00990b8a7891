//! Real connections at both ends, under the machines of EAP.

use std::sync::Arc;

use protocol::eap::authenticator::{self, Authenticator};
use protocol::eap::method::tls::eap_tls;
use protocol::eap::method::{Around, Directory, PeerMethod};
use protocol::eap::peer::{self, Peer};
use protocol::eap::{EapError, MethodError, Msk};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, SupportedProtocolVersion};

use super::*;

mod eap_tls_fails;
mod eap_tls_succeeds;
mod identity;
mod ms_chap_v2;
mod peap;
mod resumption;
mod ttls;
mod tunnel;

const SERVER: &str = "aaa.example.org";
const ALICE: &str = "alice@example.org";
const TLS_12: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];
const TLS_13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// A CA, perhaps with others above it.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate, then those above, without the root's.
    chain: Vec<CertificateDer<'static>>,
    root: CertificateDer<'static>,
}

impl Authority {
    fn new() -> Self {
        Self::named("root")
    }

    fn named(name: &str) -> Self {
        let (params, key) = (Self::params(name), KeyPair::generate().unwrap());
        let root = params.self_signed(&key).unwrap().der().clone();
        Self { issuer: Issuer::new(params, key), chain: Vec::new(), root }
    }

    /// One below this one, whose certificate has so many octets more than it needs.
    fn below(&self, name: &str, octets: usize) -> Self {
        let (mut params, key) = (Self::params(name), KeyPair::generate().unwrap());
        params.custom_extensions.push(CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![4; octets]));
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let chain = [vec![certificate], self.chain.clone()].concat();
        Self { issuer: Issuer::new(params, key), chain, root: self.root.clone() }
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        params
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        Arc::new(roots)
    }

    fn certify(&self, params: &CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let chain = [vec![leaf], self.chain.clone()].concat();
        Identity { chain, key: PrivateKeyDer::try_from(key.serialize_der()).unwrap() }
    }
}

fn server_params() -> CertificateParams {
    let mut params = CertificateParams::new([SERVER.to_owned()]).unwrap();
    params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
    params
}

fn alice_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names.push(SanType::Rfc822Name(ALICE.try_into().unwrap()));
    params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
    params
}

/// Both ends, which a test may change before it connects them.
struct World {
    client: ClientSettings,
    server: ServerSettings,
}

impl World {
    fn new(versions: &'static [&'static SupportedProtocolVersion]) -> Self {
        Self::under(&Authority::new(), versions)
    }

    fn under(authority: &Authority, versions: &'static [&'static SupportedProtocolVersion]) -> Self {
        let identity = Some(authority.certify(&alice_params()));
        Self {
            client: ClientSettings { roots: authority.roots(), server_name: SERVER.to_owned(), identity, versions },
            server: ServerSettings {
                identity: authority.certify(&server_params()),
                client_roots: authority.roots(),
                versions: rustls::ALL_VERSIONS,
            },
        }
    }

    fn ends(self) -> (EapTlsClient, EapTlsServer) {
        (EapTlsClient::new(self.client).unwrap(), EapTlsServer::new(self.server).unwrap())
    }

    fn run(self) -> Outcome {
        let (client, server) = self.ends();
        run(&client, &server)
    }
}

/// What a run of EAP-TLS came to at either end.
struct Outcome {
    peer: Result<Msk, EapError>,
    server: Result<(String, Msk), EapError>,
    /// How many requests it took, the one for the identity included.
    requests: usize,
}

impl Outcome {
    /// The key, which both ends have.
    fn msk(&self) -> Vec<u8> {
        let (_, msk) = self.server.as_ref().unwrap();
        let peer = self.peer.as_ref().unwrap();
        assert_eq!(peer.expose(), msk.expose());
        assert!(msk.expose().iter().any(|octet| *octet != 0));
        msk.expose().to_vec()
    }

    fn failures(self) -> (EapError, EapError) {
        (self.peer.err().unwrap(), self.server.err().unwrap())
    }
}

struct Nobody;

impl Directory for Nobody {
    fn pre_shared_key(&mut self, _: &str) -> Result<Secret, MethodError> {
        Err(MethodError::Unavailable)
    }
}

fn run(client: &EapTlsClient, server: &EapTlsServer) -> Outcome {
    let mut peer = Peer::new("@example.org", vec![Box::new(eap_tls::peer(client.connection().unwrap()))]).unwrap();
    let mut authenticator = Authenticator::new(1, vec![Box::new(eap_tls::server(server.connection().unwrap()))]);
    let mut request = authenticator.request_identity();
    let mut requests = 1;
    loop {
        let response = match peer.handle(&request, &mut rand::rng()).unwrap() {
            peer::Step::Respond(response) | peer::Step::RespondLast(response) => response,
            peer::Step::Succeeded => panic!("a request is no success"),
        };
        let mut around = Around { rng: &mut rand::rng(), directory: &mut Nobody };
        let (packet, server) = match authenticator.handle(&response, &mut around) {
            authenticator::Step::Request(next) => {
                (request, requests) = (next, requests + 1);
                continue;
            }
            authenticator::Step::Success { packet, identity, msk } => (packet, Ok((identity, msk.unwrap()))),
            authenticator::Step::Failure { packet, error } => (packet, Err(error)),
        };
        let peer = peer.handle(&packet, &mut rand::rng()).map(|_| peer.msk().unwrap());
        return Outcome { peer, server, requests };
    }
}
