//! The network's own name servers, which the node's look-ups of its HAC go to: also while the host asks others through a tunnel that
//! may not carry anything any more.

use std::fmt::Write;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::file::{KEPT, RESOLV_CONF};
use super::{choose, network_manager, resolvconf, resolved};
use crate::system_bus;

/// Where they are found.
#[derive(Clone, Debug)]
pub struct NameServers {
    /// The tunnel's device, whose servers are not the network's.
    device: String,
}

/// What the network says, as a `resolv.conf`.
#[derive(Debug)]
pub struct Found {
    /// The file that was read, for messages.
    pub path: PathBuf,
    /// Its text, or one that is made of what a daemon says.
    pub text: Vec<u8>,
}

impl NameServers {
    /// Of a host whose tunnel has this device.
    pub fn beside(device: &str) -> Self {
        Self { device: device.to_owned() }
    }

    /// Looked up anew each time, since they change with the network. Behind systemd-resolved they are asked for, so that the node asks
    /// them itself, past the tunnel; where resolvconf or the node has written the file, they are what stood there without the node. What
    /// NetworkManager knows it keeps in a file of its own, also while the node's stands in the place of the other.
    ///
    /// # Errors
    /// There is no `/etc/resolv.conf`.
    pub async fn find(&self) -> io::Result<Found> {
        let path = if Path::new(KEPT).exists() { KEPT } else { RESOLV_CONF };
        let text = tokio::fs::read(path).await?;
        let found = |text| Found { path: PathBuf::from(path), text };
        let words = String::from_utf8_lossy(&text);
        if choose::is_stub(&words) {
            return Ok(found(self.of_resolved().await.unwrap_or(text)));
        }
        if let Some(text) = network_manager::has_made(&words).then(network_manager::name_servers).flatten() {
            return Ok(Found { path: network_manager::NAME_SERVERS.into(), text });
        }
        let entry = resolvconf::entry(&self.device);
        if resolvconf::is_there(&entry) {
            return Ok(found(resolvconf::of_other_entries(&entry).into_bytes()));
        }
        Ok(found(text))
    }

    /// `None` when it says nothing or knows none: then it is asked itself.
    async fn of_resolved(&self) -> Option<Vec<u8>> {
        let bus = system_bus::connect().await.ok()?;
        let own = net::link_names::index_of(&self.device).unwrap_or(0);
        let servers = resolved::of_other_links(&bus, own).await.ok()?;
        let text = servers.iter().fold(String::new(), |mut text, (link, server)| {
            // Writing to a String fails never.
            let _written = writeln!(text, "nameserver {}", scoped(*server, *link));
            text
        });
        (!text.is_empty()).then(|| text.into_bytes())
    }
}

/// With its interface, where the address says nothing without one.
fn scoped(server: IpAddr, link: u32) -> String {
    let is_link_local = matches!(server, IpAddr::V6(ip) if ip.is_unicast_link_local());
    match net::link_names::name_of(link).filter(|_| is_link_local) {
        Some(name) => format!("{server}%{name}"),
        None => server.to_string(),
    }
}
