//! `[eap]`: how this node authenticates with EAP, and to whom.

use std::path::PathBuf;
use std::str::FromStr;

use protocol::eap::Type;
use protocol::mhauth::{Method, Nai};
use serde::{Deserialize, Deserializer};
use service::config::{Finding, Located};

use super::Config;

/// What this node authenticates with.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Eap {
    /// In order of preference.
    #[serde(deserialize_with = "methods")]
    pub methods: Vec<EapMethod>,
    /// What is given to whoever asks, instead of the name: a name without a user, such as `anonymous@example.org`.
    pub anonymous_identity: Option<String>,
    /// The name in the EAP server's certificate, for the methods over TLS.
    pub server_name: Option<String>,
    /// PEM file: who signs that certificate.
    pub ca: Option<PathBuf>,
    /// PEM file: this node's certificate chain, for "tls".
    pub certificate: Option<PathBuf>,
    /// PEM file: its private key.
    pub key: Option<PathBuf>,
    /// File with the password, for "ttls-pap", "ttls-mschapv2", "peap-mschapv2" and "md5".
    pub password_file: Option<PathBuf>,
}

/// A method that this build has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EapMethod {
    /// EAP-TLS.
    Tls,
    /// EAP-TTLS with PAP.
    TtlsPap,
    /// EAP-TTLS with MSCHAPv2.
    TtlsMschapv2,
    /// PEAPv0 with EAP-MSCHAPv2.
    PeapMschapv2,
    /// EAP-GPSK.
    Gpsk,
    /// EAP-MD5, which derives no key.
    Md5,
}

impl EapMethod {
    const ALL: [Self; 6] = [Self::Tls, Self::TtlsPap, Self::TtlsMschapv2, Self::PeapMschapv2, Self::Gpsk, Self::Md5];

    /// As in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::TtlsPap => "ttls-pap",
            Self::TtlsMschapv2 => "ttls-mschapv2",
            Self::PeapMschapv2 => "peap-mschapv2",
            Self::Gpsk => "gpsk",
            Self::Md5 => "md5",
        }
    }

    /// As on the wire.
    pub const fn kind(self) -> Type {
        match self {
            Self::Tls => Type::TLS,
            Self::TtlsPap | Self::TtlsMschapv2 => Type::TTLS,
            Self::PeapMschapv2 => Type::PEAP,
            Self::Gpsk => Type::GPSK,
            Self::Md5 => Type::MD5,
        }
    }

    const fn needs_server(self) -> bool {
        matches!(self, Self::Tls | Self::TtlsPap | Self::TtlsMschapv2 | Self::PeapMschapv2)
    }

    const fn needs_password(self) -> bool {
        matches!(self, Self::TtlsPap | Self::TtlsMschapv2 | Self::PeapMschapv2 | Self::Md5)
    }
}

impl FromStr for EapMethod {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = || Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|method| method.name() == name)
            .ok_or_else(|| format!("unknown EAP method \"{name}\"; write one of {}", known()))
    }
}

fn methods<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<EapMethod>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    if names.is_empty() {
        return Err(serde::de::Error::custom("no method: name at least one, such as \"tls\""));
    }
    names.iter().map(|name| name.parse().map_err(serde::de::Error::custom)).collect()
}

/// What a method needs and is not there, and what cannot be meant.
pub(super) fn check(config: &Located<Config>, eap: &Eap) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut needs = |needed: bool, is_there: bool, key: &str, what: &str| {
        if needed && !is_there {
            findings.push(config.refused("eap.methods", format!("they need {key} = \"…\" in [eap], {what}")));
        }
    };
    let any = |of: fn(EapMethod) -> bool| eap.methods.iter().copied().any(of);
    needs(any(EapMethod::needs_server), eap.server_name.is_some(), "server-name", "the name in the EAP server's certificate");
    needs(any(EapMethod::needs_server), eap.ca.is_some(), "ca", "the CA that signs the EAP server's certificate");
    needs(any(EapMethod::needs_password), eap.password_file.is_some(), "password-file", "a file with the password alone");
    let is_tls = eap.methods.contains(&EapMethod::Tls);
    needs(is_tls, eap.certificate.is_some(), "certificate", "this node's certificate for \"tls\"");
    needs(is_tls, eap.key.is_some(), "key", "the private key of this node's certificate");
    if eap.methods.contains(&EapMethod::Gpsk) && config.identity.psk_file.is_none() {
        findings.push(config.refused("eap.methods", "\"gpsk\" needs psk-file = \"…\" in [identity]"));
    }
    let kinds: Vec<Type> = eap.methods.iter().map(|method| method.kind()).collect();
    if kinds.iter().enumerate().any(|(index, kind)| kinds.iter().take(index).any(|earlier| earlier == kind)) {
        findings.push(config.refused("eap.methods", "a method stands there twice, or EAP-TTLS with two ways inside; keep one"));
    }
    findings.extend(check_names(config, eap));
    findings
}

fn check_names(config: &Located<Config>, eap: &Eap) -> Vec<Finding> {
    let mut findings = Vec::new();
    if eap.server_name.as_ref().is_some_and(|name| !net::tls::is_name(name) || name.contains('*')) {
        let remedy = "write the DNS name that the EAP server's certificate has, such as \"aaa.example.org\"";
        findings.push(config.refused("eap.server-name", remedy));
    }
    let anonymous = eap.anonymous_identity.as_ref().map(|name| check_anonymous(name, &config.identity.nai));
    if let Some(Err(remedy)) = anonymous {
        findings.push(config.refused("eap.anonymous-identity", remedy));
    }
    if eap.anonymous_identity.is_some() && config.methods().contains(&Method::Psk) {
        let remedy = "with \"psk\" among `methods` in [identity] the HAC must know the name: take one of the two out";
        findings.push(config.refused("eap.anonymous-identity", remedy));
    }
    findings
}

/// Whom the HAC takes for the subscriber `nai` (RFC 7542 section 2.4).
fn check_anonymous(name: &str, nai: &str) -> Result<(), String> {
    name.parse::<Nai>().map_err(|error| error.to_string())?;
    if realm(name) != realm(nai) {
        return Err("its realm, behind the @, must be that of nai in [identity]: the HAC knows the subscriber by it".to_owned());
    }
    let user = user(name);
    let is_taken = user.is_empty() || user == "anonymous" || user == self::user(nai);
    let remedy = || "write nothing or \"anonymous\" before the @: under another name the HAC takes you for another".to_owned();
    if is_taken { Ok(()) } else { Err(remedy()) }
}

fn user(name: &str) -> &str {
    name.split_once('@').map_or(name, |(user, _)| user)
}

fn realm(name: &str) -> Option<String> {
    name.split_once('@').map(|(_, realm)| realm.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use protocol::mhauth::Method;
    use service::config::Findings;

    use super::super::tests::{LEAST, located};
    use super::*;

    const GPSK: &str = "[eap]\nmethods = [\"gpsk\"]\n";
    const ALL: &str = "[eap]\nmethods = [\"tls\", \"ttls-mschapv2\", \"peap-mschapv2\", \"gpsk\", \"md5\"]\n\
        anonymous-identity = \"anonymous@example.org\"\nserver-name = \"aaa.example.org\"\nca = \"aaa.pem\"\n\
        certificate = \"a.pem\"\nkey = \"a-key.pem\"\npassword-file = \"password\"\n";

    fn findings(text: &str) -> Findings {
        super::super::check(&located(text).1)
    }

    #[test]
    fn a_section_with_all_that_its_methods_need_is_good_and_offers_eap_alone() {
        for lines in [ALL, GPSK, &ALL.replace("ttls-mschapv2", "ttls-pap"), &ALL.replace("anonymous@", "@")] {
            let (_folder, config) = located(&format!("{LEAST}{lines}"));
            assert_eq!(super::super::check(&config), Findings::default(), "{lines}");
            assert_eq!(config.methods(), [Method::Eap]);
        }
        assert_eq!(located(LEAST).1.methods(), [Method::Psk]);
        let both = LEAST.replace("psk-file", "methods = [\"eap\", \"psk\"]\npsk-file") + GPSK;
        assert_eq!((located(&both).1.methods(), findings(&both)), (vec![Method::Eap, Method::Psk], Findings::default()));
    }

    #[test]
    fn a_method_is_read_by_the_name_that_it_is_written_with() {
        for method in EapMethod::ALL {
            assert_eq!(method.name().parse(), Ok(method));
        }
        let error = "ttls".parse::<EapMethod>().unwrap_err();
        assert!(error.contains("\"ttls\"") && error.contains("ttls-pap, ttls-mschapv2"), "{error}");
        let error = toml::from_str::<Config>(&format!("{LEAST}[eap]\nmethods = []\n")).unwrap_err().to_string();
        assert!(error.contains("name at least one"), "{error}");
    }

    #[test]
    fn what_is_missing_or_cannot_be_meant_is_refused_where_it_stands_with_what_to_write() {
        let without = |name: &str| ALL.split_inclusive('\n').filter(|line| !line.starts_with(name)).collect::<String>();
        let without_psk = LEAST.replace("psk-file = \"psk\"\n", "");
        let with = |from: &str, to: &str| format!("{LEAST}{}", ALL.replace(from, to));
        let rows = [
            (format!("{LEAST}{}", without("server-name")), ":8:1: [eap] methods = ", "server-name = "),
            (format!("{LEAST}{}", without("ca =")), ":8:1: [eap] methods = ", "ca = "),
            (format!("{LEAST}{}", without("password-file")), ":8:1: [eap] methods = ", "password-file = "),
            (format!("{LEAST}{}", without("certificate")), ":8:1: [eap] methods = ", "certificate = "),
            (format!("{LEAST}{}", without("key =")), ":8:1: [eap] methods = ", "key = "),
            (format!("{LEAST}[eap]\nmethods = [\"md5\"]\n"), ":8:1: [eap] methods = ", "password-file = "),
            (format!("{without_psk}{GPSK}"), ":7:1: [eap] methods = ", "psk-file = "),
            (with("\"md5\"", "\"md5\", \"md5\""), ":8:1: [eap] methods = ", "stands there twice"),
            (with("\"md5\"", "\"md5\", \"ttls-pap\""), ":8:1: [eap] methods = ", "two ways inside"),
            (with("aaa.example.org", "*.example.org"), ":10:1: [eap] server-name = ", "write the DNS name"),
            (with("aaa.example.org", "a b"), ":10:1: [eap] server-name = ", "write the DNS name"),
            (with("anonymous@example.org", "anonymous@"), ":9:1: [eap] anonymous-identity = ", "the realm must be"),
            (with("anonymous@example.org", "anonymous@example.net"), ":9:1: [eap] anonymous-identity = ", "must be that of nai"),
            (with("anonymous@example.org", "roaming@example.org"), ":9:1: [eap] anonymous-identity = ", "before the @"),
            (
                format!("{LEAST}methods = [\"psk\", \"eap\"]\n{ALL}"),
                ":10:1: [eap] anonymous-identity = ",
                "take one of the two out",
            ),
            (without_psk.clone(), ":4:2: [identity]: ", "psk-file = "),
            (format!("{}methods = [\"eap\"]\n", LEAST), ":7:1: [identity] methods = ", "needs a section [eap]"),
            (
                format!("{without_psk}methods = [\"psk\", \"eap\"]\n{}", without("anonymous-identity").replace(" \"gpsk\",", "")),
                ":4:2: [identity]",
                "psk-file = ",
            ),
        ];
        for (text, place, words) in rows {
            let error = findings(&text).to_string();
            let is_right = error.contains(&format!("/mn.toml{place}")) && error.contains(words);
            assert!(is_right && error.lines().count() == 1, "{text}: {error}");
        }
    }
}
