//! `hac subscriber add | list | enable | disable`.

mod add;
mod list;

use std::path::Path;
use std::time::SystemTime;

use clap::Subcommand;
use protocol::mhauth::DEFAULT_PORT;
use protocol::profile::WireProfile;
use protocol::sa::{CipherSuite, UserData};

use super::{CliError, names, open};
use crate::provisioning::{Policy, Request, can_be_told};
use crate::store::{KeyId, Store, SubscriberPolicy};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Adds a subscriber and writes his mobile node's configuration with a fresh pre-shared key.
    Add(add::Arguments),
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

pub(super) fn run(config: &Path, command: &Command) -> Result<(), CliError> {
    match command {
        Command::Add(arguments) => add::run(config, arguments),
        Command::List { json } => list::run(config, *json),
        Command::Enable { nai } => set_enabled(config, nai, true),
        Command::Disable { nai } => set_enabled(config, nai, false),
    }
}

/// That a mobile node which offers everything would be given something.
fn check(policy: &Policy, own: &SubscriberPolicy) -> Result<(), CliError> {
    let everything = Request { nai: "", key: KeyId::default(), own, suites: &CipherSuite::ALL, user_data: UserData::Clear };
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
    store.set_enabled(nai, enabled, SystemTime::now())?;
    if enabled {
        println!("{nai} may authenticate again");
    } else {
        println!("{nai} is disabled; connected home agents drop its associations within a second");
    }
    Ok(())
}
