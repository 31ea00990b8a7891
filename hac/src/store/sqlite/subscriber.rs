//! Queries on subscribers and their sealed pre-shared keys.

use std::net::IpAddr;

use protocol::profile::WireProfile;
use protocol::sa::Secret;
use protocol::sa::suite::UnknownSuite;
use rand::CryptoRng;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};

use super::{log, row, seal};
use crate::store::sealing::{Context, KeyEncryptionKey};
use crate::store::{NewSubscriber, Result, StoreError, Subscriber, SubscriberPolicy, canonical_nai, from_unix_seconds};

pub(super) fn add(
    transaction: &Transaction<'_>,
    kek: &KeyEncryptionKey,
    new: &NewSubscriber<'_>,
    now: i64,
    rng: &mut dyn CryptoRng,
) -> Result<()> {
    let nai = canonical_nai(new.nai);
    let sealed = seal(kek, new.psk, &Context::psk(&nai), rng)?;
    let insert = "INSERT INTO subscriber (nai, psk, created, profile, suites, user_data) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (nai) DO NOTHING";
    let policy = &new.policy;
    let profile = policy.profile.map(WireProfile::name);
    let suites = policy.suites.as_ref().map(|suites| suites.iter().map(|suite| suite.name()).collect::<Vec<_>>().join(","));
    match transaction.execute(insert, (&nai, sealed, now, profile, suites, policy.user_data.map(row::user_data_column)))? {
        0 => Err(StoreError::Exists { what: "subscriber", name: nai }),
        _ => Ok(()),
    }
}

pub(super) fn psk(connection: &Connection, kek: &KeyEncryptionKey, nai: &str) -> Result<Option<Secret>> {
    let nai = canonical_nai(nai);
    let mut query = connection.prepare_cached("SELECT psk FROM subscriber WHERE nai = ?1 AND enabled = 1")?;
    let Some(sealed) = query.query_row([&nai], |row| row.get::<_, Vec<u8>>(0)).optional()? else {
        return Ok(None);
    };
    let psk = kek.open(&sealed, &Context::psk(&nai));
    psk.map(Some).ok_or_else(|| StoreError::Sealed("the pre-shared key of a subscriber".to_owned()))
}

/// The own policy of an enabled subscriber; the default for everybody else.
pub(super) fn policy(connection: &Connection, nai: &str) -> Result<SubscriberPolicy> {
    let mut query =
        connection.prepare_cached("SELECT profile, suites, user_data FROM subscriber WHERE nai = ?1 AND enabled = 1")?;
    let found = query.query_row([canonical_nai(nai)], |row| Ok(policy_of(row, 0))).optional()?;
    found.unwrap_or_else(|| Ok(SubscriberPolicy::default()))
}

/// Three columns from `first`.
fn policy_of(row: &Row<'_>, first: usize) -> Result<SubscriberPolicy> {
    let damaged = || StoreError::Damaged("a subscriber has a profile or a suite that this build does not".to_owned());
    let profile = row.get::<_, Option<String>>(first)?.map(|name| name.parse()).transpose().map_err(|_| damaged())?;
    let suites: Option<String> = row.get(first + 1)?;
    let suites = suites.map(|names| names.split(',').map(str::parse).collect()).transpose();
    let user_data = row.get::<_, Option<bool>>(first + 2)?.map(row::user_data_of);
    Ok(SubscriberPolicy { profile, suites: suites.map_err(|_: UnknownSuite| damaged())?, user_data })
}

/// The row of an enabled subscriber.
pub(super) fn id(transaction: &Transaction<'_>, nai: &str) -> Result<i64> {
    let nai = canonical_nai(nai);
    let mut query = transaction.prepare_cached("SELECT id FROM subscriber WHERE nai = ?1 AND enabled = 1")?;
    let found = query.query_row([&nai], |row| row.get(0)).optional()?;
    found.ok_or(StoreError::Unknown { what: "subscriber", name: nai })
}

pub(super) fn set_enabled(transaction: &Transaction<'_>, nai: &str, enabled: bool) -> Result<()> {
    let nai = canonical_nai(nai);
    if transaction.execute("UPDATE subscriber SET enabled = ?2 WHERE nai = ?1", (&nai, enabled))? == 0 {
        return Err(StoreError::Unknown { what: "subscriber", name: nai });
    }
    if !enabled {
        let query = "SELECT spi FROM security_association WHERE ended = 0
             AND subscriber = (SELECT id FROM subscriber WHERE nai = ?1)";
        let live: Vec<i64> = transaction.prepare(query)?.query_map([&nai], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        for spi in live {
            log::end_row(transaction, spi)?;
        }
    }
    Ok(())
}

pub(super) fn list(connection: &Connection, now: i64) -> Result<Vec<Subscriber>> {
    let mut query = connection.prepare(
        "SELECT nai, enabled, created,
             (SELECT address FROM home_address WHERE subscriber = id AND family = 6),
             (SELECT address FROM home_address WHERE subscriber = id AND family = 4),
             (SELECT COUNT(*) FROM security_association WHERE subscriber = id AND ended = 0 AND valid_until > ?1),
             profile, suites, user_data
         FROM subscriber ORDER BY nai",
    )?;
    let mut rows = query.query([now])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (ip6, ip4) = (row::ip6(row, 3)?.map(IpAddr::V6), row::ip4(row, 4)?.map(IpAddr::V4));
        found.push(Subscriber {
            nai: row.get(0)?,
            enabled: row.get(1)?,
            created: from_unix_seconds(row.get(2)?),
            home: ip6.into_iter().chain(ip4).collect(),
            live_sas: row.get(5)?,
            policy: policy_of(row, 6)?,
        });
    }
    Ok(found)
}
