//! The revisioned log of associations, and the leases under which home agents' processes get them.
//!
//! A lease number is inserted in the transaction that reads the association, so it is on disk before anything is delivered
//! ("a counter is known or the SA is not used"): 0 for the first process, +1 for each further one, the same one again for the
//! same process. A process that would get [`LAST_LEASE`] ends the association.

use rusqlite::{Connection, OptionalExtension, Transaction};

use super::row::{self, LIVE_COLUMNS, SaRow};
use super::session;
use crate::store::sealing::KeyEncryptionKey;
use crate::store::{
    Change, Delivery, InstanceId, LAST_LEASE, Recipient, Result, Revision, SnapshotPage, StoreError, from_unix_seconds,
};
use protocol::sa::Spi;

pub(super) fn revision(connection: &Connection) -> Result<Revision> {
    let number: i64 = connection.prepare_cached("SELECT revision FROM server")?.query_row([], |row| row.get(0))?;
    Ok(Revision(number.unsigned_abs()))
}

pub(super) fn next_revision(transaction: &Transaction<'_>) -> Result<Revision> {
    let query = "UPDATE server SET revision = revision + 1 RETURNING revision";
    let number: i64 = transaction.prepare_cached(query)?.query_row([], |row| row.get(0))?;
    Ok(Revision(number.unsigned_abs()))
}

pub(super) fn as_column(revision: Revision) -> i64 {
    i64::try_from(revision.0).unwrap_or(i64::MAX)
}

pub(super) fn end(transaction: &Transaction<'_>, spi: Spi) -> Result<Option<Revision>> {
    end_row(transaction, i64::from(spi.get()))
}

/// Ends the association and wipes its keys; `None` when it was not live.
pub(super) fn end_row(transaction: &Transaction<'_>, spi: i64) -> Result<Option<Revision>> {
    let live = transaction.prepare_cached("SELECT 1 FROM security_association WHERE spi = ?1 AND ended = 0")?.exists([spi])?;
    if !live {
        return Ok(None);
    }
    let revision = next_revision(transaction)?;
    transaction
        .prepare_cached("UPDATE security_association SET ended = 1, keys = NULL, revision = ?2 WHERE spi = ?1")?
        .execute((spi, as_column(revision)))?;
    session::association_ended(transaction, spi)?;
    Ok(Some(revision))
}

/// Which associations ?1 (home agent), ?2 (group) and ?3 (process) are told of: those that name the home agent, and those that the
/// process has looked up. It has a lease of these, and keeps them until it hears that they have ended.
const TOLD: &str = "(home_agent = ?1 OR spi >> 22 = ?2 AND EXISTS
         (SELECT 1 FROM lease WHERE lease.spi = security_association.spi AND instance = ?3))";

pub(super) fn snapshot_page(
    transaction: &Transaction<'_>,
    kek: &KeyEncryptionKey,
    to: &Recipient<'_>,
    after: Option<Spi>,
    limit: usize,
    now: i64,
) -> Result<SnapshotPage> {
    let query = format!(
        "SELECT {LIVE_COLUMNS} FROM security_association
         WHERE {TOLD} AND spi > ?4 AND ended = 0 AND valid_until > ?5 ORDER BY spi LIMIT ?6"
    );
    let after = after.map_or(0, |spi| i64::from(spi.get()));
    let rows = rows(transaction, &query, (to.home_agent, to.group.get(), to.instance.0, after, now, limit as i64))?;
    let next = rows.last().filter(|_| rows.len() == limit).map(|row| row.spi);
    let mut deliveries = Vec::with_capacity(rows.len());
    for row in &rows {
        deliveries.extend(deliver(transaction, kek, to.instance, row)?);
    }
    Ok(SnapshotPage { deliveries, next })
}

pub(super) fn changes(
    transaction: &Transaction<'_>,
    kek: &KeyEncryptionKey,
    to: &Recipient<'_>,
    after: Revision,
    limit: usize,
    now: i64,
) -> Result<Vec<Change>> {
    let query = format!(
        "SELECT {LIVE_COLUMNS} FROM security_association
         WHERE {TOLD} AND revision > ?4 AND valid_until > ?5 ORDER BY revision LIMIT ?6"
    );
    let parameters = (to.home_agent, to.group.get(), to.instance.0, as_column(after), now, limit as i64);
    let rows = rows(transaction, &query, parameters)?;
    let mut changes = Vec::with_capacity(rows.len());
    for row in &rows {
        let ended = Change::Ended(row.spi, Revision(row.revision.unsigned_abs()));
        changes.push(if row.ended { ended } else { deliver(transaction, kek, to.instance, row)?.map_or(ended, Change::Install) });
    }
    Ok(changes)
}

pub(super) fn look_up(
    transaction: &Transaction<'_>,
    kek: &KeyEncryptionKey,
    to: &Recipient<'_>,
    spi: Spi,
    now: i64,
) -> Result<Option<Delivery>> {
    if spi.group() != to.group {
        return Ok(None);
    }
    let query = format!("SELECT {LIVE_COLUMNS} FROM security_association WHERE spi = ?1 AND ended = 0 AND valid_until > ?2");
    match rows(transaction, &query, (spi.get(), now))?.first() {
        Some(row) => deliver(transaction, kek, to.instance, row),
        None => Ok(None),
    }
}

fn rows(transaction: &Transaction<'_>, query: &str, parameters: impl rusqlite::Params) -> Result<Vec<SaRow>> {
    let mut query = transaction.prepare_cached(query)?;
    let mut rows = query.query(parameters)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(row::live(row)?);
    }
    Ok(found)
}

/// Commits the lease (with the caller's transaction) and opens the keys. `None` when no lease is left: the association ends.
fn deliver(transaction: &Transaction<'_>, kek: &KeyEncryptionKey, instance: InstanceId, row: &SaRow) -> Result<Option<Delivery>> {
    let Some(lease) = lease(transaction, row.spi, instance)? else {
        end(transaction, row.spi)?;
        return Ok(None);
    };
    Ok(Some(Delivery {
        sa: row.open(kek)?,
        revision: Revision(row.revision.unsigned_abs()),
        valid_until: from_unix_seconds(row.valid_until),
        lease,
    }))
}

fn lease(transaction: &Transaction<'_>, spi: Spi, instance: InstanceId) -> Result<Option<u32>> {
    let mut held = transaction.prepare_cached("SELECT number FROM lease WHERE spi = ?1 AND instance = ?2")?;
    if let Some(number) = held.query_row((spi.get(), instance.0), |row| row.get(0)).optional()? {
        return Ok(Some(number));
    }
    let mut newest = transaction.prepare_cached("SELECT MAX(number) FROM lease WHERE spi = ?1")?;
    let number = newest.query_row([spi.get()], |row| row.get::<_, Option<u32>>(0))?.map_or(0, |newest| newest + 1);
    if number >= LAST_LEASE {
        return Ok(None);
    }
    let insert = "INSERT INTO lease (spi, instance, number) VALUES (?1, ?2, ?3)";
    match transaction.prepare_cached(insert)?.execute((spi.get(), instance.0, number))? {
        1 => Ok(Some(number)),
        _ => Err(StoreError::Damaged(format!("lease {number} of {spi} was not recorded"))),
    }
}
