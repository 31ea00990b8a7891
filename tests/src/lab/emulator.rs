//! Delay and loss between both access networks and everything else: what crosses the router `net` makes a detour through a TUN
//! device, whose other side is [`run`], a process of its own.
//!
//! Rules in `net` lead what comes from an access network, and what goes to one, into the device; what comes back out of it is
//! forwarded as ever. The mobile node and its gateway stay neighbours: an address is resolved at once, and a new care-of address
//! is usable as soon as without an emulator. Each packet passes once, so a round trip takes the link's delay twice.

pub mod attacker;
mod process;

use anyhow::{Context, Result, ensure};

pub use process::run;

use super::deployment::SOON;
use super::{Daemon, Lab, plan, programs, wait_for};
use crate::link::Link;
use attacker::Attack;

/// The device in `net`.
const DEVICE: &str = "detour";
/// The routing table that leads into it.
const TABLE: &str = "100";

/// A translator before the access network tracks each packet once: outside, as if there were no detour.
const UNTRACKED: &str = r#"
add table FAMILY detour
add chain FAMILY detour inside { type filter hook prerouting priority -310; }
add rule FAMILY detour inside iifname "ACCESS" notrack
add rule FAMILY detour inside iifname "detour" FAMILY daddr PREFIX notrack
"#;

/// The emulator; what crosses the router afterwards is lost.
#[derive(Debug)]
pub struct Emulator(Daemon);

impl Lab {
    /// Puts `link` between both access networks and the home agent, the HAC and whoever is behind them, in either direction.
    /// What it does to a packet follows from `seed` and from how many packets came before.
    pub fn emulate(&self, link: &Link, seed: u64) -> Result<Emulator> {
        self.emulate_attacked(link, seed, None)
    }

    /// The same with somebody on the way.
    pub fn emulate_attacked(&self, link: &Link, seed: u64, attack: Option<Attack>) -> Result<Emulator> {
        let [delay, jitter] = [link.delay, link.jitter].map(|time| time.as_secs_f64().to_string());
        let [loss, duplication] = [link.loss, link.duplication].map(|share| share.to_string());
        let seed = seed.to_string();
        let options =
            [("--delay", &delay), ("--jitter", &jitter), ("--loss", &loss), ("--duplication", &duplication), ("--seed", &seed)];
        let arguments: Vec<_> =
            ["emulate", DEVICE].into_iter().chain(options.iter().flat_map(|(name, value)| [*name, value])).collect();
        let (from, thefts) = attack.map(|attack| (attack.from.to_string(), attack.thefts.to_string())).unwrap_or_default();
        let attack = attack.map(|attack| {
            let withhold = if attack.withholds { "true" } else { "false" };
            ["--thief", &from, "--thefts", &thefts, "--withhold", withhold]
        });
        let arguments: Vec<_> = arguments.into_iter().chain(attack.into_iter().flatten()).collect();
        let mut process = self.spawn(plan::NET, "emulator", &programs::path("labtool")?, &arguments)?;
        wait_for("the emulator's device", SOON, || {
            process.check_running()?;
            Ok(self.output(plan::NET, &["ip", "link", "show", "dev", DEVICE])?.status.success().then_some(()))
        })?;
        self.detour()?;
        Ok(Emulator(process))
    }

    fn detour(&self) -> Result<()> {
        let mut lines = format!("link set {DEVICE} up\nroute add default dev {DEVICE} table {TABLE}\n");
        lines += &format!("-6 route add default dev {DEVICE} table {TABLE}\n");
        for access in [plan::WIFI, plan::LTE] {
            let (prefix, family) = (self.access(access)?.prefix, self.family(access).of_ip());
            lines += &format!("{family} rule add iif {access} lookup {TABLE} pref 100\n");
            for outside in [plan::HA, plan::HAC] {
                lines += &format!("{family} rule add iif {outside} to {prefix} lookup {TABLE} pref 100\n");
            }
        }
        for line in lines.lines() {
            let words: Vec<_> = std::iter::once("ip").chain(line.split(' ')).collect();
            self.run(plan::NET, &words)?;
        }
        for access in [plan::WIFI, plan::LTE] {
            let (prefix, family) = (self.access(access)?.prefix, self.family(access).of_nftables());
            let rules = UNTRACKED.replace("PREFIX", prefix).replace("ACCESS", access).replace("FAMILY", family);
            let mut nft = self.command(plan::NET, "nft");
            programs::run_with_input(nft.args(["-f", "-"]), &rules).context("the emulator needs nftables")?;
        }
        Ok(())
    }
}

impl Emulator {
    /// Fails, with the log, when the emulator has ended or had to drop a packet that the link would have carried.
    pub fn check(&mut self) -> Result<()> {
        self.0.check_running()?;
        let log = self.0.log();
        ensure!(log.is_empty(), "the emulator complains:\n{log}");
        Ok(())
    }
}
