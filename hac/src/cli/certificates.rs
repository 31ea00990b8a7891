//! Certificates for a development set-up: a CA, the HAC's and the home agents' leaves. ECDSA P-256 signed with SHA-256, so
//! that every leaf has a `tls-server-end-point` binding (RFC 5929 section 4.1).

use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use zeroize::Zeroizing;

const DAY: Duration = Duration::from_secs(86_400);
const CA_LIFETIME: Duration = Duration::from_secs(3650 * DAY.as_secs());
const LEAF_LIFETIME: Duration = Duration::from_secs(825 * DAY.as_secs());
/// Clocks that run behind this machine's by up to an hour take the certificate at once.
const BACKDATED: Duration = Duration::from_secs(3600);

/// A certificate and its private key, both PEM.
pub(super) struct Pem {
    pub(super) certificate: String,
    pub(super) key: Zeroizing<String>,
}

/// A CA that signs leaves and nothing below them.
pub(super) fn authority(name: &str, now: SystemTime) -> Result<Pem, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(&format!("HALTSEC development CA of {name}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut params, now, CA_LIFETIME);
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate = params.self_signed(&key)?.pem();
    Ok(Pem { certificate, key: Zeroizing::new(key.serialize_pem()) })
}

/// A leaf whose one SAN is `name`: dNSName, or iPAddress where the name is an address. It is for clients and servers: a home agent is
/// a client of the HAC, the HAC one of AAA servers over TLS.
pub(super) fn leaf(ca: &Pem, name: &str, now: SystemTime) -> Result<Pem, rcgen::Error> {
    let issuer = Issuer::from_ca_cert_pem(&ca.certificate, KeyPair::from_pem(&ca.key)?)?;
    let mut params = CertificateParams::new([name.to_owned()])?;
    params.distinguished_name = common_name(name);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    set_validity(&mut params, now, LEAF_LIFETIME);
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate = params.signed_by(&key, &issuer)?.pem();
    Ok(Pem { certificate, key: Zeroizing::new(key.serialize_pem()) })
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn set_validity(params: &mut CertificateParams, now: SystemTime, lifetime: Duration) {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = rcgen::date_time_ymd(1970, 1, 1) + since;
    params.not_before = now - BACKDATED;
    params.not_after = now + lifetime;
}
