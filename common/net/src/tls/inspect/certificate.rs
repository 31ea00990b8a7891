//! What one certificate says of itself.

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use protocol::mhauth::ChannelBinding;
use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::objects::{oid_registry, oid2sn};
use x509_parser::time::ASN1Time;

use crate::tls::{EndPointError, TlsError, channel_binding};

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The subject's distinguished name, such as `CN=hac.example.org`.
    pub subject: String,
    /// The subject alternative names that are dNSNames or iPAddresses, in their order.
    pub names: Vec<String>,
    /// Valid from.
    pub not_before: SystemTime,
    /// Valid until.
    pub not_after: SystemTime,
    /// The algorithm that its issuer signed it with, such as `ecdsa-with-SHA256`.
    pub signature: String,
    /// `tls-server-end-point`, where the signature has a hash (RFC 5929 section 4.1).
    pub binding: Result<ChannelBinding, EndPointError>,
    /// Whether it may sign others (RFC 5280 section 4.2.1.9).
    pub is_ca: bool,
    /// Whether it may be shown by a client: it says so, or does not say what it is for (RFC 5280 section 4.2.1.12).
    pub is_for_clients: bool,
}

impl Facts {
    /// Of the certificates of the file at `path`.
    ///
    /// # Errors
    /// The first that is no X.509 certificate.
    pub(super) fn of_all(certificates: &[CertificateDer<'_>], path: &Path) -> Result<Vec<Self>, TlsError> {
        let failed = |reason| TlsError::NotPem { what: "certificate that can be read", path: path.to_owned(), reason };
        certificates.iter().map(|certificate| Self::of(certificate).map_err(failed)).collect()
    }

    fn of(certificate: &CertificateDer<'_>) -> Result<Self, String> {
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|error| error.to_string())?;
        Ok(Self {
            subject: parsed.subject().to_string(),
            names: names(&parsed),
            not_before: time(&parsed.validity().not_before),
            not_after: time(&parsed.validity().not_after),
            signature: signature(&parsed),
            binding: channel_binding(certificate),
            is_ca: parsed.is_ca(),
            is_for_clients: is_for_clients(&parsed),
        })
    }

    /// How long it is still valid at `now`; nothing when it has ended.
    pub fn left(&self, now: SystemTime) -> Duration {
        self.not_after.duration_since(now).unwrap_or_default()
    }
}

/// `time` as RFC 3339 writes it, in UTC and seconds: `2027-03-04T05:06:07Z`.
pub fn rfc3339(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let Ok(time) = ASN1Time::from_timestamp(i64::try_from(seconds).unwrap_or(i64::MAX)) else { return format!("@{seconds}") };
    let time = time.to_datetime();
    let (date, (hour, minute, second)) = ((time.year(), u8::from(time.month()), time.day()), time.to_hms());
    format!("{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", date.0, date.1, date.2)
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let extension = certificate.subject_alternative_name().ok().flatten();
    extension.iter().flat_map(|extension| &extension.value.general_names).filter_map(name).collect()
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(octets) => {
            let ip4 = <[u8; 4]>::try_from(*octets).map(IpAddr::from);
            ip4.or_else(|_| <[u8; 16]>::try_from(*octets).map(IpAddr::from)).ok().map(|ip| ip.to_string())
        }
        GeneralName::OtherName(..)
        | GeneralName::RFC822Name(_)
        | GeneralName::X400Address(_)
        | GeneralName::DirectoryName(_)
        | GeneralName::EDIPartyName(_)
        | GeneralName::URI(_)
        | GeneralName::RegisteredID(_)
        | GeneralName::Invalid(..) => None,
    }
}

fn is_for_clients(certificate: &X509Certificate<'_>) -> bool {
    let usage = certificate.extended_key_usage().ok().flatten();
    usage.is_none_or(|usage| usage.value.any || usage.value.client_auth)
}

fn signature(certificate: &X509Certificate<'_>) -> String {
    let identifier = &certificate.signature_algorithm.algorithm;
    oid2sn(identifier, oid_registry()).map_or_else(|_| identifier.to_id_string(), ToOwned::to_owned)
}

/// Times before 1970 count as 1970.
fn time(time: &ASN1Time) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(time.timestamp()).unwrap_or_default())
}
