//! dumpcap on an interface of the lab. (Not tcpdump: it insists on changing its groups, which no rootless namespace allows.)

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Daemon, Lab, programs, wait_for};

/// The kernel hands a block of packets to dumpcap when it is full or after a while; what it still holds is lost at the end.
const HANDED_OVER: Duration = Duration::from_millis(700);

/// A capture that runs; ended by [`Capture::stop`].
#[derive(Debug)]
pub struct Capture {
    dumpcap: Daemon,
    file: PathBuf,
}

impl Lab {
    /// Captures what crosses `interface` in `namespace` into `NAME.pcap` of the lab's folder, `octets` of each packet at most
    /// (0: all), as far as the filter lets it through. Returns when dumpcap listens.
    pub fn capture(&self, namespace: &str, interface: &str, name: &str, octets: u32, filter: &str) -> Result<Capture> {
        programs::require(&["dumpcap"])?;
        // What is captured is what a real link would carry: segments, not the kernel's aggregates.
        self.run(namespace, &["ip", "link", "set", "dev", interface, "gso_max_segs", "1"])?;
        let file = self.folder().join(format!("{name}.pcap"));
        let path = file.to_str().context("the lab's folder is no UTF-8")?;
        let snaplen = octets.to_string();
        let arguments = ["-q", "-P", "-i", interface, "-s", &snaplen, "-B", "64", "-w", path, "-f", filter];
        let mut dumpcap = self.spawn(namespace, &format!("dumpcap-{name}"), Path::new("dumpcap"), &arguments)?;
        wait_for("dumpcap to listen", Duration::from_secs(10), || {
            dumpcap.check_running()?;
            Ok(dumpcap.log().contains("File: ").then_some(()))
        })?;
        Ok(Capture { dumpcap, file })
    }
}

impl Capture {
    /// Ends the capture after what is under way has been written.
    pub fn stop(mut self) -> Result<PathBuf> {
        std::thread::sleep(HANDED_OVER);
        self.dumpcap.terminate(Duration::from_secs(10))?;
        Ok(self.file)
    }
}
