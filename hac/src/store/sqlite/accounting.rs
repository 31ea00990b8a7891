//! What accounting servers are to be told of sessions, and what they have acknowledged.

use std::time::Duration;

use protocol::addr::HomeAddresses;
use protocol::sa::Spi;
use rusqlite::{Connection, Row, Transaction};

use super::{access, row};
use crate::store::{Access, Result, SessionCause, SessionRecord, StoreError, Told, Traffic, Volume, from_unix_seconds};

/// What [`record`] reads.
const COLUMNS: &str = "id, spi, user_name, class, interim, home6, home4, home_agent, care_of, began, seconds, packets_from_node,
     octets_from_node, packets_to_node, octets_to_node, ended, reported";

/// The queries of [`due`], one for each kind: `?1` is until when, `?2` how many; the last column says since when it is due. Each has an
/// index that has nothing else and is in its order.
pub(super) fn queries(interim: Option<Duration>) -> [(Told, String); 3] {
    let interval = if interim.is_some() { "told" } else { "told + interim" };
    let told = format!("ended IS NULL AND reported > told AND {interval}");
    [
        (Told::Start, "told IS NULL AND began".to_owned(), "began"),
        (Told::Stop, "ended IS NOT NULL AND told IS NOT NULL AND reported".to_owned(), "reported"),
        (Told::Interim, told, interval),
    ]
    .map(|(kind, which, since)| {
        (kind, format!("SELECT {COLUMNS}, {since} FROM session WHERE {which} <= ?1 ORDER BY {since} LIMIT ?2"))
    })
}

pub(super) fn due(
    connection: &Connection,
    interim: Option<Duration>,
    limit: usize,
    now: i64,
) -> Result<Vec<(SessionRecord, Told)>> {
    let interval = interim.map_or(0, |interim| i64::try_from(interim.as_secs()).unwrap_or(i64::MAX));
    let mut found = Vec::new();
    for (told, query) in queries(interim) {
        let back = if told == Told::Interim { interval } else { 0 };
        let mut query = connection.prepare_cached(&query)?;
        let mut rows = query.query((now.saturating_sub(back), i64::try_from(limit).unwrap_or(i64::MAX)))?;
        while let Some(row) = rows.next()? {
            found.push((row.get::<_, i64>(17)?.saturating_add(back), record(row)?, told));
        }
    }
    found.sort_by_key(|(since, ..)| *since);
    Ok(found.into_iter().take(limit).map(|(_, record, told)| (record, told)).collect())
}

pub(super) fn told(transaction: &Transaction<'_>, id: &str, told: Told, now: i64) -> Result<()> {
    match told {
        Told::Start | Told::Interim => {
            transaction.prepare_cached("UPDATE session SET told = ?2 WHERE id = ?1")?.execute((id, now))?
        }
        Told::Stop => transaction.prepare_cached("DELETE FROM session WHERE id = ?1")?.execute([id])?,
    };
    Ok(())
}

fn record(row: &Row<'_>) -> Result<SessionRecord> {
    let id: String = row.get(0)?;
    let damaged = || StoreError::Damaged(format!("session {id} says something impossible"));
    let figure = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
    let volume = |column| Ok::<_, StoreError>(Volume { packets: figure(column)?, octets: figure(column + 1)? });
    let ended: Option<String> = row.get(15)?;
    Ok(SessionRecord {
        spi: Spi::new(row.get(1)?).ok_or_else(damaged)?,
        access: Access {
            user_name: row.get(2)?,
            class: access::class_of(&row.get::<_, Vec<u8>>(3)?).ok_or_else(damaged)?,
            interim: row.get::<_, Option<i64>>(4)?.map(|seconds| Duration::from_secs(seconds.unsigned_abs())),
        },
        home: HomeAddresses::new(row::ip6(row, 5)?, row::ip4(row, 6)?).ok_or_else(damaged)?,
        home_agent: row.get(7)?,
        care_of: row.get::<_, String>(8)?.parse().map_err(|_| damaged())?,
        began: from_unix_seconds(row.get(9)?),
        seconds: figure(10)?,
        traffic: Traffic { from_node: volume(11)?, to_node: volume(13)? },
        ended: ended
            .map(|name| SessionCause::ALL.into_iter().find(|cause| cause.name() == name).ok_or_else(damaged))
            .transpose()?,
        reported: from_unix_seconds(row.get(16)?),
        id,
    })
}
