//! tcpdump on an interface of the lab.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Daemon, Lab, programs, wait_for};

/// The kernel hands a block of packets to tcpdump when it is full or after a second; what it still holds is lost at the end.
const HANDED_OVER: Duration = Duration::from_millis(1_300);

/// A capture that runs; ended by [`Capture::stop`].
#[derive(Debug)]
pub struct Capture {
    tcpdump: Daemon,
    file: PathBuf,
}

impl Lab {
    /// Captures what crosses `interface` in `namespace` into `NAME.pcap` of the lab's folder, `octets` of each packet at most
    /// (0: all), as far as the filter lets it through. Returns when tcpdump listens.
    pub fn capture(&self, namespace: &str, interface: &str, name: &str, octets: u32, filter: &str) -> Result<Capture> {
        programs::require(&["tcpdump"])?;
        // What is captured is what a real link would carry: segments, not the kernel's aggregates.
        self.run(namespace, &["ip", "link", "set", "dev", interface, "gso_max_segs", "1"])?;
        let file = self.folder().join(format!("{name}.pcap"));
        let path = file.to_str().context("the lab's folder is no UTF-8")?;
        let snaplen = octets.to_string();
        let arguments = ["-i", interface, "-s", &snaplen, "-B", "65536", "-n", "-U", "-Z", "root", "-w", path, filter];
        let mut tcpdump = self.spawn(namespace, &format!("tcpdump-{name}"), Path::new("tcpdump"), &arguments)?;
        wait_for("tcpdump to listen", Duration::from_secs(10), || {
            tcpdump.check_running()?;
            Ok(tcpdump.log().contains("listening on").then_some(()))
        })?;
        Ok(Capture { tcpdump, file })
    }
}

impl Capture {
    /// Ends the capture after what is under way has been written.
    pub fn stop(mut self) -> Result<PathBuf> {
        std::thread::sleep(HANDED_OVER);
        self.tcpdump.terminate(Duration::from_secs(10))?;
        Ok(self.file)
    }
}
