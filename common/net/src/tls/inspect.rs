//! Looks at the PEM files that a configuration names before anybody connects: for `check-config` of the three programs.
//!
//! Everything that is wrong is found in one pass and told as a [`Finding`] that names the file and the remedy. Nothing here is
//! sent, bound or changed.

mod certificate;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::RootCertStore;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;

pub use certificate::{Facts, rfc3339};

use super::{load_authorities, load_certificates, load_key, provider};

/// A certificate that ends sooner is warned of: time enough to get another.
pub const SOON: Duration = Duration::from_secs(30 * 86_400);

/// Which of the three files a [`Finding`] is about; names the key of the configuration too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum File {
    /// The chain that is sent, leaf first: `certificate`.
    Certificate,
    /// Its private key: `key`.
    Key,
    /// Whom to believe: `ca`.
    Authority,
}

impl File {
    /// The key of the configuration that names the file.
    pub fn key(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Key => "key",
            Self::Authority => "ca",
        }
    }
}

/// How bad a [`Finding`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The program would not start, or the other end would refuse it.
    Error,
    /// It works, but not for long or not as it should.
    Warning,
}

/// Something that the person who runs the program must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which file.
    pub file: File,
    /// How bad.
    pub severity: Severity,
    /// What is wrong, with the path, and what to do.
    pub text: String,
}

/// What the leaf is for (RFC 5280 section 4.2.1.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// The HAC's: serverAuth.
    Server,
    /// A home agent's towards the HAC: clientAuth.
    Client,
}

/// The three files of one end of TLS.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    /// PEM: the chain, leaf first.
    pub certificate: &'a Path,
    /// PEM: the leaf's private key.
    pub key: &'a Path,
    /// PEM: the CA certificates.
    pub ca: &'a Path,
}

/// What the files hold and what is wrong with them.
#[derive(Clone, Debug, Default)]
pub struct Inspection {
    /// The chain, leaf first; empty where it cannot be read.
    pub chain: Vec<Facts>,
    /// The CA certificates; empty where they cannot be read.
    pub authorities: Vec<Facts>,
    /// In the order: certificate, key, CA, what they are together.
    pub findings: Vec<Finding>,
}

/// Looks at the three files of one end: whether they can be read, their dates at `now`, whether others may read the key,
/// whether key and certificate belong together, and whether the chain leads to one of the CAs for this `usage`.
pub fn identity(files: Files<'_>, usage: Usage, now: SystemTime) -> Inspection {
    let mut inspection = Inspection::default();
    let chain = inspection.take_own(files.certificate, files.key, now);
    let roots = inspection.take_authorities(files.ca, now);
    if let (Some(chain), Some(roots)) = (&chain, roots) {
        inspection.follow_chain(files, chain, roots, usage, now);
    }
    inspection
}

/// Looks at a certificate and its key alone, where the other end's CA is not known here.
pub fn own(certificate: &Path, key: &Path, now: SystemTime) -> Inspection {
    let mut inspection = Inspection::default();
    let _chain = inspection.take_own(certificate, key, now);
    inspection
}

/// Looks at a file of CA certificates alone, as a mobile node has one.
pub fn authorities(ca: &Path, now: SystemTime) -> Inspection {
    let mut inspection = Inspection::default();
    let _roots = inspection.take_authorities(ca, now);
    inspection
}

impl Inspection {
    fn add(&mut self, file: File, severity: Severity, text: String) {
        self.findings.push(Finding { file, severity, text });
    }

    fn take_own(&mut self, certificate: &Path, key: &Path, now: SystemTime) -> Option<Vec<CertificateDer<'static>>> {
        let chain = self.take_chain(certificate, now);
        let private = self.take_key(key);
        if let (Some(chain), Some(private)) = (&chain, private) {
            self.compare_key(certificate, key, chain, private);
        }
        chain
    }

    fn take_chain(&mut self, path: &Path, now: SystemTime) -> Option<Vec<CertificateDer<'static>>> {
        let chain = self.note(File::Certificate, load_certificates(path))?;
        self.chain = self.note(File::Certificate, Facts::of_all(&chain, path))?;
        for facts in self.chain.clone() {
            self.check_dates(File::Certificate, &facts, path, now);
        }
        Some(chain)
    }

    fn take_key(&mut self, path: &Path) -> Option<PrivateKeyDer<'static>> {
        let mode = std::fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode() & 0o7777);
        if mode & 0o077 != 0 {
            let shown = path.display();
            let text = format!("{shown} has mode {mode:04o}: others may read the private key; run `chmod 600 {shown}`");
            self.add(File::Key, Severity::Warning, text);
        }
        self.note(File::Key, load_key(path))
    }

    fn take_authorities(&mut self, path: &Path, now: SystemTime) -> Option<Arc<RootCertStore>> {
        let roots = self.note(File::Authority, load_authorities(path))?;
        let certificates = self.note(File::Authority, load_certificates(path))?;
        self.authorities = self.note(File::Authority, Facts::of_all(&certificates, path))?;
        for facts in self.authorities.clone() {
            self.check_authority(&facts, path, now);
        }
        Some(roots)
    }

    /// What went well; else the error becomes a finding.
    fn note<T>(&mut self, file: File, result: Result<T, impl std::fmt::Display>) -> Option<T> {
        result.map_err(|error| self.add(file, Severity::Error, error.to_string())).ok()
    }

    fn check_dates(&mut self, file: File, facts: &Facts, path: &Path, now: SystemTime) {
        let Facts { subject, not_before, not_after, .. } = facts;
        let named = format!("{}: the certificate of {subject}", path.display());
        let (from, until) = (rfc3339(*not_before), rfc3339(*not_after));
        if *not_after < now {
            let text = format!("{named} expired on {until}: put a new one there, and start the program again");
            self.add(file, Severity::Error, text);
        } else if *not_before > now {
            let text = format!("{named} is valid from {from} only: set the clock, or wait until then");
            self.add(file, Severity::Error, text);
        } else if *not_after < now + SOON {
            let text = format!("{named} expires on {until}: get a new one before that");
            self.add(file, Severity::Warning, text);
        }
    }

    /// Dates of a trust anchor are not looked at by who verifies (RFC 5280 section 6.1.1 (d)), so they are no errors.
    fn check_authority(&mut self, facts: &Facts, path: &Path, now: SystemTime) {
        let before = self.findings.len();
        self.check_dates(File::Authority, facts, path, now);
        self.findings.iter_mut().skip(before).for_each(|finding| finding.severity = Severity::Warning);
        if !facts.is_ca {
            let text = format!(
                "{}: the certificate of {} is none of a CA: name the file with the certificate that signs the others, such as \
                 the ca.pem of `hac init`",
                path.display(),
                facts.subject
            );
            self.add(File::Authority, Severity::Warning, text);
        }
    }

    fn compare_key(
        &mut self,
        certificate: &Path,
        key: &Path,
        chain: &[CertificateDer<'static>],
        private: PrivateKeyDer<'static>,
    ) {
        if let Err(error) = CertifiedKey::from_der(chain.to_vec(), private, &provider()) {
            let text = format!(
                "the private key {} and the first certificate of {} do not belong together ({error}): name the two files that \
                 were made together, leaf first",
                key.display(),
                certificate.display()
            );
            self.add(File::Key, Severity::Error, text);
        }
    }

    /// At a time when all of the chain is valid, if there is one: dates are told apart.
    fn follow_chain(
        &mut self,
        files: Files<'_>,
        chain: &[CertificateDer<'static>],
        roots: Arc<RootCertStore>,
        usage: Usage,
        now: SystemTime,
    ) {
        let latest_start = self.chain.iter().map(|facts| facts.not_before).max().unwrap_or(now);
        let first_end = self.chain.iter().map(|facts| facts.not_after).min().unwrap_or(now);
        let at = if latest_start <= first_end { now.clamp(latest_start, first_end) } else { now };
        if let Err(error) = verify(chain, roots, usage, at) {
            let text = format!(
                "the certificate {} does not lead to the CA in {} ({error}): name the CA that signed it, put certificates \
                 between the two behind the leaf, or have a new one made by that CA",
                files.certificate.display(),
                files.ca.display()
            );
            self.add(File::Certificate, Severity::Error, text);
        }
    }
}

/// As the other end does it in the handshake, but for the name.
fn verify(
    chain: &[CertificateDer<'static>],
    roots: Arc<RootCertStore>,
    usage: Usage,
    at: SystemTime,
) -> Result<(), Box<dyn std::error::Error>> {
    let (leaf, intermediates) = chain.split_first().ok_or(rustls::Error::NoCertificatesPresented)?;
    let at = UnixTime::since_unix_epoch(at.duration_since(UNIX_EPOCH).unwrap_or_default());
    match usage {
        Usage::Server => {
            let algorithms = provider().signature_verification_algorithms.all;
            let leaf = ParsedCertificate::try_from(leaf)?;
            verify_server_cert_signed_by_trust_anchor(&leaf, &roots, intermediates, at, algorithms)?;
        }
        Usage::Client => {
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).build()?;
            verifier.verify_client_cert(leaf, intermediates, at)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
