//! `hac sa list | revoke`, and how associations are read and shown.

mod list;
mod revoke;

use std::path::Path;
use std::time::SystemTime;

use clap::Subcommand;
use protocol::sa::Spi;
use serde_json::{Value, json};

use super::CliError;
use crate::store::{AssociationRecord, AssociationState, Selection, Store, unix_seconds};
pub(super) use revoke::end_all;

/// Associations that are read, or ended, in one transaction: mobile nodes are served between two.
const PAGE: usize = 512;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Lists live associations, without keys.
    List(list::Arguments),
    /// Ends associations before their time; connected home agents drop them within a second.
    Revoke(revoke::Arguments),
}

impl Command {
    pub(super) fn wants_json(&self) -> bool {
        match self {
            Self::List(arguments) => arguments.json,
            Self::Revoke(_) => false,
        }
    }
}

pub(super) fn run(config: &Path, command: &Command) -> Result<(), CliError> {
    match command {
        Command::List(arguments) => list::run(config, arguments),
        Command::Revoke(arguments) => revoke::run(config, arguments),
    }
}

/// Does `work` with each association of `of`, in SPI order, a page in memory at a time.
pub(super) fn each(
    store: &mut dyn Store,
    of: &Selection<'_>,
    all: bool,
    mut work: impl FnMut(&AssociationRecord) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let mut after = None;
    loop {
        let page = store.associations(of, all, after, PAGE, SystemTime::now())?;
        page.iter().try_for_each(&mut work)?;
        match page.last().filter(|_| page.len() == PAGE) {
            Some(last) => after = Some(last.spi),
            None => return Ok(()),
        }
    }
}

pub(super) fn as_json(record: &AssociationRecord, now: SystemTime) -> Value {
    json!({
        "spi": record.spi.to_string(),
        "subscriber": record.subscriber,
        "home_agent": record.home_agent,
        "home": home(record),
        "suite": record.suite.name(),
        "profile": record.profile.name(),
        "user_data": record.user_data.name(),
        "state": record.state.name(),
        "registered": record.is_registered,
        "created": unix_seconds(record.created),
        "valid_until": unix_seconds(record.valid_until),
        "seconds_left": seconds_left(record, now),
        "lease": record.lease,
        "aaa": record.is_authorised_by_aaa,
        "session": record.session,
    })
}

/// Until the validity end; 0 for one that is not live.
pub(super) fn seconds_left(record: &AssociationRecord, now: SystemTime) -> u64 {
    match record.state {
        AssociationState::Live => record.valid_until.duration_since(now).unwrap_or_default().as_secs(),
        AssociationState::Ended | AssociationState::Expired => 0,
    }
}

/// "1 association", "2 associations".
pub(super) fn counted(associations: u64) -> String {
    format!("{associations} association{}", if associations == 1 { "" } else { "s" })
}

fn home(record: &AssociationRecord) -> Vec<String> {
    record.home.iter().map(|home| home.0.to_string()).collect()
}

/// Hexadecimal as in the list, or decimal.
fn spi(text: &str) -> Result<Spi, String> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    number.ok().and_then(Spi::new).ok_or_else(|| "no SPI: write one as `hac sa list` does, such as 0x0001001".to_owned())
}
