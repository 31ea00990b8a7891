//! `hac subscriber show`.

use std::path::Path;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::list::as_json;
use super::policy::{in_effect, own_policy};
use super::prefix;
use crate::cli::{CliError, named, open, print_json, security_association as sa};
use crate::provisioning::Policy;
use crate::store::{AssociationRecord, Selection, Subscriber, SubscriberPolicy};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Network Access Identifier.
    nai: String,
    /// As JSON.
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(config: &Path, arguments: &Arguments) -> Result<(), CliError> {
    let (config, mut store) = open(config)?;
    let subscriber = named::subscriber(&mut store, &arguments.nai)?;
    let mut associations = Vec::new();
    let of = Selection { subscriber: Some(&subscriber.nai), ..Selection::default() };
    sa::each(&mut store, &of, false, |record| {
        associations.push(record.clone());
        Ok(())
    })?;
    let policy = config.policy();
    if arguments.json {
        print_json(shown(&subscriber, &policy, &associations));
    } else {
        print(&subscriber, &policy, &associations);
    }
    Ok(())
}

/// The object of the list, with the policy that holds and the associations.
fn shown(subscriber: &Subscriber, policy: &Policy, associations: &[AssociationRecord]) -> Value {
    let SubscriberPolicy { profile, suites, user_data } = in_effect(policy, &subscriber.policy);
    let now = SystemTime::now();
    let mut object = as_json(subscriber);
    object["in_effect"] = json!({
        "profile": profile.map(|profile| profile.name()),
        "suites": suites.map(|suites| crate::cli::names(&suites)),
        "user_data": user_data.map(|user_data| user_data.name()),
        "sa_lifetime_seconds": policy.sa_lifetime.as_secs(),
    });
    object["security_associations"] = associations.iter().map(|record| sa::as_json(record, now)).collect();
    object
}

fn print(subscriber: &Subscriber, policy: &Policy, associations: &[AssociationRecord]) {
    let line = |name: &str, value: String| println!("{name:<15} {value}");
    let home: Vec<String> = subscriber.home.iter().map(ToString::to_string).collect();
    let own = &subscriber.policy;
    line("subscriber", format!("{} ({})", subscriber.nai, if subscriber.enabled { "enabled" } else { "disabled" }));
    line("added", httpdate::fmt_http_date(subscriber.created));
    line(
        "home addresses",
        if home.is_empty() { "none yet: given when he first authenticates".to_owned() } else { home.join(" ") },
    );
    line("networks", prefix::words(&subscriber.prefixes));
    line("own policy", own_policy(own).unwrap_or_else(|| "none: the HAC's holds".to_owned()));
    let lifetime = policy.sa_lifetime.as_secs();
    let in_effect = own_policy(&in_effect(policy, own)).unwrap_or_default();
    line("in effect", format!("{in_effect}, associations of {lifetime} s"));
    line("live", sa::counted(associations.len() as u64));
    for record in associations {
        print_association(record);
    }
}

fn print_association(record: &AssociationRecord) {
    let (home_agent, left) = (record.home_agent.as_deref().unwrap_or("-"), sa::seconds_left(record, SystemTime::now()));
    let lease = record.lease.map_or_else(|| "not delivered yet".to_owned(), |lease| format!("lease {lease}"));
    println!("  {} at {home_agent}, {}, {}, user data {}", record.spi, record.suite, record.profile, record.user_data);
    println!("    issued {}, {lease}", httpdate::fmt_http_date(record.created));
    println!("    ends   {}, in {left} s", httpdate::fmt_http_date(record.valid_until));
}
