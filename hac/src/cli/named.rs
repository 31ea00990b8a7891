//! Subscribers and home agents by the name that a person typed; one that is not there is an error with those that are like it.

use std::time::SystemTime;

use service::config::distance;

use super::CliError;
use crate::store::{HomeAgent, Store, Subscriber, canonical_nai};

/// One letter in so many may be another in a home agent's name that is meant.
const LIKENESS: usize = 3;

/// The subscriber of this name.
pub(super) fn subscriber(store: &mut dyn Store, nai: &str) -> Result<Subscriber, CliError> {
    match store.subscriber(nai, SystemTime::now())? {
        Some(subscriber) => Ok(subscriber),
        None => {
            let (name, like) = (canonical_nai(nai), store.names_like(nai)?);
            Err(CliError::Unknown { what: "subscriber", name, like, list: "hac subscriber list" })
        }
    }
}

/// The home agent of this name.
pub(super) fn home_agent(store: &mut dyn Store, name: &str) -> Result<HomeAgent, CliError> {
    if let Some(home_agent) = store.home_agent(name)? {
        return Ok(home_agent);
    }
    let tolerance = name.chars().count().div_ceil(LIKENESS);
    let mut like: Vec<_> = store.home_agents(SystemTime::now())?.into_iter().map(|(home_agent, _)| home_agent.name).collect();
    like.retain(|other| distance(other, name) <= tolerance);
    Err(CliError::Unknown { what: "home agent", name: name.to_owned(), like, list: "hac ha list" })
}

/// "; did you mean …?", or nothing.
pub(super) fn suggestion(like: &[String]) -> String {
    let quoted: Vec<_> = like.iter().map(|name| format!("\"{name}\"")).collect();
    if quoted.is_empty() { String::new() } else { format!(" (did you mean {}?)", quoted.join(" or ")) }
}
