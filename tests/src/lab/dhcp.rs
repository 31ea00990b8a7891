//! A DHCP server on `wifi`, dnsmasq in `net`, that may turn from an honest one into one that wants to read along, and a client for it.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::deployment::SOON;
use super::{Daemon, Lab, plan, programs, wait_for};

/// What a server gives to who asks, beside the mask, and the router as default gateway and name server.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    /// The first and the last address of its range.
    pub range: [Ipv4Addr; 2],
    /// What the router is said to lead to (option 121), each as `192.0.2.0/24`. A client takes these routes alone then (RFC 3442).
    pub routes: &'static [&'static str],
}

/// A running server; ended when dropped.
#[derive(Debug)]
pub struct DhcpServer {
    dnsmasq: Daemon,
    config: PathBuf,
    leases: PathBuf,
}

impl Lab {
    /// Starts a server that offers this.
    pub fn dhcp_server(&self, offer: &Offer) -> Result<DhcpServer> {
        programs::require(&["dnsmasq"])?;
        let [config, leases] = ["dhcp.conf", "dhcp.leases"].map(|name| self.folder().join(name));
        fs::write(&config, configuration(offer, &leases))?;
        let file = format!("--conf-file={}", config.to_str().context("the lab's folder is no UTF-8")?);
        let dnsmasq = self.spawn(plan::NET, "dhcp-server", Path::new("dnsmasq"), &["--no-daemon", &file])?;
        Ok(DhcpServer { dnsmasq, config, leases })
    }

    /// Starts dhcpcd for `wifi`, which takes what every client takes by itself. What it knows of its leases is in memory.
    pub fn dhcp_client(&self) -> Result<Daemon> {
        programs::require(&["dhcpcd"])?;
        programs::run(Command::new("mount").args(["-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/var/lib/dhcpcd"]))?;
        let config = self.folder().join("dhcpcd.conf");
        fs::write(&config, CLIENT)?;
        let config = config.to_str().context("the lab's folder is no UTF-8")?;
        // Its script would write the host's /etc/resolv.conf.
        let words = ["--nobackground", "--debug", "--config", config, "--script", "/bin/true", plan::WIFI];
        self.spawn(plan::MN, "dhcpcd", Path::new("dhcpcd"), &words)
    }

    /// Waits until the mobile node has an address of a server's range on `wifi`, and believes its routes; gives the address.
    pub fn wait_for_lease(&self, offer: &Offer) -> Result<IpAddr> {
        let [first, last] = offer.range;
        wait_for(&format!("an address of {first} to {last}, and routes"), SOON, || {
            let addresses = self.addresses(plan::MN, plan::WIFI)?;
            let routes = self.run(plan::MN, &["ip", "-4", "route", "show", "dev", plan::WIFI])?;
            let is_believed = |route: &&str| routes.contains(&format!("{} via ", route.trim_end_matches("/32")));
            let missing = ["default"].iter().chain(offer.routes).find(|route| !is_believed(route));
            ensure!(missing.is_none(), "{missing:?} is not among {routes}, with {addresses:?}");
            let is_offered = |address: &&IpAddr| (IpAddr::V4(first)..=IpAddr::V4(last)).contains(*address);
            Ok(addresses.iter().find(is_offered).copied())
        })
    }
}

impl DhcpServer {
    /// Offers something else from now on, and knows of no lease.
    pub fn turn(&mut self, offer: &Offer) -> Result<()> {
        self.dnsmasq.kill()?;
        fs::remove_file(&self.leases).context("the server has given no lease")?;
        fs::write(&self.config, configuration(offer, &self.leases))?;
        self.dnsmasq.restart()
    }
}

/// Authoritative: who asks for an address that is not of the range is told so at once, and asks for another.
fn configuration(offer: &Offer, leases: &Path) -> String {
    let ([first, last], wifi, leases) = (offer.range, plan::WIFI, leases.display());
    let router = plan::ROUTER4;
    let mut lines = format!(
        "port=0\ninterface={wifi}\nexcept-interface=lo\nbind-interfaces\nno-ping\nuser=root\ngroup=root\ndhcp-authoritative\nlog-dhcp\n\
         dhcp-leasefile={leases}\ndhcp-range={first},{last},255.255.255.0,2m\ndhcp-option=option:router,{router}\n\
         dhcp-option=option:dns-server,{router}\n"
    );
    if !offer.routes.is_empty() {
        let routes: String = offer.routes.iter().map(|route| format!(",{route},{router}")).collect();
        lines += &format!("dhcp-option=option:classless-static-route,0.0.0.0/0,{router}{routes}\n");
    }
    lines
}

/// Without its waiting for others that start at the same time, and its looking for who has the address.
const CLIENT: &str = "option classless_static_routes, routers, domain_name_servers, subnet_mask
require dhcp_server_identifier
nodelay
noarp
noipv4ll
ipv4only
";
