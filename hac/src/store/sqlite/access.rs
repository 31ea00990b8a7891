//! What AAA servers said of associations, which of them they mean by a name of theirs, and what they have done to them since.

use std::time::Duration;

use protocol::sa::Spi;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Transaction, params_from_iter};

use super::{log, row};
use crate::store::{Access, AccessChange, Result, SessionCause, SessionQuery, unix_seconds};

/// Associations that end in one transaction: mobile nodes are served between two.
const ENDS: usize = 256;

/// With the association, in the same transaction.
pub(super) fn record(transaction: &Transaction<'_>, spi: Spi, access: &Access) -> Result<()> {
    let insert = "INSERT INTO access (spi, user_name, class, interim) VALUES (?1, ?2, ?3, ?4)";
    let (class, interim) = (class_column(&access.class), access.interim.map(seconds));
    transaction.prepare_cached(insert)?.execute((spi.get(), &access.user_name, class, interim))?;
    Ok(())
}

pub(super) fn authorised(connection: &Connection, of: &SessionQuery<'_>, limit: usize, now: i64) -> Result<Vec<Spi>> {
    let (conditions, named) = conditions(of);
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let query = query(&conditions, limit);
    let parameters = [vec![Value::Integer(now)], named].concat();
    let mut query = connection.prepare_cached(&query)?;
    let mut spis = spis(query.query(params_from_iter(parameters))?)?;
    spis.sort();
    Ok(spis)
}

/// The sign before `valid_until` keeps SQLite from going through everything that is not over.
fn query(conditions: &str, limit: usize) -> String {
    format!(
        "SELECT sa.spi FROM security_association AS sa JOIN access ON access.spi = sa.spi
         WHERE sa.ended = 0 AND +sa.valid_until > ? AND {conditions} LIMIT {limit}"
    )
}

/// What stands behind `WHERE`, and what is bound to its question marks.
fn conditions(of: &SessionQuery<'_>) -> (String, Vec<Value>) {
    let (mut conditions, mut parameters) = (Vec::new(), Vec::new());
    let mut and = |condition, named: Vec<Value>| {
        conditions.push(condition);
        parameters.extend(named);
    };
    if let Some(id) = of.session_id {
        let id = Value::Text(id.to_owned());
        and(
            "sa.spi = (SELECT spi FROM session WHERE id = ? AND ended IS NULL)
             AND sa.created = (SELECT created FROM session WHERE id = ?)",
            vec![id.clone(), id],
        );
    }
    if let Some(name) = of.user_name {
        and("access.user_name = ?", vec![Value::Text(name.to_owned())]);
    }
    if let Some(address) = of.home4 {
        and("sa.home4 = ?", vec![Value::Blob(address.octets().to_vec())]);
    }
    if let Some(net) = of.home6 {
        let end = |address: std::net::Ipv6Addr| Value::Blob(address.octets().to_vec());
        and("sa.home6 BETWEEN ? AND ?", vec![end(net.network()), end(net.broadcast())]);
    }
    (conditions.join(" AND "), parameters)
}

pub(super) fn disconnect(transaction: &Transaction<'_>, spis: &[Spi], now: i64) -> Result<()> {
    spis.iter().try_for_each(|spi| end(transaction, *spi, SessionCause::Disconnected, now))
}

pub(super) fn end_due(transaction: &Transaction<'_>, now: i64) -> Result<Vec<Spi>> {
    let query = format!("SELECT spi FROM access WHERE ends <= ?1 ORDER BY ends LIMIT {ENDS}");
    let due = spis(transaction.prepare_cached(&query)?.query([now])?)?;
    for spi in &due {
        end(transaction, *spi, SessionCause::Expired, now)?;
        transaction.prepare_cached("UPDATE access SET ends = NULL WHERE spi = ?1")?.execute([spi.get()])?;
    }
    Ok(due)
}

/// Ends it where it is live and notes why.
fn end(transaction: &Transaction<'_>, spi: Spi, cause: SessionCause, now: i64) -> Result<()> {
    if is_live(transaction, spi, now)? && log::end(transaction, spi)?.is_some() {
        let note = "UPDATE access SET cause = ?2 WHERE spi = ?1";
        transaction.prepare_cached(note)?.execute((spi.get(), cause.name()))?;
    }
    Ok(())
}

pub(super) fn reauthorise(transaction: &Transaction<'_>, spi: Spi, change: &AccessChange, now: i64) -> Result<()> {
    if !is_live(transaction, spi, now)? {
        return Ok(());
    }
    if let Some(ends) = change.ends {
        let update =
            "UPDATE access SET ends = (SELECT ?2 FROM security_association AS sa WHERE sa.spi = ?1 AND ?2 < sa.valid_until)
             WHERE spi = ?1";
        transaction.prepare_cached(update)?.execute((spi.get(), unix_seconds(ends)))?;
    }
    let (class, interim) = (change.class.as_deref().map(class_column), change.interim.map(seconds));
    for table in ["access", "session"] {
        let of_now = match table {
            "session" => "AND ended IS NULL AND created = (SELECT created FROM security_association WHERE spi = ?1)",
            _ => "",
        };
        let update =
            format!("UPDATE {table} SET class = coalesce(?2, class), interim = coalesce(?3, interim) WHERE spi = ?1 {of_now}");
        transaction.prepare_cached(&update)?.execute((spi.get(), &class, interim))?;
    }
    Ok(())
}

/// Live, and with a word of a AAA server.
fn is_live(transaction: &Transaction<'_>, spi: Spi, now: i64) -> Result<bool> {
    let query = "SELECT 1 FROM access JOIN security_association AS sa ON sa.spi = access.spi
         WHERE access.spi = ?1 AND sa.ended = 0 AND sa.valid_until > ?2";
    Ok(transaction.prepare_cached(query)?.query_row((spi.get(), now), |_| Ok(())).optional()?.is_some())
}

fn spis(mut rows: rusqlite::Rows<'_>) -> Result<Vec<Spi>> {
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let number = row.get(0)?;
        found.push(Spi::new(number).ok_or_else(|| row::damaged(number))?);
    }
    Ok(found)
}

fn seconds(interval: Duration) -> i64 {
    i64::try_from(interval.as_secs()).unwrap_or(i64::MAX)
}

/// Each value behind its length in one octet; a value that is longer is none of RADIUS.
pub(super) fn class_column(class: &[Vec<u8>]) -> Vec<u8> {
    let with_length = |value: &Vec<u8>| u8::try_from(value.len()).ok().map(|len| [&[len], &value[..]].concat());
    class.iter().filter_map(with_length).flatten().collect()
}

/// The inverse of [`class_column`].
pub(super) fn class_of(mut column: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut class = Vec::new();
    while let Some((len, rest)) = column.split_first() {
        let (value, rest) = rest.split_at_checked(usize::from(*len))?;
        class.push(value.to_vec());
        column = rest;
    }
    Some(class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_class_is_comes_back_and_half_a_value_does_not() {
        let class = vec![vec![1, 2, 3], Vec::new(), vec![255; 253]];
        let column = class_column(&class);
        assert_eq!(class_of(&column), Some(class));
        assert_eq!(class_of(&column[..column.len() - 1]), None);
        assert_eq!(class_of(&class_column(&[vec![0; 256]])), Some(Vec::new()));
    }
}
