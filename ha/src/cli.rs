//! The command line of `ha`: `serve` runs it; all else asks the running one.
#![allow(clippy::print_stdout, reason = "a command line prints")]

mod check_config;
mod tables;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use protocol::sa::Spi;
use serde_json::{Value, json};
use service::config::{self, Located};
use service::control::{ControlError, Request, ask};

use crate::config::Config;
use crate::gateway;

/// Home agent of Mobile IPv6 secured with TLS (RFC 6618).
#[derive(Debug, Parser)]
#[command(name = "ha", version, after_help = service::outcome::HELP)]
pub struct Arguments {
    /// The configuration file, as `hac ha add` writes it.
    #[arg(short, long, value_name = "FILE", default_value = "/etc/haltsec/ha.toml", global = true)]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the home agent until SIGINT or SIGTERM. Needs root or CAP_NET_ADMIN, and /dev/net/tun.
    Serve,
    /// Says what is wrong with the configuration and the files that it names, or what will hold. Changes nothing.
    CheckConfig {
        /// Prints {"schema":1, ...}.
        #[arg(long)]
        json: bool,
    },
    /// Shows feed, security associations, traffic and drops of the running home agent.
    Status {
        /// Prints {"schema":1, ...}.
        #[arg(long)]
        json: bool,
    },
    /// Lists the bindings of the running home agent.
    Bindings {
        /// Prints {"schema":1, ...}.
        #[arg(long)]
        json: bool,
    },
    /// Security associations with mobile nodes.
    Sa {
        #[command(subcommand)]
        command: SaCommand,
    },
}

#[derive(Debug, Subcommand)]
enum SaCommand {
    /// Lists the security associations of the running home agent, without keys.
    List {
        /// Prints {"schema":1, ...}.
        #[arg(long)]
        json: bool,
    },
    /// Has mobile nodes get new security associations from the HAC. What they have works until then.
    Renew {
        /// The SPI as in the list, such as 0x0001001.
        #[arg(value_name = "SPI", value_parser = spi, required_unless_present = "all", conflicts_with = "all")]
        spi: Option<Spi>,
        /// Every association, 100 a second.
        #[arg(long)]
        all: bool,
    },
}

impl Arguments {
    /// Whether the command was asked for JSON: then a failure is told in it too.
    pub fn wants_json(&self) -> bool {
        match self.command {
            Command::Status { json }
            | Command::Bindings { json }
            | Command::CheckConfig { json }
            | Command::Sa { command: SaCommand::List { json } } => json,
            Command::Serve | Command::Sa { command: SaCommand::Renew { .. } } => false,
        }
    }
}

/// Does what the command line says; gives the exit code.
///
/// # Errors
/// A text for the person at the terminal.
pub async fn run(arguments: Arguments) -> Result<ExitCode, Box<dyn std::error::Error + Send + Sync>> {
    let load = || config::load::<Config>(&arguments.config);
    match arguments.command {
        Command::CheckConfig { json } => return Ok(check_config::run(&arguments.config, json).await),
        Command::Serve => {
            let shutdown = service::shutdown::requested()?;
            gateway::run(load()?, async { tracing::info!("{} received: the home agent stops", shutdown.await) }).await?;
        }
        Command::Status { json } => show(&question(&load()?, Request::new("status")).await?, json, tables::print_status),
        Command::Bindings { json } => show(&question(&load()?, Request::new("bindings")).await?, json, tables::print_bindings),
        Command::Sa { command: SaCommand::List { json } } => {
            let answer = question(&load()?, Request::new("security-associations")).await?;
            show(&answer, json, tables::print_security_associations);
        }
        Command::Sa { command: SaCommand::Renew { spi, all } } => {
            tables::print_renewal(&question(&load()?, renewal(spi, all)).await?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn question(config: &Located<Config>, request: Request) -> Result<Value, ControlError> {
    let start_with = format!("ha -c {} serve", config.file().display());
    ask(&config.resolve(&config.control_socket), &request, &start_with).await
}

fn renewal(spi: Option<Spi>, all: bool) -> Request {
    let mut request = Request::new("renew");
    request.arguments.insert("all".to_owned(), json!(all));
    request.arguments.extend(spi.map(|spi| ("spi".to_owned(), json!(spi.get()))));
    request
}

/// Hexadecimal as in the list, or decimal.
fn spi(text: &str) -> Result<Spi, String> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    number.ok().and_then(Spi::new).ok_or_else(|| "no SPI: write one as `ha sa list` does, such as 0x0001001".to_owned())
}

fn show(answer: &Value, json: bool, print: fn(&Value)) {
    if json { println!("{answer}") } else { print(answer) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_spi_is_taken_as_it_is_listed_and_as_a_number_and_nothing_else_is() {
        let expected = Spi::new(0x1001).unwrap();
        for text in [expected.to_string(), "0x1001".to_owned(), "4097".to_owned()] {
            assert_eq!(spi(&text), Ok(expected), "{text}");
        }
        for text in ["", "0", "0x", "0x10000000", "1001h", "-1"] {
            assert!(spi(text).is_err(), "{text}");
        }
    }

    #[test]
    fn renew_wants_an_spi_or_all_and_not_both() {
        let parse = |words: &[&str]| Arguments::try_parse_from([&["ha", "sa", "renew"], words].concat());
        assert!(parse(&["0x1001"]).is_ok() && parse(&["--all"]).is_ok());
        assert!(parse(&[]).is_err() && parse(&["0x1001", "--all"]).is_err());
    }
}
