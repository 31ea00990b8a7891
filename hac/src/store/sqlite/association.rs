//! Associations as the operator lists and ends them: in pages by SPI, never with their keys.

use protocol::addr::HomeAddresses;
use protocol::sa::Spi;
use rusqlite::types::Value;
use rusqlite::{Connection, Params, Row, Transaction, params_from_iter};

use super::{log, row};
use crate::store::{
    AssociationRecord, AssociationState, EndedPage, Result, Revision, Selection, canonical_nai, from_unix_seconds,
};

pub(super) fn page(
    connection: &Connection,
    of: &Selection<'_>,
    all: bool,
    after: Option<Spi>,
    limit: usize,
    now: i64,
) -> Result<Vec<AssociationRecord>> {
    let (conditions, mut parameters) = conditions(of, after);
    let live = if all { "" } else { "AND ended = 0 AND valid_until > ?" };
    parameters.extend((!all).then_some(Value::Integer(now)));
    let query = format!(
        "SELECT spi, (SELECT nai FROM subscriber WHERE id = association.subscriber), home_agent, home6, home4, suite, profile,
             user_data, created, valid_until, ended, (SELECT MAX(number) FROM lease WHERE lease.spi = association.spi),
             registered, EXISTS (SELECT 1 FROM access WHERE access.spi = association.spi), (SELECT id FROM session
                 WHERE session.spi = association.spi AND session.created = association.created AND session.ended IS NULL
                 ORDER BY began DESC LIMIT 1)
         FROM security_association AS association WHERE {conditions} {live} ORDER BY spi LIMIT {limit}"
    );
    let mut query = connection.prepare_cached(&query)?;
    let mut rows = query.query(params_from_iter(parameters))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(record(row, now)?);
    }
    Ok(found)
}

fn record(row: &Row<'_>, now: i64) -> Result<AssociationRecord> {
    let number: u32 = row.get(0)?;
    let damaged = || row::damaged(number);
    let valid_until: i64 = row.get(9)?;
    let state = match (row.get(10)?, valid_until > now) {
        (true, _) => AssociationState::Ended,
        (false, true) => AssociationState::Live,
        (false, false) => AssociationState::Expired,
    };
    Ok(AssociationRecord {
        spi: Spi::new(number).ok_or_else(damaged)?,
        subscriber: row.get(1)?,
        home_agent: row.get(2)?,
        home: HomeAddresses::new(row::ip6(row, 3)?, row::ip4(row, 4)?).ok_or_else(damaged)?,
        suite: row.get::<_, String>(5)?.parse().map_err(|_| damaged())?,
        profile: row.get::<_, String>(6)?.parse().map_err(|_| damaged())?,
        user_data: row::user_data_of(row.get(7)?),
        created: from_unix_seconds(row.get(8)?),
        valid_until: from_unix_seconds(valid_until),
        lease: row.get(11)?,
        is_registered: row.get(12)? && state == AssociationState::Live,
        state,
        is_authorised_by_aaa: row.get(13)?,
        session: row.get(14)?,
    })
}

pub(super) fn end_page(
    transaction: &Transaction<'_>,
    of: &Selection<'_>,
    up_to: Revision,
    after: Option<Spi>,
    limit: usize,
    now: i64,
) -> Result<EndedPage> {
    let (conditions, selected) = conditions(of, after);
    let parameters = [vec![Value::Integer(now)], selected, vec![Value::Integer(log::as_column(up_to))]].concat();
    let query = format!(
        "SELECT spi, valid_until > ? FROM security_association WHERE {conditions} AND revision <= ? AND ended = 0
         ORDER BY spi LIMIT {limit}"
    );
    let rows = not_ended(transaction, &query, params_from_iter(parameters))?;
    let next = rows.last().filter(|_| rows.len() == limit).map(|(spi, _)| *spi);
    Ok(EndedPage { ended: end(transaction, &rows)?.len() as u64, next })
}

/// Ends what `query` finds: SPI, and whether it is live. Gives those that were.
pub(super) fn end_all(transaction: &Transaction<'_>, query: &str, parameters: impl Params) -> Result<Vec<Spi>> {
    end(transaction, &not_ended(transaction, query, parameters)?)
}

fn not_ended(transaction: &Transaction<'_>, query: &str, parameters: impl Params) -> Result<Vec<(Spi, bool)>> {
    let mut query = transaction.prepare_cached(query)?;
    let mut rows = query.query(parameters)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let number = row.get(0)?;
        found.push((Spi::new(number).ok_or_else(|| row::damaged(number))?, row.get(1)?));
    }
    Ok(found)
}

/// Ends the expired ones too, which wipes their keys.
fn end(transaction: &Transaction<'_>, associations: &[(Spi, bool)]) -> Result<Vec<Spi>> {
    for (spi, _) in associations {
        log::end(transaction, *spi)?;
    }
    Ok(associations.iter().filter(|(_, is_live)| *is_live).map(|(spi, _)| *spi).collect())
}

/// What stands behind `WHERE`, and what is bound to its question marks.
fn conditions(of: &Selection<'_>, after: Option<Spi>) -> (String, Vec<Value>) {
    let number = |spi: Spi| Value::Integer(i64::from(spi.get()));
    let (mut conditions, mut parameters) = (vec!["spi > ?"], vec![after.map_or(Value::Integer(0), number)]);
    let mut and = |condition, parameter| {
        conditions.push(condition);
        parameters.push(parameter);
    };
    if let Some(spi) = of.spi {
        and("spi = ?", number(spi));
    }
    if let Some(nai) = of.subscriber {
        and("subscriber = (SELECT id FROM subscriber WHERE nai = ?)", Value::Text(canonical_nai(nai)));
    }
    if let Some(name) = of.home_agent {
        and("home_agent = ?", Value::Text(name.to_owned()));
    }
    (conditions.join(" AND "), parameters)
}
