//! The command line of `ha`: `serve` runs it; `status` and `bindings` ask the running one.
#![allow(clippy::print_stdout, reason = "a command line prints")]

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use serde_json::Value;
use service::config::{self, Located};
use service::control::{ControlError, Request, ask};

use crate::config::Config;
use crate::gateway;

/// Home agent of Mobile IPv6 secured with TLS (RFC 6618).
#[derive(Debug, Parser)]
#[command(name = "ha", version)]
pub struct Arguments {
    /// The configuration file.
    #[arg(short, long, value_name = "FILE", default_value = "/etc/haltsec/ha.toml", global = true)]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the home agent until SIGINT or SIGTERM.
    Serve,
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
}

/// Does what the command line says.
///
/// # Errors
/// A text for the person at the terminal.
pub async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let config = config::load::<Config>(&arguments.config)?;
    match arguments.command {
        Command::Serve => {
            let shutdown = service::shutdown::requested()?;
            gateway::run(config, async { tracing::info!("{} received: the home agent stops", shutdown.await) }).await?;
        }
        Command::Status { json } => show(&question(&config, "status").await?, json, print_status),
        Command::Bindings { json } => show(&question(&config, "bindings").await?, json, print_bindings),
    }
    Ok(())
}

async fn question(config: &Located<Config>, request: &str) -> Result<Value, ControlError> {
    let start_with = format!("ha -c {} serve", config.file().display());
    ask(&config.resolve(&config.control_socket), &Request::new(request), &start_with).await
}

fn show(answer: &Value, json: bool, print: fn(&Value)) {
    if json { println!("{answer}") } else { print(answer) }
}

fn print_status(status: &Value) {
    let line = |name: &str, value: String| println!("{name:<22}{value}");
    line("name", text(status, "/name"));
    line("uptime", format!("{} s", text(status, "/uptime_seconds")));
    line("listens on", list(status, "/listen"));
    line("device", text(status, "/device"));
    line("group", text(status, "/group"));
    line("pools", list(status, "/pools"));
    line("feed", feed_line(status));
    let (held, reinit) = (text(status, "/security_associations/held"), text(status, "/security_associations/reinit_only"));
    line("security associations", format!("{held} ({reinit} only ask for re-initialisation)"));
    line("bindings", text(status, "/bindings"));
    for way in ["sent", "received"] {
        let (packets, octets) = (text(status, &format!("/{way}/packets")), text(status, &format!("/{way}/octets")));
        line(way, format!("{packets} packets, {octets} octets"));
    }
    for (reason, count) in status.pointer("/drops").and_then(Value::as_object).into_iter().flatten() {
        line("dropped", format!("{count} {reason}"));
    }
    for (name, count) in status.pointer("/io").and_then(Value::as_object).into_iter().flatten().filter(|(_, count)| **count != 0)
    {
        line(&format!("kernel: {}", name.replace('_', " ")), count.to_string());
    }
}

fn feed_line(status: &Value) -> String {
    let (address, since) = (text(status, "/feed/address"), text(status, "/feed/for_seconds"));
    if status.pointer("/feed/connected") == Some(&Value::Bool(true)) {
        return format!("connected to {address} for {since} s, revision {}", text(status, "/feed/revision"));
    }
    format!("not connected to {address} for {since} s: {}", text(status, "/feed/last_error"))
}

fn print_bindings(answer: &Value) {
    println!("{:<56} {:<24} {:<30} {:<11} {:>6} {:>6}", "HOME", "CARE-OF", "REMOTE", "SPI", "LEFT", "MOVES");
    for binding in answer.pointer("/bindings").and_then(Value::as_array).into_iter().flatten() {
        let column = |name: &str| text(binding, &format!("/{name}"));
        println!(
            "{:<56} {:<24} {:<30} {:<11} {:>6} {:>6}",
            list(binding, "/home"),
            column("care_of"),
            column("remote"),
            column("spi"),
            column("seconds_left"),
            column("moves")
        );
    }
    println!("{} in all", text(answer, "/count"));
}

fn text(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "-".to_owned(),
        Some(other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_))) => other.to_string(),
    }
}

fn list(value: &Value, pointer: &str) -> String {
    let items = value.pointer(pointer).and_then(Value::as_array);
    let items: Vec<&str> = items.into_iter().flatten().filter_map(Value::as_str).collect();
    if items.is_empty() { "-".to_owned() } else { items.join(" ") }
}
