//! `[authentication]` and `[realm.NAME]`: how nodes authenticate; `[eap]`: the HAC's own EAP server.

use std::collections::BTreeMap;
use std::path::PathBuf;

use protocol::eap::Type;
use protocol::mhauth::Method;
use serde::{Deserialize, Deserializer};
use service::config::{Finding, Located};

use super::Config;
use crate::authentication::{EapServer, Realm};

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

/// What cannot work together.
pub(super) fn check(config: &Located<Config>) -> Vec<Finding> {
    let mut findings = check_realm_names(config);
    findings.extend(check_methods(config));
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
