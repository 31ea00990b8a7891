//! `[radius]`: the AAA servers, and what holds for all of them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use service::config::{Finding, Located};

use super::Config;
use super::server_entry::{self, ACCOUNTING_PORT, AUTHENTICATION_PORT, ServerEntry};

/// From the shortest that RFC 2869 section 5.16 allows to a day.
const INTERIM_SECONDS: std::ops::RangeInclusive<u64> = crate::aaa::SHORTEST_INTERIM.as_secs()..=86_400;

/// `[radius]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RadiusSection {
    /// In the order in which they are asked.
    #[serde(deserialize_with = "server_entry::list::<_, AUTHENTICATION_PORT>")]
    pub servers: Vec<ServerEntry>,
    /// Servers that are told of sessions, in the order in which they are tried.
    #[serde(default, deserialize_with = "server_entry::list::<_, ACCOUNTING_PORT>")]
    pub accounting: Vec<ServerEntry>,
    /// Between two interim updates of a session, whatever its AAA server says.
    pub interim_seconds: Option<u64>,
    /// UDP address where servers may ask for sessions to be ended or authorised anew; `None`: nowhere.
    pub dynamic_authorization: Option<SocketAddr>,
    /// File with the secret of the servers over UDP that have none of their own.
    pub secret_file: Option<PathBuf>,
    /// The CA that signs the certificates of the servers over TLS that name no other, PEM.
    pub ca: Option<PathBuf>,
    /// What servers over TLS are shown that name nothing else, PEM; without it the HAC's own certificate.
    pub certificate: Option<PathBuf>,
    /// Its private key, PEM.
    pub key: Option<PathBuf>,
    /// Whether they answer Status-Server, by which one that is back is noticed: who asks must know (RFC 5997 section 4.1).
    #[serde(default)]
    pub status_server: bool,
    /// How long one of them may take to answer.
    #[serde(default = "default_timeout")]
    pub timeout_seconds: u64,
    /// How long one that has not answered is passed by.
    #[serde(default = "default_dead_time")]
    pub dead_time_seconds: u64,
}

/// A file that the configuration names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedFile<'a> {
    /// The key that names it, such as `radius.servers.1.secret-file`.
    pub key: String,
    /// As it stands there.
    pub path: &'a Path,
}

fn default_timeout() -> u64 {
    crate::aaa::Timings::default().limit.as_secs()
}

fn default_dead_time() -> u64 {
    crate::aaa::Timings::default().dead_time.as_secs()
}

/// What cannot work together.
pub(super) fn check(config: &Located<Config>) -> Vec<Finding> {
    let Some(radius) = &config.radius else { return Vec::new() };
    let mut findings = Vec::new();
    let most = crate::aaa::MAX_SERVERS;
    if radius.servers.is_empty() || radius.servers.len() > most {
        findings.push(config.refused("radius.servers", format!("write 1 to {most} addresses, such as \"192.0.2.1:1812\"")));
    }
    findings.extend(check_times(config, radius));
    findings.extend(check_identity(config, radius));
    findings.extend(check_accounting(config, radius));
    findings.extend(radius.all_entries().filter_map(|(key, entry)| check_entry(config, radius, &key, entry)));
    findings
}

fn check_times(config: &Located<Config>, radius: &RadiusSection) -> Vec<Finding> {
    let mut findings = Vec::new();
    let longest = crate::aaa::MAX_LIMIT.as_secs();
    if !(1..=longest).contains(&radius.timeout_seconds) {
        let remedy = format!("write 1 to {longest}: a mobile node waits for 30 s, and a second server may be asked");
        findings.push(config.refused("radius.timeout-seconds", remedy));
    }
    if radius.dead_time_seconds == 0 {
        findings.push(config.refused("radius.dead-time-seconds", "write 1 or more"));
    }
    findings
}

fn check_accounting(config: &Located<Config>, radius: &RadiusSection) -> Vec<Finding> {
    let mut findings = Vec::new();
    let most = crate::aaa::MAX_SERVERS;
    if radius.accounting.len() > most {
        findings.push(config.refused("radius.accounting", format!("write {most} servers at most")));
    }
    let interim = radius.interim_seconds;
    if interim.is_some_and(|seconds| !INTERIM_SECONDS.contains(&seconds)) {
        let remedy = "write 60 to 86400; 600 is often enough (RFC 2869 section 5.16)";
        findings.push(config.refused("radius.interim-seconds", remedy));
    } else if interim.is_some() && radius.accounting.is_empty() {
        let remedy = "no server is told of sessions; add accounting = [\"192.0.2.1\"], or take it out";
        findings.push(config.refused("radius.interim-seconds", remedy));
    }
    let has_secrets = radius.all_entries().any(|(_, entry)| entry.udp_address().is_some());
    if radius.dynamic_authorization.is_some() && !has_secrets {
        let remedy = "only servers over UDP may ask there, and there is none; take it out, or add one to servers or accounting";
        findings.push(config.refused("radius.dynamic-authorization", remedy));
    }
    findings
}

fn check_identity(config: &Located<Config>, radius: &RadiusSection) -> Option<Finding> {
    let key = match (&radius.certificate, &radius.key) {
        (Some(_), None) => "radius.certificate",
        (None, Some(_)) => "radius.key",
        (Some(_), Some(_)) | (None, None) => return None,
    };
    Some(config.refused(key, "certificate and key go together; write both, or neither: then the HAC's own are shown"))
}

/// What an entry leaves to `[radius]` must stand there.
fn check_entry(config: &Located<Config>, radius: &RadiusSection, key: &str, entry: &ServerEntry) -> Option<Finding> {
    let remedy = match entry {
        ServerEntry::Udp { secret_file: None, .. } if radius.secret_file.is_none() => {
            "it has no secret; add secret-file = \"FILE\" to [radius], or to this server: { address = \"…\", secret-file = \"FILE\" }"
        }
        ServerEntry::Tls { ca: None, .. } if radius.ca.is_none() => {
            "nothing says which CA signs its certificate; add ca = \"FILE\" to [radius], or to this server"
        }
        ServerEntry::Udp { .. } | ServerEntry::Tls { .. } => return None,
    };
    Some(config.refused(key, remedy))
}

impl RadiusSection {
    /// The times that an operator chooses, and those that nobody needs to.
    pub fn timings(&self) -> crate::aaa::Timings {
        let [limit, dead_time] = [self.timeout_seconds, self.dead_time_seconds].map(Duration::from_secs);
        let default = crate::aaa::Timings::default();
        crate::aaa::Timings { timeout: default.timeout.min(limit), limit, dead_time, ..default }
    }

    /// Every server, with the key under which it stands (`radius.servers.0`).
    pub fn entries(&self) -> impl Iterator<Item = (String, &ServerEntry)> {
        self.servers.iter().enumerate().map(|(index, entry)| (format!("radius.servers.{index}"), entry))
    }

    /// Every server that is told of sessions, with the key under which it stands (`radius.accounting.0`).
    pub fn accounting_entries(&self) -> impl Iterator<Item = (String, &ServerEntry)> {
        self.accounting.iter().enumerate().map(|(index, entry)| (format!("radius.accounting.{index}"), entry))
    }

    /// Every server of either kind.
    pub fn all_entries(&self) -> impl Iterator<Item = (String, &ServerEntry)> {
        self.entries().chain(self.accounting_entries())
    }

    /// Between two interim updates of a session, whatever its AAA server says.
    pub fn interim(&self) -> Option<Duration> {
        self.interim_seconds.map(Duration::from_secs)
    }

    /// The file with the secret of the server that stands under `key`; none over TLS.
    pub fn secret_of<'a>(&'a self, key: &str, entry: &'a ServerEntry) -> Option<NamedFile<'a>> {
        match entry {
            ServerEntry::Udp { secret_file, .. } => choose(key, "secret-file", secret_file.as_ref(), self.secret_file.as_ref()),
            ServerEntry::Tls { .. } => None,
        }
    }

    /// The file with the CA of the server that stands under `key`; none over UDP.
    pub fn ca_of<'a>(&'a self, key: &str, entry: &'a ServerEntry) -> Option<NamedFile<'a>> {
        match entry {
            ServerEntry::Udp { .. } => None,
            ServerEntry::Tls { ca, .. } => choose(key, "ca", ca.as_ref(), self.ca.as_ref()),
        }
    }

    /// The files with the certificate that the server under `key` is shown, and its key; none over UDP, or where the HAC's own are
    /// shown.
    pub fn identity_of<'a>(&'a self, key: &str, entry: &'a ServerEntry) -> Option<[NamedFile<'a>; 2]> {
        let ServerEntry::Tls { identity, .. } = entry else { return None };
        let own = identity.as_ref();
        let certificate = choose(key, "certificate", own.map(|own| &own.certificate), self.certificate.as_ref())?;
        Some([certificate, choose(key, "key", own.map(|own| &own.key), self.key.as_ref())?])
    }
}

/// What a server names itself comes before what `[radius]` names for all.
fn choose<'a>(entry: &str, key: &str, own: Option<&'a PathBuf>, of_all: Option<&'a PathBuf>) -> Option<NamedFile<'a>> {
    let own = own.map(|path| NamedFile { key: format!("{entry}.{key}"), path });
    own.or_else(|| of_all.map(|path| NamedFile { key: format!("radius.{key}"), path }))
}

#[cfg(test)]
mod tests;
