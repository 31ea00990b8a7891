//! `hac.toml`: the HAC's configuration as a type, checked before anything is opened.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::{Ipv4Net, Ipv6Net};
use protocol::profile::WireProfile;
use protocol::sa::{CipherSuite, UserData};
use serde::{Deserialize, Deserializer};
use service::config::{ConfigError, Located};

use crate::provisioning::Policy;
use crate::store::Pools;

/// The control socket where the configuration names none.
pub const DEFAULT_CONTROL_SOCKET: &str = "/run/haltsec/hac.sock";

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

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum BadConfig {
    /// Not readable, not TOML, or with unknown keys.
    #[error(transparent)]
    Load(#[from] ConfigError),
    /// A value that cannot work.
    #[error("{file}: {problem}")]
    Value {
        /// Which file.
        file: String,
        /// Which key, its value, and what to write instead.
        problem: String,
    },
}

/// Reads and checks the file.
pub fn load(path: &Path) -> Result<Located<Config>, BadConfig> {
    let config: Located<Config> = service::config::load(path)?;
    match problem(&config) {
        Some(problem) => Err(BadConfig::Value { file: path.display().to_string(), problem }),
        None => Ok(config),
    }
}

fn problem(config: &Config) -> Option<String> {
    let lifetime = config.policy.sa_lifetime_seconds;
    let small6 = config.home.pool6.filter(|pool| pool.prefix_len() > 126);
    let small4 = config.home.pool4.filter(|pool| pool.prefix_len() > 30);
    if config.listen.is_empty() {
        Some("listen = [] leaves mobile nodes nothing to connect to: write an address such as \"[::]:7872\"".to_owned())
    } else if let Err(problem) = check_name(&config.name) {
        Some(format!("name = \"{}\": {problem}", config.name))
    } else if config.home.pool6.is_none() && config.home.pool4.is_none() {
        Some("[home] has neither pool6 nor pool4: write one, such as pool6 = \"2001:db8:100::/64\"".to_owned())
    } else if let Some(pool) = small6.map(|pool| pool.to_string()).or(small4.map(|pool| pool.to_string())) {
        Some(format!("[home] pool {pool} has no address for a subscriber: network, home agent and broadcast come first"))
    } else if config.policy.suites.is_empty() {
        Some(format!("[policy] suites = [] grants nothing: write one or more of {}", CipherSuite::names()))
    } else if config.policy.profile == WireProfile::Draft04 && !config.policy.suites.iter().any(|suite| suite.encrypts()) {
        let names: Vec<_> = config.policy.suites.iter().map(|suite| suite.name()).collect();
        Some(format!(
            "[policy] profile = \"draft-04\" grants nothing of suites = {names:?}: in it a suite that does not encrypt has no \
             replay protection and needs the subscriber's own policy (`hac subscriber add --suite`); add AES_128_GCM"
        ))
    } else if !(60..=30 * 86_400).contains(&lifetime) {
        Some(format!("[policy] sa-lifetime-seconds = {lifetime}: write 60 to 2592000 (30 days)"))
    } else {
        None
    }
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
mod tests {
    use super::*;

    const GOOD: &str = r#"
name = "hac.example.org"
listen = ["[::]:7872"]
certificate = "hac.pem"
key = "hac-key.pem"
ca = "ca.pem"
database = "hac.db"
key-encryption-key = "kek"
[feed]
listen = "[::]:7873"
[home]
pool6 = "2001:db8:100::/64"
"#;

    fn loaded(text: &str) -> Result<Located<Config>, BadConfig> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hac.toml");
        std::fs::write(&path, text).unwrap();
        load(&path)
    }

    #[test]
    fn what_is_left_out_has_the_documented_default() {
        let config = loaded(GOOD).unwrap();
        let suites = [CipherSuite::Aes128Gcm, CipherSuite::Aes128CbcSha256, CipherSuite::Aes128CbcSha];
        assert_eq!(config.policy().suites, suites);
        assert_eq!(config.policy().sa_lifetime, Duration::from_secs(86_400));
        assert_eq!((config.policy().profile, config.policy().user_data), (WireProfile::Rfc6618, UserData::Protected));
        assert_eq!(config.control_socket, Path::new(DEFAULT_CONTROL_SOCKET));
        assert_eq!(config.pools().ip4, None);
    }

    #[test]
    fn values_that_cannot_work_are_refused_with_what_to_write() {
        let rows = [
            (GOOD.replace("2001:db8:100::/64", "2001:db8:100::/127"), "no address for a subscriber"),
            (GOOD.replace("pool6 =", "dns = [] #"), "neither pool6 nor pool4"),
            (GOOD.replace("\"hac.example.org\"", "\"*.example.org\""), "no wildcard"),
            (GOOD.replace("[\"[::]:7872\"]", "[]"), "nothing to connect to"),
            (format!("{GOOD}[policy]\nsuites = []\n"), "grants nothing"),
            (format!("{GOOD}[policy]\nsuites = [\"AES_256\"]\n"), "unknown cipher suite"),
            (format!("{GOOD}[policy]\nsa-lifetime-seconds = 5\n"), "60 to 2592000"),
            (format!("{GOOD}[policy]\nprofile = \"draft-4\"\n"), "write \"rfc6618\" or \"draft-04\""),
            (format!("{GOOD}[policy]\nuser-data = \"open\"\n"), "\"protected\" or \"clear\""),
            (format!("{GOOD}[policy]\nprofile = \"draft-04\"\nsuites = [\"NULL_SHA\"]\n"), "hac subscriber add --suite"),
            (format!("{GOOD}[polizy]\n"), "polizy"),
        ];
        for (text, expected) in rows {
            let error = loaded(&text).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("hac.toml"), "{error}");
        }
    }
}
