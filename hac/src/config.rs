//! `hac.toml`: the HAC's configuration as a type, checked before anything is opened.

mod authentication;
mod radius;
mod server_entry;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::{Ipv4Net, Ipv6Net};
use protocol::profile::WireProfile;
use protocol::sa::{CipherSuite, UserData};
use serde::{Deserialize, Deserializer};
use service::config::{ConfigError, Finding, Findings, Located};

use crate::provisioning::Policy;
use crate::store::Pools;

pub use authentication::{EapSection, LocalMethod, RealmSection};
pub use radius::{NamedFile, RadiusSection};
pub use server_entry::{IdentityFiles, ServerEntry};

/// The control socket where the configuration names none.
pub const DEFAULT_CONTROL_SOCKET: &str = "/run/haltsec/hac.sock";

/// How long an association may live.
const SA_LIFETIME_SECONDS: std::ops::RangeInclusive<u64> = 60..=30 * 86_400;

/// The whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The dNSName (or address) in the HAC's certificate: what mobile nodes check.
    pub name: String,
    /// TCP addresses for mobile nodes.
    pub listen: Vec<SocketAddr>,
    /// The HAC's certificate chain, leaf first, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// The CA that signs home agents' certificates, PEM.
    pub ca: PathBuf,
    /// The CA's private key: needed by `hac ha add` only.
    pub ca_key: Option<PathBuf>,
    /// The SQLite file.
    pub database: PathBuf,
    /// 64 hexadecimal digits, mode 0600.
    pub key_encryption_key: PathBuf,
    /// For `hac status`.
    #[serde(default = "default_control_socket")]
    pub control_socket: PathBuf,
    /// The feed to home agents.
    pub feed: Feed,
    /// The home network.
    pub home: Home,
    /// What is granted.
    #[serde(default)]
    pub policy: PolicySection,
    /// How nodes authenticate.
    #[serde(default)]
    pub authentication: RealmSection,
    /// How nodes of one realm do.
    #[serde(default)]
    pub realm: BTreeMap<String, RealmSection>,
    /// The AAA servers.
    pub radius: Option<RadiusSection>,
    /// The HAC's own EAP server.
    pub eap: Option<EapSection>,
}

/// `[feed]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Feed {
    /// TCP address for home agents.
    pub listen: SocketAddr,
}

/// `[home]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Home {
    /// IPv6 home addresses.
    pub pool6: Option<Ipv6Net>,
    /// IPv4 home addresses.
    pub pool4: Option<Ipv4Net>,
    /// DNS servers behind the home agent.
    #[serde(default)]
    pub dns: Vec<IpAddr>,
}

/// `[policy]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct PolicySection {
    /// Of subscribers without one of their own.
    #[serde(deserialize_with = "service::config::by_name")]
    pub profile: WireProfile,
    /// In the HAC's order of preference.
    #[serde(deserialize_with = "suites")]
    pub suites: Vec<CipherSuite>,
    /// Whether `mip6-sas` 0 is granted to who proposes it.
    #[serde(deserialize_with = "service::config::by_name")]
    pub user_data: UserData,
    /// Lifetime of an association.
    pub sa_lifetime_seconds: u64,
}

impl Default for PolicySection {
    fn default() -> Self {
        Self {
            profile: WireProfile::Rfc6618,
            suites: CipherSuite::DEFAULT.to_vec(),
            user_data: UserData::Protected,
            sa_lifetime_seconds: 86_400,
        }
    }
}

fn default_control_socket() -> PathBuf {
    DEFAULT_CONTROL_SOCKET.into()
}

fn suites<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<CipherSuite>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    names.iter().map(|name| name.parse().map_err(serde::de::Error::custom)).collect()
}

/// Reads and checks the file.
///
/// # Errors
/// It cannot be read, or everything in it that cannot be used.
pub fn load(path: &Path) -> Result<Located<Config>, ConfigError> {
    let config: Located<Config> = service::config::load(path)?;
    check(&config).check()?;
    Ok(config)
}

/// What TOML cannot know to be wrong.
pub fn check(config: &Located<Config>) -> Findings {
    let mut findings = Findings::default();
    if let Err(remedy) = check_name(&config.name) {
        findings.push(config.refused("name", remedy));
    }
    findings.extend(check_listen(config));
    findings.extend(check_pools(config));
    findings.extend(check_policy(config));
    findings.extend(authentication::check(config));
    findings.extend(radius::check(config));
    findings
}

fn check_listen(config: &Located<Config>) -> Vec<Finding> {
    if config.listen.is_empty() {
        let remedy = "mobile nodes have nothing to connect to; write an address such as \"[::]:7872\"";
        return vec![config.refused("listen", remedy)];
    }
    let all = config.listen.iter().chain([&config.feed.listen]).collect::<Vec<_>>();
    let is_taken = |index: usize| all.iter().skip(index + 1).any(|later| Some(later) == all.get(index) && later.port() != 0);
    let taken = (0..config.listen.len()).filter(|index| is_taken(*index));
    taken
        .map(|index| config.refused(&format!("listen.{index}"), "it stands there twice; take one out, or another port"))
        .collect()
}

fn check_pools(config: &Located<Config>) -> Vec<Finding> {
    let Home { pool6, pool4, .. } = &config.home;
    let mut findings = Vec::new();
    if pool6.is_none() && pool4.is_none() {
        findings.push(config.refused("home", "neither pool6 nor pool4; write one, such as pool6 = \"2001:db8:100::/64\""));
    }
    let none_left = "it has no address for a subscriber (network, home agent and broadcast come first); write a shorter prefix";
    if pool6.is_some_and(|pool| pool.prefix_len() > 126) {
        findings.push(config.refused("home.pool6", none_left));
    }
    if pool4.is_some_and(|pool| pool.prefix_len() > 30) {
        findings.push(config.refused("home.pool4", none_left));
    }
    findings
}

fn check_policy(config: &Located<Config>) -> Vec<Finding> {
    let policy = &config.policy;
    let mut findings = Vec::new();
    if policy.suites.is_empty() {
        let remedy = format!("it grants nothing; write one or more of {}", CipherSuite::names());
        findings.push(config.refused("policy.suites", remedy));
    } else if policy.profile == WireProfile::Draft04 && !policy.suites.iter().any(|suite| suite.encrypts()) {
        let remedy = "profile = \"draft-04\" grants none of them: in it a suite that does not encrypt has no replay protection and \
                      needs the subscriber's own policy (`hac subscriber add --suite`); add AES_128_GCM";
        findings.push(config.refused("policy.suites", remedy));
    }
    if !SA_LIFETIME_SECONDS.contains(&policy.sa_lifetime_seconds) {
        findings.push(config.refused("policy.sa-lifetime-seconds", "write 60 to 2592000 (30 days)"));
    }
    findings
}

/// A name that goes into a certificate's SAN and is compared exactly there: an IP address, or a DNS name without wildcards.
pub fn check_name(name: &str) -> Result<(), &'static str> {
    let label = |label: &str| {
        let inside = label.bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-');
        inside && !label.is_empty() && label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-')
    };
    let is_dns = name.len() <= 253 && name.split('.').all(label);
    if name.parse::<IpAddr>().is_ok() || is_dns {
        Ok(())
    } else {
        Err("write a DNS name in lower case (letters, digits, hyphens, dots; no wildcard) or an IP address")
    }
}

impl Config {
    /// What the HAC grants.
    pub fn policy(&self) -> Policy {
        Policy {
            profile: self.policy.profile,
            user_data: self.policy.user_data,
            suites: self.policy.suites.clone(),
            sa_lifetime: Duration::from_secs(self.policy.sa_lifetime_seconds),
            pools: self.pools(),
            dns: self.home.dns.clone(),
        }
    }

    /// The home address pools.
    pub fn pools(&self) -> Pools {
        Pools { ip6: self.home.pool6.map(|pool| pool.trunc()), ip4: self.home.pool4.map(|pool| pool.trunc()) }
    }
}

#[cfg(test)]
mod tests;
