//! The command line: `hac init | serve | check-config | ha | subscriber | sa | status`. Prints what it did and what to do next.
#![allow(clippy::print_stdout, reason = "a command line answers on standard output")]

mod certificates;
mod check_config;
mod files;
mod home_agent;
mod init;
mod mobile_node;
mod named;
mod security_association;
mod serve;
mod status;
mod subscriber;

use std::io;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};
use protocol::sa::CipherSuite;
use service::config::Located;

use crate::config::Config;
use crate::store::StoreError;
use crate::store::sealing::{KekError, KeyEncryptionKey};
use crate::store::sqlite::SqliteStore;

/// Version of what `--json` prints.
const SCHEMA: u32 = 1;

/// Home Agent Controller: authenticates mobile nodes and provisions their security associations (RFC 6618).
#[derive(Debug, Parser)]
#[command(name = "hac", version, after_help = service::outcome::HELP)]
pub struct Cli {
    /// The configuration file that `hac init` wrote.
    #[arg(short, long, global = true, default_value = "hac.toml")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes a folder with CA, certificate, key-encryption key, database and configuration.
    Init(init::Arguments),
    /// Serves mobile nodes and home agents until SIGTERM.
    Serve,
    /// Says what is wrong with the configuration, the files that it names and what is recorded, or what will hold. Changes nothing.
    CheckConfig {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Home agents.
    #[command(subcommand)]
    Ha(home_agent::Command),
    /// Subscribers.
    #[command(subcommand)]
    Subscriber(subscriber::Command),
    /// Security associations.
    #[command(subcommand)]
    Sa(security_association::Command),
    /// What the running HAC does; reads the database where none runs.
    Status {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

impl Cli {
    /// Whether a script reads what is printed.
    pub fn wants_json(&self) -> bool {
        match &self.command {
            Command::Init(_) | Command::Serve => false,
            Command::CheckConfig { json } | Command::Status { json } => *json,
            Command::Ha(command) => command.wants_json(),
            Command::Subscriber(command) => command.wants_json(),
            Command::Sa(command) => command.wants_json(),
        }
    }
}

/// Runs the command.
pub fn run(cli: Cli) -> Result<(), CliError> {
    match cli.command {
        Command::Init(arguments) => init::run(&arguments),
        Command::Serve => serve::run(&cli.config),
        Command::CheckConfig { json } => check_config::run(&cli.config, json),
        Command::Ha(command) => home_agent::run(&cli.config, &command),
        Command::Subscriber(command) => subscriber::run(&cli.config, &command),
        Command::Sa(command) => security_association::run(&cli.config, &command),
        Command::Status { json } => status::run(&cli.config, json),
    }
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The configuration, or a file that it names.
    #[error(transparent)]
    Config(#[from] service::config::ConfigError),
    /// Key-encryption key.
    #[error(transparent)]
    Kek(#[from] KekError),
    /// Database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A running HAC answered with an error.
    #[error(transparent)]
    Control(#[from] service::control::ControlError),
    /// The server cannot start or went down.
    #[error(transparent)]
    Serve(#[from] crate::serve::ServeError),
    /// A file is in the way.
    #[error("{0} exists and nothing is overwritten: choose another folder, or move the file away")]
    Exists(PathBuf),
    /// A file cannot be written.
    #[error("cannot write {path}: {source}; check the folder's permissions and free space")]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A certificate cannot be made.
    #[error("cannot make the certificate of {name}: {source}; check the CA certificate and key")]
    Certificate {
        /// Whose.
        name: String,
        /// Why.
        source: rcgen::Error,
    },
    /// The command has said everything itself.
    #[error("the configuration cannot be used")]
    Told,
    /// A name that is not there.
    #[error("there is no {what} \"{name}\"{}; `{list}` shows all", named::suggestion(like))]
    Unknown {
        /// "subscriber" or "home agent".
        what: &'static str,
        /// Which.
        name: String,
        /// Names that may have been meant.
        like: Vec<String>,
        /// The command that lists them.
        list: &'static str,
    },
    /// Standard output is gone.
    #[error("cannot write to standard output: {0}; is the disk full, or has the program that reads it ended?")]
    Output(#[from] io::Error),
    /// An argument that cannot work.
    #[error("{0}")]
    Argument(String),
    /// The runtime cannot start.
    #[error("cannot start the runtime: {0}; check the limits on threads and open files")]
    Runtime(io::Error),
}

/// Configuration and store of a command that works on the database.
fn open(config: &Path) -> Result<(Located<Config>, SqliteStore), CliError> {
    let config = crate::config::load(config)?;
    let store = open_store(&config)?;
    Ok((config, store))
}

fn open_store(config: &Located<Config>) -> Result<SqliteStore, CliError> {
    let kek = KeyEncryptionKey::read(&config.resolve(&config.key_encryption_key))
        .map_err(|error| config.refused_file(&config.key_encryption_key, error))?;
    Ok(SqliteStore::open(&config.resolve(&config.database), kek)?)
}

fn names(suites: &[CipherSuite]) -> Vec<&'static str> {
    suites.iter().map(|suite| suite.name()).collect()
}

fn print_json(mut object: serde_json::Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert("schema".to_owned(), SCHEMA.into());
    }
    println!("{object}");
}

#[cfg(test)]
mod tests;
