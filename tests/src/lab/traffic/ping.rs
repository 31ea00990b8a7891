//! `ping` (iputils) inside a namespace, its answers as numbers.

use std::net::IpAddr;

use anyhow::{Context, Result, ensure};

use crate::lab::{Lab, programs};

/// What `ping` came to.
#[derive(Clone, Debug)]
pub struct Ping {
    /// Requests sent.
    pub sent: usize,
    /// Round-trip times of those answered, in milliseconds, in the order of arrival.
    pub milliseconds: Vec<f64>,
    /// All that `ping` printed.
    pub text: String,
}

impl Ping {
    /// The middle round-trip time, in milliseconds.
    pub fn median(&self) -> Option<f64> {
        let mut sorted = self.milliseconds.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied()
    }
}

impl Lab {
    /// Sends `count` echo requests, ten a second, one second for each answer, and takes what comes.
    pub fn ping(&self, namespace: &str, to: IpAddr, count: usize) -> Result<Ping> {
        let (number, target) = (count.to_string(), to.to_string());
        let output = self.output(namespace, &["ping", "-n", "-c", &number, "-i", "0.1", "-W", "1", &target])?;
        let text = programs::said(&output);
        let times = text.lines().filter_map(|line| line.split_once("time=")).filter_map(|(_, rest)| rest.split(' ').next());
        let milliseconds = times.map(str::parse).collect::<Result<_, _>>().context("`ping` prints its times in another form")?;
        Ok(Ping { sent: count, milliseconds, text })
    }

    /// Pings until every one of `count` requests was answered, else fails with what `ping` said.
    pub fn reaches(&self, namespace: &str, to: IpAddr, count: usize) -> Result<Ping> {
        let ping = self.ping(namespace, to, count)?;
        ensure!(ping.milliseconds.len() == count, "{to} did not answer every ping from {namespace}:\n{}", ping.text);
        Ok(ping)
    }
}
