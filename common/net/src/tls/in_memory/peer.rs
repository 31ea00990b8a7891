//! The mobile node's connections to an EAP server: whom it believes, what it shows, and the sessions that it may resume.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use protocol::eap::method::tls::PeerTlsConnection;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, Tls12Resumption};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls::{ClientConfig, ClientConnection, Connection, Error, HandshakeKind, RootCertStore, SupportedProtocolVersion};

use super::run::{Memory, Run};
use super::{End, Identity, InMemory};
use crate::tls::name::{Reference, Verifier};
use crate::tls::{TlsError, provider};

/// How a mobile node meets its EAP server.
#[derive(Debug)]
pub struct ClientSettings {
    /// Whom to believe, and nobody else.
    pub roots: Arc<RootCertStore>,
    /// The name, exactly, in the server's certificate: a dNSName of its subject alternative names.
    pub server_name: String,
    /// What to show: EAP-TLS needs it, EAP-TTLS and PEAP do not.
    pub identity: Option<Identity>,
    /// Which versions to offer: [`rustls::ALL_VERSIONS`], or fewer.
    pub versions: &'static [&'static SupportedProtocolVersion],
}

/// Makes the connections of one EAP method of a mobile node, and remembers its sessions from one run to the next. They are this method's
/// alone: another method, another user or another server has a client of its own (RFC 9427), since who resumes a session is taken for
/// who began it.
#[derive(Debug)]
pub struct EapTlsClient {
    config: ClientConfig,
    server_name: ServerName<'static>,
    verifier: Arc<Verifier>,
    memory: Arc<Memory>,
    time: Arc<dyn TimeProvider>,
}

impl EapTlsClient {
    /// Remembers nothing yet.
    ///
    /// # Errors
    /// The name cannot be one; certificate and key do not belong together; no versions.
    pub fn new(settings: ClientSettings) -> Result<Self, TlsError> {
        Self::with_time(settings, Arc::new(DefaultTimeProvider))
    }

    pub(super) fn with_time(settings: ClientSettings, time: Arc<dyn TimeProvider>) -> Result<Self, TlsError> {
        let ClientSettings { roots, server_name, identity, versions } = settings;
        // An EAP server is spoken to through others: its address is not known.
        let anywhere = server_name.parse().unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        let reference = Reference::new(&server_name, anywhere).map_err(|_| TlsError::NotAnEapServer(server_name))?;
        let server_name = reference.server_name().clone();
        let verifier = Arc::new(Verifier::new(roots, provider(), reference)?);
        let builder = ClientConfig::builder_with_details(provider(), time.clone()).with_protocol_versions(versions);
        let builder = builder.map_err(TlsError::Setup)?.dangerous().with_custom_certificate_verifier(verifier.clone());
        let mut config = match identity {
            Some(Identity { chain, key }) => builder.with_client_auth_cert(chain, key).map_err(TlsError::Identity)?,
            None => builder.with_no_client_auth(),
        };
        config.require_ems = true;
        config.enable_early_data = false;
        // The name is not one that was looked up, and on the way to the server everybody could read it.
        config.enable_sni = false;
        let memory = Arc::new(Memory::new(time.clone()));
        Ok(Self { config, server_name, verifier, memory, time })
    }

    /// A connection for one run.
    ///
    /// # Errors
    /// The library refuses; this is a defect.
    pub fn connection(&self) -> Result<Box<dyn PeerTlsConnection>, TlsError> {
        let run = Arc::new(Run::new(self.memory.clone()));
        let mut config = self.config.clone();
        config.resumption = Resumption::store(run.clone()).tls12_resumption(Tls12Resumption::Disabled);
        let connection = ClientConnection::new(Arc::new(config), self.server_name.clone()).map_err(TlsError::Setup)?;
        let server_name = self.server_name.clone();
        let end = Peer { run, server_name, verifier: self.verifier.clone(), time: self.time.clone() };
        Ok(Box::new(InMemory::new(Connection::Client(connection), end)))
    }
}

struct Peer {
    run: Arc<Run>,
    server_name: ServerName<'static>,
    verifier: Arc<Verifier>,
    time: Arc<dyn TimeProvider>,
}

impl Peer {
    fn verify(&self, chain: &[CertificateDer<'_>]) -> Result<(), Error> {
        let now = self.time.current_time().ok_or(Error::FailedToGetCurrentTime)?;
        let (leaf, intermediates) = chain.split_first().ok_or(Error::NoCertificatesPresented)?;
        self.verifier.verify_server_cert(leaf, intermediates, &self.server_name, &[], now).map(|_| ())
    }
}

impl End for Peer {
    fn confirm(&mut self, connection: &Connection) -> Result<(), Error> {
        if connection.handshake_kind() != Some(HandshakeKind::Resumed) {
            return Ok(());
        }
        self.run.resume();
        self.verify(connection.peer_certificates().unwrap_or_default())
    }
}

impl PeerTlsConnection for InMemory<Peer> {
    fn is_resumed(&self) -> bool {
        Self::is_resumed(self)
    }

    fn keep_session(&mut self) {
        self.end.run.keep(self.connection.peer_certificates().unwrap_or_default(), &self.end.server_name);
    }
}
