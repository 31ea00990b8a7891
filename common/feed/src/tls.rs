//! The PEM texts of one end and the TLS configuration of the HAC's end: TLS 1.3, aws-lc-rs, certificates on both sides.

use std::sync::Arc;

use protocol::sa::Secret;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ServerConfig, WebPkiClientVerifier};

/// The PEM texts that one end needs: who signs the other end's certificate, its own certificate chain and its key.
#[derive(Clone)]
pub struct TlsFiles {
    /// Certificates of the operator's CA.
    pub ca: String,
    /// This end's certificate, with intermediate ones behind it.
    pub certificate: String,
    /// This end's private key.
    pub key: Secret,
}

impl std::fmt::Debug for TlsFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsFiles").finish_non_exhaustive()
    }
}

/// Why [`TlsFiles`] cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsFilesError {
    /// No certificate in the PEM text, or a broken one.
    #[error("the {0} file holds no PEM certificate that can be read: {1}")]
    Certificate(&'static str, String),
    /// No private key in the PEM text, or a broken one.
    #[error("the key file holds no PEM private key that can be read: {0}")]
    Key(String),
    /// Key and certificate do not belong together, or the CA certificate cannot be a trust anchor.
    #[error("certificate, key and CA cannot be used together: {0}; name files that were made together")]
    Unusable(String),
}

impl TlsFiles {
    /// The configuration of the HAC's end: a home agent without a certificate of the CA does not get through.
    pub(crate) fn server_config(&self) -> Result<ServerConfig, TlsFilesError> {
        let unusable = |error: &dyn std::error::Error| TlsFilesError::Unusable(error.to_string());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        for certificate in certificates("ca", &self.ca)? {
            roots.add(certificate).map_err(|error| unusable(&error))?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        let verifier = verifier.build().map_err(|error| unusable(&error))?;
        let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13]);
        let mut config = builder
            .map_err(|error| unusable(&error))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(certificates("certificate", &self.certificate)?, self.key()?)
            .map_err(|error| unusable(&error))?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(config)
    }

    fn key(&self) -> Result<PrivateKeyDer<'static>, TlsFilesError> {
        PrivateKeyDer::from_pem_slice(self.key.expose()).map_err(|error| TlsFilesError::Key(error.to_string()))
    }

    /// The same checks for the home agent's end, whose configuration tonic makes: its errors come late and say little.
    pub(crate) fn check(&self) -> Result<(), TlsFilesError> {
        certificates("ca", &self.ca)?;
        certificates("certificate", &self.certificate)?;
        self.key().map(drop)
    }
}

fn certificates(what: &'static str, pem: &str) -> Result<Vec<CertificateDer<'static>>, TlsFilesError> {
    let failed = |error: String| TlsFilesError::Certificate(what, error);
    let found = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| failed(error.to_string()))?;
    if found.is_empty() { Err(failed("there is none in it".to_owned())) } else { Ok(found) }
}
