//! `mn.toml`. `hac subscriber add` writes one; every key has a default or is explained there.

use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use protocol::profile::WireProfile;
use protocol::sa::{CipherSuite, UserData};
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
    /// The wire profile that the HAC has for this node.
    #[serde(deserialize_with = "service::config::by_name")]
    pub profile: WireProfile,
    /// Suites in order of preference.
    #[serde(deserialize_with = "suites")]
    pub suites: Vec<CipherSuite>,
    /// What is proposed as `mip6-sas`; `Protected` takes nothing less.
    #[serde(deserialize_with = "service::config::by_name")]
    pub user_data: UserData,
}

impl Policy {
    /// What cannot work, and what to write instead.
    pub fn problem(&self) -> Option<&'static str> {
        let can_carry_data = self.user_data == UserData::Clear || self.suites.iter().any(|suite| suite.encrypts());
        (self.profile == WireProfile::Draft04 && !can_carry_data).then_some(
            "[policy] none of the suites encrypts, which in profile \"draft-04\" carries no protected data: add AES_128_GCM, or \
             write user-data = \"clear\"",
        )
    }
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
        Self { profile: WireProfile::Rfc6618, suites: CipherSuite::DEFAULT.to_vec(), user_data: UserData::Protected }
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
        assert_eq!((config.policy.profile, config.policy.user_data), (WireProfile::Rfc6618, UserData::Protected));
        assert_eq!(config.policy.problem(), None);
    }

    #[test]
    fn profile_and_user_data_are_read_by_name_and_other_names_are_errors_that_say_what_there_is() {
        let read = |lines: &str| toml::from_str::<Config>(&format!("{LEAST}[policy]\n{lines}\n"));
        let policy = read("profile = \"draft-04\"\nuser-data = \"clear\"").unwrap().policy;
        assert_eq!((policy.profile, policy.user_data), (WireProfile::Draft04, UserData::Clear));
        assert!(read("profile = \"rfc\"").unwrap_err().to_string().contains("write \"rfc6618\" or \"draft-04\""));
        assert!(read("user-data = \"open\"").unwrap_err().to_string().contains("\"protected\" or \"clear\""));
    }

    #[test]
    fn a_policy_under_which_no_data_could_be_carried_is_a_problem() {
        let policy = |profile, user_data, suites: &[CipherSuite]| Policy { profile, user_data, suites: suites.to_vec() };
        let null = [CipherSuite::NullSha];
        assert!(policy(WireProfile::Draft04, UserData::Protected, &null).problem().unwrap().contains("user-data = \"clear\""));
        for (profile, user_data, suites) in [
            (WireProfile::Draft04, UserData::Clear, &null[..]),
            (WireProfile::Rfc6618, UserData::Protected, &null),
            (WireProfile::Draft04, UserData::Protected, &[CipherSuite::NullSha, CipherSuite::Aes128CbcSha]),
        ] {
            assert_eq!(policy(profile, user_data, suites).problem(), None, "{profile} {user_data}");
        }
    }

    #[test]
    fn an_unknown_suite_and_an_empty_list_are_errors_that_say_what_there_is() {
        let error =
            |suites: &str| toml::from_str::<Config>(&format!("{LEAST}[policy]\nsuites = {suites}\n")).unwrap_err().to_string();
        assert!(error("[\"AES_256\"]").contains("AES_128_GCM"));
        assert!(error("[]").contains("at least one"));
    }
}
