//! DNS in the lab: dnsmasq beside the HAC, off every link of the mobile node, and the `/etc/resolv.conf` and `/etc/hosts` that
//! the lab's programs see.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Daemon, Lab, plan, programs, wait_for};

const SOON: Duration = Duration::from_secs(10);

/// A running name server; ended when dropped.
#[derive(Debug)]
pub struct NameServer {
    dnsmasq: Daemon,
    config: PathBuf,
}

impl Lab {
    /// Starts a name server at the HAC's addresses that knows what `records` say, in the words of dnsmasq's configuration, and of
    /// `example.org` nothing else; from here on it is the one that the lab's programs ask. Returns when it answers.
    pub fn name_server(&self, records: &str) -> Result<NameServer> {
        programs::require(&["dnsmasq"])?;
        self.etc("resolv.conf", &format!("nameserver {}\nnameserver {}\n", plan::HAC4, plan::HAC6))?;
        self.etc("hosts", "")?;
        let config = self.folder().join("dnsmasq.conf");
        fs::write(&config, configuration(records))?;
        let file = format!("--conf-file={}", config.to_str().context("the lab's folder is no UTF-8")?);
        // In the foreground dnsmasq keeps its user, as a rootless lab needs it.
        let dnsmasq = self.spawn(plan::HAC, "dnsmasq", Path::new("dnsmasq"), &["--no-daemon", &file])?;
        let mut server = NameServer { dnsmasq, config };
        server.wait_until_serving(1)?;
        Ok(server)
    }

    /// Gives the lab's programs a file of `/etc` of their own: `resolv.conf` or `hosts`. May be said again.
    pub fn etc(&self, name: &str, text: &str) -> Result<()> {
        let (own, shown) = (self.folder().join(name), Path::new("/etc").join(name));
        let is_shown = own.exists();
        fs::write(&own, text)?;
        if is_shown {
            return Ok(());
        }
        // A link into /run, which is the lab's own, leads nowhere.
        if let Ok(target) = fs::read_link(&shown) {
            let target = Path::new("/etc").join(target);
            if !target.exists() {
                fs::create_dir_all(target.parent().context("no folder")?)?;
                fs::write(&target, "")?;
            }
        }
        programs::run(Command::new("mount").arg("--bind").args([&own, &shown])).map(drop)
    }
}

impl NameServer {
    /// Knows what `records` say, and forgets what it knew.
    pub fn serve(&mut self, records: &str) -> Result<()> {
        fs::write(&self.config, configuration(records))?;
        self.stop()?;
        let starts = self.starts();
        self.dnsmasq.restart()?;
        self.wait_until_serving(starts + 1)
    }

    /// Ends it: queries get no answer, or an ICMP message at most.
    pub fn stop(&mut self) -> Result<()> {
        self.dnsmasq.kill()
    }

    /// Whether it was asked for records of this type and name.
    pub fn was_asked(&self, record: &str, name: &str) -> bool {
        self.dnsmasq.log().contains(&format!("query[{record}] {name} "))
    }

    fn starts(&self) -> usize {
        self.dnsmasq.log().matches("started, version").count()
    }

    fn wait_until_serving(&mut self, starts: usize) -> Result<()> {
        wait_for("dnsmasq to serve", SOON, || {
            self.dnsmasq.check_running()?;
            Ok((self.starts() == starts).then_some(()))
        })
    }
}

fn configuration(records: &str) -> String {
    let (hac4, hac6) = (plan::HAC4, plan::HAC6);
    format!(
        "no-resolv\nno-hosts\nuser=root\ngroup=root\nbind-interfaces\nlisten-address={hac4}\nlisten-address={hac6}\n\
         local=/example.org/\nlog-queries\n{records}\n"
    )
}
