//! Whom the mobile node believes (RFC 6618 section 9.2): a certificate of the operator's CA whose subject alternative name is
//! exactly the configured name, or exactly the address connected to.
//!
//! webpki checks the chain; names are stricter here than there. A `*` in any dNSName refuses the certificate, since a
//! wildcard's key may be anyone's of that domain; a common name alone is no name at all.

use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use protocol::wire::header::value;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};
use x509_parser::extensions::GeneralName;

use super::TlsError;

/// Who the HAC has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    name: ServerName<'static>,
    connected_to: IpAddr,
}

/// Why a certificate of a known CA is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A dNSName has a wildcard.
    #[error("the HAC's certificate is for the wildcard name {0}, which is not accepted: give it a certificate for its own name")]
    Wildcard(String),
    /// There is no name that counts.
    #[error(
        "the HAC's certificate has no subject alternative name (a common name does not count): \
         give it a certificate with the HAC's name as dNSName"
    )]
    NoAlternativeName,
    /// There are names, but not this one.
    #[error(
        "the HAC's certificate is for {presented} and neither for {expected} nor for the address {connected_to}: \
         correct the name or the address in [hac], or the certificate"
    )]
    OtherName {
        /// The configured name.
        expected: String,
        /// The address connected to.
        connected_to: IpAddr,
        /// What the certificate says.
        presented: String,
    },
    /// The certificate cannot be read.
    #[error("the HAC's certificate cannot be read: have it made anew at the HAC, by `hac init` or your CA")]
    Malformed,
}

/// Whether a mobile node that is told `name` takes `certificate` at whatever address it finds it. Chain and dates are not looked at.
///
/// # Errors
/// [`TlsError::Name`]: it has another name, or a wildcard; `name` is neither a DNS name nor an address.
pub fn check_name(certificate: &CertificateDer<'_>, name: &str) -> Result<(), TlsError> {
    let anywhere = name.parse().unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
    Ok(Reference::new(name, anywhere)?.find_in(certificate).map(|_| ())?)
}

/// The reason of ours in a failed handshake's error, if it was one of ours.
pub fn name_error(error: &Error) -> Option<&NameError> {
    let Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) = error else { return None };
    inner.downcast_ref()
}

/// What a failed handshake (of tokio-rustls) says to the person who must act.
pub fn explain_handshake(error: &io::Error) -> String {
    let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else { return error.to_string() };
    if let Some(reason) = name_error(inner) {
        return reason.to_string();
    }
    if let Error::InvalidCertificate(wrong) = inner {
        return explain_certificate(wrong).unwrap_or_else(|| inner.to_string());
    }
    if let Error::InvalidMessage(_) = inner {
        return format!("it does not speak TLS: correct the address or the port in [hac] ({inner})");
    }
    let refused = [AlertDescription::ProtocolVersion, AlertDescription::HandshakeFailure].map(Error::AlertReceived);
    if matches!(inner, Error::PeerIncompatible(_)) || refused.contains(inner) {
        return format!(
            "it does not speak TLS 1.3, or 1.2 with the extended master secret: is it the HAC, or an old server? ({inner})"
        );
    }
    inner.to_string()
}

/// What is wrong with a certificate beside its name, and what to do.
fn explain_certificate(wrong: &CertificateError) -> Option<String> {
    if let CertificateError::ExpiredContext { not_after, .. } = wrong {
        let remedy = "have it made anew at the HAC, or set this node's clock if that is wrong";
        return Some(format!("the HAC's certificate expired on {}: {remedy}", date(not_after)));
    }
    if let CertificateError::NotValidYetContext { not_before, .. } = wrong {
        let remedy = "set this node's clock if that is wrong, or wait until then";
        return Some(format!("the HAC's certificate is valid from {} only: {remedy}", date(not_before)));
    }
    if matches!(wrong, CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. }) {
        let remedy = "give the HAC one whose extended key usage is serverAuth";
        return Some(format!("the HAC's certificate is not for a server: {remedy} ({wrong})"));
    }
    let is_strange = matches!(wrong, CertificateError::UnknownIssuer | CertificateError::BadSignature);
    is_strange
        .then(|| format!("the HAC's certificate is not signed by the CA in [hac] ca: copy the operator's ca.pem again ({wrong})"))
}

/// As errors write a time.
pub(super) fn date(time: &UnixTime) -> String {
    value::rfc1123(SystemTime::UNIX_EPOCH + Duration::from_secs(time.as_secs())).to_string()
}

/// Whether `text` can be a reference identifier: a DNS name or an address.
pub fn is_name(text: &str) -> bool {
    ServerName::try_from(text).is_ok()
}

impl Reference {
    /// `name` as configured (a DNS name or an address), for a connection to `connected_to`.
    ///
    /// # Errors
    /// `name` is neither.
    pub fn new(name: &str, connected_to: IpAddr) -> Result<Self, TlsError> {
        let name = ServerName::try_from(name.to_owned()).map_err(|_| TlsError::NotAName(name.to_owned()))?;
        Ok(Self { name, connected_to: connected_to.to_canonical() })
    }

    /// What is sent as server name.
    pub(super) fn server_name(&self) -> &ServerName<'static> {
        &self.name
    }

    /// The name in `certificate` that makes it the right one.
    fn find_in(&self, certificate: &CertificateDer<'_>) -> Result<ServerName<'static>, NameError> {
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|_| NameError::Malformed)?;
        let extension = parsed.subject_alternative_name().map_err(|_| NameError::Malformed)?;
        let names = extension.map_or(&[][..], |extension| extension.value.general_names.as_slice());
        let mut presented = Vec::new();
        let mut found = None;
        for name in names {
            if let GeneralName::DNSName(name) = name {
                if name.contains('*') {
                    return Err(NameError::Wildcard((*name).to_owned()));
                }
                presented.push((*name).to_owned());
                if matches!(&self.name, ServerName::DnsName(own) if own.as_ref().eq_ignore_ascii_case(name)) {
                    found = Some(self.name.clone());
                }
            } else if let GeneralName::IPAddress(octets) = name {
                let address = address(octets).ok_or(NameError::Malformed)?;
                presented.push(address.to_string());
                if found.is_none() && address == self.connected_to {
                    found = Some(ServerName::IpAddress(address.into()));
                }
            }
        }
        if presented.is_empty() {
            return Err(NameError::NoAlternativeName);
        }
        let (expected, connected_to) = (self.name.to_str().into_owned(), self.connected_to);
        found.ok_or_else(|| NameError::OtherName { expected, connected_to, presented: presented.join(", ") })
    }
}

/// webpki's verifier for the chain and the signatures, [`Reference`] for the name.
#[derive(Debug)]
pub(super) struct Verifier {
    chain: Arc<WebPkiServerVerifier>,
    reference: Reference,
}

impl Verifier {
    pub(super) fn new(roots: Arc<RootCertStore>, provider: Arc<CryptoProvider>, reference: Reference) -> Result<Self, TlsError> {
        let chain = WebPkiServerVerifier::builder_with_provider(roots, provider).build();
        let chain = chain.map_err(|error| TlsError::Setup(Error::General(error.to_string())))?;
        Ok(Self { chain, reference })
    }
}

impl ServerCertVerifier for Verifier {
    /// An unknown CA is said before a wrong name: the names of a certificate that anyone may have made say nothing.
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let found = self.reference.find_in(end_entity);
        let name = found.as_ref().unwrap_or(&self.reference.name);
        let verdict = self.chain.verify_server_cert(end_entity, intermediates, name, ocsp_response, now);
        match (found, verdict) {
            (Ok(_), verdict) => verdict,
            (Err(_), Err(error)) if !is_about_the_name(&error) => Err(error),
            (Err(reason), _) => Err(Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(reason))))),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

fn is_about_the_name(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidCertificate(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. })
    )
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let address = <[u8; 4]>::try_from(octets).map(IpAddr::from).or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from));
    address.ok()
}
