//! The mobile node's side of TLS: whom it believes, and what it remembers from one connection to the next.
//!
//! A HAC at one address is remembered apart from the same HAC at another, since its certificate may be for an address. A connection
//! that is resumed shows no certificate: the one kept from the full handshake is verified again at the present time, and is what
//! MHAuth is bound to.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, Tls12Resumption};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls::{ClientConfig, ClientConnection, Error, HandshakeKind, RootCertStore};

use super::name::{self, Reference, Verifier};
use super::sessions::Sessions;
use super::{TlsError, provider};

/// Addresses whose sessions are remembered: more than a HAC has.
const MAX_REMEMBERED: usize = 16;

/// Everything that a mobile node knows of TLS, for as long as its process lives.
#[derive(Debug)]
pub struct Clients {
    authorities: Arc<RootCertStore>,
    time: Arc<dyn TimeProvider>,
    remembered: Mutex<VecDeque<Client>>,
}

/// A mobile node's side of TLS with one HAC at one address.
#[derive(Clone, Debug)]
pub struct Client {
    /// For tokio-rustls.
    pub config: Arc<ClientConfig>,
    /// What is sent as server name (none where it is an address).
    pub server_name: ServerName<'static>,
    reference: Reference,
    verifier: Arc<Verifier>,
    sessions: Arc<Sessions>,
    time: Arc<dyn TimeProvider>,
}

impl Clients {
    /// Believes `authorities` alone.
    pub fn new(authorities: Arc<RootCertStore>) -> Self {
        Self::with_time(authorities, Arc::new(DefaultTimeProvider))
    }

    pub(super) fn with_time(authorities: Arc<RootCertStore>, time: Arc<dyn TimeProvider>) -> Self {
        Self { authorities, time, remembered: Mutex::default() }
    }

    /// For one connection to `connected_to`: believes only a certificate whose subject alternative name is the reference identifier
    /// `name` or that address (RFC 6618 section 9.2). Resumes an earlier one there where it can.
    ///
    /// # Errors
    /// `name` is neither a DNS name nor an address.
    pub fn client(&self, name: &str, connected_to: IpAddr) -> Result<Client, TlsError> {
        let reference = Reference::new(name, connected_to)?;
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = remembered.iter().find(|client| client.reference == reference) {
            return Ok(client.clone());
        }
        let client = Client::new(self.authorities.clone(), reference, self.time.clone())?;
        if remembered.len() >= MAX_REMEMBERED {
            remembered.pop_front();
        }
        remembered.push_back(client.clone());
        Ok(client)
    }
}

impl Client {
    fn new(authorities: Arc<RootCertStore>, reference: Reference, time: Arc<dyn TimeProvider>) -> Result<Self, TlsError> {
        let verifier = Arc::new(Verifier::new(authorities, provider(), reference.clone())?);
        let builder = ClientConfig::builder_with_details(provider(), time.clone()).with_safe_default_protocol_versions();
        let builder = builder.map_err(TlsError::Setup)?;
        let mut config = builder.dangerous().with_custom_certificate_verifier(verifier.clone()).with_no_client_auth();
        let sessions = Arc::new(Sessions::new(time.clone()));
        config.require_ems = true;
        config.resumption = Resumption::store(sessions.clone()).tls12_resumption(Tls12Resumption::Disabled);
        config.enable_early_data = false;
        let server_name = reference.server_name().clone();
        Ok(Self { config: Arc::new(config), server_name, reference, verifier, sessions, time })
    }

    /// Must be asked when a handshake is done, before anything is said: whether the certificate of a resumed connection holds at the
    /// present time, for this name and address. (rustls has checked that of a full handshake.)
    ///
    /// # Errors
    /// It does not: the text says why. The next handshake is a full one.
    pub fn confirm(&self, connection: &ClientConnection) -> io::Result<()> {
        let chain = connection.peer_certificates().unwrap_or_default();
        let is_resumed = connection.handshake_kind() == Some(HandshakeKind::Resumed);
        let group = connection.negotiated_key_exchange_group();
        tracing::debug!(resumed = is_resumed, key_exchange = ?group.map(|group| group.name()), "TLS stands");
        if !is_resumed {
            self.sessions.confirm(chain);
            return Ok(());
        }
        self.verify(chain).map_err(|error| {
            self.sessions.forget();
            let error = io::Error::new(io::ErrorKind::InvalidData, error);
            let why = name::explain_handshake(&error);
            io::Error::other(format!("the certificate under which this connection was resumed does not hold any more: {why}"))
        })
    }

    fn verify(&self, chain: &[CertificateDer<'_>]) -> Result<(), Error> {
        let now = self.time.current_time().ok_or(Error::FailedToGetCurrentTime)?;
        let (leaf, intermediates) = chain.split_first().ok_or(Error::NoCertificatesPresented)?;
        self.verifier.verify_server_cert(leaf, intermediates, &self.server_name, &[], now).map(|_| ())
    }
}
