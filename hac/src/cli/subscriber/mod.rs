//! `hac subscriber add | list | enable | disable`.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Subcommand;
use protocol::mhauth::{DEFAULT_PORT, Nai};
use protocol::profile::WireProfile;
use protocol::sa::{CipherSuite, Secret, UserData};
use rand::Rng;
use zeroize::Zeroizing;

use super::files::{Access, NewFiles, hex_line};
use super::mobile_node::{self, Targets};
use super::{CliError, names, open, print_json};
use crate::provisioning::{Policy, Request, can_be_told};
use crate::store::{NewSubscriber, Store, SubscriberPolicy, canonical_nai};

const PSK_LEN: usize = 32;
const FILES: [&str; 3] = ["mn.toml", "ca.pem", "psk"];

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Adds a subscriber and writes his mobile node's configuration with a fresh pre-shared key.
    Add(Add),
    /// Lists subscribers.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Lets a disabled subscriber in again.
    Enable {
        /// Network Access Identifier.
        nai: String,
    },
    /// Ends a subscriber's associations and answers him as if he were unknown.
    Disable {
        /// Network Access Identifier.
        nai: String,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Add {
    /// Network Access Identifier, such as alice@example.org.
    nai: String,
    /// Where the mobile node connects to; without it, it looks the HAC's name up. May be repeated.
    #[arg(long, value_name = "ADDRESS[:PORT]")]
    connect: Vec<String>,
    /// Wire profile, rfc6618 or draft-04; without it, the HAC's.
    #[arg(long)]
    profile: Option<WireProfile>,
    /// A cipher suite that the subscriber is granted, such as NULL_SHA; may be repeated, in order of preference. Without it, the
    /// HAC's.
    #[arg(long, value_name = "NAME")]
    suite: Vec<CipherSuite>,
    /// Whether user data may go in the clear: protected or clear; without it, as the HAC's configuration says.
    #[arg(long, value_name = "HOW")]
    user_data: Option<UserData>,
    /// The folder to write mn.toml, ca.pem and psk into.
    #[arg(long)]
    out: PathBuf,
}

pub(super) fn run(config: &Path, command: &Command) -> Result<(), CliError> {
    match command {
        Command::Add(arguments) => add(config, arguments),
        Command::List { json } => list(config, *json),
        Command::Enable { nai } => set_enabled(config, nai, true),
        Command::Disable { nai } => set_enabled(config, nai, false),
    }
}

fn add(config: &Path, arguments: &Add) -> Result<(), CliError> {
    let nai = &arguments.nai;
    let checked: Nai = nai.parse().map_err(|problem| CliError::Argument(format!("\"{nai}\": {problem}")))?;
    let nai = canonical_nai(checked.as_str());
    let targets = Targets::parse(&arguments.connect)?;
    let (config, mut store) = open(config)?;
    let policy = arguments.policy();
    check(&config.policy(), &policy)?;
    let mut files = NewFiles::new(&arguments.out, &FILES)?;
    let mut psk = Zeroizing::new(vec![0; PSK_LEN]);
    rand::rng().fill_bytes(psk.as_mut_slice());
    files.write("psk", &hex_line(&psk), Access::Secret)?;
    files.write("ca.pem", &config.read(&config.ca)?, Access::Public)?;
    files.write("mn.toml", &mobile_node::configuration(&config, &nai, &targets, &policy), Access::Public)?;
    let new = NewSubscriber { nai: &nai, psk: &Secret::new(std::mem::take(&mut *psk)), policy };
    store.add_subscriber(&new, SystemTime::now(), &mut rand::rng())?;
    let written = files.path("mn.toml");
    files.keep();
    println!("subscriber    {nai}");
    println!("written       {} with ca.pem and psk (secret) beside it", written.display());
    warn(&mut store, config.policy().profile_of(&new.policy), &new.policy)?;
    println!("\nNext: bring that folder to the mobile node over a safe channel, and there:\n  mn -c mn.toml up");
    Ok(())
}

impl Add {
    fn policy(&self) -> SubscriberPolicy {
        let suites = (!self.suite.is_empty()).then(|| self.suite.clone());
        SubscriberPolicy { profile: self.profile, suites, user_data: self.user_data }
    }
}

/// That a mobile node which offers everything would be given something.
fn check(policy: &Policy, own: &SubscriberPolicy) -> Result<(), CliError> {
    let everything = Request { nai: "", own, suites: &CipherSuite::ALL, user_data: UserData::Clear };
    let useless = || {
        CliError::Argument(
            "in profile draft-04 a suite that does not encrypt is granted only with user data in the clear and without replay \
             protection, where the subscriber's own policy says so: add --suite AES_128_GCM, or both --suite NULL_SHA and \
             --user-data clear"
                .to_owned(),
        )
    };
    policy.decide(&everything).map(drop).ok_or_else(useless)
}

/// What works, but perhaps not as it was meant.
fn warn(store: &mut dyn Store, profile: WireProfile, own: &SubscriberPolicy) -> Result<(), CliError> {
    let home_agents = store.home_agents(SystemTime::now())?;
    if !home_agents.is_empty() && !home_agents.iter().any(|(home_agent, _)| can_be_told(home_agent, profile)) {
        println!("warning       no home agent can serve him: in profile {profile} its UDP port must be {DEFAULT_PORT}");
    }
    if profile == WireProfile::Draft04 && own.suites.iter().flatten().any(|suite| !suite.encrypts()) {
        println!("warning       in profile {profile} a suite that does not encrypt has no replay protection either");
    }
    Ok(())
}

fn list(config: &Path, json: bool) -> Result<(), CliError> {
    let (_, mut store) = open(config)?;
    let subscribers = store.subscribers(SystemTime::now())?;
    if json {
        let rows: Vec<_> = subscribers
            .iter()
            .map(|row| {
                serde_json::json!({
                    "nai": row.nai,
                    "enabled": row.enabled,
                    "created": crate::store::unix_seconds(row.created),
                    "home": row.home,
                    "associations": row.live_sas,
                    "profile": row.policy.profile.map(WireProfile::name),
                    "suites": row.policy.suites.as_ref().map(|suites| names(suites)),
                    "user_data": row.policy.user_data.map(UserData::name),
                })
            })
            .collect();
        print_json(serde_json::json!({ "subscribers": rows }));
        return Ok(());
    }
    if subscribers.is_empty() {
        println!("no subscribers; add one with `hac subscriber add NAI --out DIR`");
    }
    for row in subscribers {
        let home: Vec<String> = row.home.iter().map(ToString::to_string).collect();
        let home = if home.is_empty() { "no home address yet".to_owned() } else { home.join(" ") };
        let state = if row.enabled { "enabled" } else { "disabled" };
        let since = httpdate::fmt_http_date(row.created);
        println!("{:<32} {state:<8} {:>2} SAs  {home}  (since {since}){}", row.nai, row.live_sas, own_policy(&row.policy));
    }
    Ok(())
}

/// What is not the HAC's default, in the words of the options that set it.
pub(super) fn own_policy(policy: &SubscriberPolicy) -> String {
    let mut words = Vec::new();
    words.extend(policy.profile.map(|profile| format!("profile {profile}")));
    words.extend(policy.suites.as_ref().map(|suites| format!("suites {}", names(suites).join(" "))));
    words.extend(policy.user_data.map(|user_data| format!("user data {user_data}")));
    if words.is_empty() { String::new() } else { format!("  [{}]", words.join(", ")) }
}

fn set_enabled(config: &Path, nai: &str, enabled: bool) -> Result<(), CliError> {
    let (_, mut store) = open(config)?;
    store.set_enabled(nai, enabled)?;
    if enabled {
        println!("{nai} may authenticate again");
    } else {
        println!("{nai} is disabled; connected home agents drop its associations within a second");
    }
    Ok(())
}
