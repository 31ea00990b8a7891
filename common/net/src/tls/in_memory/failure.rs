//! What rustls' errors are to the person who must act: whose certificate is wrong, and how.

use protocol::eap::TlsFailure;
use rustls::{AlertDescription, CertificateError, Error};

use crate::tls::name_error;

/// The failure that this error is.
pub(super) fn of(error: &Error) -> TlsFailure {
    if name_error(error).is_some() {
        TlsFailure::WrongName
    } else if let Error::InvalidCertificate(wrong) = error {
        of_certificate(wrong)
    } else if let Error::AlertReceived(alert) = error {
        if is_about_certificates(*alert) { TlsFailure::OwnCertificate } else { TlsFailure::Alert }
    } else if matches!(error, Error::NoCertificatesPresented) {
        TlsFailure::Certificate
    } else {
        TlsFailure::Handshake
    }
}

/// Alerts of who does not take a certificate (RFC 8446 section 6.2); `decrypt_error` comes where a CA of the same name has another key.
const ABOUT_CERTIFICATES: [AlertDescription; 10] = [
    AlertDescription::BadCertificate,
    AlertDescription::UnsupportedCertificate,
    AlertDescription::CertificateRevoked,
    AlertDescription::CertificateExpired,
    AlertDescription::CertificateUnknown,
    AlertDescription::UnknownCA,
    AlertDescription::AccessDenied,
    AlertDescription::CertificateRequired,
    AlertDescription::NoCertificate,
    AlertDescription::DecryptError,
];

/// Whether who sends this alert does not take the certificate that it was shown.
pub(in crate::tls) fn is_about_certificates(alert: AlertDescription) -> bool {
    ABOUT_CERTIFICATES.contains(&alert)
}

/// A signature that does not fit is that of another CA of the same name.
fn of_certificate(wrong: &CertificateError) -> TlsFailure {
    if matches!(wrong, CertificateError::UnknownIssuer | CertificateError::BadSignature) {
        TlsFailure::UnknownAuthority
    } else if matches!(wrong, CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }) {
        TlsFailure::WrongName
    } else if matches!(
        wrong,
        CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. }
    ) {
        TlsFailure::Expired
    } else {
        TlsFailure::Certificate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_about_certificates_are_told_from_others() {
        for (alert, expected) in [
            (AlertDescription::UnknownCA, TlsFailure::OwnCertificate),
            (AlertDescription::CertificateRequired, TlsFailure::OwnCertificate),
            (AlertDescription::ProtocolVersion, TlsFailure::Alert),
            (AlertDescription::DecryptError, TlsFailure::OwnCertificate),
            (AlertDescription::InternalError, TlsFailure::Alert),
        ] {
            assert_eq!(of(&Error::AlertReceived(alert)), expected, "{alert:?}");
        }
        assert_eq!(of(&Error::InvalidCertificate(CertificateError::Revoked)), TlsFailure::Certificate);
        assert_eq!(of(&Error::DecryptError), TlsFailure::Handshake);
    }
}
