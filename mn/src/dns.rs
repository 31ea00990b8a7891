//! The name servers that the HAC granted: the host asks them, and them alone, while the node is registered.
//!
//! Told through what the host's own resolver is made by (`choose`): `resolved`, `resolvconf`, or `file` itself, in the place of
//! NetworkManager's (`network_manager`) or of the operator's. Somebody else may take that away at any time, a DHCP client or a daemon
//! that starts anew, so it is looked at from time to time, whenever the system bus or the folder of the file says that something has
//! changed (`changes`), and after sleep (`keeper`). The node's own look-ups go on asking the network's
//! servers ([`name_servers`]).

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use protocol::addr::HomeAddress;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::{self, Tunnel};
use crate::status::SharedStatus;

mod changes;
mod choose;
mod file;
mod keeper;
pub mod name_servers;
mod network_manager;
mod resolvconf;
mod resolved;

pub use name_servers::NameServers;

/// How long the end of the node waits for everything to be put back.
const PATIENCE: Duration = Duration::from_secs(6);

/// Through what the host is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// systemd-resolved.
    Resolved,
    /// openresolv or Debian's resolvconf.
    Resolvconf,
    /// `/etc/resolv.conf` in the place of NetworkManager's.
    NetworkManager,
    /// `/etc/resolv.conf`.
    File,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolved => "systemd-resolved",
            Self::Resolvconf => "resolvconf",
            Self::NetworkManager => "NetworkManager's /etc/resolv.conf",
            Self::File => "/etc/resolv.conf",
        })
    }
}

/// Why the host could not be told.
#[derive(Debug, thiserror::Error)]
pub enum DnsError {
    /// systemd-resolved or the bus.
    #[error("systemd-resolved: {0}; is it running (`systemctl status systemd-resolved`)?")]
    Bus(#[from] zbus::Error),
    /// A file.
    #[error("{what}: {source}; run as root, or set mode = \"off\" in [dns]")]
    File {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// A program.
    #[error("{program} failed: {said}; is it installed, and was it run as root?")]
    Program {
        /// Its name.
        program: String,
        /// What it printed.
        said: String,
    },
}

/// The tunnel's device, as daemons are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Device {
    name: String,
    /// 0 when there is none any more.
    index: u32,
}

/// What is to be so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Wanted {
    /// Empty: the host asks whom it asked before.
    servers: Vec<IpAddr>,
    /// Counts demands to look whether it is so.
    looks: u64,
}

/// Keeps the host told. Ends with [`Self::put_back`].
pub struct Dns {
    /// Destinations that go through the tunnel.
    routes: Vec<IpNet>,
    granted: Vec<IpAddr>,
    wanted: watch::Sender<Wanted>,
    keeper: JoinHandle<()>,
}

impl Dns {
    /// Nothing is told yet. `index` is the interface index of the tunnel's device. Needs a tokio runtime.
    pub fn start(config: config::Dns, tunnel: &Tunnel, index: u32, status: &SharedStatus) -> Self {
        let (wanted, wishes) = watch::channel(Wanted::default());
        let device = Device { name: tunnel.device.clone(), index };
        // A resolver that is asked for everything must be reached for everything.
        let mode = if is_full(tunnel) { config.mode } else { config::DnsMode::Off };
        let keeper = tokio::spawn(keeper::run(mode, device, wishes, status.clone()));
        Self { routes: tunnel.routes.clone(), granted: Vec::new(), wanted, keeper }
    }

    /// The HAC granted these name servers; they are asked from the next [`Self::registered`] on.
    pub fn granted(&mut self, servers: &[IpAddr]) {
        self.granted = servers.to_vec();
    }

    /// The binding stands for these home addresses: the name servers of their families that were granted are reached through the
    /// tunnel. One that would be asked past it is not told.
    pub fn registered(&self, bound: &[HomeAddress]) {
        let is_reached = |server: &&IpAddr| {
            let is_bound = bound.iter().any(|home| home.0.is_ipv4() == server.is_ipv4());
            is_bound && self.routes.iter().any(|route| route.contains(*server))
        };
        let servers: Vec<_> = self.granted.iter().filter(is_reached).copied().collect();
        self.wanted.send_if_modified(|wanted| {
            let is_new = wanted.servers != servers;
            wanted.servers = servers;
            is_new
        });
    }

    /// Looks whether the host is still told so, and tells it anew if not.
    pub fn reassert(&self) {
        self.wanted.send_modify(|wanted| wanted.looks = wanted.looks.wrapping_add(1));
    }

    /// The host asks whom it asked before.
    pub async fn put_back(self) {
        drop(self.wanted);
        if tokio::time::timeout(PATIENCE, self.keeper).await.is_err() {
            tracing::warn!("the host's resolver does not answer: `mn down` puts its name servers back when it does");
        }
    }
}

/// Takes back what an earlier run has left; gives whether there was something.
///
/// # Errors
/// A file or a program refuses. What systemd-resolved knew has gone with the device.
pub async fn clean_up(tunnel: &Tunnel) -> Result<bool, DnsError> {
    let entry = resolvconf::entry(&tunnel.device);
    let of_resolvconf = resolvconf::is_there(&entry);
    if of_resolvconf {
        resolvconf::unset(&entry).await?;
    }
    Ok(network_manager::put_back().await? || of_resolvconf)
}

/// Whether something of the node's is left in the host's resolver, beside what goes with the device.
pub fn is_left(tunnel: &Tunnel) -> bool {
    is_left_at(&resolvconf::entry(&tunnel.device))
}

/// The same with our name at resolvconf.
fn is_left_at(entry: &str) -> bool {
    resolvconf::is_there(entry) || file::is_kept()
}

/// Whether everything of a family goes through the tunnel.
fn is_full(tunnel: &Tunnel) -> bool {
    tunnel.routes.iter().any(|route| route.prefix_len() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_would_be_asked_past_the_tunnel_is_not_told() {
        let (wanted, wishes) = watch::channel(Wanted::default());
        let routes = ["::/0", "10.0.0.0/8"].map(|route| route.parse().unwrap()).to_vec();
        let mut dns = Dns { routes, granted: Vec::new(), wanted, keeper: tokio::spawn(async {}) };
        let servers = ["2001:db8::53", "10.9.0.1", "192.0.2.53"].map(|server| server.parse().unwrap());
        let homes = ["2001:db8:100::7", "10.9.0.7"].map(|home| HomeAddress(home.parse().unwrap()));
        dns.granted(&servers);
        for (bound, told) in [(&homes[..1], &servers[..1]), (&homes[..], &servers[..2]), (&homes[1..], &servers[1..2])] {
            dns.registered(bound);
            assert_eq!(wishes.borrow().servers, told);
        }
    }
}
