//! When a namespace's kernel reported an address, a route or a neighbour: `ip monitor`, each line with the time at which it came.

use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};

use super::deployment::SOON;
use super::{Lab, wait_for};

/// Kernel events of a namespace, as they come; ends when dropped.
#[derive(Debug)]
pub struct KernelEvents {
    monitor: Child,
    lines: Arc<Mutex<Vec<(Duration, String)>>>,
}

impl Lab {
    /// Watches addresses, routes and neighbours of a namespace from now on.
    pub fn kernel_events(&self, namespace: &str) -> Result<KernelEvents> {
        let mut command = self.command(namespace, "ip");
        command.args(["-o", "monitor", "address", "route", "neigh"]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut monitor = command.spawn().context("cannot start ip monitor")?;
        let output = monitor.stdout.take().context("no pipe")?;
        let lines: Arc<Mutex<Vec<_>>> = Arc::default();
        let heard = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                heard.lock().unwrap_or_else(PoisonError::into_inner).push((now(), line));
            }
        });
        let events = KernelEvents { monitor, lines };
        // It says nothing when it listens; what is changed here is changed back.
        wait_for("ip monitor to hear", SOON, || {
            self.ip_batch(namespace, "address add 127.0.0.77/32 dev lo\naddress delete 127.0.0.77/32 dev lo")?;
            Ok(events.first(Duration::ZERO, |line| line.contains("127.0.0.77")).map(drop))
        })?;
        Ok(events)
    }
}

impl KernelEvents {
    /// When this care-of address was usable on the access network, of an attachment that began at `since`: it was reported without
    /// the tentative flag, or as an optimistic one (RFC 4429), and a default route through the network.
    pub fn usable(&self, access: &str, care_of: IpAddr, since: Duration) -> Option<Duration> {
        let care_of = format!(" {care_of}/");
        let device = format!("dev {access} ");
        let new = |line: &str| !line.starts_with("Deleted");
        let usable = |line: &str| !line.contains(" tentative") || line.contains(" optimistic");
        let address = self.first(since, |line| new(line) && line.contains(&care_of) && usable(line))?;
        let route = self.first(since, |line| line.starts_with("default via ") && format!("{line} ").contains(&device))?;
        Some(address.max(route))
    }

    /// When this neighbour was reported as one that does not answer. The next packet to it has the kernel ask again at once.
    pub fn failed(&self, neighbour: IpAddr) -> Option<Duration> {
        let entry = format!("{neighbour} dev ");
        self.first(Duration::ZERO, |line| line.starts_with(&entry) && line.contains(" FAILED"))
    }

    fn first(&self, since: Duration, is_right: impl Fn(&str) -> bool) -> Option<Duration> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().find(|(at, line)| *at >= since && is_right(line)).map(|(at, _)| *at)
    }
}

impl Drop for KernelEvents {
    fn drop(&mut self) {
        let _ = self.monitor.kill();
        let _ = self.monitor.wait();
    }
}

/// Time since 1970, by the clock that captures have.
pub fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
