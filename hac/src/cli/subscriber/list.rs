//! `hac subscriber list`.

use std::path::Path;
use std::time::SystemTime;

use protocol::profile::WireProfile;
use protocol::sa::UserData;

use super::own_policy;
use crate::cli::{CliError, names, open, print_json};
use crate::store::Store;

pub(super) fn run(config: &Path, json: bool) -> Result<(), CliError> {
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
