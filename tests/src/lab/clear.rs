//! What the mobile node sends on its access networks beside the tunnel: a capture on each, of everything that does not go to
//! the home agent's or the HAC's port and is neither neighbour discovery on the link nor the node's own question, at the HAC's address,
//! whether the network wants a login.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::capture::Capture;
use super::{Lab, pcap, plan};

/// Octets of a captured packet that are kept.
const KEPT: u32 = 128;

/// Captures that run; looked at by [`Clear::stop`].
#[derive(Debug)]
pub struct Clear(Vec<(&'static str, Capture)>);

/// What was seen.
#[derive(Debug, Default)]
pub struct Leaked {
    /// Packets.
    pub packets: usize,
    /// Their octets, from the link's header on.
    pub octets: u64,
    /// Some of the UDP datagrams among them.
    pub some: Vec<String>,
}

impl Lab {
    /// Starts to capture on both access networks; `name` names the files.
    pub fn watch_for_clear(&self, name: &str) -> Result<Clear> {
        self.watch_for_clear_but(name, "")
    }

    /// The same, of which `excepted`, a filter's expression, is not counted.
    pub fn watch_for_clear_but(&self, name: &str, excepted: &str) -> Result<Clear> {
        let mut captures = Vec::new();
        for access in [plan::WIFI, plan::LTE] {
            let mut filter = self.filter(access)?;
            if !excepted.is_empty() {
                filter += &format!(" and not ({excepted})");
            }
            captures.push((access, self.capture(plan::NET, access, &format!("{name}-{access}"), KEPT, &filter)?));
        }
        Ok(Clear(captures))
    }

    fn filter(&self, access: &str) -> Result<String> {
        let text = self.run(plan::MN, &["ip", "-j", "link", "show", "dev", access])?;
        let links: serde_json::Value = serde_json::from_str(&text).context("`ip -j` printed no JSON")?;
        let own = links[0]["address"].as_str().context("no link-layer address")?;
        let servers = [plan::HA_OUTER4.into(), plan::HA_OUTER6.into(), plan::HAC4.into(), std::net::IpAddr::V6(plan::HAC6)];
        let servers = servers.map(|server| format!("dst host {server}")).join(" or ");
        let hac = format!("(dst host {} or dst host {})", plan::HAC4, plan::HAC6);
        Ok(format!(
            "ether src {own} and (ip or ip6) and not (({servers}) and dst port {}) and not ({hac} and tcp dst port 80) and not \
             (ip6 and (dst net fe80::/10 or dst net ff02::/16)) and not (icmp6 and ip6[40] >= 133 and ip6[40] <= 136)",
            plan::PORT
        ))
    }
}

impl Clear {
    /// Ends the captures and counts.
    pub fn stop(self) -> Result<Leaked> {
        let mut leaked = Leaked::default();
        for (access, capture) in self.0 {
            leaked.add(access, &capture.stop()?)?;
        }
        Ok(leaked)
    }
}

impl Leaked {
    fn add(&mut self, access: &str, file: &Path) -> Result<()> {
        let sizes = pcap::sizes(file)?;
        self.packets += sizes.len();
        self.octets += sizes.iter().map(|size| u64::from(*size)).sum::<u64>();
        let datagrams = pcap::read(file)?;
        self.some.extend(datagrams.iter().take(5).map(|one| format!("{access}: {} to {}", one.from, one.to)));
        Ok(())
    }

    /// Fails when there was anything.
    pub fn is_nothing(&self) -> Result<()> {
        ensure!(self.packets == 0, "in the clear: {self:?}");
        Ok(())
    }
}
