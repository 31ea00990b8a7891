//! `ha.toml`. `hac ha add` writes one; every key has its place in the manual page and none is ignored.

use std::net::{Ipv6Addr, SocketAddr};
use std::num::NonZeroU8;
use std::path::PathBuf;

use feed::TlsFiles;
use net::tls::TlsError;
use net::tun::{MAX_MTU, MIN_MTU, is_device_name};
use net::udp::{RECEIVE_BUFFER, RECEIVE_BUFFERS};
use net::worker::one_for_each_processor;
use protocol::sa::Secret;
use protocol::tunnel::Share;
use serde::Deserialize;
use service::config::{ConfigError, Finding, Findings, Located};

use crate::fallback::DEFAULT_CONNECTIONS;

/// The most addresses that a home agent listens on.
pub const MAX_LISTEN: usize = 32;

/// Routing protocols below are the kernel's and the administrator's (RTPROT_UNSPEC to RTPROT_STATIC).
const FIRST_FREE_PROTOCOL: u8 = 5;

/// A home agent's configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The home agent's name, as in its certificate; for logs and status.
    pub name: String,
    /// The UDP addresses of the tunnels' outer side; their order gives the sockets their numbers.
    pub listen: Vec<SocketAddr>,
    /// PEM file: this home agent's certificate.
    pub certificate: PathBuf,
    /// PEM file: its private key.
    pub key: PathBuf,
    /// PEM file: the CA that signed the HAC's certificate.
    pub ca: PathBuf,
    /// Where `ha status` asks.
    pub control_socket: PathBuf,
    /// The Ethernet interface that the home network is on; without it the home link is virtual.
    #[serde(default)]
    pub home_link: Option<String>,
    /// Where the HAC is.
    pub feed: Feed,
    /// The TUN device.
    pub tunnel: Tunnel,
    /// What is routed to it.
    #[serde(default)]
    pub routes: Routes,
    /// Mobile nodes whose network blocks UDP; without it they are not served.
    #[serde(default)]
    pub fallback: Option<Fallback>,
}

/// Where the HAC's feed is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Feed {
    /// `host:port`.
    pub address: String,
    /// The name that the HAC's certificate must have.
    pub server_name: String,
}

/// The TUN device.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Tunnel {
    /// Its name.
    pub device: String,
    /// Its MTU.
    pub mtu: u16,
    /// Whether mobile nodes reach everything that this host serves through it; else ICMP echo and DNS alone.
    #[serde(default)]
    pub host_services: bool,
    /// Whether the kernel and the tunnel hand each other many packets at once, where the kernel can.
    #[serde(default = "on")]
    pub offloads: bool,
    /// Octets that the kernel may keep of received datagrams while the tunnel is busy.
    #[serde(default = "receive_buffer")]
    pub receive_buffer: usize,
    /// Threads that carry packets, each a share of the nodes; without it one for each processor.
    #[serde(default)]
    pub workers: Option<u8>,
}

impl Tunnel {
    /// How many threads carry packets.
    pub fn workers(&self) -> NonZeroU8 {
        self.workers.and_then(NonZeroU8::new).unwrap_or_else(one_for_each_processor)
    }
}

fn receive_buffer() -> usize {
    RECEIVE_BUFFER
}

fn on() -> bool {
    true
}

/// Datagrams over TLS.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Fallback {
    /// The TCP addresses that are listened on, unless systemd hands sockets over.
    pub listen: Vec<SocketAddr>,
    /// Connections at a time.
    #[serde(default = "connections")]
    pub connections: u16,
}

fn connections() -> u16 {
    DEFAULT_CONNECTIONS
}

/// What is routed to the TUN device.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Routes {
    /// The routing protocol number of the routes, by which a routing daemon knows them.
    pub protocol: u8,
    /// Whether each binding has a route of its own, for a routing daemon to spread.
    pub per_binding: bool,
}

impl Default for Routes {
    fn default() -> Self {
        Self { protocol: 78, per_binding: false }
    }
}

/// What TOML cannot know to be wrong.
pub fn check(config: &Located<Config>) -> Findings {
    let mut findings = Findings::default();
    findings.extend(check_listen(config));
    findings.extend(check_feed(config));
    if !is_device_name(&config.tunnel.device) {
        findings.push(config.refused("tunnel.device", "write 1 to 15 letters, digits, '-', '_' or '.', such as \"ha0\""));
    }
    if !(MIN_MTU..=MAX_MTU).contains(&config.tunnel.mtu) {
        findings.push(config.refused("tunnel.mtu", format!("write {MIN_MTU} to {MAX_MTU}")));
    }
    if !RECEIVE_BUFFERS.contains(&config.tunnel.receive_buffer) {
        let (least, most) = RECEIVE_BUFFERS.into_inner();
        findings.push(config.refused("tunnel.receive-buffer", format!("write {least} to {most} octets")));
    }
    if config.tunnel.workers.is_some_and(|workers| !(1..=Share::MAX).contains(&workers)) {
        let remedy = format!("write 1 to {}, or leave it out for one on each processor", Share::MAX);
        findings.push(config.refused("tunnel.workers", remedy));
    }
    if config.routes.protocol < FIRST_FREE_PROTOCOL {
        let remedy = "it belongs to the kernel or the administrator; write 5 to 255, such as 78";
        findings.push(config.refused("routes.protocol", remedy));
    }
    findings.extend(check_fallback(config));
    findings.extend(check_home_link(config));
    findings
}

fn check_home_link(config: &Located<Config>) -> Option<Finding> {
    let name = config.home_link.as_ref()?;
    let remedy = if !is_device_name(name) {
        "name an interface as `ip link` does, such as \"eth1\", or take it out"
    } else if *name == config.tunnel.device {
        "it is the tunnel's own device: name the interface that the home network is on, or take it out"
    } else {
        return None;
    };
    Some(config.refused("home-link", remedy))
}

fn check_listen(config: &Located<Config>) -> Vec<Finding> {
    if !(1..=MAX_LISTEN).contains(&config.listen.len()) {
        let remedy = format!("name 1 to {MAX_LISTEN} addresses, such as \"198.51.100.1:7872\"");
        return vec![config.refused("listen", remedy)];
    }
    let refused = |(index, address): (usize, &SocketAddr)| {
        let twice = config.listen.iter().take(index).any(|before| before == address);
        let remedy = if address.ip().is_unspecified() || address.port() == 0 {
            "name the address itself and a port; mobile nodes are told an address, and answers must come from it"
        } else if address.ip().is_multicast() {
            "nobody can send from it; name an address of this host"
        } else if twice {
            "it stands there twice; take one out"
        } else {
            return None;
        };
        Some(config.refused(&format!("listen.{index}"), remedy))
    };
    config.listen.iter().enumerate().filter_map(refused).collect()
}

fn check_fallback(config: &Located<Config>) -> Vec<Finding> {
    let Some(fallback) = &config.fallback else { return Vec::new() };
    let mut findings = Vec::new();
    if !(1..=MAX_LISTEN).contains(&fallback.listen.len()) {
        findings.push(config.refused("fallback.listen", format!("name 1 to {MAX_LISTEN} addresses, such as \"[::]:443\"")));
    }
    let without_port = fallback.listen.iter().position(|address| address.port() == 0);
    findings.extend(without_port.map(|index| {
        config.refused(&format!("fallback.listen.{index}"), "name the port that the HAC tells mobile nodes, such as \"[::]:443\"")
    }));
    if fallback.connections == 0 {
        findings.push(config.refused("fallback.connections", "write 1 to 65535, or take the section out"));
    }
    findings
}

fn check_feed(config: &Located<Config>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Feed { address, server_name } = &config.feed;
    if !is_host_and_port(address) {
        let remedy = "write HOST:PORT, such as \"198.51.100.10:7873\" or \"[2001:db8::10]:7873\"";
        findings.push(config.refused("feed.address", remedy));
    }
    if !net::tls::is_name(server_name) {
        let remedy = "write the DNS name or the address that the HAC's certificate has, such as \"hac.example.org\"";
        findings.push(config.refused("feed.server-name", remedy));
    }
    findings
}

fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inside) => inside.parse::<Ipv6Addr>().is_ok(),
        None => !host.contains([':', '[', ']']) && net::tls::is_name(host),
    };
    host && port.parse::<u16>().is_ok_and(|port| port != 0)
}

/// The PEM files that the configuration names, read and found to be what they should be.
///
/// # Errors
/// The first that cannot be used, with the place of the key that names it.
pub fn tls_files(config: &Located<Config>) -> Result<TlsFiles, ConfigError> {
    let Config { certificate, key, ca, .. } = &**config;
    let refused = |path| move |error: TlsError| config.refused_file(path, error);
    net::tls::load_certificates(&config.resolve(certificate)).map_err(refused(certificate))?;
    net::tls::load_key(&config.resolve(key)).map_err(refused(key))?;
    net::tls::load_authorities(&config.resolve(ca)).map_err(refused(ca))?;
    let key = Secret::new(config.read(key)?.into_bytes());
    Ok(TlsFiles { ca: config.read(ca)?, certificate: config.read(certificate)?, key })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"name = "ha1"
listen = ["198.51.100.1:7872", "[2001:db8:f::1]:7872"]
certificate = "ha.pem"
key = "ha-key.pem"
ca = "ca.pem"
control-socket = "/run/haltsec/ha.sock"
[feed]
address = "198.51.100.10:7873"
server-name = "hac.example.org"
[tunnel]
device = "ha0"
mtu = 1400
"#;

    fn load(text: &str) -> Result<Located<Config>, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ha.toml");
        std::fs::write(&file, text).unwrap();
        service::config::load::<Config>(&file).map_err(|error| error.to_string())
    }

    #[test]
    fn the_file_that_the_hac_writes_is_understood_and_routes_have_defaults() {
        let config = load(FILE).unwrap();
        assert_eq!(check(&config), Findings::default());
        assert_eq!((config.routes.protocol, config.routes.per_binding, config.listen.len()), (78, false, 2));
        assert!(!config.tunnel.host_services, "the host is closed unless someone opens it");
    }

    #[test]
    fn a_value_that_cannot_be_used_is_refused_where_it_stands_with_what_to_write() {
        let cases = [
            ("[\"198.51.100.1:7872\", \"[2001:db8:f::1]:7872\"]", "[]", ":2:1: listen = []: name 1 to 32 addresses"),
            ("198.51.100.1:7872", "0.0.0.0:7872", ":2:11: listen = \"0.0.0.0:7872\": name the address itself"),
            ("198.51.100.1:7872", "198.51.100.1:0", ":2:11: listen = \"198.51.100.1:0\": name the address itself"),
            ("198.51.100.1:7872", "224.0.0.1:7872", ":2:11: listen = \"224.0.0.1:7872\": nobody can send from it"),
            ("[2001:db8:f::1]:7872", "198.51.100.1:7872", ":2:32: listen = \"198.51.100.1:7872\": it stands there twice"),
            ("198.51.100.10:7873", "198.51.100.10", ":8:1: [feed] address = \"198.51.100.10\": write HOST:PORT"),
            ("198.51.100.10:7873", "2001:db8::10:7873", ":8:1: [feed] address = \"2001:db8::10:7873\": write HOST:PORT"),
            ("198.51.100.10:7873", ":7873", ":8:1: [feed] address = \":7873\": write HOST:PORT"),
            ("hac.example.org", "hac example", ":9:1: [feed] server-name = \"hac example\": write the DNS name"),
            ("\"ha0\"", "\"ha 0\"", ":11:1: [tunnel] device = \"ha 0\": write 1 to 15 letters"),
            ("mtu = 1400", "mtu = 1200", ":12:1: [tunnel] mtu = 1200: write 1280 to 9000"),
            (
                "mtu = 1400",
                "mtu = 1400\nworkers = 65",
                ":13:1: [tunnel] workers = 65: write 1 to 64, or leave it out for one on each processor",
            ),
            (
                "mtu = 1400",
                "mtu = 1400\nreceive-buffer = 1000",
                ":13:1: [tunnel] receive-buffer = 1000: write 16384 to 134217728 octets",
            ),
            ("mtu = 1400", "mtu = 1400\n[routes]\nprotocol = 4", ":14:1: [routes] protocol = 4: it belongs to"),
            ("[feed]", "home-link = \"eth/1\"\n[feed]", ":7:1: home-link = \"eth/1\": name an interface"),
            ("[feed]", "home-link = \"ha0\"\n[feed]", ":7:1: home-link = \"ha0\": it is the tunnel's own device"),
            ("mtu = 1400", "mtu = 1400\n[fallback]\nlisten = []", ":14:1: [fallback] listen = []: name 1 to 32 addresses"),
            (
                "mtu = 1400",
                "mtu = 1400\n[fallback]\nlisten = [\"[::]:0\"]",
                ":14:11: [fallback] listen = \"[::]:0\": name the port",
            ),
            (
                "mtu = 1400",
                "mtu = 1400\n[fallback]\nlisten = [\"[::]:443\"]\nconnections = 0",
                ":15:1: [fallback] connections = 0: write 1 to 65535",
            ),
        ];
        for (before, after, expected) in cases {
            let error = check(&load(&FILE.replacen(before, after, 1)).unwrap()).to_string();
            assert!(error.contains(&format!("/ha.toml{expected}")) && error.lines().count() == 1, "{expected}: {error}");
        }
        for good in ["hac.example.org:7873", "[2001:db8::10]:1", "localhost:65535"] {
            assert_eq!(check(&load(&FILE.replace("198.51.100.10:7873", good)).unwrap()), Findings::default(), "{good}");
        }
        assert!(load(&FILE.replace("device", "devise")).unwrap_err().contains("did you mean \"device\"?"));
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named_with_the_place_of_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let authority = fixture::Authority::new();
        let certified = authority.certify("ha1");
        let files =
            [("ha.toml", FILE), ("ha.pem", &certified.certificate), ("ha-key.pem", &certified.key), ("ca.pem", &authority.pem)];
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let config = service::config::load::<Config>(&folder.path().join("ha.toml")).unwrap();
        assert!(tls_files(&config).is_ok());
        for (name, place) in [("ha.pem", "3:1: certificate"), ("ha-key.pem", "4:1: key"), ("ca.pem", "5:1: ca")] {
            let good = std::fs::read(folder.path().join(name)).unwrap();
            std::fs::write(folder.path().join(name), "nothing").unwrap();
            let error = tls_files(&config).err().unwrap().to_string();
            let path = folder.path().join(name).display().to_string();
            assert!(error.contains(&format!("ha.toml:{place} = \"{name}\": {path} holds no ")), "{error}");
            std::fs::remove_file(folder.path().join(name)).unwrap();
            let error = tls_files(&config).err().unwrap().to_string();
            assert!(error.contains(place) && error.contains("check the path"), "{error}");
            std::fs::write(folder.path().join(name), good).unwrap();
        }
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let text = FILE.replace("198.51.100.1:7872", "0.0.0.0:7872").replace(":7873", "").replace("1400", "1");
        assert_eq!(check(&load(&text).unwrap()).errors(), 3);
    }
}
