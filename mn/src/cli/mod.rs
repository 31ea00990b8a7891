//! `mn up | down | renew | portal | status | handovers | check-config`.
#![allow(clippy::print_stdout, reason = "the command line speaks on standard output")]

mod answers;
mod check_config;
mod down;
mod handovers;
mod portal;
mod renew;
mod status;
mod up;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use service::config::{ConfigError, Located};
use service::control::ControlError;

use crate::config::Config;
use crate::runtime::RuntimeError;

/// Mobile node: keeps a laptop's addresses and connections wherever it moves (RFC 6618).
#[derive(Debug, Parser)]
#[command(name = "mn", version, after_help = service::outcome::HELP)]
pub struct Arguments {
    /// Configuration file, as `hac subscriber add` writes it.
    #[arg(short, long, global = true, value_name = "FILE", default_value = "/etc/haltsec/mn.toml")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Authenticate, bind, and lead packets through the tunnel; returns when that is done. Needs root or CAP_NET_ADMIN.
    Up {
        /// Stay in the foreground, as a service manager wants it.
        #[arg(long)]
        foreground: bool,
    },
    /// De-register, stop, and put every route, rule and device back; also after a crash.
    Down,
    /// Authenticate now and register under the new keys; returns when that is done.
    Renew,
    /// Open a window for the login that this network wants: an HTTP proxy past the tunnel, until the node is registered.
    Portal {
        /// As JSON, schema 1, without waiting for the login.
        #[arg(long)]
        json: bool,
    },
    /// Show state, addresses and counters.
    Status {
        /// As JSON, schema 1.
        #[arg(long)]
        json: bool,
    },
    /// Show the latest moves: how long each took, and what was lost in it.
    Handovers {
        /// As JSON, schema 1.
        #[arg(long)]
        json: bool,
    },
    /// Say what is wrong with the configuration and the files that it names, or what will hold. Changes nothing.
    CheckConfig {
        /// As JSON, schema 1.
        #[arg(long)]
        json: bool,
    },
}

impl Arguments {
    /// Whether the command was asked for JSON: then a failure is told in it too.
    pub fn wants_json(&self) -> bool {
        match self.command {
            Command::Portal { json } | Command::Status { json } | Command::Handovers { json } | Command::CheckConfig { json } => {
                json
            }
            Command::Up { .. } | Command::Down | Command::Renew => false,
        }
    }
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The control socket.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The node stopped.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The kernel refused.
    #[error(transparent)]
    Netlink(#[from] net::netlink::NetlinkError),
    /// The leak guard.
    #[error(transparent)]
    Guard(#[from] crate::leak_guard::GuardError),
    /// The host's resolver.
    #[error(transparent)]
    Dns(#[from] crate::dns::DnsError),
    /// A process or file.
    #[error("{what}: {source}; {remedy}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: std::io::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// It is not up.
    #[error("{0}")]
    NotUp(String),
    /// No login is wanted, or it was not done.
    #[error("{0}")]
    Portal(String),
    /// It has no new keys.
    #[error("{0}")]
    NotRenewed(String),
}

/// Runs the command that `arguments` name; gives the exit code.
///
/// # Errors
/// Why it failed; the text says what to do.
pub async fn run(arguments: Arguments) -> Result<ExitCode, CliError> {
    let load = || service::config::load::<Config>(&arguments.config);
    match arguments.command {
        Command::CheckConfig { json } => return Ok(check_config::run(&arguments.config, json)),
        Command::Up { foreground: true } => up::foreground(&load()?).await?,
        Command::Up { foreground: false } => up::background(&load()?).await?,
        Command::Down => down::run(&load()?).await?,
        Command::Renew => renew::run(&load()?).await?,
        Command::Portal { json } => portal::run(&load()?, json).await?,
        Command::Status { json } => status::run(&load()?, json).await?,
        Command::Handovers { json } => handovers::run(&load()?, json).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Where the running node answers.
fn socket(config: &Located<Config>) -> PathBuf {
    config.resolve(&config.control_socket)
}

/// How to start the node that does not answer.
fn start_with(config: &Located<Config>) -> String {
    format!("mn --config {} up", config.file().display())
}
