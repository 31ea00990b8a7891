//! `hac subscriber enable | disable | remove`: who is let in.

use std::path::Path;
use std::time::{Duration, SystemTime};

use super::print_ended;
use crate::cli::{CliError, named, open, security_association};
use crate::store::{QUARANTINE, Selection, Store};

pub(super) fn enable(config: &Path, nai: &str) -> Result<(), CliError> {
    let (_, mut store) = open(config)?;
    let nai = named::subscriber(&mut store, nai)?.nai;
    store.set_enabled(&nai, true, SystemTime::now())?;
    println!("enabled       {nai}: he may authenticate again");
    Ok(())
}

pub(super) fn disable(config: &Path, nai: &str) -> Result<(), CliError> {
    let (_, mut store) = open(config)?;
    let nai = named::subscriber(&mut store, nai)?.nai;
    let ended = store.set_enabled(&nai, false, SystemTime::now())?;
    println!("disabled      {nai}: he is answered as if he were unknown");
    print_ended(&ended);
    Ok(())
}

pub(super) fn remove(config: &Path, nai: &str) -> Result<(), CliError> {
    let (_, mut store) = open(config)?;
    let subscriber = named::subscriber(&mut store, nai)?;
    let held = held_until(&mut store, &subscriber.nai)?;
    let ended = store.remove_subscriber(&subscriber.nai, SystemTime::now())?;
    println!("removed       {}: key, policy and name", subscriber.nai);
    print_ended(&ended);
    if let Some(until) = held.filter(|until| *until > SystemTime::now()) {
        let home: Vec<String> = subscriber.home.iter().map(ToString::to_string).collect();
        println!("held          {}: given to nobody before {}", home.join(", "), httpdate::fmt_http_date(until));
    }
    Ok(())
}

/// When the last association that names his home addresses is past its validity end and the quarantine.
fn held_until(store: &mut dyn Store, nai: &str) -> Result<Option<SystemTime>, CliError> {
    let mut last = None;
    let of = Selection { subscriber: Some(nai), ..Selection::default() };
    security_association::each(store, &of, true, |record| {
        last = last.max(Some(record.valid_until));
        Ok(())
    })?;
    Ok(last.map(|last| last + QUARANTINE + Duration::from_secs(1)))
}
