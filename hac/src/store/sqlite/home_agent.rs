//! Queries on home agents.

use std::num::NonZeroU16;

use protocol::sa::spi::HaGroup;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};

use super::{association, log, row};
use crate::store::{HomeAgent, Result, StoreError};

pub(super) fn add(transaction: &Transaction<'_>, home_agent: &HomeAgent) -> Result<()> {
    let insert = "INSERT INTO home_agent (name, ha_group, ip6, ip4, port, fallback_port) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (name) DO NOTHING";
    let addresses = &home_agent.addresses;
    let (ip6, ip4) = (addresses.ip6().map(|ip| ip.octets()), addresses.ip4().map(|ip| ip.octets()));
    let fallback_port = home_agent.fallback_port.map(NonZeroU16::get);
    let values = (&home_agent.name, home_agent.group.get(), ip6, ip4, addresses.port(), fallback_port);
    match transaction.execute(insert, values)? {
        0 => Err(StoreError::Exists { what: "home agent", name: home_agent.name.clone() }),
        _ => Ok(()),
    }
}

pub(super) fn list(connection: &Connection, now: i64) -> Result<Vec<(HomeAgent, u64)>> {
    let mut query = connection.prepare_cached(
        "SELECT name, ha_group, ip6, ip4, port, fallback_port, (SELECT COUNT(*) FROM security_association
             WHERE home_agent = name AND ended = 0 AND valid_until > ?1) FROM home_agent ORDER BY name",
    )?;
    let mut rows = query.query([now])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((home_agent_of(row)?, row.get::<_, i64>(6)?.unsigned_abs()));
    }
    Ok(found)
}

pub(super) fn one(connection: &Connection, name: &str) -> Result<Option<HomeAgent>> {
    let mut query =
        connection.prepare_cached("SELECT name, ha_group, ip6, ip4, port, fallback_port FROM home_agent WHERE name = ?1")?;
    query.query_row([name], |row| Ok(home_agent_of(row))).optional()?.transpose()
}

/// Ends what is live there and forgets it, in one transaction: who still asks for it by name finds neither. The log moves in any case,
/// so that a running HAC looks.
pub(super) fn remove(transaction: &Transaction<'_>, name: &str, now: i64) -> Result<u64> {
    let query = "SELECT spi, valid_until > ?2 FROM security_association WHERE home_agent = ?1 AND ended = 0";
    let ended = association::end_all(transaction, query, (name, now))?;
    if transaction.execute("DELETE FROM home_agent WHERE name = ?1", [name])? == 0 {
        return Err(StoreError::Unknown { what: "home agent", name: name.to_owned() });
    }
    log::next_revision(transaction)?;
    Ok(ended.len() as u64)
}

fn home_agent_of(row: &Row<'_>) -> Result<HomeAgent> {
    let name: String = row.get(0)?;
    let damaged = || StoreError::Damaged(format!("home agent \"{name}\" has no usable group or address"));
    let group = HaGroup::new(row.get(1)?).ok_or_else(damaged)?;
    let addresses = row::home_agent_addresses(row, 2)?.ok_or_else(damaged)?;
    let fallback_port = row.get::<_, Option<u16>>(5)?.and_then(NonZeroU16::new);
    Ok(HomeAgent { name, group, addresses, fallback_port })
}
