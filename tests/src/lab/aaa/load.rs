//! How many authentications a second there are: of our nodes through a HAC, and of `eapol_test` at the AAA server itself.
//!
//! Each authenticates anew as soon as it is done. Our nodes are what `mn` has without a device, in `labtool` ([`authenticate`]).

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use mn::config::Config;
use mn::hac_client::HacClient;
use serde::{Deserialize, Serialize};

use super::{AaaServer, Lab, SECRET};
use crate::lab::{plan, programs};

/// What a load came to.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Load {
    /// Authentications, all of them good.
    pub runs: usize,
    /// From the first one's begin to the last one's end.
    pub seconds: f64,
}

impl Load {
    /// Authentications a second.
    pub fn rate(&self) -> f64 {
        self.runs as f64 / self.seconds
    }
}

impl Lab {
    /// Nodes with these configurations authenticate side by side at the HAC, each so many times.
    pub fn authenticate(&self, nodes: &[PathBuf], times: usize) -> Result<Load> {
        let times = times.to_string();
        let mut words = vec!["authenticate", "--times", &times];
        for node in nodes {
            words.push(node.to_str().context("the lab's folder is no UTF-8")?);
        }
        self.labtool(plan::MN, &words)
    }

    /// One `eapol_test` for each of these `network` blocks, side by side, each so many times. Fails unless all succeed.
    pub fn eapol_tests(&self, networks: &[String], server: &AaaServer, times: usize) -> Result<Load> {
        programs::require(&["eapol_test"])?;
        let (address, port) = (server.address().ip().to_string(), server.address().port().to_string());
        let again = (times - 1).to_string();
        let mut commands = Vec::new();
        for (number, network) in networks.iter().enumerate() {
            let file = self.folder().join(format!("eapol_test-{number}.conf"));
            std::fs::write(&file, format!("network={{\nkey_mgmt=IEEE8021X\neapol_flags=0\n{network}\n}}\n"))?;
            let mut command = self.command(plan::HAC, "timeout");
            command.args(["120", "eapol_test", "-a", &address, "-p", &port, "-s", SECRET, "-t", "60", "-r", &again, "-c"]);
            command.arg(file).stdin(Stdio::null()).stdout(Stdio::null());
            commands.push(command);
        }
        let begun = Instant::now();
        let mut running = commands.iter_mut().map(|command| Ok(command.spawn()?)).collect::<Result<Vec<_>>>()?;
        for child in &mut running {
            let status = child.wait()?;
            ensure!(status.success(), "eapol_test ended with {status}");
        }
        Ok(Load { runs: networks.len() * times, seconds: begun.elapsed().as_secs_f64() })
    }
}

/// Authenticates with these configurations side by side, with each so many times; called by `labtool`.
///
/// # Errors
/// A configuration cannot be used, or the HAC grants nothing.
#[tokio::main]
pub async fn authenticate(nodes: &[PathBuf], times: usize) -> Result<Load> {
    let clients = nodes
        .iter()
        .map(|path| Ok(HacClient::configured(&service::config::load::<Config>(path)?)?))
        .collect::<Result<Vec<_>>>()?;
    let begun = Instant::now();
    let each = clients.into_iter().map(|client| {
        tokio::spawn(async move {
            for _ in 0..times {
                client.authenticate(|_| ()).await?;
            }
            anyhow::Ok(())
        })
    });
    for node in each.collect::<Vec<_>>() {
        node.await??;
    }
    Ok(Load { runs: nodes.len() * times, seconds: begun.elapsed().as_secs_f64() })
}
