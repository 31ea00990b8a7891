//! `tls-server-end-point` (RFC 5929 section 4): a hash of the server's certificate, which both ends know and no one between
//! them can have under another certificate.
//!
//! The hash function is that of the certificate's signatureAlgorithm, the one with which its *issuer* signed it: MD5 and
//! SHA-1 count as SHA-256, RSASSA-PSS says its hash in its parameters. Algorithms with no hash or one of their own
//! (Ed25519, Ed448, ML-DSA) leave the binding undefined, so such a certificate is of no use to MHAuth.

use std::time::Duration;

use protocol::mhauth::ChannelBinding;
use rustls::pki_types::{CertificateDer, UnixTime};
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use x509_parser::certificate::X509Certificate;
use x509_parser::signature_algorithm::RsaSsaPssParams;
use x509_parser::x509::AlgorithmIdentifier;

/// Why a certificate has no channel binding.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndPointError {
    /// It cannot be read.
    #[error("the HAC's certificate cannot be read ({0}); make it anew with `hac init`, or copy it again")]
    Malformed(String),
    /// None was shown.
    #[error(
        "the HAC has shown no certificate in this connection, so there is nothing to bind to: connect again without resumption"
    )]
    Missing,
    /// Its signature has no hash.
    #[error(
        "the HAC's certificate is signed with {0}, for which RFC 5929 defines no tls-server-end-point: \
         have it signed by a CA with an ECDSA or RSA key (`hac init` makes one)"
    )]
    NoHash(&'static str),
    /// Its signature is of an unknown kind.
    #[error(
        "the HAC's certificate is signed with the unknown algorithm {0}, so its tls-server-end-point cannot be computed: \
         have it signed with ECDSA or RSA and SHA-256, SHA-384 or SHA-512"
    )]
    Unknown(String),
}

/// The `tls-server-end-point` of `certificate`, raw.
///
/// # Errors
/// The certificate cannot be read, or is signed with an algorithm that has none.
pub fn channel_binding(certificate: &CertificateDer<'_>) -> Result<ChannelBinding, EndPointError> {
    let parsed = parse(certificate)?;
    let octets = certificate.as_ref();
    Ok(ChannelBinding::new(match hash_of(&parsed.signature_algorithm)? {
        Hash::Sha224 => Sha224::digest(octets).to_vec(),
        Hash::Sha256 => Sha256::digest(octets).to_vec(),
        Hash::Sha384 => Sha384::digest(octets).to_vec(),
        Hash::Sha512 => Sha512::digest(octets).to_vec(),
    }))
}

/// The `tls-server-end-point` of the certificate that the peer has shown in this connection.
///
/// # Errors
/// As [`channel_binding`]; [`EndPointError::Missing`] before the handshake.
pub fn peer_channel_binding(connection: &rustls::CommonState) -> Result<ChannelBinding, EndPointError> {
    let leaf = connection.peer_certificates().and_then(<[_]>::first).ok_or(EndPointError::Missing)?;
    channel_binding(leaf)
}

/// The hash function of a binding: each gives another number of octets.
pub fn hash_name(binding: &ChannelBinding) -> &'static str {
    match binding.octets().len() {
        28 => "SHA-224",
        32 => "SHA-256",
        48 => "SHA-384",
        _ => "SHA-512",
    }
}

/// SHA-256 of the whole certificate, by which people compare two.
pub fn fingerprint(certificate: &CertificateDer<'_>) -> [u8; 32] {
    Sha256::digest(certificate).into()
}

/// When the first certificate of `chain` ends: nothing that hangs on it holds longer.
pub(super) fn end(chain: &[CertificateDer<'_>]) -> Result<UnixTime, EndPointError> {
    let mut ends = Vec::with_capacity(chain.len());
    for certificate in chain {
        ends.push(u64::try_from(parse(certificate)?.validity().not_after.timestamp()).unwrap_or(0));
    }
    Ok(UnixTime::since_unix_epoch(Duration::from_secs(ends.into_iter().min().unwrap_or(0))))
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, EndPointError> {
    let parsed = x509_parser::parse_x509_certificate(certificate);
    parsed.map(|(_, parsed)| parsed).map_err(|error| EndPointError::Malformed(error.to_string()))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// Object identifiers: RFC 8017 appendix A.2 and C, RFC 5758, RFC 8410 section 3, RFC 9881.
fn hash_of(signature: &AlgorithmIdentifier<'_>) -> Result<Hash, EndPointError> {
    let identifier = signature.algorithm.to_id_string();
    match identifier.as_str() {
        // MD5 and SHA-1 with RSA, SHA-1 with ECDSA, SHA-1 with DSA: SHA-256 in their place.
        "1.2.840.113549.1.1.4" | "1.2.840.113549.1.1.5" | "1.2.840.10045.4.1" | "1.2.840.10040.4.3" => Ok(Hash::Sha256),
        "1.2.840.113549.1.1.14" | "1.2.840.10045.4.3.1" => Ok(Hash::Sha224),
        "1.2.840.113549.1.1.11" | "1.2.840.10045.4.3.2" | "2.16.840.1.101.3.4.3.2" => Ok(Hash::Sha256),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => Ok(Hash::Sha384),
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => Ok(Hash::Sha512),
        "1.2.840.113549.1.1.10" => hash_of_pss(signature),
        "1.3.101.112" => Err(EndPointError::NoHash("Ed25519")),
        "1.3.101.113" => Err(EndPointError::NoHash("Ed448")),
        "2.16.840.1.101.3.4.3.17" | "2.16.840.1.101.3.4.3.18" | "2.16.840.1.101.3.4.3.19" => Err(EndPointError::NoHash("ML-DSA")),
        _ => Err(EndPointError::Unknown(identifier)),
    }
}

/// Without the parameter it is SHA-1 (RFC 4055 section 3.1), and so SHA-256.
fn hash_of_pss(signature: &AlgorithmIdentifier<'_>) -> Result<Hash, EndPointError> {
    let malformed = || EndPointError::Malformed("RSASSA-PSS without its parameters".to_owned());
    let parameters = RsaSsaPssParams::try_from(signature.parameters().ok_or_else(malformed)?).map_err(|_| malformed())?;
    let identifier = parameters.hash_algorithm_oid().to_id_string();
    match identifier.as_str() {
        "1.3.14.3.2.26" | "2.16.840.1.101.3.4.2.1" => Ok(Hash::Sha256),
        "2.16.840.1.101.3.4.2.4" => Ok(Hash::Sha224),
        "2.16.840.1.101.3.4.2.2" => Ok(Hash::Sha384),
        "2.16.840.1.101.3.4.2.3" => Ok(Hash::Sha512),
        _ => Err(EndPointError::Unknown(format!("RSASSA-PSS with the hash {identifier}"))),
    }
}

#[cfg(test)]
mod tests {
    use x509_parser::prelude::FromDer;

    use super::*;

    /// SEQUENCE { OBJECT IDENTIFIER, parameters }
    fn identifier(object: &[u8], parameters: &[u8]) -> Vec<u8> {
        let mut der = vec![0x30, (2 + object.len() + parameters.len()) as u8, 0x06, object.len() as u8];
        der.extend(object);
        der.extend(parameters);
        der
    }

    fn hash(der: &[u8]) -> Result<Hash, EndPointError> {
        hash_of(&AlgorithmIdentifier::from_der(der).unwrap().1)
    }

    const PKCS1: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    const ECDSA: [u8; 6] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04];
    const NIST: [u8; 7] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04];
    const NULL: [u8; 2] = [5, 0];

    #[test]
    fn old_hashes_count_as_sha_256_and_the_others_as_themselves() {
        let rsa = |last: u8| hash(&identifier(&[&PKCS1[..], &[last]].concat(), &NULL));
        for (last, expected) in
            [(4, Hash::Sha256), (5, Hash::Sha256), (14, Hash::Sha224), (11, Hash::Sha256), (12, Hash::Sha384), (13, Hash::Sha512)]
        {
            assert_eq!(rsa(last), Ok(expected), "sha*WithRSAEncryption {last}");
        }
        let ecdsa = |last: &[u8]| hash(&identifier(&[&ECDSA[..], last].concat(), &[]));
        assert_eq!(ecdsa(&[1]), Ok(Hash::Sha256));
        for (last, expected) in [(1, Hash::Sha224), (2, Hash::Sha256), (3, Hash::Sha384), (4, Hash::Sha512)] {
            assert_eq!(ecdsa(&[3, last]), Ok(expected), "ecdsa-with-SHA* {last}");
        }
    }

    #[test]
    fn rsassa_pss_says_its_hash_in_its_parameters() {
        let pss = |parameters: &[u8]| hash(&identifier(&[&PKCS1[..], &[10]].concat(), parameters));
        for (last, expected) in [(1, Hash::Sha256), (2, Hash::Sha384), (3, Hash::Sha512), (4, Hash::Sha224)] {
            let inner = identifier(&[&NIST[..], &[2, last]].concat(), &NULL);
            let tagged = [&[0xa0, inner.len() as u8][..], &inner].concat();
            assert_eq!(pss(&[&[0x30, tagged.len() as u8][..], &tagged].concat()), Ok(expected), "{last}");
        }
        assert_eq!(pss(&[0x30, 0]), Ok(Hash::Sha256), "the default is SHA-1");
        assert!(matches!(pss(&[]), Err(EndPointError::Malformed(_))));
    }

    #[test]
    fn signatures_without_a_hash_are_refused_by_name_and_unknown_ones_by_number() {
        for (object, name) in [(&[0x2b, 0x65, 0x70][..], "Ed25519"), (&[0x2b, 0x65, 0x71], "Ed448")] {
            assert_eq!(hash(&identifier(object, &[])), Err(EndPointError::NoHash(name)));
        }
        for last in 17..=19 {
            assert_eq!(hash(&identifier(&[&NIST[..], &[3, last]].concat(), &[])), Err(EndPointError::NoHash("ML-DSA")));
        }
        assert_eq!(hash(&identifier(&[0x2a, 3], &[])), Err(EndPointError::Unknown("1.2.3".to_owned())));
    }

    #[test]
    fn a_certificate_that_is_none_is_malformed() {
        let result = channel_binding(&CertificateDer::from(b"no certificate".as_slice()));
        assert!(matches!(result, Err(EndPointError::Malformed(_))), "{result:?}");
    }
}
