use std::fs;
use std::os::unix::fs::PermissionsExt;

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

use super::*;

const DAY: Duration = Duration::from_secs(86_400);
/// 2026-01-01T00:00:00Z.
const NOW: Duration = Duration::from_secs(1_767_225_600);

fn now() -> SystemTime {
    UNIX_EPOCH + NOW
}

/// A CA and files of its certificates in a folder.
struct World {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl World {
    fn new() -> Self {
        Self::signing_with(&rcgen::PKCS_ECDSA_P256_SHA256)
    }

    fn signing_with(algorithm: &'static rcgen::SignatureAlgorithm) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = parameters(0, 3650, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "test CA");
        let key = KeyPair::generate_for(algorithm).unwrap();
        fs::write(folder.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { folder, issuer: Issuer::new(params, key) }
    }

    /// `NAME.pem` and `NAME-key.pem`, signed by the CA.
    fn certify(&self, name: &str, params: &CertificateParams) {
        let key = KeyPair::generate().unwrap();
        let path = |end: &str| self.folder.path().join(format!("{name}{end}"));
        fs::write(path(".pem"), params.signed_by(&key, &self.issuer).unwrap().pem()).unwrap();
        fs::write(path("-key.pem"), key.serialize_pem()).unwrap();
        fs::set_permissions(path("-key.pem"), fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn inspect(&self, certificate: &str, key: &str, usage: Usage) -> Inspection {
        let path = |name: &str| self.folder.path().join(name);
        let (certificate, key, ca) = (path(certificate), path(key), path("ca.pem"));
        identity(Files { certificate: &certificate, key: &key, ca: &ca }, usage, now())
    }
}

/// Valid from and until so many days after [`now`].
fn parameters(from: i64, until: i64, names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
    let epoch = rcgen::date_time_ymd(2026, 1, 1);
    let days = |days: i64| DAY * u32::try_from(days.abs()).unwrap();
    params.not_before = if from < 0 { epoch - days(from) } else { epoch + days(from) };
    params.not_after = if until < 0 { epoch - days(until) } else { epoch + days(until) };
    params
}

/// File, severity and whether the text has the words.
fn assert_found(inspection: &Inspection, expected: &[(File, Severity, &str)]) {
    assert_eq!(inspection.findings.len(), expected.len(), "{:#?}", inspection.findings);
    for (finding, (file, severity, words)) in inspection.findings.iter().zip(expected) {
        assert!((finding.file, finding.severity) == (*file, *severity) && finding.text.contains(words), "{finding:#?}: {words}");
    }
}

#[test]
fn good_files_are_told_without_a_finding() {
    let world = World::new();
    world.certify("hac", &parameters(-1, 825, &["hac.example.org", "198.51.100.10"]));
    for usage in [Usage::Server, Usage::Client] {
        let inspection = world.inspect("hac.pem", "hac-key.pem", usage);
        assert_found(&inspection, &[]);
        let leaf = &inspection.chain[0];
        assert_eq!(leaf.names, ["hac.example.org", "198.51.100.10"]);
        assert_eq!((leaf.signature.as_str(), leaf.is_ca), ("ecdsa-with-SHA256", false));
        assert_eq!((leaf.left(now()), rfc3339(leaf.not_before)), (825 * DAY, "2025-12-31T00:00:00Z".to_owned()));
        assert_eq!(leaf.binding.as_ref().unwrap().octets().len(), 32);
        assert!(inspection.authorities[0].is_ca && inspection.authorities[0].subject.contains("test CA"));
    }
}

#[test]
fn an_end_that_is_past_is_an_error_and_one_that_is_near_a_warning() {
    let world = World::new();
    for (from, until, severity, words) in [
        (-9, -1, Severity::Error, "expired on 2025-12-31T00:00:00Z: put a new one"),
        (1, 90, Severity::Error, "valid from 2026-01-02T00:00:00Z only: set the clock"),
        (-1, 29, Severity::Warning, "expires on 2026-01-30T00:00:00Z: get a new one"),
    ] {
        world.certify("hac", &parameters(from, until, &["hac"]));
        let inspection = world.inspect("hac.pem", "hac-key.pem", Usage::Server);
        assert_found(&inspection, &[(File::Certificate, severity, words)]);
    }
    world.certify("hac", &parameters(-1, 31, &["hac"]));
    assert_found(&world.inspect("hac.pem", "hac-key.pem", Usage::Server), &[]);
}

#[test]
fn a_key_of_another_certificate_is_an_error_and_one_that_others_may_read_a_warning() {
    let world = World::new();
    world.certify("hac", &parameters(-1, 90, &["hac"]));
    world.certify("ha", &parameters(-1, 90, &["ha"]));
    let key = world.folder.path().join("ha-key.pem");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let inspection = world.inspect("hac.pem", "ha-key.pem", Usage::Server);
    let chmod = format!("mode 0640: others may read the private key; run `chmod 600 {}`", key.display());
    assert_found(&inspection, &[(File::Key, Severity::Warning, &chmod), (File::Key, Severity::Error, "do not belong together")]);
}

#[test]
fn a_chain_that_leads_elsewhere_is_an_error_also_when_it_has_expired() {
    let (world, other) = (World::new(), World::new());
    other.certify("hac", &parameters(-9, -1, &["hac"]));
    fs::copy(world.folder.path().join("ca.pem"), other.folder.path().join("ca.pem")).unwrap();
    let inspection = other.inspect("hac.pem", "hac-key.pem", Usage::Server);
    assert_found(
        &inspection,
        &[(File::Certificate, Severity::Error, "expired"), (File::Certificate, Severity::Error, "does not lead to the CA in")],
    );
}

#[test]
fn a_certificate_for_servers_alone_is_none_for_a_client() {
    let world = World::new();
    let mut params = parameters(-1, 90, &["ha"]);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    world.certify("ha", &params);
    assert_found(&world.inspect("ha.pem", "ha-key.pem", Usage::Server), &[]);
    let inspection = world.inspect("ha.pem", "ha-key.pem", Usage::Client);
    assert_found(&inspection, &[(File::Certificate, Severity::Error, "does not lead")]);
}

#[test]
fn a_client_whose_server_knows_its_ca_alone_is_looked_at_without_it() {
    let world = World::new();
    let path = |name: &str| world.folder.path().join(name);
    for (usages, is_for_clients) in [
        (&[][..], true),
        (&[ExtendedKeyUsagePurpose::ServerAuth], false),
        (&[ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth], true),
        (&[ExtendedKeyUsagePurpose::Any], true),
    ] {
        let mut params = parameters(-1, 29, &["hac"]);
        params.extended_key_usages = usages.to_vec();
        world.certify("hac", &params);
        let inspection = own(&path("hac.pem"), &path("hac-key.pem"), now());
        assert_found(&inspection, &[(File::Certificate, Severity::Warning, "expires on 2026-01-30T00:00:00Z")]);
        assert_eq!(inspection.chain[0].is_for_clients, is_for_clients, "{usages:?}");
    }
}

#[test]
fn intermediate_certificates_are_followed_and_missed() {
    let world = World::new();
    let mut params = parameters(-1, 90, &[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.distinguished_name.push(DnType::CommonName, "between");
    let key = KeyPair::generate().unwrap();
    let between = params.signed_by(&key, &world.issuer).unwrap().pem();
    let below = World { folder: world.folder, issuer: Issuer::new(params, key) };
    below.certify("hac", &parameters(-1, 90, &["hac"]));
    let file = below.folder.path().join("hac.pem");
    assert_found(
        &below.inspect("hac.pem", "hac-key.pem", Usage::Server),
        &[(File::Certificate, Severity::Error, "put certificates between the two behind the leaf")],
    );
    fs::write(&file, fs::read_to_string(&file).unwrap() + &between).unwrap();
    let inspection = below.inspect("hac.pem", "hac-key.pem", Usage::Server);
    assert_found(&inspection, &[]);
    assert_eq!(inspection.chain.len(), 2);
}

#[test]
fn files_that_are_missing_or_no_pem_are_all_named_at_once() {
    let world = World::new();
    fs::write(world.folder.path().join("ca.pem"), "nothing").unwrap();
    let inspection = world.inspect("gone.pem", "gone-key.pem", Usage::Server);
    assert_found(
        &inspection,
        &[
            (File::Certificate, Severity::Error, "gone.pem"),
            (File::Key, Severity::Error, "gone-key.pem"),
            (File::Authority, Severity::Error, "ca.pem holds no certificate"),
        ],
    );
}

#[test]
fn a_leaf_in_place_of_the_ca_and_a_ca_that_has_ended_are_warned_of() {
    let world = World::new();
    world.certify("hac", &parameters(-9, -1, &["hac"]));
    let inspection = authorities(&world.folder.path().join("hac.pem"), now());
    assert_found(
        &inspection,
        &[(File::Authority, Severity::Warning, "expired"), (File::Authority, Severity::Warning, "none of a CA")],
    );
    assert_found(&authorities(&world.folder.path().join("ca.pem"), now()), &[]);
}

#[test]
fn a_signature_without_a_hash_leaves_no_channel_binding() {
    let world = World::signing_with(&rcgen::PKCS_ED25519);
    world.certify("hac", &parameters(-1, 90, &["hac"]));
    let inspection = world.inspect("hac.pem", "hac-key.pem", Usage::Server);
    assert_found(&inspection, &[]);
    let leaf = &inspection.chain[0];
    assert!(leaf.binding.as_ref().unwrap_err().to_string().contains("Ed25519"), "{leaf:?}");
}
