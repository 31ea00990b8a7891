//! TLS between mobile node and HAC (RFC 6618 section 9; profile section 2): what is offered, whom to believe, and the channel
//! binding that ties MHAuth to the connection. And TLS between HAC and AAA server (RFC 6614), in `mutual`.
//!
//! Both ends: TLS 1.2 with extended master secret, or 1.3; X25519MLKEM768 first, also when a connection of TLS 1.3 is resumed; no
//! early data. The handshake itself is run by tokio-rustls in the callers.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::mhauth::ChannelBinding;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls::{RootCertStore, ServerConfig};

mod clients;
mod connect;
mod end_point;
pub mod in_memory;
pub mod inspect;
mod mutual;
mod name;
mod sessions;
mod tickets;

pub use clients::{Client, Clients};
pub use connect::{LocalEnd, connect, connect_from, keep_alive};
pub use end_point::{EndPointError, channel_binding, fingerprint, hash_name, peer_channel_binding};
pub use mutual::{MutualClient, explain_aaa};
pub use name::{NameError, Reference, check_name, explain_handshake, is_name, name_error};

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read.
    #[error("cannot read {what} from {}: {source}; check the path in the configuration and who may read the file", path.display())]
    Unreadable {
        /// What should be in it.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// The kernel's error.
        source: io::Error,
    },
    /// The file is not PEM or lacks what it should have.
    #[error("{} holds no {what}: {reason}; it must be PEM (a text with -----BEGIN ...-----)", path.display())]
    NotPem {
        /// What should be in it.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A CA certificate is not one.
    #[error("the CA file {} has a certificate that is none: {source}; make it anew with `hac init`, or copy it again", path.display())]
    BadAuthority {
        /// Where.
        path: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
    /// Certificate and key do not work together.
    #[error("the certificate and the key cannot be used: {0}; do they belong together, and is the certificate the file's first?")]
    Identity(#[source] rustls::Error),
    /// The certificate has no channel binding.
    #[error(transparent)]
    EndPoint(#[from] EndPointError),
    /// The reference identifier cannot be one.
    #[error("{0:?} is neither a DNS name nor an address: correct `name` in [hac]")]
    NotAName(String),
    /// The EAP server's name cannot be one.
    #[error("{0:?} is neither a DNS name nor an address: correct the name that the EAP server's certificate must have")]
    NotAnEapServer(String),
    /// The certificate is for somebody else.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The library refused a setting.
    #[error("TLS cannot be set up: {0}; this is a defect of the build, please report it")]
    Setup(#[source] rustls::Error),
}

/// A HAC's side of TLS.
#[derive(Clone, Debug)]
pub struct Server {
    /// For tokio-rustls.
    pub config: Arc<ServerConfig>,
    /// The channel binding of the certificate that it sends.
    pub binding: ChannelBinding,
}

/// The certificates in a PEM file, in its order: the leaf first, then what leads to the CA.
///
/// # Errors
/// The file cannot be read, or holds none.
pub fn load_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let what = "certificate";
    let items = CertificateDer::pem_file_iter(path).map_err(|error| explain(error, what, path))?;
    let certificates = items.collect::<Result<Vec<_>, _>>().map_err(|error| explain(error, what, path))?;
    if certificates.is_empty() {
        return Err(explain(pem::Error::NoItemsFound, what, path));
    }
    Ok(certificates)
}

/// The first private key of a PEM file.
///
/// # Errors
/// The file cannot be read, or holds none.
pub fn load_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| explain(error, "private key", path))
}

/// The CA certificates of a PEM file: the only ones that will be believed.
///
/// # Errors
/// The file cannot be read, holds none, or one that is malformed.
pub fn load_authorities(path: &Path) -> Result<Arc<RootCertStore>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in load_certificates(path)? {
        roots.add(certificate).map_err(|source| TlsError::BadAuthority { path: path.to_owned(), source })?;
    }
    Ok(Arc::new(roots))
}

/// The HAC's configuration: shows `chain`, asks the client for no certificate (MHAuth authenticates it).
///
/// # Errors
/// Certificate and key do not belong together, or the certificate has no `tls-server-end-point`.
pub fn server(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Server, TlsError> {
    server_with_time(chain, key, Arc::new(DefaultTimeProvider))
}

fn server_with_time(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    time: Arc<dyn TimeProvider>,
) -> Result<Server, TlsError> {
    let leaf = chain.first().ok_or_else(|| TlsError::Identity(rustls::Error::NoCertificatesPresented))?;
    let binding = channel_binding(leaf)?;
    let tickets = tickets::Tickets::new(&chain, time.clone())?;
    let builder = ServerConfig::builder_with_details(provider(), time).with_safe_default_protocol_versions();
    let builder = builder.map_err(TlsError::Setup)?.with_no_client_auth();
    let mut config = builder.with_single_cert(chain, key).map_err(TlsError::Identity)?;
    config.require_ems = true;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = Arc::new(tickets);
    config.send_tls13_tickets = tickets::PER_CONNECTION;
    config.max_early_data_size = 0;
    Ok(Server { config: Arc::new(config), binding })
}

/// aws-lc-rs, named everywhere since a process may have been built with a second provider. Its first key exchange is
/// X25519MLKEM768 (feature `prefer-post-quantum`).
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn explain(error: pem::Error, what: &'static str, path: &Path) -> TlsError {
    let path = path.to_owned();
    if let pem::Error::Io(source) = error {
        TlsError::Unreadable { what, path, source }
    } else {
        TlsError::NotPem { what, path, reason: error.to_string() }
    }
}

#[cfg(test)]
mod tests;
