//! Home addresses out of the pools: sticky, given at the first provisioning, never before the subscriber has authenticated
//! (`provision` is called for nobody else).
//!
//! Host number 0 (the network; in IPv6 the subnet-router anycast address), 1 (the home agent's own) and IPv4's broadcast
//! address are never given.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use protocol::addr::HomeAddresses;
use rand::CryptoRng;
use rusqlite::{OptionalExtension, Transaction, types::FromSql, types::ToSql};

use crate::store::{Pools, Result, StoreError};

/// Draws in a large IPv6 pool before it counts as exhausted: with half of the pool given, 64 draws fail once in 2^64.
const DRAWS: usize = 64;
/// IPv6 pools with at most this many host bits are searched in order, larger ones by draws.
const SEARCHED_HOST_BITS: u8 = 16;
/// Host numbers below this are not for subscribers.
const FIRST_HOST: u64 = 2;

/// The subscriber's home addresses; gives those that are missing.
pub(super) fn assign(
    transaction: &Transaction<'_>,
    subscriber: i64,
    pools: &Pools,
    rng: &mut dyn CryptoRng,
) -> Result<HomeAddresses> {
    let ip6 = match pools.ip6 {
        Some(pool) => Some(sticky(
            transaction,
            subscriber,
            6,
            |ip: &[u8; 16]| pool.contains(&Ipv6Addr::from(*ip)),
            || Ok(free_ip6(transaction, pool, rng)?.octets()),
        )?),
        None => None,
    };
    let ip4 = match pools.ip4 {
        Some(pool) => Some(sticky(
            transaction,
            subscriber,
            4,
            |ip: &[u8; 4]| pool.contains(&Ipv4Addr::from(*ip)),
            || Ok(free_ip4(transaction, pool)?.octets()),
        )?),
        None => None,
    };
    let damaged = || StoreError::Damaged("neither pool6 nor pool4 is configured".to_owned());
    HomeAddresses::new(ip6.map(Ipv6Addr::from), ip4.map(Ipv4Addr::from)).ok_or_else(damaged)
}

/// What the subscriber has, if it still lies in the pool; else what `free` finds, recorded.
fn sticky<A: FromSql + ToSql>(
    transaction: &Transaction<'_>,
    subscriber: i64,
    family: u8,
    in_pool: impl FnOnce(&A) -> bool,
    free: impl FnOnce() -> Result<A>,
) -> Result<A> {
    let mut query = transaction.prepare_cached("SELECT address FROM home_address WHERE subscriber = ?1 AND family = ?2")?;
    let held: Option<A> = query.query_row((subscriber, family), |row| row.get(0)).optional()?;
    if let Some(held) = held.filter(in_pool) {
        return Ok(held);
    }
    let address = free()?;
    let record = "INSERT OR REPLACE INTO home_address (subscriber, family, address) VALUES (?1, ?2, ?3)";
    transaction.prepare_cached(record)?.execute((subscriber, family, &address))?;
    Ok(address)
}

fn free_ip6(transaction: &Transaction<'_>, pool: Ipv6Net, rng: &mut dyn CryptoRng) -> Result<Ipv6Addr> {
    let host_bits = 128 - pool.prefix_len();
    let network = u128::from(pool.network());
    let exhausted = || StoreError::PoolExhausted(IpNet::V6(pool));
    if host_bits <= SEARCHED_HOST_BITS {
        let end = 1_u64 << host_bits;
        let host = first_free(transaction, end, |host| Ipv6Addr::from(network | u128::from(host)).octets())?;
        return host.map(|host| Ipv6Addr::from(network | u128::from(host))).ok_or_else(exhausted);
    }
    let mask = if host_bits >= 64 { u64::MAX } else { (1 << host_bits) - 1 };
    for _ in 0..DRAWS {
        let host = rng.next_u64() & mask;
        let address = Ipv6Addr::from(network | u128::from(host));
        if host >= FIRST_HOST && !is_taken(transaction, &address.octets())? {
            return Ok(address);
        }
    }
    Err(exhausted())
}

fn free_ip4(transaction: &Transaction<'_>, pool: Ipv4Net) -> Result<Ipv4Addr> {
    let broadcast = u64::from(u32::from(pool.broadcast()) - u32::from(pool.network()));
    let at = |host: u64| Ipv4Addr::from(u32::from(pool.network()) | u32::try_from(host).unwrap_or(u32::MAX));
    let host = first_free(transaction, broadcast, |host| at(host).octets())?;
    host.map(at).ok_or(StoreError::PoolExhausted(IpNet::V4(pool)))
}

/// A host number in `FIRST_HOST..end` whose address nobody has: the one behind the highest given; at the pool's end, the
/// first gap.
fn first_free<const N: usize>(transaction: &Transaction<'_>, end: u64, at: impl Fn(u64) -> [u8; N]) -> Result<Option<u64>> {
    if end <= FIRST_HOST {
        return Ok(None);
    }
    let range = (at(FIRST_HOST), at(end - 1));
    let among = |what| taken::<N>(what, "BETWEEN ?1 AND ?2");
    if !is_taken(transaction, &at(end - 1))? {
        let query = format!("SELECT MAX(highest) FROM ({})", among("MAX(address) AS highest"));
        let highest: Option<[u8; N]> = transaction.prepare_cached(&query)?.query_row(range, |row| row.get(0))?;
        return Ok(Some(highest.map_or(FIRST_HOST, |highest| host_number(&highest, &at(0)) + 1)));
    }
    let mut query = transaction.prepare_cached(&format!("{} ORDER BY address", among("address")))?;
    let mut candidate = FIRST_HOST;
    for taken in query.query_map(range, |row| row.get::<_, [u8; N]>(0))? {
        let taken = taken?;
        // A removed subscriber's address is named by each of his associations.
        if taken == at(candidate) {
            candidate += 1;
        } else if taken > at(candidate) {
            break;
        }
    }
    Ok((candidate < end).then_some(candidate))
}

/// The host bits of an address: at most 32 of them differ from the network's.
fn host_number(address: &[u8], network: &[u8]) -> u64 {
    address.iter().zip(network).fold(0, |number, (octet, prefix)| number << 8 | u64::from(octet ^ prefix))
}

fn is_taken<const N: usize>(transaction: &Transaction<'_>, address: &[u8; N]) -> Result<bool> {
    Ok(transaction.prepare_cached(&taken::<N>("1", "= ?1"))?.exists([address])?)
}

/// The query for `what` of the addresses of one family that are taken and stand in `relation`: those that subscribers have, and those
/// that associations of removed ones still name, until [`super::spi::purge`] forgets these. Without its name SQLite takes another
/// index for the latter, and looks through all of them.
fn taken<const N: usize>(what: &str, relation: &str) -> String {
    let family = if N == 16 { 6 } else { 4 };
    format!(
        "SELECT {what} FROM home_address WHERE family = {family} AND address {relation} UNION ALL
         SELECT {what} FROM (SELECT home{family} AS address FROM security_association
             INDEXED BY security_association_home{family}_held WHERE subscriber IS NULL AND home{family} {relation})"
    )
}
