//! Default address selection (RFC 6724): which of several addresses of one's own goes with a destination (section 5), and which of
//! several destinations comes first (section 6). Pure.
//!
//! Of the rules for sources these are no comparison here. Rule 4: a care-of address is wanted, so that a home address is no candidate
//! at all. Rule 5: candidates are of the interface that the packets leave by. Rule 5.5: the kernel does not say which router gave which
//! prefix. For destinations, rule 7: what kind of link it is says nothing of what it carries.

use std::cmp::{Ordering, Reverse};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};

/// A candidate (RFC 6724 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The address with the length of its prefix, of the family of the destination.
    pub address: IpNet,
    /// Its preferred lifetime has ended (RFC 4862 section 5.5.4).
    pub deprecated: bool,
    /// It is one of those that change from day to day (RFC 8981).
    pub temporary: bool,
}

/// How well a source goes with a destination, by what addresses say of themselves: the smaller the better. Rules 2, 5, 6 and 8 of
/// RFC 6724 section 6; rule 3 is between the first of them and the others, for whoever knows of lifetimes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fit {
    /// They do not reach equally far: what is sent may not be answered.
    pub other_scope: bool,
    /// They are of different kinds: a unique local address with a global one, 6to4 with native.
    pub other_label: bool,
    precedence: Reverse<u8>,
    scope: Scope,
}

/// How far an address reaches (section 3.1); a unique local address counts as global.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Interface = 0x1,
    Link = 0x2,
    Admin = 0x4,
    Site = 0x5,
    Organisation = 0x8,
    Global = 0xe,
}

/// The default policy table (section 2.1): prefix, precedence, label. The longest prefix counts.
const POLICY: [(Ipv6Addr, u8, u8, u8); 9] = [
    (Ipv6Addr::LOCALHOST, 128, 50, 0),
    (Ipv6Addr::UNSPECIFIED, 0, 40, 1),
    (Ipv4Addr::UNSPECIFIED.to_ipv6_mapped(), 96, 35, 4),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, 30, 2),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, 5, 5),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, 3, 13),
    (Ipv6Addr::UNSPECIFIED, 96, 1, 3),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, 1, 11),
    (Ipv6Addr::new(0x3ffe, 0, 0, 0, 0, 0, 0, 0), 16, 1, 12),
];

/// Which of two sources is to be used for `destination`: the smaller one (section 5, rules 1, 2, 3, 6, 7 and 8).
pub fn compare_sources(one: &Source, other: &Source, destination: IpAddr) -> Ordering {
    let is_it = |source: &Source| source.address.addr() == destination;
    let other_label = |source: &Source| label(source.address.addr()) != label(destination);
    let rest = |source: &Source| {
        let shared = common_prefix_len(source, destination);
        (source.deprecated, other_label(source), !source.temporary, Reverse(shared))
    };
    is_it(other)
        .cmp(&is_it(one))
        .then_with(|| compare_scopes(scope(one.address.addr()), scope(other.address.addr()), scope(destination)))
        .then_with(|| rest(one).cmp(&rest(other)))
}

/// Rule 2: the smallest scope that reaches the destination, else the one that reaches furthest.
fn compare_scopes(one: Scope, other: Scope, destination: Scope) -> Ordering {
    match one.cmp(&other) {
        Ordering::Less if one < destination => Ordering::Greater,
        Ordering::Greater if other < destination => Ordering::Less,
        order @ (Ordering::Less | Ordering::Equal | Ordering::Greater) => order,
    }
}

impl Fit {
    /// Of `source`, the address that is used for `destination`.
    pub fn of(source: IpAddr, destination: IpAddr) -> Self {
        Self {
            other_scope: scope(source) != scope(destination),
            other_label: label(source) != label(destination),
            precedence: Reverse(policy(destination).0),
            scope: scope(destination),
        }
    }
}

/// Brings destinations into the order in which they are to be tried (section 6); those that are equal stay as they are. `source` says
/// which address the kernel would use, `None` where it has no way there. Rule 9, the longest prefix in common with the source, is left
/// out (the section allows it): it would undo what the name servers' rotation is for.
pub fn sort_destinations<D>(destinations: &mut [D], address: impl Fn(&D) -> IpAddr, source: impl Fn(IpAddr) -> Option<IpAddr>) {
    destinations.sort_by_cached_key(|one| {
        let fit = source(address(one)).map(|source| Fit::of(source, address(one)));
        (fit.is_none(), fit)
    });
}

fn scope(address: IpAddr) -> Scope {
    match address {
        IpAddr::V4(ip) if ip.is_link_local() || ip.is_loopback() => Scope::Link,
        IpAddr::V4(_) => Scope::Global,
        IpAddr::V6(ip) if ip.is_multicast() => multicast_scope(ip),
        IpAddr::V6(ip) if ip.is_unicast_link_local() || ip.is_loopback() => Scope::Link,
        IpAddr::V6(ip) if ip.segments()[0] & 0xffc0 == 0xfec0 => Scope::Site,
        IpAddr::V6(_) => Scope::Global,
    }
}

fn multicast_scope(ip: Ipv6Addr) -> Scope {
    match ip.octets()[1] & 0xf {
        ..=0x1 => Scope::Interface,
        0x2..=0x3 => Scope::Link,
        0x4 => Scope::Admin,
        0x5..=0x7 => Scope::Site,
        0x8..=0xd => Scope::Organisation,
        0xe.. => Scope::Global,
    }
}

fn label(address: IpAddr) -> u8 {
    policy(address).1
}

/// Precedence and label. The unspecified address stands for a destination that is not known yet, and is like any other.
fn policy(address: IpAddr) -> (u8, u8) {
    let ip = match address {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) if ip.is_unspecified() => return (40, 1),
        IpAddr::V6(ip) => ip,
    };
    let matching = POLICY.iter().filter(|(prefix, len, ..)| Ipv6Net::new(*prefix, *len).is_ok_and(|net| net.contains(&ip)));
    let longest = matching.max_by_key(|(_, len, ..)| *len);
    longest.map_or((40, 1), |(_, _, precedence, label)| (*precedence, *label))
}

/// Leading bits that they share, as far as the source's prefix goes (section 2.2).
fn common_prefix_len(source: &Source, destination: IpAddr) -> u8 {
    let differing = match (source.address.addr(), destination) {
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
        (IpAddr::V4(one), IpAddr::V4(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
        _ => 0,
    };
    u8::try_from(differing).unwrap_or(u8::MAX).min(source.address.prefix_len())
}

#[cfg(test)]
mod tests;
