//! The HAC's certificate as mobile nodes and home agents will see it.

use std::path::PathBuf;
use std::time::SystemTime;

use net::tls::inspect::{self, Facts, Files, Inspection, Severity, Usage, rfc3339};
use net::tls::{NameError, TlsError};
use service::config::{ConfigError, Finding, Findings, Located};

use crate::config::Config;

/// What the three files hold, and everything that is wrong with them.
pub struct Certificates {
    /// The chain's file.
    pub path: PathBuf,
    /// What they hold.
    pub inspection: Inspection,
    /// What is wrong, each with the place of its key.
    pub findings: Vec<Finding>,
}

/// Looks at certificate, key and CA.
pub fn check(config: &Located<Config>, now: SystemTime) -> Certificates {
    let [path, key, ca] = [&config.certificate, &config.key, &config.ca].map(|path| config.resolve(path));
    let inspection = inspect::identity(Files { certificate: &path, key: &key, ca: &ca }, Usage::Server, now);
    let mut findings: Vec<_> = inspection.findings.iter().map(|finding| in_file(config, finding)).collect();
    findings.extend(inspection.chain.first().and_then(|leaf| check_binding(config, leaf)));
    findings.extend(check_name(config));
    Certificates { path, inspection, findings }
}

/// Refuses what no mobile node would accept, and logs everything else that is wrong: a clock may be, or trust be arranged by hand.
///
/// # Errors
/// The certificate has expired, has not the HAC's name or no `tls-server-end-point`.
pub fn refuse_useless(config: &Located<Config>, now: SystemTime) -> Result<(), ConfigError> {
    let found = check(config, now);
    let leaf = found.inspection.chain.first();
    let mut useless = Findings::default();
    useless.extend(leaf.and_then(|leaf| check_binding(config, leaf)));
    useless.extend(check_name(config));
    useless.extend(leaf.and_then(|leaf| check_end(config, leaf, now)));
    useless.check()?;
    for finding in found.findings {
        tracing::warn!(%finding, "see `hac check-config`");
    }
    Ok(())
}

fn in_file(config: &Located<Config>, finding: &inspect::Finding) -> Finding {
    match finding.severity {
        Severity::Error => config.refused(finding.file.key(), &finding.text),
        Severity::Warning => config.warned(finding.file.key(), &finding.text),
    }
}

fn check_end(config: &Located<Config>, leaf: &Facts, now: SystemTime) -> Option<Finding> {
    let remedy = || format!("it expired on {}, and nobody accepts it: put a new one there", rfc3339(leaf.not_after));
    (leaf.not_after < now).then(|| config.refused("certificate", remedy()))
}

/// MHAuth binds to the certificate (RFC 6618 section 5.3), so one that gives nothing to bind to is of no use.
fn check_binding(config: &Located<Config>, leaf: &Facts) -> Option<Finding> {
    leaf.binding.as_ref().err().map(|error| config.refused("certificate", error))
}

/// As mobile nodes check it (RFC 6618 section 9.2), for the name that `hac subscriber add` tells them.
fn check_name(config: &Located<Config>) -> Option<Finding> {
    let chain = net::tls::load_certificates(&config.resolve(&config.certificate)).ok()?;
    let name = &config.name;
    let TlsError::Name(error) = net::tls::check_name(chain.first()?, name).err()? else { return None };
    let made = format!("have one made for {name} as subject alternative name");
    let remedy = match error {
        NameError::Wildcard(wildcard) => format!("it is for the wildcard name {wildcard}, which mobile nodes refuse: {made}"),
        NameError::NoAlternativeName => {
            format!("it has no subject alternative name, and a common name does not count for mobile nodes: {made}")
        }
        NameError::OtherName { presented, .. } => {
            format!(
                "it is for {presented} and not for {name}, the HAC's `name`, so mobile nodes refuse it: correct `name`, or {made}"
            )
        }
        NameError::Malformed => format!("it cannot be read: {made}"),
    };
    Some(config.refused("certificate", remedy))
}
