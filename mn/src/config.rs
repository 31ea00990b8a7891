//! `mn.toml`. `hac subscriber add` writes one; every key has a default or is explained there.

mod dns;
mod eap;
mod guard;
mod mobile_router;

use std::net::IpAddr;
use std::num::{NonZeroU8, NonZeroU16};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ipnet::IpNet;
use net::tun::{MAX_MTU, MIN_MTU, is_device_name};
use net::udp::{RECEIVE_BUFFER, RECEIVE_BUFFERS};
use protocol::mhauth::{Method, Nai, Psk};
use protocol::profile::WireProfile;
use protocol::sa::{CipherSuite, Secret, UserData};
use protocol::tunnel::Share;
use rustls::RootCertStore;
use serde::{Deserialize, Deserializer};
use service::config::{ConfigError, Finding, Findings, Located};

/// Routing tables and rule priorities that are nobody's: below are the system's tables, above its main and default rules.
const FREE_TABLES: std::ops::RangeInclusive<u32> = 256..=32_765;

use crate::hac_client::MAX_CANDIDATES;

pub use dns::{Dns, DnsMode};
pub use eap::{Eap, EapMethod};
pub use guard::{Guard, GuardMode};
pub use mobile_router::MobileRouter;

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
    /// How it authenticates with EAP.
    pub eap: Option<Eap>,
    /// What it accepts.
    #[serde(default)]
    pub policy: Policy,
    /// The tunnel device and what is routed to it.
    #[serde(default)]
    pub tunnel: Tunnel,
    /// What may go past the tunnel.
    #[serde(default)]
    pub guard: Guard,
    /// Whom the host asks for names.
    #[serde(default)]
    pub dns: Dns,
    /// The network behind this host; without it there is none.
    #[serde(default)]
    pub mobile_router: Option<MobileRouter>,
}

/// The Home Agent Controller.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Hac {
    /// The name that its certificate must have (RFC 6618 section 9.2).
    pub name: String,
    /// Its TCP port. Without it DNS may name one (SRV), and 7872 is meant where it does not.
    pub port: Option<NonZeroU16>,
    /// Where to connect; empty: look the name up.
    #[serde(default, deserialize_with = "addresses")]
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
    pub psk_file: Option<PathBuf>,
    /// What is offered to the HAC; without it EAP where there is a section `[eap]`, else the pre-shared key.
    #[serde(default, deserialize_with = "methods")]
    pub methods: Option<Vec<Method>>,
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

/// What TOML cannot know to be wrong.
pub fn check(config: &Located<Config>) -> Findings {
    let mut findings = Findings::default();
    if !net::tls::is_name(&config.hac.name) || config.hac.name.contains('*') {
        let remedy = "write the DNS name or the address that the HAC's certificate has, such as \"hac.example.org\"";
        findings.push(config.refused("hac.name", remedy));
    }
    if let Err(remedy) = config.identity.nai.parse::<Nai>() {
        findings.push(config.refused_unseen("identity.nai", remedy));
    }
    findings.extend(check_methods(config));
    if let Some(eap) = &config.eap {
        findings.extend(eap::check(config, eap));
    }
    findings.extend(check_policy(config));
    findings.extend(check_tunnel(config));
    if let Some(router) = &config.mobile_router {
        findings.extend(mobile_router::check(config, router));
    }
    findings
}

/// Each method that is offered needs what it is made of.
fn check_methods(config: &Located<Config>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let methods = config.methods();
    if methods.contains(&Method::Psk) && config.identity.psk_file.is_none() {
        let remedy = "write psk-file = \"FILE\", which `hac subscriber add` makes, or a section [eap]";
        findings.push(config.refused("identity", remedy));
    }
    if methods.contains(&Method::Eap) && config.eap.is_none() {
        findings.push(config.refused("identity.methods", "\"eap\" needs a section [eap]"));
    }
    findings
}

impl Config {
    /// What is offered to the HAC.
    pub fn methods(&self) -> Vec<Method> {
        let own = if self.eap.is_some() { Method::Eap } else { Method::Psk };
        self.identity.methods.clone().unwrap_or_else(|| vec![own])
    }
}

fn methods<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Method>>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    let methods = names.iter().map(|name| name.parse().map_err(serde::de::Error::custom)).collect::<Result<Vec<_>, _>>()?;
    if methods.is_empty() {
        Err(serde::de::Error::custom("no method; write \"psk\", \"eap\" or both"))
    } else {
        Ok(Some(methods))
    }
}

fn check_policy(config: &Located<Config>) -> Option<Finding> {
    let Policy { profile, suites, user_data } = &config.policy;
    let can_carry_data = *user_data == UserData::Clear || suites.iter().any(|suite| suite.encrypts());
    let remedy = "none of them encrypts, which in profile \"draft-04\" carries no protected data; add AES_128_GCM, or write \
                  user-data = \"clear\"";
    (*profile == WireProfile::Draft04 && !can_carry_data).then(|| config.refused("policy.suites", remedy))
}

fn check_tunnel(config: &Located<Config>) -> Vec<Finding> {
    let Tunnel { device, mtu, table, fwmark, receive_buffer, workers, .. } = &config.tunnel;
    let mut findings = Vec::new();
    if !is_device_name(device) {
        findings.push(config.refused("tunnel.device", "write 1 to 15 letters, digits, '-', '_' or '.', such as \"mn0\""));
    }
    if mtu.is_some_and(|mtu| !(MIN_MTU..=MAX_MTU).contains(&mtu)) {
        findings.push(config.refused("tunnel.mtu", format!("write {MIN_MTU} to {MAX_MTU}, or leave it out")));
    }
    if !RECEIVE_BUFFERS.contains(receive_buffer) {
        let (least, most) = RECEIVE_BUFFERS.into_inner();
        findings.push(config.refused("tunnel.receive-buffer", format!("write {least} to {most} octets")));
    }
    if !(1..=Share::MAX).contains(workers) {
        findings.push(config.refused("tunnel.workers", format!("write 1 to {}", Share::MAX)));
    }
    if !FREE_TABLES.contains(table) {
        findings.push(config.refused("tunnel.table", "it is the system's own; write 256 to 32765"));
    }
    if *fwmark == 0 {
        findings.push(config.refused("tunnel.fwmark", "0 is no mark, so the tunnel would carry itself; write another number"));
    }
    findings
}

/// The pre-shared key in the file that [`Identity`] names.
///
/// # Errors
/// The file cannot be read, or holds no key that is safe to use; the text has the place of the key that names it.
pub fn read_psk(config: &Located<Config>, path: &Path) -> Result<Psk, ConfigError> {
    let digits = Secret::new(config.read(path)?.into_bytes());
    let digits = std::str::from_utf8(digits.expose()).unwrap_or_default();
    let refused = |error| config.refused_file(path, format!("{}: {error}", config.resolve(path).display()));
    Psk::from_hex(digits).map_err(refused)
}

/// The operator's CA certificates of [`Hac`].
///
/// # Errors
/// As [`read_psk`].
pub fn read_authorities(config: &Located<Config>) -> Result<Arc<RootCertStore>, ConfigError> {
    let path = &config.hac.ca;
    net::tls::load_authorities(&config.resolve(path)).map_err(|error| config.refused_file(path, error))
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
    /// Destinations among them that go past it, as the host's own routes say.
    pub except: Vec<IpNet>,
    /// The routing table of these routes and the priority of the rules that lead there: 256 to 32765.
    pub table: u32,
    /// The firewall mark of what must not go through the tunnel: its own outer packets and the connection to the HAC.
    pub fwmark: u32,
    /// Whether the kernel and the tunnel hand each other many packets at once, where the kernel can.
    pub offloads: bool,
    /// Octets that the kernel may keep of received datagrams while the tunnel is busy.
    pub receive_buffer: usize,
    /// Threads that carry packets.
    pub workers: u8,
}

impl Tunnel {
    /// How many threads carry packets.
    pub fn workers(&self) -> NonZeroU8 {
        NonZeroU8::new(self.workers).unwrap_or(NonZeroU8::MIN)
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self { profile: WireProfile::Rfc6618, suites: default_suites(has_aes_instructions()), user_data: UserData::Protected }
    }
}

impl Default for Tunnel {
    fn default() -> Self {
        Self {
            device: "mn0".to_owned(),
            mtu: None,
            routes: vec![IpNet::V6(ipnet::Ipv6Net::default()), IpNet::V4(ipnet::Ipv4Net::default())],
            except: Vec::new(),
            table: 7872,
            fwmark: 7872,
            offloads: true,
            receive_buffer: RECEIVE_BUFFER,
            workers: 1,
        }
    }
}

/// Without AES instructions ChaCha20-Poly1305 is several times faster than what is offered otherwise, and so stands before it.
fn default_suites(has_aes_instructions: bool) -> Vec<CipherSuite> {
    let first = (!has_aes_instructions).then_some(CipherSuite::ChaCha20Poly1305);
    first.into_iter().chain(CipherSuite::DEFAULT).collect()
}

/// Of this CPU; on one of an architecture that we do not know it is supposed.
fn has_aes_instructions() -> bool {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    let has = std::arch::is_x86_feature_detected!("aes");
    #[cfg(target_arch = "aarch64")]
    let has = std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
    let has = true;
    has
}

fn default_control_socket() -> PathBuf {
    PathBuf::from("/run/haltsec/mn.sock")
}

/// More than are tried would be taken in silence and never asked.
fn addresses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpAddr>, D::Error> {
    let addresses = Vec::<IpAddr>::deserialize(deserializer)?;
    if addresses.len() > MAX_CANDIDATES {
        let text = format!("{} addresses: list at most {MAX_CANDIDATES}, each of them is tried", addresses.len());
        return Err(serde::de::Error::custom(text));
    }
    Ok(addresses)
}

fn suites<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<CipherSuite>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    if names.is_empty() {
        return Err(serde::de::Error::custom("no cipher suite: name at least one, such as \"AES_128_GCM\""));
    }
    names.iter().map(|name| name.parse().map_err(serde::de::Error::custom)).collect()
}

#[cfg(test)]
mod tests;
