//! A NAT64 between `lte`, which has no IPv4, and everybody's IPv4 addresses: tayga in `net`, which translates each packet on its own, and
//! behind it a translator of ports, so that outside all has the router's address.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use protocol::nat64::{IPV4_ONLY_ADDRESSES, Nat64Prefix};

use super::{Daemon, Lab, plan, programs};

/// tayga's device in `net`.
const DEVICE: &str = "nat64";
/// What tayga makes of the addresses on `lte`, one by one.
const POOL: &str = "100.64.64.0/24";
/// tayga's own.
const OWN: &str = "100.64.64.1";

/// Nobody on `lte` reaches the home agent or the HAC natively, and all of the pool stands outside as the router.
const RULES: &str = "
table inet nat64 {
    chain forward {
        type filter hook forward priority filter;
        iifname \"lte\" ip6 daddr { HA6, HAC6 } meta l4proto { tcp, udp } th dport PORT drop
    }
    chain postrouting {
        type nat hook postrouting priority srcnat;
        ip saddr POOL masquerade
    }
}
";

impl Lab {
    /// Starts a NAT64 whose IPv4 addresses have this prefix; ended when dropped.
    pub fn nat64(&self, prefix: Nat64Prefix) -> Result<Daemon> {
        programs::require(&["tayga", "nft"])?;
        let (data, config) = (self.folder().join("tayga"), self.folder().join("tayga.conf"));
        fs::create_dir_all(&data)?;
        let text = format!(
            "tun-device {DEVICE}\nipv4-addr {OWN}\nprefix {prefix}\ndynamic-pool {POOL}\ndata-dir {}\n",
            data.to_str().context("the lab's folder is no UTF-8")?
        );
        fs::write(&config, text)?;
        let config = config.to_str().context("the lab's folder is no UTF-8")?;
        self.run(plan::NET, &["tayga", "--config", config, "--mktun"])?;
        self.ip_batch(
            plan::NET,
            &format!("link set {DEVICE} up\nroute add {prefix} dev {DEVICE}\nroute add {POOL} dev {DEVICE}"),
        )?;
        let words = [
            ("HA6", plan::HA_OUTER6.to_string()),
            ("HAC6", plan::HAC6.to_string()),
            ("PORT", plan::PORT.to_string()),
            ("POOL", POOL.to_owned()),
        ];
        let rules = words.iter().fold(RULES.to_owned(), |rules, (word, value)| rules.replace(word, value));
        programs::run_with_input(self.command(plan::NET, "nft").args(["-f", "-"]), &rules)?;
        self.spawn(plan::NET, "tayga", Path::new("tayga"), &["--config", config, "--nodetach"])
    }

    /// Has the router of `lte` say again and again, until dropped, which prefix the NAT64 has, and for how long.
    pub fn advertise_nat64(&self, prefix: Nat64Prefix, lifetime: Duration) -> Result<Daemon> {
        self.sysctls(plan::MN, &[("ipv6/conf/lte/accept_ra", "2")])?;
        let line = self.run(plan::NET, &["ip", "-o", "link", "show", "dev", plan::LTE])?;
        let index = line.split(':').next().context("no index")?;
        let (network, length, seconds) =
            (prefix.network().to_string(), prefix.length().to_string(), lifetime.as_secs().to_string());
        let words = ["advertise-nat64", index, &network, "--length", &length, "--lifetime", &seconds];
        self.spawn(plan::NET, "advertise-nat64", &programs::path("labtool")?, &words)
    }
}

/// Lines of dnsmasq's configuration: what a DNS64 with this prefix has for the name that has IPv4 addresses alone.
pub fn dns64(prefix: Nat64Prefix) -> String {
    let known = IPV4_ONLY_ADDRESSES.iter().filter_map(|known| prefix.embed(*known));
    known.map(|address| format!("host-record=ipv4only.arpa,{address}\n")).collect()
}
