//! Queries on subscribers and their sealed pre-shared keys.

use std::net::IpAddr;

use protocol::profile::WireProfile;
use protocol::sa::suite::UnknownSuite;
use protocol::sa::{Secret, Spi};
use rand::CryptoRng;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use service::config::distance;

use super::{association, mobile_network, row, seal};
use crate::store::sealing::{Context, KeyEncryptionKey};
use crate::store::{
    Credentials, KeyId, NewSubscriber, Result, StoreError, Subscriber, SubscriberPolicy, canonical_nai, from_unix_seconds,
};

/// Octets of a key that nobody is told: as many as every other has.
const UNTOLD_KEY_LEN: usize = 32;
/// One letter in so many may be another in a name that is meant.
const LIKENESS: usize = 3;
/// So many names are proposed.
const MOST_ALIKE: usize = 3;

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
    let (profile, suites, user_data) = policy_columns(&new.policy);
    match transaction.execute(insert, (&nai, sealed, now, profile, suites, user_data))? {
        0 => Err(StoreError::Exists { what: "subscriber", name: nai }),
        _ => Ok(()),
    }
}

/// One row for every name: that of `?1`, or the one at or behind the number `?2`.
pub(super) const CREDENTIALS: &str = "SELECT nai, enabled, psk, profile, suites, user_data FROM subscriber
     WHERE id >= coalesce((SELECT id FROM subscriber WHERE nai = ?1), ?2) ORDER BY id LIMIT 1";

/// Key and own policy of an enabled subscriber. Whoever claims a name can time the answer, so a row is read and a key opened for
/// every one: for a name that is not there those of a stand-in, which `choice` picks, the same each time.
pub(super) fn credentials(
    connection: &Connection,
    kek: &KeyEncryptionKey,
    nai: &str,
    choice: u64,
) -> Result<Option<Credentials>> {
    let nai = canonical_nai(nai);
    let newest = connection.prepare_cached("SELECT max(id) FROM subscriber")?.query_row([], |row| row.get(0))?;
    let Some(newest) = newest else { return Ok(None) };
    let mut query = connection.prepare_cached(CREDENTIALS)?;
    let read =
        |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?, row.get::<_, Vec<u8>>(2)?, policy_of(row, 3)));
    let found = query.query_row((&nai, stand_in(choice, newest)), read).optional()?;
    let Some((holder, is_enabled, sealed, policy)) = found else { return Ok(None) };
    let psk = kek.open(&sealed, &Context::psk(&holder));
    if holder != nai || !is_enabled {
        return Ok(None);
    }
    let psk = psk.ok_or_else(|| StoreError::Sealed("the pre-shared key of a subscriber".to_owned()))?;
    Ok(Some(Credentials { psk, key: key_id(&sealed), policy: policy? }))
}

/// Key and own policy of a subscriber whom a AAA server has authenticated, recorded here where he is not yet; `None` for a disabled one.
/// His key is random octets, which nobody is told until `hac subscriber rotate-psk` gives him another.
pub(super) fn admit(
    transaction: &Transaction<'_>,
    kek: &KeyEncryptionKey,
    nai: &str,
    now: i64,
    rng: &mut dyn CryptoRng,
) -> Result<Option<Credentials>> {
    if one(transaction, nai, now)?.is_none() {
        let mut octets = vec![0; UNTOLD_KEY_LEN];
        rng.fill_bytes(&mut octets);
        let new = NewSubscriber { nai, psk: &Secret::new(octets), policy: SubscriberPolicy::default() };
        add(transaction, kek, &new, now, rng)?;
    }
    credentials(transaction, kek, nai, 0)
}

/// A number from 1 to that of the newest subscriber.
fn stand_in(choice: u64, newest: i64) -> i64 {
    let last = newest.unsigned_abs().max(1);
    i64::try_from(choice % last + 1).unwrap_or(newest)
}

fn key_id(sealed: &[u8]) -> KeyId {
    KeyId(KeyEncryptionKey::nonce(sealed))
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

/// The inverse of [`policy_of`].
fn policy_columns(policy: &SubscriberPolicy) -> (Option<&'static str>, Option<String>, Option<bool>) {
    let suites = policy.suites.as_ref().map(|suites| suites.iter().map(|suite| suite.name()).collect::<Vec<_>>().join(","));
    (policy.profile.map(WireProfile::name), suites, policy.user_data.map(row::user_data_column))
}

/// The row of an enabled subscriber whose key is still `key`.
pub(super) fn id(transaction: &Transaction<'_>, nai: &str, key: KeyId) -> Result<i64> {
    let mut query = transaction.prepare_cached("SELECT id, psk FROM subscriber WHERE nai = ?1 AND enabled = 1")?;
    let found = query.query_row([canonical_nai(nai)], |row| Ok((row.get(0)?, key_id(&row.get::<_, Vec<u8>>(1)?)))).optional()?;
    found.filter(|(_, present)| *present == key).map(|(id, _)| id).ok_or(StoreError::Superseded)
}

pub(super) fn set_enabled(transaction: &Transaction<'_>, nai: &str, enabled: bool, now: i64) -> Result<Vec<Spi>> {
    let nai = canonical_nai(nai);
    found(transaction.execute("UPDATE subscriber SET enabled = ?2 WHERE nai = ?1", (&nai, enabled))?, &nai)?;
    if enabled { Ok(Vec::new()) } else { end_associations(transaction, &nai, now) }
}

pub(super) fn set_psk(
    transaction: &Transaction<'_>,
    kek: &KeyEncryptionKey,
    nai: &str,
    psk: &Secret,
    rng: &mut dyn CryptoRng,
) -> Result<()> {
    let nai = canonical_nai(nai);
    let sealed = seal(kek, psk, &Context::psk(&nai), rng)?;
    found(transaction.execute("UPDATE subscriber SET psk = ?2 WHERE nai = ?1", (&nai, sealed))?, &nai)
}

pub(super) fn set_policy(transaction: &Transaction<'_>, nai: &str, old: &SubscriberPolicy, new: &SubscriberPolicy) -> Result<()> {
    let nai = canonical_nai(nai);
    let (profile, suites, user_data) = policy_columns(new);
    let present = "SELECT profile, suites, user_data FROM subscriber WHERE nai = ?1";
    let present = transaction.query_row(present, [&nai], |row| Ok(policy_of(row, 0))).optional()?;
    if present.transpose()?.is_some_and(|present| present != *old) {
        return Err(StoreError::PolicyChanged(nai));
    }
    let update = "UPDATE subscriber SET profile = ?2, suites = ?3, user_data = ?4 WHERE nai = ?1";
    found(transaction.execute(update, (&nai, profile, suites, user_data))?, &nai)
}

/// The row goes, and with it key and policy; home addresses go from the one who held them to the associations that name them.
pub(super) fn remove(transaction: &Transaction<'_>, nai: &str, now: i64) -> Result<Vec<Spi>> {
    let nai = canonical_nai(nai);
    let ended = end_associations(transaction, &nai, now)?;
    found(transaction.execute("DELETE FROM subscriber WHERE nai = ?1", [&nai])?, &nai)?;
    Ok(ended)
}

/// Ends a subscriber's associations and gives those that were live.
pub(super) fn end_associations(transaction: &Transaction<'_>, nai: &str, now: i64) -> Result<Vec<Spi>> {
    let query = "SELECT spi, valid_until > ?2 FROM security_association WHERE ended = 0
         AND subscriber = (SELECT id FROM subscriber WHERE nai = ?1)";
    association::end_all(transaction, query, (canonical_nai(nai), now))
}

fn found(rows: usize, nai: &str) -> Result<()> {
    if rows == 0 { Err(StoreError::Unknown { what: "subscriber", name: nai.to_owned() }) } else { Ok(()) }
}

/// What [`subscriber_of`] reads; `?1` is the time.
const COLUMNS: &str = "nai, enabled, created,
     (SELECT address FROM home_address WHERE subscriber = id AND family = 6),
     (SELECT address FROM home_address WHERE subscriber = id AND family = 4),
     (SELECT COUNT(*) FROM security_association WHERE subscriber = id AND ended = 0 AND valid_until > ?1),
     profile, suites, user_data, (SELECT group_concat(prefix) FROM mobile_network WHERE subscriber = id)";

pub(super) fn list(connection: &Connection, now: i64) -> Result<Vec<Subscriber>> {
    let mut query = connection.prepare(&format!("SELECT {COLUMNS} FROM subscriber ORDER BY nai"))?;
    let mut rows = query.query([now])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(subscriber_of(row)?);
    }
    Ok(found)
}

pub(super) fn one(connection: &Connection, nai: &str, now: i64) -> Result<Option<Subscriber>> {
    let query = format!("SELECT {COLUMNS} FROM subscriber WHERE nai = ?2");
    connection.query_row(&query, (now, canonical_nai(nai)), |row| Ok(subscriber_of(row))).optional()?.transpose()
}

fn subscriber_of(row: &Row<'_>) -> Result<Subscriber> {
    let (ip6, ip4) = (row::ip6(row, 3)?.map(IpAddr::V6), row::ip4(row, 4)?.map(IpAddr::V4));
    Ok(Subscriber {
        nai: row.get(0)?,
        enabled: row.get(1)?,
        created: from_unix_seconds(row.get(2)?),
        home: ip6.into_iter().chain(ip4).collect(),
        live_sas: row.get(5)?,
        policy: policy_of(row, 6)?,
        prefixes: mobile_network::read(row.get::<_, Option<String>>(9)?.as_deref())?,
    })
}

/// Names in whose user part few letters differ, those first that differ least in all.
pub(super) fn names_like(connection: &Connection, nai: &str) -> Result<Vec<String>> {
    let user = |nai: &str| nai.split('@').next().unwrap_or_default().to_lowercase();
    let (nai, wanted) = (canonical_nai(nai), user(nai));
    let tolerance = wanted.chars().count().div_ceil(LIKENESS);
    let mut likeliest: Vec<(usize, String)> = Vec::new();
    let mut query = connection.prepare("SELECT nai FROM subscriber ORDER BY nai")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        if distance(&user(&name), &wanted) <= tolerance {
            likeliest.push((distance(&name, &nai), name));
            likeliest.sort();
            likeliest.truncate(MOST_ALIKE);
        }
    }
    Ok(likeliest.into_iter().map(|(_, name)| name).collect())
}
