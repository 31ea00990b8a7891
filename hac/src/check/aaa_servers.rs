//! The files of the AAA servers: secrets, and what is shown to those over TLS and whom they must be certified by.

use std::collections::BTreeSet;
use std::time::SystemTime;

use net::tls::inspect::{self, Inspection, Severity};
use service::check::readable_by_others;
use service::config::{Finding, Located};

use crate::aaa_servers::read_secret;
use crate::config::{Config, NamedFile, RadiusSection};

/// Everything that is wrong with them, each file once.
///
/// Whether a server believes the CA of what it is shown is not known here; that it is for a client is.
pub fn check(config: &Located<Config>, now: SystemTime) -> Vec<Finding> {
    let Some(radius) = &config.radius else { return Vec::new() };
    let mut findings = Vec::new();
    for secret in radius.all_entries().filter_map(|(key, entry)| radius.secret_of(&key, entry)).collect::<BTreeSet<_>>() {
        findings.extend(check_secret(config, &secret));
    }
    for ca in radius.all_entries().filter_map(|(key, entry)| radius.ca_of(&key, entry)).collect::<BTreeSet<_>>() {
        let inspection = inspect::authorities(&config.resolve(ca.path), now);
        findings.extend(told(config, &inspection, [&ca.key, &ca.key]));
    }
    for [certificate, key] in
        radius.all_entries().filter_map(|(key, entry)| radius.identity_of(&key, entry)).collect::<BTreeSet<_>>()
    {
        let inspection = inspect::own(&config.resolve(certificate.path), &config.resolve(key.path), now);
        findings.extend(told(config, &inspection, [&certificate.key, &key.key]));
        findings.extend(check_purpose(config, &inspection, &certificate.key));
    }
    if shows_own(radius) {
        let inspection = inspect::own(&config.resolve(&config.certificate), &config.resolve(&config.key), now);
        findings.extend(check_purpose(config, &inspection, "certificate"));
    }
    findings
}

fn check_secret(config: &Located<Config>, secret: &NamedFile<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Err(error) = read_secret(config, secret) {
        findings.extend(error.into_findings());
    }
    let remedy = readable_by_others(&config.resolve(secret.path), "the secret of a AAA server");
    findings.extend(remedy.map(|remedy| config.warned(&secret.key, remedy)));
    findings
}

/// `keys`: of the certificate or the CA, and of the private key.
fn told(config: &Located<Config>, inspection: &Inspection, keys: [&str; 2]) -> Vec<Finding> {
    let [certificate, private] = keys;
    let one = |finding: &inspect::Finding| {
        let key = if finding.file == inspect::File::Key { private } else { certificate };
        match finding.severity {
            Severity::Error => config.refused(key, &finding.text),
            Severity::Warning => config.warned(key, &finding.text),
        }
    };
    inspection.findings.iter().map(one).collect()
}

fn check_purpose(config: &Located<Config>, inspection: &Inspection, key: &str) -> Option<Finding> {
    let leaf = inspection.chain.first().filter(|leaf| !leaf.is_for_clients)?;
    let remedy = format!(
        "AAA servers over TLS are shown the certificate of {}, which is not for a client, and most refuse it: have one made whose \
         extended key usage has clientAuth too, or name another in [radius]",
        leaf.subject
    );
    Some(config.warned(key, remedy))
}

fn shows_own(radius: &RadiusSection) -> bool {
    radius.all_entries().any(|(key, entry)| radius.ca_of(&key, entry).is_some() && radius.identity_of(&key, entry).is_none())
}
