//! The connections of a HAC that is the EAP server itself: what it shows, and whose certificates it takes.

use std::sync::Arc;

use protocol::eap::method::tls::ServerTlsConnection;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls::{Connection, Error, HandshakeKind, RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion};

use super::sessions::ServerSessions;
use super::{End, Identity, InMemory, identity};
use crate::tls::{TlsError, provider, tickets};

/// How a HAC meets subscribers with certificates.
#[derive(Debug)]
pub struct ServerSettings {
    /// What to show.
    pub identity: Identity,
    /// Who signs subscribers' certificates.
    pub client_roots: Arc<RootCertStore>,
    /// Which versions to take: [`rustls::ALL_VERSIONS`], or fewer.
    pub versions: &'static [&'static SupportedProtocolVersion],
}

/// Makes the connections of EAP-TLS of one HAC. It keeps the sessions that may be resumed; a resumed one's certificate is verified
/// again, but a subscriber who was removed since is the caller's to refuse.
#[derive(Debug)]
pub struct EapTlsServer {
    config: Arc<ServerConfig>,
    verifier: Arc<dyn ClientCertVerifier>,
    time: Arc<dyn TimeProvider>,
}

impl EapTlsServer {
    /// Keeps no sessions yet.
    ///
    /// # Errors
    /// Certificate and key do not belong together; no CA; no versions.
    pub fn new(settings: ServerSettings) -> Result<Self, TlsError> {
        Self::with_time(settings, Arc::new(DefaultTimeProvider))
    }

    pub(super) fn with_time(settings: ServerSettings, time: Arc<dyn TimeProvider>) -> Result<Self, TlsError> {
        let ServerSettings { identity: Identity { chain, key }, client_roots, versions } = settings;
        let verifier = WebPkiClientVerifier::builder_with_provider(client_roots, provider()).build();
        let verifier = verifier.map_err(|error| TlsError::Setup(Error::General(error.to_string())))?;
        let tickets = tickets::Tickets::new(&chain, time.clone())?;
        let builder = ServerConfig::builder_with_details(provider(), time.clone()).with_protocol_versions(versions);
        let builder = builder.map_err(TlsError::Setup)?.with_client_cert_verifier(verifier.clone());
        let mut config = builder.with_single_cert(chain, key).map_err(TlsError::Identity)?;
        config.require_ems = true;
        config.session_storage = Arc::new(ServerSessions::new(tickets));
        config.send_tls13_tickets = tickets::PER_CONNECTION;
        config.max_early_data_size = 0;
        Ok(Self { config: Arc::new(config), verifier, time })
    }

    /// A connection for one run.
    ///
    /// # Errors
    /// The library refuses; this is a defect.
    pub fn connection(&self) -> Result<Box<dyn ServerTlsConnection>, TlsError> {
        let connection = ServerConnection::new(self.config.clone()).map_err(TlsError::Setup)?;
        let end = Server { verifier: self.verifier.clone(), time: self.time.clone() };
        Ok(Box::new(InMemory::new(Connection::Server(connection), end)))
    }
}

struct Server {
    verifier: Arc<dyn ClientCertVerifier>,
    time: Arc<dyn TimeProvider>,
}

impl End for Server {
    fn confirm(&mut self, connection: &Connection) -> Result<(), Error> {
        if connection.handshake_kind() != Some(HandshakeKind::Resumed) {
            return Ok(());
        }
        let now = self.time.current_time().ok_or(Error::FailedToGetCurrentTime)?;
        let chain = connection.peer_certificates().unwrap_or_default();
        let (leaf, intermediates) = chain.split_first().ok_or(Error::NoCertificatesPresented)?;
        self.verifier.verify_client_cert(leaf, intermediates, now).map(|_| ())
    }
}

impl ServerTlsConnection for InMemory<Server> {
    fn peer_identity(&self) -> Option<String> {
        identity::of(self.connection.peer_certificates()?.first()?)
    }
}
