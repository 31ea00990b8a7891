//! A network address translator between access networks and the home agent and the HAC: nftables in `net`.
//!
//! What comes from behind it has the router's outer address and a port of the translator's choice. What comes for a port
//! that nobody behind it holds is dropped and counted, not answered. The lab has none until [`Lab::translate`].

use std::cell::Cell;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::mix::Family;
use super::plan::Access;
use super::{Lab, plan, programs};

/// Ports of each life of the translator: after all was forgotten, no mapping comes back by chance.
const PORTS: u16 = 300;
const FIRST_PORT: u16 = 20_000;
/// Connection tracking zones keep apart what one life knew from what the next one knows.
const FIRST_ZONE: u16 = 1;
const LIVES: u16 = 121;

/// The translator of access networks of one family.
#[derive(Debug)]
pub struct Nat<'lab> {
    lab: &'lab Lab,
    family: Family,
    networks: Vec<Access>,
    life: Cell<u16>,
}

impl Lab {
    /// Puts an access network behind a translator, at once and for good.
    pub fn translate(&self, access: &str) -> Result<Nat<'_>> {
        self.translate_each(&[access])
    }

    /// The same with several of one family, each behind an address of its own.
    pub(super) fn translate_each(&self, accesses: &[&str]) -> Result<Nat<'_>> {
        programs::require(&["nft"])?;
        let family = accesses.first().map(|access| self.family(access)).context("no network to translate")?;
        let networks = accesses.iter().map(|access| self.access(access)).collect::<Result<Vec<_>>>()?;
        for network in &networks {
            // One of them is the router's own there.
            let length = if network.outside.is_ipv4() { "/28" } else { "/64 nodad" };
            self.ip_batch(plan::NET, &format!("address replace {}{length} dev {}", network.outside, plan::HA))?;
        }
        let nat = Nat { lab: self, family, networks, life: Cell::new(0) };
        nat.begin_life()?;
        Ok(nat)
    }
}

impl Nat<'_> {
    /// Forgets every mapping, as a translator does that was switched off and on: the next packet from behind it gets
    /// another port, and what is sent to the old port goes nowhere.
    pub fn forget_mappings(&self) -> Result<()> {
        self.life.set(self.life.get() + 1);
        self.begin_life()
    }

    /// How long a mapping outlives the last packet that used it, in either direction. Holds for packets from now on.
    pub fn keep_mappings_for(&self, time: Duration) -> Result<()> {
        let seconds = time.as_secs().max(1).to_string();
        let names = ["netfilter/nf_conntrack_udp_timeout", "netfilter/nf_conntrack_udp_timeout_stream"];
        self.lab.sysctls(plan::NET, &names.map(|name| (name, seconds.as_str())))
    }

    /// UDP datagrams from outside that were dropped because no mapping was there.
    pub fn unmapped(&self) -> Result<u64> {
        let family = self.family.of_nftables();
        let text = self.lab.run(plan::NET, &["nft", "-j", "list", "counters", "table", family, "translator"])?;
        let answer: Value = serde_json::from_str(&text).context("`nft -j` printed no JSON")?;
        let rows = answer["nftables"].as_array().into_iter().flatten();
        let count = rows.filter_map(|row| row["counter"]["packets"].as_u64()).next();
        count.with_context(|| format!("`nft -j list counters` printed {text}"))
    }

    fn begin_life(&self) -> Result<()> {
        let life = self.life.get();
        ensure!(life < LIVES, "a translator of the lab forgets at most {} times", LIVES - 1);
        let first = FIRST_PORT + life * PORTS;
        let ports = format!("{first}-{}", first + PORTS - 1);
        let mut rules = RULES.replace("ZONE", &(FIRST_ZONE + life).to_string());
        for network in &self.networks {
            let outside = network.outside;
            let outside = if outside.is_ipv4() { format!("{outside}:{ports}") } else { format!("[{outside}]:{ports}") };
            rules += &SOURCES.replace("PREFIX", network.prefix).replace("OUTSIDE", &outside).replace("PORTS", &ports);
        }
        let rules = rules.replace("FAMILY", self.family.of_nftables());
        programs::run_with_input(self.lab.command(plan::NET, "nft").args(["-f", "-"]), &rules)
            .context("a translator needs nftables in the kernel, with nf_nat and connection tracking zones")
    }
}

/// One transaction: the counter stays as it is, all else is as it says from one packet to the next.
const RULES: &str = r#"
add table FAMILY translator
add counter FAMILY translator unmapped
add chain FAMILY translator zones { type filter hook prerouting priority raw; }
add chain FAMILY translator sources { type nat hook postrouting priority srcnat; }
add chain FAMILY translator strangers { type filter hook input priority filter; }
flush chain FAMILY translator zones
flush chain FAMILY translator sources
flush chain FAMILY translator strangers
add rule FAMILY translator zones ct state != untracked ct zone set ZONE
add rule FAMILY translator strangers iifname { "ha", "hac" } meta l4proto udp counter name unmapped drop
"#;

/// For each network. Towards the HAC all are the router's own address.
const SOURCES: &str = r#"
add rule FAMILY translator sources FAMILY saddr PREFIX oifname "ha" meta l4proto { tcp, udp } snat to OUTSIDE random
add rule FAMILY translator sources FAMILY saddr PREFIX oifname "hac" meta l4proto { tcp, udp } masquerade to :PORTS random
add rule FAMILY translator sources FAMILY saddr PREFIX oifname { "ha", "hac" } masquerade
"#;
