//! Home addresses that a AAA server chose. One must lie in the configured pool, since nothing is routed elsewhere; whoever merely has it,
//! without an association that names it, gives way.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv6Net};
use rand::CryptoRng;

use super::{FIRST_HOST, Of, sticky_ip6};
use crate::store::{Chosen, Framed, FramedIp6, Pools, Result, StoreError, Unfit};

/// Whether it can be followed, whoever is served.
pub(super) fn check(pools: &Pools, framed: &Framed) -> Result<()> {
    let chosen4 = framed.ip4.map(|address| (IpNet::from(IpAddr::V4(address)), Chosen::Ip4(address)));
    let chosen6 = framed.ip6.map(|chosen| (IpNet::V6(prefix(chosen)), Chosen::Ip6(chosen)));
    for ((net, chosen), pool) in
        [(chosen4, pools.ip4.map(IpNet::V4)), (chosen6, pools.ip6.map(IpNet::V6))].into_iter().filter_map(|(c, p)| Some((c?, p)))
    {
        let reason = match pool {
            None => Unfit::NoPool,
            Some(pool) if !pool.contains(&net) => Unfit::Outside(pool),
            Some(pool) if net.prefix_len() == net.max_prefix_len() && is_reserved(pool, net.addr()) => {
                Unfit::Reserved(net.addr())
            }
            Some(_) => continue,
        };
        return Err(StoreError::Unfit { chosen, reason });
    }
    Ok(())
}

/// An address is a prefix of its whole length.
fn prefix(chosen: FramedIp6) -> Ipv6Net {
    match chosen {
        FramedIp6::Address(address) => address.into(),
        FramedIp6::Prefix(prefix) => prefix.trunc(),
    }
}

/// Host 0, host 1, and IPv4's broadcast.
fn is_reserved(pool: IpNet, address: IpAddr) -> bool {
    match (pool, address) {
        (IpNet::V4(pool), IpAddr::V4(address)) => {
            u64::from(u32::from(address) - u32::from(pool.network())) < FIRST_HOST || address == pool.broadcast()
        }
        (IpNet::V6(pool), IpAddr::V6(address)) => u128::from(address) - u128::from(pool.network()) < u128::from(FIRST_HOST),
        _ => true,
    }
}

/// That address; or in that prefix the one that the subscriber has, else a free one. It is checked.
pub(super) fn ip6(of: &Of<'_>, pool: Ipv6Net, chosen: FramedIp6, rng: &mut dyn CryptoRng) -> Result<[u8; 16]> {
    let part = prefix(chosen);
    if part.prefix_len() == part.max_prefix_len() {
        return take(of, part.addr().octets(), Chosen::Ip6(chosen));
    }
    let taken = StoreError::HomeAddressTaken { chosen: Chosen::Ip6(chosen) };
    sticky_ip6(of, pool, part, rng).map_err(|error| if matches!(error, StoreError::PoolExhausted(_)) { taken } else { error })
}

/// That address, which is checked.
pub(super) fn ip4(of: &Of<'_>, address: std::net::Ipv4Addr) -> Result<[u8; 4]> {
    take(of, address.octets(), Chosen::Ip4(address))
}

fn take<const N: usize>(of: &Of<'_>, address: [u8; N], chosen: Chosen) -> Result<[u8; N]> {
    if of.is_served_elsewhere(&address)? {
        return Err(StoreError::HomeAddressTaken { chosen });
    }
    of.sticky(|held| *held == address, || Ok(address))
}
