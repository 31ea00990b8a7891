//! The networks behind subscribers' nodes (RFC 3963): each is one subscriber's, and no two overlap. An association has those that were
//! his when it was made, as long as it lives.

use ipnet::Ipv6Net;
use protocol::prefixes::MobileNetworkPrefixes;
use rusqlite::{Connection, OptionalExtension, Params, Row, Transaction};

use crate::store::{Result, StoreError, canonical_nai};

/// Those of a subscriber, by the number of his row.
pub(super) fn of(connection: &Connection, subscriber: i64) -> Result<MobileNetworkPrefixes> {
    let query = "SELECT group_concat(prefix) FROM mobile_network WHERE subscriber = ?1";
    let text: Option<String> = connection.prepare_cached(query)?.query_row([subscriber], |row| row.get(0))?;
    read(text.as_deref())
}

/// A column of prefixes with commas between them; NULL is none.
pub(super) fn read(column: Option<&str>) -> Result<MobileNetworkPrefixes> {
    let damaged = |problem| StoreError::Damaged(format!("mobile networks that cannot be anybody's: {problem}"));
    column.unwrap_or_default().parse().map_err(damaged)
}

/// The inverse of [`read`].
pub(super) fn column(prefixes: &MobileNetworkPrefixes) -> Option<String> {
    (!prefixes.is_empty()).then(|| prefixes.to_string())
}

/// From his next association on it is behind the subscriber's node.
pub(super) fn add(transaction: &Transaction<'_>, nai: &str, prefix: Ipv6Net, now: i64) -> Result<MobileNetworkPrefixes> {
    let (nai, prefix) = (canonical_nai(nai), prefix.trunc());
    let subscriber = id(transaction, &nai)?;
    let with = of(transaction, subscriber)?.with(prefix)?;
    let added = MobileNetworkPrefixes::new([prefix])?;
    let recorded = "SELECT prefix, nai FROM mobile_network, subscriber WHERE id = subscriber AND id != ?1";
    if let Some((other, holder)) = overlapping(transaction, &added, recorded, [subscriber])? {
        return Err(StoreError::PrefixTaken { prefix, other, holder });
    }
    let served = "SELECT prefixes, (SELECT nai FROM subscriber WHERE id = subscriber) FROM security_association
         INDEXED BY security_association_prefixes
         WHERE prefixes IS NOT NULL AND ended = 0 AND valid_until > ?2 AND subscriber IS NOT ?1";
    if let Some((other, holder)) = overlapping(transaction, &added, served, (subscriber, now))? {
        return Err(StoreError::PrefixServed { prefix, other, holder });
    }
    let insert = "INSERT INTO mobile_network (prefix, subscriber) VALUES (?1, ?2)";
    transaction.execute(insert, (prefix.to_string(), subscriber))?;
    Ok(with)
}

/// It is nobody's any more; associations keep it until they end.
pub(super) fn remove(transaction: &Transaction<'_>, nai: &str, prefix: Ipv6Net) -> Result<MobileNetworkPrefixes> {
    let (nai, prefix) = (canonical_nai(nai), prefix.trunc());
    let subscriber = id(transaction, &nai)?;
    let delete = "DELETE FROM mobile_network WHERE prefix = ?1 AND subscriber = ?2";
    match transaction.execute(delete, (prefix.to_string(), subscriber))? {
        0 => Err(StoreError::NoPrefix { nai, prefix }),
        _ => of(transaction, subscriber),
    }
}

fn id(transaction: &Transaction<'_>, nai: &str) -> Result<i64> {
    let found = transaction.query_row("SELECT id FROM subscriber WHERE nai = ?1", [nai], |row| row.get(0)).optional()?;
    found.ok_or_else(|| StoreError::Unknown { what: "subscriber", name: nai.to_owned() })
}

/// The first of what `query` finds, prefixes and holder, that has an address in common with `added`.
fn overlapping(
    transaction: &Transaction<'_>,
    added: &MobileNetworkPrefixes,
    query: &str,
    parameters: impl Params,
) -> Result<Option<(Ipv6Net, String)>> {
    let mut query = transaction.prepare(query)?;
    let mut rows = query.query(parameters)?;
    while let Some(row) = rows.next()? {
        let (prefixes, holder) = held(row)?;
        let common = prefixes.iter().find(|prefix| MobileNetworkPrefixes::new([*prefix]).is_ok_and(|one| one.overlap(added)));
        if let Some(prefix) = common {
            return Ok(Some((prefix, holder.unwrap_or_else(|| "a removed subscriber".to_owned()))));
        }
    }
    Ok(None)
}

fn held(row: &Row<'_>) -> Result<(MobileNetworkPrefixes, Option<String>)> {
    Ok((read(row.get::<_, Option<String>>(0)?.as_deref())?, row.get(1)?))
}
