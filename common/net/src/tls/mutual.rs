//! A client that shows a certificate and believes one name: the HAC towards a AAA server (RFC 6614 section 2.3).
//!
//! TLS 1.2 with extended master secret, or 1.3. No connection is resumed: the two see each other's certificate each time. The
//! handshake itself is run by tokio-rustls in the caller.

use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, ClientConfig, Error, RootCertStore};

use super::in_memory::{Identity, is_about_certificates};
use super::name::{NameError, Reference, Verifier, date, name_error};
use super::{TlsError, provider};

/// One client of one server.
#[derive(Clone, Debug)]
pub struct MutualClient {
    /// For tokio-rustls.
    pub config: Arc<ClientConfig>,
    /// What is sent as server name (none where it is an address).
    pub server_name: ServerName<'static>,
}

impl MutualClient {
    /// Believes certificates of `authorities` whose subject alternative name is exactly `server_name`, a DNS name or an address, and
    /// shows `identity`.
    ///
    /// # Errors
    /// The name is neither; certificate and key do not belong together.
    pub fn new(authorities: Arc<RootCertStore>, server_name: &str, identity: Identity) -> Result<Self, TlsError> {
        // Where it is a DNS name, no address makes up for another name.
        let anywhere = server_name.parse().unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        let reference = Reference::new(server_name, anywhere).map_err(|_| TlsError::NotAnEapServer(server_name.to_owned()))?;
        let server_name = reference.server_name().clone();
        let verifier = Arc::new(Verifier::new(authorities, provider(), reference)?);
        let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let builder = builder.map_err(TlsError::Setup)?.dangerous().with_custom_certificate_verifier(verifier);
        let Identity { chain, key } = identity;
        let mut config = builder.with_client_auth_cert(chain, key).map_err(TlsError::Identity)?;
        config.require_ems = true;
        config.enable_early_data = false;
        config.resumption = Resumption::disabled();
        Ok(Self { config: Arc::new(config), server_name })
    }
}

/// What an error of a connection to a AAA server says to the person who must act, in a handshake or behind it: under TLS 1.3 a server
/// refuses a client's certificate when the client is done.
pub fn explain_aaa(error: &io::Error) -> String {
    let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else { return error.to_string() };
    if let Some(reason) = name_error(inner) {
        return explain_name(reason);
    }
    if let Error::InvalidCertificate(wrong) = inner {
        return explain_certificate(wrong).unwrap_or_else(|| inner.to_string());
    }
    if let Error::InvalidMessage(_) = inner {
        return format!("it does not speak TLS: correct the port in [radius], or the server's ({inner})");
    }
    explain_refusal(inner).unwrap_or_else(|| inner.to_string())
}

/// What the server does not take, of ours or at all.
fn explain_refusal(error: &Error) -> Option<String> {
    let too_old = [AlertDescription::ProtocolVersion, AlertDescription::HandshakeFailure].map(Error::AlertReceived);
    if matches!(error, Error::PeerIncompatible(_)) || too_old.contains(error) {
        return Some(format!("it does not speak TLS 1.3, or 1.2 with the extended master secret: is it too old? ({error})"));
    }
    let Error::AlertReceived(alert) = error else { return None };
    is_about_certificates(*alert).then(|| {
        format!(
            "it does not take the certificate of this HAC ({error}): let it trust the CA that signed the certificate, and have one \
             whose extended key usage is clientAuth"
        )
    })
}

fn explain_name(error: &NameError) -> String {
    match error {
        NameError::Wildcard(name) => {
            format!("its certificate is for the wildcard name {name}, which is not accepted: give it one for its own name")
        }
        NameError::NoAlternativeName => {
            "its certificate has no subject alternative name (a common name does not count): give it one \
             with its name as dNSName, or its address as iPAddress"
                .to_owned()
        }
        NameError::OtherName { expected, presented, .. } => {
            format!("its certificate is for {presented} and not for {expected}: correct the name in [radius], or the certificate")
        }
        NameError::Malformed => "its certificate cannot be read: have it made anew".to_owned(),
    }
}

fn explain_certificate(wrong: &CertificateError) -> Option<String> {
    if let CertificateError::ExpiredContext { not_after, .. } = wrong {
        let remedy = "have it made anew, or set the clock here if that is wrong";
        return Some(format!("its certificate expired on {}: {remedy}", date(not_after)));
    }
    if let CertificateError::NotValidYetContext { not_before, .. } = wrong {
        let remedy = "set the clock here if that is wrong, or wait";
        return Some(format!("its certificate is valid from {} only: {remedy}", date(not_before)));
    }
    if matches!(wrong, CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. }) {
        return Some(format!(
            "its certificate is not for a server: give it one whose extended key usage is serverAuth ({wrong})"
        ));
    }
    let is_strange = matches!(wrong, CertificateError::UnknownIssuer | CertificateError::BadSignature);
    is_strange.then(|| {
        format!("its certificate is not signed by the CA in [radius] ca: name the file with the CA that signed it ({wrong})")
    })
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::UnixTime;

    use super::*;

    fn explained(error: Error) -> String {
        explain_aaa(&io::Error::new(io::ErrorKind::InvalidData, error))
    }

    #[test]
    fn each_way_in_which_a_server_is_not_trusted_or_does_not_trust_has_its_remedy() {
        let (time, now) = (UnixTime::since_unix_epoch, std::time::Duration::from_secs(1_767_225_600));
        let name = |error| Error::InvalidCertificate(CertificateError::Other(rustls::OtherError(Arc::new(error))));
        let other = NameError::OtherName {
            expected: "aaa.example.org".to_owned(),
            connected_to: Ipv6Addr::UNSPECIFIED.into(),
            presented: "aaa.example.net".to_owned(),
        };
        for (error, words) in [
            (name(other), "is for aaa.example.net and not for aaa.example.org: correct the name"),
            (name(NameError::Wildcard("*.example.org".to_owned())), "give it one for its own name"),
            (name(NameError::NoAlternativeName), "as dNSName"),
            (name(NameError::Malformed), "made anew"),
            (Error::InvalidCertificate(CertificateError::UnknownIssuer), "name the file with the CA that signed it"),
            (Error::InvalidCertificate(CertificateError::BadSignature), "name the file with the CA that signed it"),
            (
                Error::InvalidCertificate(CertificateError::ExpiredContext { time: time(now), not_after: time(now) }),
                "expired on Thu, 01 Jan 2026 00:00:00 GMT",
            ),
            (
                Error::InvalidCertificate(CertificateError::NotValidYetContext { time: time(now), not_before: time(now) }),
                "valid from Thu, 01 Jan 2026 00:00:00 GMT only",
            ),
            (Error::InvalidCertificate(CertificateError::InvalidPurpose), "serverAuth"),
            (Error::AlertReceived(AlertDescription::UnknownCA), "let it trust the CA"),
            (Error::AlertReceived(AlertDescription::CertificateRequired), "let it trust the CA"),
            (Error::AlertReceived(AlertDescription::ProtocolVersion), "is it too old?"),
            (Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType), "does not speak TLS: correct the port"),
        ] {
            let text = explained(error.clone());
            assert!(text.contains(words), "{error:?}: {text}");
        }
        assert_eq!(explain_aaa(&io::Error::other("reset")), "reset");
    }
}
