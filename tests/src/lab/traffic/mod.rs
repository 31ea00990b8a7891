//! Traffic of the lab's checks, run as `labtool` inside the namespaces: a TCP transfer that proves its octets, a numbered UDP
//! stream that measures gaps, bursts that measure rates, and captured datagrams sent again. Results are one line of JSON.

pub mod advertise;
mod arrivals;
pub mod burst;
pub mod inject;
pub mod ping;
pub mod portal;
pub mod press;
pub mod relay;
pub mod tcp;
pub mod udp;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;

use super::deployment::SOON;
use super::{Daemon, Lab, plan, programs, wait_for};

/// TCP port of `labtool serve-tcp`.
pub const TCP_PORT: u16 = 5001;
/// UDP port of `labtool serve-udp`.
pub const UDP_PORT: u16 = 5002;

impl Lab {
    /// Runs `labtool` in a namespace and gives its report.
    pub fn labtool<T: DeserializeOwned>(&self, namespace: &str, words: &[&str]) -> Result<T> {
        let output = programs::run(self.command(namespace, programs::path("labtool")?).args(words))?;
        serde_json::from_str(&output).with_context(|| format!("labtool printed {output:?}"))
    }

    /// Starts the servers of transfers and streams on the correspondent node, and waits until they listen.
    pub fn serve_traffic(&self) -> Result<[Daemon; 2]> {
        Ok([self.serve(plan::CN, "serve-tcp", TCP_PORT)?, self.serve(plan::CN, "serve-udp", UDP_PORT)?])
    }

    /// Starts a server of `labtool` at every address of a namespace, and waits until it listens.
    pub fn serve(&self, namespace: &str, command: &str, port: u16) -> Result<Daemon> {
        let server = self.spawn(namespace, command, &programs::path("labtool")?, &[command, &format!("[::]:{port}")])?;
        wait_for("labtool to listen", SOON, || {
            let sockets = self.run(namespace, &["cat", "/proc/net/tcp6", "/proc/net/udp6"])?;
            Ok(sockets.contains(&format!(":{port:04X} ")).then_some(()))
        })?;
        Ok(server)
    }

    /// Sends octets from the mobile node to the correspondent node; fails unless they arrived as they were sent.
    pub fn send(&self, to: IpAddr, octets: u64) -> Result<tcp::Transfer> {
        self.transfer(tcp::Direction::Up, to, octets, 0)
    }

    /// Fetches octets from the correspondent node to the mobile node; fails unless they arrived as they were sent.
    pub fn fetch(&self, from: IpAddr, octets: u64) -> Result<tcp::Transfer> {
        self.transfer(tcp::Direction::Down, from, octets, 0)
    }

    /// Either of both, `rate` octets a second at most (0: as many as go).
    pub fn transfer(&self, direction: tcp::Direction, with: IpAddr, octets: u64, rate: u64) -> Result<tcp::Transfer> {
        let (verb, preposition) = if direction == tcp::Direction::Up { ("send", "--to") } else { ("fetch", "--from") };
        let (octets, with, rate) = (octets.to_string(), SocketAddr::new(with, TCP_PORT).to_string(), rate.to_string());
        let transfer: tcp::Transfer = self.labtool(plan::MN, &[verb, &octets, preposition, &with, "--rate", &rate])?;
        ensure!(transfer.intact, "{verb} {octets}: {transfer:?}");
        Ok(transfer)
    }

    /// Streams short numbered packets both ways between mobile node and correspondent node, `rate` a second.
    pub fn stream(&self, to: IpAddr, length: Duration, rate: u32) -> Result<udp::Streams> {
        self.load(to, length, udp::Load { rate, octets: 0 })
    }

    /// Streams numbered packets both ways between mobile node and correspondent node.
    pub fn load(&self, to: IpAddr, length: Duration, load: udp::Load) -> Result<udp::Streams> {
        let (to, seconds) = (SocketAddr::new(to, UDP_PORT).to_string(), length.as_secs_f64().to_string());
        let (rate, octets) = (load.rate.to_string(), load.octets.to_string());
        self.labtool(plan::MN, &["udp-stream", "--to", &to, "--seconds", &seconds, "--rate", &rate, "--octets", &octets])
    }
}

/// Runs `body` while `traffic` runs, and gives what `traffic` came to; traffic that ended before `body` did is a failure.
pub fn during<T: Send>(traffic: impl FnOnce() -> Result<T> + Send, body: impl FnOnce() -> Result<()>) -> Result<T> {
    std::thread::scope(|scope| {
        let traffic = scope.spawn(traffic);
        let outcome = body();
        let still_running = !traffic.is_finished();
        let result = traffic.join().map_err(|_| anyhow::anyhow!("the traffic's thread failed"))?;
        outcome?;
        let result = result?;
        ensure!(still_running, "the traffic had ended before what was to happen meanwhile");
        Ok(result)
    })
}
