//! Whom a subscriber's certificate names (RFC 5216 section 5.2).
//!
//! The subject alternative name's rfc822Name; where there is none, the user principal name in it, as Microsoft's CAs write it; where
//! there is none either, the subject's common name. Names of hosts do not count: they are no subscribers. Two names of the kind that
//! decides are one too many, since the second could be anybody's.

use rustls::pki_types::CertificateDer;
use x509_parser::asn1_rs::{Error, FromDer, TaggedExplicit, Utf8String};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

/// Microsoft's otherName for a user principal name, a UTF8String.
const USER_PRINCIPAL_NAME: &str = "1.3.6.1.4.1.311.20.2.3";

/// The one name that counts; `None` where there is none, or more than one.
pub(super) fn of(leaf: &CertificateDer<'_>) -> Option<String> {
    let (_, parsed) = x509_parser::parse_x509_certificate(leaf).ok()?;
    let extension = parsed.subject_alternative_name().ok()?;
    let names = extension.map_or(&[][..], |extension| extension.value.general_names.as_slice());
    let kinds = [names.iter().filter_map(rfc822).collect(), names.iter().filter_map(principal).collect(), common_names(&parsed)];
    let deciding: Vec<String> = kinds.into_iter().find(|kind: &Vec<String>| !kind.is_empty())?;
    let Ok([name]) = <[String; 1]>::try_from(deciding) else { return None };
    Some(name).filter(|name| !name.is_empty())
}

fn rfc822(name: &GeneralName<'_>) -> Option<String> {
    if let GeneralName::RFC822Name(name) = name { Some((*name).to_owned()) } else { None }
}

/// One that cannot be read is an empty name, so that no other stands in for it.
fn principal(name: &GeneralName<'_>) -> Option<String> {
    let GeneralName::OtherName(kind, value) = name else { return None };
    (kind.to_id_string() == USER_PRINCIPAL_NAME).then(|| utf8(value).unwrap_or_default())
}

fn utf8(value: &[u8]) -> Option<String> {
    let (_, explicit) = TaggedExplicit::<Utf8String<'_>, Error, 0>::from_der(value).ok()?;
    Some(explicit.into_inner().string())
}

fn common_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    certificate.subject().iter_common_name().map(|name| name.as_str().unwrap_or_default().to_owned()).collect()
}
