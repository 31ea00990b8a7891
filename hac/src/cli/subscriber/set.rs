//! `hac subscriber set`.

use std::path::Path;
use std::str::FromStr;

use clap::ArgGroup;
use protocol::profile::WireProfile;
use protocol::sa::{CipherSuite, UserData};

use super::policy::{check, in_effect, own_policy, warn};
use crate::cli::security_association::counted;
use crate::cli::{CliError, named, names, open};
use crate::store::{Store, Subscriber, SubscriberPolicy};

#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("change").required(true).multiple(true))]
pub(in crate::cli) struct Arguments {
    /// Network Access Identifier.
    nai: String,
    /// Wire profile, rfc6618 or draft-04; default: the HAC's.
    #[arg(long, group = "change")]
    profile: Option<OrDefault<WireProfile>>,
    /// A cipher suite that the subscriber is granted; may be repeated, in order of preference, and takes the place of all before.
    /// default: the HAC's.
    #[arg(long, value_name = "NAME", group = "change")]
    suite: Vec<OrDefault<CipherSuite>>,
    /// Whether user data may go in the clear: protected or clear; default: as the HAC's configuration says.
    #[arg(long, value_name = "HOW", group = "change")]
    user_data: Option<OrDefault<UserData>>,
}

/// A value, or the word "default" for the HAC's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OrDefault<T>(Option<T>);

impl<T: FromStr<Err: std::fmt::Display>> FromStr for OrDefault<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "default" => Ok(Self(None)),
            _ => text.parse().map(|value| Self(Some(value))).map_err(|problem| format!("{problem}, or \"default\"")),
        }
    }
}

pub(super) fn run(config: &Path, arguments: &Arguments) -> Result<(), CliError> {
    let (config, mut store) = open(config)?;
    let subscriber = named::subscriber(&mut store, &arguments.nai)?;
    let (policy, new) = (config.policy(), arguments.applied_to(&subscriber.policy)?);
    check(&policy, &new)?;
    store.set_policy(&subscriber.nai, &subscriber.policy, &new)?;
    println!("subscriber    {}", subscriber.nai);
    println!("own policy    {}", own_policy(&new).unwrap_or_else(|| "none: the HAC's holds".to_owned()));
    warn(&mut store, policy.profile_of(&new), &new)?;
    if subscriber.live_sas > 0 {
        println!("still live    {} as before: what is new holds from his next one on", counted(subscriber.live_sas.into()));
    }
    print_todo(&subscriber, &in_effect(&policy, &subscriber.policy), &in_effect(&policy, &new));
    Ok(())
}

impl Arguments {
    fn applied_to(&self, own: &SubscriberPolicy) -> Result<SubscriberPolicy, CliError> {
        let suites: Vec<CipherSuite> = self.suite.iter().filter_map(|suite| suite.0).collect();
        if !suites.is_empty() && suites.len() < self.suite.len() {
            return Err(CliError::Argument("--suite default: name suites or the default, not both".to_owned()));
        }
        Ok(SubscriberPolicy {
            profile: self.profile.map_or(own.profile, |profile| profile.0),
            suites: if self.suite.is_empty() { own.suites.clone() } else { Some(suites).filter(|suites| !suites.is_empty()) },
            user_data: self.user_data.map_or(own.user_data, |user_data| user_data.0),
        })
    }
}

/// What his mobile node's configuration has to say now.
fn print_todo(subscriber: &Subscriber, before: &SubscriberPolicy, now: &SubscriberPolicy) {
    let mut lines = Vec::new();
    let mut say = |key: String, why: &str| lines.push(format!("  {key:<40} # {why}"));
    if let Some(profile) = now.profile.filter(|_| now.profile != before.profile) {
        say(format!("profile = \"{profile}\""), "it must: under another profile he is answered as if he were unknown");
    }
    if let Some(suites) = now.suites.as_ref().filter(|_| now.suites != before.suites) {
        say(format!("suites = {:?}", names(suites)), "one of them at least");
    }
    if let Some(user_data) = now.user_data.filter(|_| now.user_data != before.user_data) {
        say(format!("user-data = \"{user_data}\""), "user data goes in the clear only where both ends want it");
    }
    if lines.is_empty() {
        return;
    }
    println!("\nNext: say in [policy] of his mn.toml\n{}", lines.join("\n"));
    println!("or write him a new folder, which has another key too:\n  hac subscriber rotate-psk {} --out DIR", subscriber.nai);
}
