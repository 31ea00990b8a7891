//! `hac subscriber list`.

use std::path::Path;
use std::time::SystemTime;

use protocol::profile::WireProfile;
use protocol::sa::UserData;
use serde_json::{Value, json};

use super::policy::own_policy;
use crate::cli::{CliError, names, open, print_json};
use crate::store::{Store, Subscriber, unix_seconds};

pub(super) fn run(config: &Path, json: bool) -> Result<(), CliError> {
    let (_, mut store) = open(config)?;
    let subscribers = store.subscribers(SystemTime::now())?;
    if json {
        let rows: Vec<_> = subscribers.iter().map(as_json).collect();
        print_json(json!({ "subscribers": rows }));
        return Ok(());
    }
    if subscribers.is_empty() {
        println!("no subscribers; add one with `hac subscriber add NAI --out DIR`");
    }
    for row in subscribers {
        let own = own_policy(&row.policy).map(|words| format!("  [{words}]")).unwrap_or_default();
        let home: Vec<String> = row.home.iter().map(ToString::to_string).collect();
        let home = if home.is_empty() { "no home address yet".to_owned() } else { home.join(" ") };
        let state = if row.enabled { "enabled" } else { "disabled" };
        let since = httpdate::fmt_http_date(row.created);
        println!("{:<32} {state:<8} {:>2} SAs  {home}  (since {since}){own}", row.nai, row.live_sas);
    }
    Ok(())
}

/// One subscriber; null where the HAC's policy holds.
pub(super) fn as_json(subscriber: &Subscriber) -> Value {
    json!({
        "nai": subscriber.nai,
        "enabled": subscriber.enabled,
        "created": unix_seconds(subscriber.created),
        "home": subscriber.home,
        "mobile_network_prefixes": subscriber.prefixes.iter().map(|prefix| prefix.to_string()).collect::<Vec<_>>(),
        "associations": subscriber.live_sas,
        "profile": subscriber.policy.profile.map(WireProfile::name),
        "suites": subscriber.policy.suites.as_ref().map(|suites| names(suites)),
        "user_data": subscriber.policy.user_data.map(UserData::name),
    })
}
