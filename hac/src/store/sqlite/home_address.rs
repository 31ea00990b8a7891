//! Home addresses out of the pools: sticky, given at the first provisioning, never before the subscriber has authenticated
//! (`provision` is called for nobody else). What a AAA server chose comes first: [`framed`].
//!
//! Host number 0 (the network; in IPv6 the subnet-router anycast address), 1 (the home agent's own) and IPv4's broadcast
//! address are never given. An address is taken while a subscriber has it, and while an association of somebody else names it, until
//! [`super::spi::purge`] forgets that: he was removed, or given another.

mod framed;

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use protocol::addr::HomeAddresses;
use rand::CryptoRng;
use rusqlite::{OptionalExtension, Transaction};

use crate::store::{Framed, Pools, Result, StoreError};

/// Draws in a large IPv6 pool before it counts as exhausted: with half of the pool given, 64 draws fail once in 2^64.
const DRAWS: usize = 64;
/// IPv6 pools with at most this many host bits are searched in order, larger ones by draws.
const SEARCHED_HOST_BITS: u8 = 16;
/// Host numbers below this are not for subscribers.
const FIRST_HOST: u64 = 2;

/// The subscriber's home addresses: those that a AAA server chose, else what he has; gives those that are missing.
pub(super) fn assign(
    transaction: &Transaction<'_>,
    subscriber: i64,
    pools: &Pools,
    chosen: &Framed,
    rng: &mut dyn CryptoRng,
) -> Result<HomeAddresses> {
    framed::check(pools, chosen)?;
    let of = Of { transaction, subscriber };
    let ip6 = match (pools.ip6, chosen.ip6) {
        (None, _) => None,
        (Some(pool), Some(chosen)) => Some(framed::ip6(&of, pool, chosen, rng)?),
        (Some(pool), None) => Some(sticky_ip6(&of, pool, pool, rng)?),
    };
    let ip4 = match (pools.ip4, chosen.ip4) {
        (None, _) => None,
        (Some(_), Some(chosen)) => Some(framed::ip4(&of, chosen)?),
        (Some(pool), None) => Some(of.sticky(|ip| pool.contains(&Ipv4Addr::from(*ip)), || Ok(free_ip4(&of, pool)?.octets()))?),
    };
    let damaged = || StoreError::Damaged("neither pool6 nor pool4 is configured".to_owned());
    HomeAddresses::new(ip6.map(Ipv6Addr::from), ip4.map(Ipv4Addr::from)).ok_or_else(damaged)
}

/// The subscriber's address in `part` of `pool`.
fn sticky_ip6(of: &Of<'_>, pool: Ipv6Net, part: Ipv6Net, rng: &mut dyn CryptoRng) -> Result<[u8; 16]> {
    of.sticky(|ip| part.contains(&Ipv6Addr::from(*ip)), || Ok(free_ip6(of, pool, part, rng)?.octets()))
}

/// Whose address it is about.
struct Of<'a> {
    transaction: &'a Transaction<'a>,
    subscriber: i64,
}

impl Of<'_> {
    /// What the subscriber has, if it still is where it may be; else what `free` finds, recorded.
    fn sticky<const N: usize>(
        &self,
        may_be: impl FnOnce(&[u8; N]) -> bool,
        free: impl FnOnce() -> Result<[u8; N]>,
    ) -> Result<[u8; N]> {
        let query = "SELECT address FROM home_address WHERE subscriber = ?1 AND family = ?2";
        let mut query = self.transaction.prepare_cached(query)?;
        let held: Option<[u8; N]> = query.query_row((self.subscriber, family::<N>()), |row| row.get(0)).optional()?;
        if let Some(held) = held.filter(may_be) {
            return Ok(held);
        }
        let address = free()?;
        self.record(&address)?;
        Ok(address)
    }

    /// From now on it is his; in place of the one that he had, and of another subscriber who has it.
    fn record<const N: usize>(&self, address: &[u8; N]) -> Result<()> {
        let record = "INSERT OR REPLACE INTO home_address (subscriber, family, address) VALUES (?1, ?2, ?3)";
        self.transaction.prepare_cached(record)?.execute((self.subscriber, family::<N>(), address))?;
        Ok(())
    }

    fn is_taken<const N: usize>(&self, address: &[u8; N]) -> Result<bool> {
        let query = format!(
            "SELECT 1 FROM home_address WHERE family = {} AND address = ?2 UNION ALL {}",
            family::<N>(),
            named::<N>("= ?2")
        );
        Ok(self.transaction.prepare_cached(&query)?.exists((self.subscriber, address))?)
    }

    /// Whether an association of somebody else names it.
    fn is_served_elsewhere<const N: usize>(&self, address: &[u8; N]) -> Result<bool> {
        Ok(self.transaction.prepare_cached(&named::<N>("= ?2"))?.exists((self.subscriber, address))?)
    }

    /// A number in `hosts` whose address is not taken: the one behind the highest that is; at the end, the first gap.
    fn first_free<const N: usize>(&self, hosts: Range<u64>, at: impl Fn(u64) -> [u8; N]) -> Result<Option<u64>> {
        if hosts.is_empty() {
            return Ok(None);
        }
        let (first, last) = (at(hosts.start), at(hosts.end - 1));
        if !self.is_taken(&last)? {
            let highest = self.highest::<N>(&first, &last)?;
            return Ok(Some(highest.map_or(hosts.start, |highest| host_number(&highest, &at(0)) + 1)));
        }
        let taken = format!(
            "SELECT address FROM home_address WHERE family = {} AND address BETWEEN ?2 AND ?3 UNION ALL {} ORDER BY address",
            family::<N>(),
            named::<N>("BETWEEN ?2 AND ?3")
        );
        let mut query = self.transaction.prepare_cached(&taken)?;
        let mut candidate = hosts.start;
        for taken in query.query_map((self.subscriber, first, last), |row| row.get::<_, [u8; N]>(0))? {
            let taken = taken?;
            // An address is named by each of a subscriber's associations.
            if taken == at(candidate) {
                candidate += 1;
            } else if taken > at(candidate) {
                break;
            }
        }
        Ok((candidate < hosts.end).then_some(candidate))
    }

    /// The highest that is taken from `first` to `last`.
    fn highest<const N: usize>(&self, first: &[u8; N], last: &[u8; N]) -> Result<Option<[u8; N]>> {
        let held =
            format!("SELECT MAX(address) FROM home_address WHERE family = {} AND address BETWEEN ?1 AND ?2", family::<N>());
        let held: Option<[u8; N]> = self.transaction.prepare_cached(&held)?.query_row((first, last), |row| row.get(0))?;
        let named = format!("{} ORDER BY address DESC LIMIT 1", named::<N>("BETWEEN ?2 AND ?3"));
        let mut named = self.transaction.prepare_cached(&named)?;
        let named = named.query_row((self.subscriber, first, last), |row| row.get(0)).optional()?;
        Ok(held.max(named))
    }
}

fn family<const N: usize>() -> u8 {
    if N == 16 { 6 } else { 4 }
}

/// The query for addresses in `relation` that associations of others than the subscriber `?1` name. Without the index's name SQLite may
/// take the one of subscribers, and look through all that are removed.
pub(super) fn named<const N: usize>(relation: &str) -> String {
    let home = format!("home{}", family::<N>());
    format!(
        "SELECT {home} AS address FROM security_association INDEXED BY security_association_{home}
         WHERE {home} {relation} AND subscriber IS NOT ?1"
    )
}

/// One in `part` of `pool`.
fn free_ip6(of: &Of<'_>, pool: Ipv6Net, part: Ipv6Net, rng: &mut dyn CryptoRng) -> Result<Ipv6Addr> {
    let host_bits = 128 - part.prefix_len();
    let network = u128::from(part.network());
    let first = if part.network() == pool.network() { FIRST_HOST } else { 0 };
    let exhausted = || StoreError::PoolExhausted(IpNet::V6(part));
    if host_bits <= SEARCHED_HOST_BITS {
        let hosts = first..1_u64 << host_bits;
        let host = of.first_free(hosts, |host| Ipv6Addr::from(network | u128::from(host)).octets())?;
        return host.map(|host| Ipv6Addr::from(network | u128::from(host))).ok_or_else(exhausted);
    }
    let mask = if host_bits >= 64 { u64::MAX } else { (1 << host_bits) - 1 };
    for _ in 0..DRAWS {
        let host = rng.next_u64() & mask;
        let address = Ipv6Addr::from(network | u128::from(host));
        if host >= first && !of.is_taken(&address.octets())? {
            return Ok(address);
        }
    }
    Err(exhausted())
}

fn free_ip4(of: &Of<'_>, pool: Ipv4Net) -> Result<Ipv4Addr> {
    let broadcast = u64::from(u32::from(pool.broadcast()) - u32::from(pool.network()));
    let at = |host: u64| Ipv4Addr::from(u32::from(pool.network()) | u32::try_from(host).unwrap_or(u32::MAX));
    let host = of.first_free(FIRST_HOST..broadcast, |host| at(host).octets())?;
    host.map(at).ok_or(StoreError::PoolExhausted(IpNet::V4(pool)))
}

/// The host bits of an address: at most 32 of them differ from the network's.
fn host_number(address: &[u8], network: &[u8]) -> u64 {
    address.iter().zip(network).fold(0, |number, (octet, prefix)| number << 8 | u64::from(octet ^ prefix))
}
