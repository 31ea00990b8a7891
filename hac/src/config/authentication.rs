//! `[authentication]` and `[realm.NAME]`: how nodes authenticate; `[radius]` and `[eap]`: who their EAP server is.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use protocol::eap::Type;
use protocol::mhauth::Method;
use serde::{Deserialize, Deserializer};
use service::config::{Finding, Located};

use super::Config;
use crate::authentication::{EapServer, Realm};

/// Where RADIUS servers listen if the configuration names no port (RFC 2865 section 3).
const RADIUS_PORT: u16 = 1812;

/// What `[authentication]` says of every realm, or `[realm.NAME]` of one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RealmSection {
    /// In order of preference.
    #[serde(deserialize_with = "methods")]
    pub methods: Option<Vec<Method>>,
    /// Who has the subscribers of EAP.
    #[serde(deserialize_with = "eap_server")]
    pub eap_server: Option<EapServer>,
    /// EAP methods without a key that are taken all the same.
    #[serde(deserialize_with = "keyless")]
    pub without_key: Option<Vec<Type>>,
}

/// `[radius]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RadiusSection {
    /// In the order in which they are asked; without a port 1812.
    #[serde(deserialize_with = "servers")]
    pub servers: Vec<SocketAddr>,
    /// File with the secret that they share with this HAC.
    pub secret_file: PathBuf,
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

/// `[eap]`: the HAC's own EAP server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct EapSection {
    /// In order of preference.
    #[serde(deserialize_with = "local_methods")]
    pub methods: Vec<LocalMethod>,
    /// The CA that signs subscribers' certificates, PEM: for "tls".
    pub client_ca: Option<PathBuf>,
}

/// A method of the HAC's own EAP server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalMethod {
    /// EAP-TLS.
    Tls,
    /// EAP-GPSK.
    Gpsk,
}

fn default_timeout() -> u64 {
    crate::aaa::Timings::default().limit.as_secs()
}

fn default_dead_time() -> u64 {
    crate::aaa::Timings::default().dead_time.as_secs()
}

/// What cannot work together.
pub(super) fn check(config: &Located<Config>) -> Vec<Finding> {
    let mut findings = check_realm_names(config);
    findings.extend(check_methods(config));
    if let Some(radius) = &config.radius {
        findings.extend(check_radius(config, radius));
    }
    if let Some(eap) = &config.eap
        && eap.methods.contains(&LocalMethod::Tls)
        && eap.client_ca.is_none()
    {
        let remedy = "\"tls\" needs client-ca = \"FILE\", the CA that signs your subscribers' certificates";
        findings.push(config.refused("eap.methods", remedy));
    }
    findings
}

fn check_realm_names(config: &Located<Config>) -> Vec<Finding> {
    let is_name = |name: &str| name.contains('.') && !name.contains('@') && !name.chars().any(|c| c.is_ascii_uppercase());
    let wrong = config.realm.keys().filter(|name| !is_name(name));
    let remedy = "write the part behind the @ of the subscribers' names in lower case, such as [realm.\"example.org\"]";
    wrong.map(|name| config.refused(&format!("realm.{name}"), remedy)).collect()
}

/// A realm's EAP server must be there.
fn check_methods(config: &Located<Config>) -> Vec<Finding> {
    let of = |key: String, realm: &Realm| {
        let (is_there, section) = match realm.eap_server {
            EapServer::Local => (config.eap.is_some(), "[eap]"),
            EapServer::Radius => (config.radius.is_some(), "[radius]"),
        };
        let is_missing = realm.methods.contains(&Method::Eap) && !is_there;
        is_missing
            .then(|| config.refused(&key, format!("\"eap\" is among its methods, and there is no section {section}; write one")))
    };
    let realms = config.realms();
    let named = realms.iter().map(|(name, realm)| of(format!("realm.{name}"), realm));
    named.chain([of("authentication".to_owned(), &config.default_realm())]).flatten().collect()
}

fn check_radius(config: &Located<Config>, radius: &RadiusSection) -> Vec<Finding> {
    let mut findings = Vec::new();
    let most = crate::aaa::MAX_SERVERS;
    if radius.servers.is_empty() || radius.servers.len() > most {
        findings.push(config.refused("radius.servers", format!("write 1 to {most} addresses, such as \"192.0.2.1:1812\"")));
    }
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

impl Config {
    /// What holds for realms without a section: with an EAP server both methods, and AAA servers before the HAC's own.
    pub fn default_realm(&self) -> Realm {
        let has_eap = self.radius.is_some() || self.eap.is_some();
        let own = if has_eap { Method::ALL.to_vec() } else { vec![Method::Psk] };
        let server = if self.radius.is_some() { EapServer::Radius } else { EapServer::Local };
        self.authentication.over(&Realm { methods: own, eap_server: server, keyless: Vec::new() })
    }

    /// What holds for realms with a section; what a section does not say is as in `[authentication]`.
    pub fn realms(&self) -> BTreeMap<String, Realm> {
        let default = self.default_realm();
        self.realm.iter().map(|(name, section)| (name.clone(), section.over(&default))).collect()
    }
}

impl RealmSection {
    fn over(&self, default: &Realm) -> Realm {
        Realm {
            methods: self.methods.clone().unwrap_or_else(|| default.methods.clone()),
            eap_server: self.eap_server.unwrap_or(default.eap_server),
            keyless: self.without_key.clone().unwrap_or_else(|| default.keyless.clone()),
        }
    }
}

impl RadiusSection {
    /// The times that an operator chooses, and those that nobody needs to.
    pub fn timings(&self) -> crate::aaa::Timings {
        let [limit, dead_time] = [self.timeout_seconds, self.dead_time_seconds].map(Duration::from_secs);
        let default = crate::aaa::Timings::default();
        crate::aaa::Timings { timeout: default.timeout.min(limit), limit, dead_time, ..default }
    }
}

fn list<'de, D: Deserializer<'de>, T>(deserializer: D, read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    names.iter().map(|name| read(name).map_err(serde::de::Error::custom)).collect()
}

fn methods<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Method>>, D::Error> {
    let methods = list(deserializer, |name| name.parse::<Method>().map_err(str::to_owned))?;
    if methods.is_empty() {
        Err(serde::de::Error::custom("no method; write \"psk\", \"eap\" or both"))
    } else {
        Ok(Some(methods))
    }
}

fn eap_server<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<EapServer>, D::Error> {
    let name = String::deserialize(deserializer)?;
    let server = [EapServer::Local, EapServer::Radius].into_iter().find(|server| server.name() == name);
    let unknown = || serde::de::Error::custom("unknown EAP server; write \"radius\" or \"local\"");
    server.map(Some).ok_or_else(unknown)
}

fn keyless<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Type>>, D::Error> {
    let read = |name: &str| match name {
        "md5" => Ok(Type::MD5),
        _ => Err("no EAP method that derives no key; write \"md5\", or nothing".to_owned()),
    };
    list(deserializer, read).map(Some)
}

fn servers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SocketAddr>, D::Error> {
    list(deserializer, |text| {
        let alone = || text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, RADIUS_PORT));
        text.parse()
            .or_else(|_| alone())
            .map_err(|_| "not an address; write an IP address, with or without a port, such as \"192.0.2.1\"".to_owned())
    })
}

fn local_methods<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<LocalMethod>, D::Error> {
    let read = |name: &str| match name {
        "tls" => Ok(LocalMethod::Tls),
        "gpsk" => Ok(LocalMethod::Gpsk),
        _ => Err("unknown method of the HAC's own EAP server; write \"tls\", \"gpsk\" or both".to_owned()),
    };
    let methods = list(deserializer, read)?;
    if methods.is_empty() { Err(serde::de::Error::custom("no method; write \"tls\", \"gpsk\" or both")) } else { Ok(methods) }
}

#[cfg(test)]
mod tests;
