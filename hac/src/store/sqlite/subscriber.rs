//! Queries on subscribers and their sealed pre-shared keys.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use protocol::sa::Secret;
use rand::CryptoRng;
use rusqlite::{Connection, OptionalExtension, Transaction};

use super::{log, seal};
use crate::store::sealing::{Context, KeyEncryptionKey};
use crate::store::{Result, StoreError, Subscriber, canonical_nai, from_unix_seconds};

pub(super) fn add(
    transaction: &Transaction<'_>,
    kek: &KeyEncryptionKey,
    nai: &str,
    psk: &Secret,
    now: i64,
    rng: &mut dyn CryptoRng,
) -> Result<()> {
    let nai = canonical_nai(nai);
    let sealed = seal(kek, psk, &Context::psk(&nai), rng)?;
    let insert = "INSERT INTO subscriber (nai, psk, created) VALUES (?1, ?2, ?3) ON CONFLICT (nai) DO NOTHING";
    match transaction.execute(insert, (&nai, sealed, now))? {
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
             (SELECT COUNT(*) FROM security_association WHERE subscriber = id AND ended = 0 AND valid_until > ?1)
         FROM subscriber ORDER BY nai",
    )?;
    let rows = query.query_map([now], |row| {
        let ip6 = row.get::<_, Option<[u8; 16]>>(3)?.map(|octets| IpAddr::V6(Ipv6Addr::from(octets)));
        let ip4 = row.get::<_, Option<[u8; 4]>>(4)?.map(|octets| IpAddr::V4(Ipv4Addr::from(octets)));
        Ok(Subscriber {
            nai: row.get(0)?,
            enabled: row.get(1)?,
            created: from_unix_seconds(row.get(2)?),
            home: ip6.into_iter().chain(ip4).collect(),
            live_sas: row.get(5)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
