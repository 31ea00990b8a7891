//! `ha.toml`. `hac ha add` writes one; every key has its place in the manual page and none is ignored.

use std::net::SocketAddr;
use std::path::PathBuf;

use net::tun::{MAX_MTU, MIN_MTU};
use serde::Deserialize;

/// The most addresses that a home agent listens on.
pub const MAX_LISTEN: usize = 32;

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
    /// Where the HAC is.
    pub feed: Feed,
    /// The TUN device.
    pub tunnel: Tunnel,
    /// What is routed to it.
    #[serde(default)]
    pub routes: Routes,
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

/// A value that cannot be used, though TOML and types are right.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// No address to listen on, or too many.
    #[error("listen has {0} addresses: name 1 to {MAX_LISTEN}, such as \"198.51.100.1:7872\"")]
    Listen(usize),
    /// An address that answers could not come from.
    #[error("listen {0}: name the address itself and a port; mobile nodes are told an address, and answers must come from it")]
    Unspecified(SocketAddr),
    /// Twice the same address.
    #[error("listen {0} stands there twice")]
    Twice(SocketAddr),
    /// An MTU that no tunnel can have.
    #[error("[tunnel] mtu {0} is not in {MIN_MTU} to {MAX_MTU}")]
    Mtu(u16),
    /// The protocol numbers of the kernel and of static routes.
    #[error("[routes] protocol {0} belongs to the kernel or the administrator: choose one from 5 to 255, such as 78")]
    Protocol(u8),
}

impl Config {
    /// Checks what TOML cannot.
    ///
    /// # Errors
    /// The first value that cannot be used.
    pub fn check(&self) -> Result<(), ValueError> {
        if !(1..=MAX_LISTEN).contains(&self.listen.len()) {
            return Err(ValueError::Listen(self.listen.len()));
        }
        for (index, address) in self.listen.iter().enumerate() {
            if address.ip().is_unspecified() || address.port() == 0 {
                return Err(ValueError::Unspecified(*address));
            }
            if self.listen.iter().take(index).any(|before| before == address) {
                return Err(ValueError::Twice(*address));
            }
        }
        if !(MIN_MTU..=MAX_MTU).contains(&self.tunnel.mtu) {
            return Err(ValueError::Mtu(self.tunnel.mtu));
        }
        if self.routes.protocol < 5 {
            return Err(ValueError::Protocol(self.routes.protocol));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        name = "ha1"
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

    fn load(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ha.toml");
        std::fs::write(&file, text).unwrap();
        service::config::load::<Config>(&file).map(service::config::Located::into_inner).map_err(|error| error.to_string())
    }

    #[test]
    fn the_file_that_the_hac_writes_is_understood_and_routes_have_defaults() {
        let config = load(FILE).unwrap();
        assert_eq!(config.check(), Ok(()));
        assert_eq!((config.routes.protocol, config.routes.per_binding, config.listen.len()), (78, false, 2));
    }

    #[test]
    fn a_value_that_cannot_be_used_is_named() {
        let cases = [
            ("198.51.100.1:7872", "0.0.0.0:7872", "listen 0.0.0.0:7872"),
            ("[2001:db8:f::1]:7872", "198.51.100.1:7872", "stands there twice"),
            ("mtu = 1400", "mtu = 1200", "mtu 1200 is not in 1280 to 9000"),
            ("mtu = 1400", "mtu = 1400\n[routes]\nprotocol = 4", "protocol 4 belongs to"),
        ];
        for (before, after, complaint) in cases {
            let error = load(&FILE.replace(before, after)).unwrap().check().unwrap_err().to_string();
            assert!(error.contains(complaint), "{error}");
        }
        assert!(load(&FILE.replace("device", "devise")).unwrap_err().contains("did you mean \"device\"?"));
    }
}
