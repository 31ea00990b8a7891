//! `hac sa list`: written while it is read, whatever its length.

use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;
use std::time::SystemTime;

use super::{as_json, each, home, seconds_left};
use crate::cli::{CliError, SCHEMA, named, open};
use crate::store::{AssociationRecord, AssociationState, Selection, Store};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Those of this subscriber alone.
    #[arg(long, value_name = "NAI")]
    subscriber: Option<String>,
    /// Those at this home agent alone.
    #[arg(long, value_name = "NAME")]
    ha: Option<String>,
    /// Those too that have ended or run out, until their SPI is free again: ten minutes past the validity end.
    #[arg(long)]
    all: bool,
    /// As JSON.
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(config: &Path, arguments: &Arguments) -> Result<(), CliError> {
    let (_, mut store) = open(config)?;
    let subscriber = arguments.subscriber.as_ref().map(|nai| named::subscriber(&mut store, nai)).transpose()?;
    let home_agent = arguments.ha.as_ref().map(|name| named::home_agent(&mut store, name)).transpose()?;
    let of = Selection {
        spi: None,
        subscriber: subscriber.as_ref().map(|subscriber| subscriber.nai.as_str()),
        home_agent: home_agent.as_ref().map(|home_agent| home_agent.name.as_str()),
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let write = if arguments.json { write_json } else { write_table };
    match write(&mut store, &of, arguments.all, &mut out).and_then(|()| Ok(out.flush()?)) {
        // Who reads the first lines alone, as `head` does, has what he wants.
        Err(CliError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => {
            // What was not written yet would stand before the error's own object.
            let _unwritten = out.into_parts();
            Err(error)
        }
        Ok(()) => Ok(()),
    }
}

pub(super) fn write_json(store: &mut dyn Store, of: &Selection<'_>, all: bool, out: &mut dyn Write) -> Result<(), CliError> {
    let mut count = 0_u64;
    write!(out, "{{\"schema\":{SCHEMA},\"security_associations\":[")?;
    each(store, of, all, |record| {
        let comma = if count == 0 { "" } else { "," };
        count += 1;
        Ok(write!(out, "{comma}{}", as_json(record, SystemTime::now()))?)
    })?;
    Ok(writeln!(out, "],\"count\":{count}}}")?)
}

pub(super) fn write_table(store: &mut dyn Store, of: &Selection<'_>, all: bool, out: &mut dyn Write) -> Result<(), CliError> {
    let mut count = 0_u64;
    write_row(
        out,
        [
            "SPI",
            "SUBSCRIBER",
            "HA",
            "SUITE",
            "PROFILE",
            "USER DATA",
            "STATE",
            "REGISTERED",
            "LEFT",
            "LEASE",
            "AAA",
            "SESSION",
            "HOME",
        ],
    )?;
    each(store, of, all, |record| {
        count += 1;
        write_record(out, record)
    })?;
    Ok(writeln!(out, "{count} in all")?)
}

fn write_record(out: &mut dyn Write, record: &AssociationRecord) -> Result<(), CliError> {
    let left = match record.state {
        AssociationState::Live => seconds_left(record, SystemTime::now()).to_string(),
        AssociationState::Ended | AssociationState::Expired => "-".to_owned(),
    };
    write_row(
        out,
        [
            &record.spi.to_string(),
            record.subscriber.as_deref().unwrap_or("-"),
            record.home_agent.as_deref().unwrap_or("-"),
            record.suite.name(),
            record.profile.name(),
            record.user_data.name(),
            record.state.name(),
            if record.is_registered { "yes" } else { "-" },
            &left,
            &record.lease.map_or_else(|| "-".to_owned(), |lease| lease.to_string()),
            if record.is_authorised_by_aaa { "yes" } else { "-" },
            record.session.as_deref().unwrap_or("-"),
            &home(record).join(" "),
        ],
    )
}

fn write_row(out: &mut dyn Write, columns: [&str; 13]) -> Result<(), CliError> {
    let [spi, subscriber, ha, suite, profile, user_data, state, registered, left, lease, aaa, session, home] = columns;
    Ok(writeln!(
        out,
        "{spi:<11} {subscriber:<32} {ha:<16} {suite:<18} {profile:<9} {user_data:<10} {state:<7} {registered:<10} {left:>7} {lease:>5} {aaa:<3} {session:<21} {home}"
    )?)
}
