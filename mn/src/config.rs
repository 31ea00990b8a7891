//! `mn.toml`. `hac subscriber add` writes one; every key has a default or is explained there.

use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use protocol::sa::CipherSuite;
use serde::{Deserialize, Deserializer};

/// A mobile node's configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Where `mn status` and `mn down` ask.
    #[serde(default = "default_control_socket")]
    pub control_socket: PathBuf,
    /// The controller.
    pub hac: Hac,
    /// Who this node is.
    pub identity: Identity,
    /// What it accepts.
    #[serde(default)]
    pub policy: Policy,
    /// The tunnel device and what is routed to it.
    #[serde(default)]
    pub tunnel: Tunnel,
}

/// The Home Agent Controller.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Hac {
    /// The name that its certificate must have (RFC 6618 section 9.2).
    pub name: String,
    /// Its TCP port.
    #[serde(default = "default_port")]
    pub port: u16,
    /// Where to connect; empty: look the name up.
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
    /// PEM file: the operator's CA.
    pub ca: PathBuf,
}

/// Who this node is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Identity {
    /// `mn-id`, a Network Access Identifier.
    pub nai: String,
    /// File with the pre-shared key: 64 hexadecimal digits.
    pub psk_file: PathBuf,
}

/// What this node accepts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Policy {
    /// Suites in order of preference.
    #[serde(deserialize_with = "suites")]
    pub suites: Vec<CipherSuite>,
}

/// The tunnel device and what is routed to it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Tunnel {
    /// The TUN device's name.
    pub device: String,
    /// Its MTU; without it the largest that fits a path of 1,500 octets.
    pub mtu: Option<u16>,
    /// Destinations that go through the tunnel.
    pub routes: Vec<IpNet>,
    /// The routing table of these routes and the priority of the rules that lead there: 256 to 32765.
    pub table: u32,
    /// The firewall mark of what must not go through the tunnel: its own outer packets and the connection to the HAC.
    pub fwmark: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self { suites: CipherSuite::DEFAULT.to_vec() }
    }
}

impl Default for Tunnel {
    fn default() -> Self {
        Self {
            device: "mn0".to_owned(),
            mtu: None,
            routes: vec![IpNet::V6(ipnet::Ipv6Net::default()), IpNet::V4(ipnet::Ipv4Net::default())],
            table: 7872,
            fwmark: 7872,
        }
    }
}

fn default_control_socket() -> PathBuf {
    PathBuf::from("/run/haltsec/mn.sock")
}

fn default_port() -> u16 {
    7872
}

fn suites<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<CipherSuite>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    if names.is_empty() {
        return Err(serde::de::Error::custom("no cipher suite: name at least one, such as \"AES_128_GCM\""));
    }
    names.iter().map(|name| name.parse().map_err(serde::de::Error::custom)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str =
        "[hac]\nname = \"hac.example.org\"\nca = \"ca.pem\"\n[identity]\nnai = \"a@example.org\"\npsk-file = \"psk\"\n";

    #[test]
    fn the_least_configuration_routes_everything_and_offers_the_encrypting_suites() {
        let config: Config = toml::from_str(LEAST).unwrap();
        assert_eq!((config.hac.port, config.tunnel.routes.len()), (7872, 2));
        let expected = [CipherSuite::Aes128Gcm, CipherSuite::Aes128CbcSha256, CipherSuite::Aes128CbcSha];
        assert_eq!(config.policy.suites, expected);
    }

    #[test]
    fn an_unknown_suite_and_an_empty_list_are_errors_that_say_what_there_is() {
        let error =
            |suites: &str| toml::from_str::<Config>(&format!("{LEAST}[policy]\nsuites = {suites}\n")).unwrap_err().to_string();
        assert!(error("[\"AES_256\"]").contains("AES_128_GCM"));
        assert!(error("[]").contains("at least one"));
    }
}
