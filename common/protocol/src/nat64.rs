//! IPv6 addresses that stand for IPv4 addresses where a NAT64 translates (RFC 6052), and how their prefix is read from what a DNS64
//! makes of a name that has IPv4 addresses alone (RFC 7050). What routers say of it is in [`wire::pref64`](crate::wire::pref64).

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// What everybody knows to have two IPv4 addresses and no IPv6 address of its own (RFC 7050 section 8.2).
pub const IPV4_ONLY_NAME: &str = "ipv4only.arpa.";
/// Its addresses.
pub const IPV4_ONLY_ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 0, 170), Ipv4Addr::new(192, 0, 0, 171)];
/// Lengths that a prefix may have (RFC 6052 section 2.2).
const LENGTHS: [u8; 6] = [32, 40, 48, 56, 64, 96];
/// The octet that an address skips: bits 64 to 71 stay zero.
const SKIPPED: usize = 8;

/// Of everybody (RFC 6052 section 2.1): stands for global IPv4 addresses alone.
const WELL_KNOWN: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);
/// Where a prefix may lie: [`WELL_KNOWN`], RFC 8215's, global unicast, unique local. Elsewhere an address means something else, and
/// behind `::ffff:0:0/96` the kernel would send IPv4.
const PLACES: [Ipv6Net; 4] = [
    WELL_KNOWN,
    Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48),
    Ipv6Net::new_assert(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3),
    Ipv6Net::new_assert(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7),
];
/// IPv4 addresses that are not global (RFC 6052 section 3.1: RFC 5735 section 3, and RFC 6598).
const NOT_GLOBAL: [Ipv4Net; 15] = [
    Ipv4Net::new_assert(Ipv4Addr::new(0, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10),
    Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 0, 0), 16),
    Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 0, 0, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 0, 2, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 88, 99, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16),
    Ipv4Net::new_assert(Ipv4Addr::new(198, 18, 0, 0), 15),
    Ipv4Net::new_assert(Ipv4Addr::new(198, 51, 100, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(203, 0, 113, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(224, 0, 0, 0), 4),
    Ipv4Net::new_assert(Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// The prefix in which a NAT64 has the IPv4 addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Nat64Prefix(Ipv6Net);

impl Nat64Prefix {
    /// The first `length` bits of `address`. `None` for a length that RFC 6052 does not have, and where no such prefix can be.
    pub fn new(address: Ipv6Addr, length: u8) -> Option<Self> {
        let network = Ipv6Net::new(address, length).ok()?.trunc();
        let has_place = PLACES.iter().any(|place| place.contains(&network));
        let skips = network.addr().octets().get(SKIPPED) == Some(&0);
        (LENGTHS.contains(&length) && has_place && skips).then_some(Self(network))
    }

    /// From the IPv6 addresses that a name server has for [`IPV4_ONLY_NAME`]: each prefix once, in their order (RFC 7050 section 3).
    pub fn of_answer(addresses: &[Ipv6Addr]) -> Vec<Self> {
        let mut prefixes = Vec::new();
        for prefix in addresses.iter().filter_map(|address| Self::before_known(*address, addresses)) {
            if !prefixes.contains(&prefix) {
                prefixes.push(prefix);
            }
        }
        prefixes
    }

    /// What stands before one of [`IPV4_ONLY_ADDRESSES`] in `address`. Where they are in there more than once, as behind a prefix that
    /// holds one itself, only what has made both of them decides: `all` are the answer's.
    fn before_known(address: Ipv6Addr, all: &[Ipv6Addr]) -> Option<Self> {
        let octets = address.octets();
        let is_known = |at: [usize; 4]| {
            let [a, b, c, d] = at.map(|place| octets.get(place).copied().unwrap_or_default());
            IPV4_ONLY_ADDRESSES.contains(&Ipv4Addr::new(a, b, c, d))
        };
        let standard = LENGTHS.map(places);
        let elsewhere = (0..=12).map(|at| [at, at + 1, at + 2, at + 3]).filter(|at| !standard.contains(at));
        let count = standard.into_iter().chain(elsewhere).filter(|at| is_known(*at)).count();
        let has_made_both = |prefix: &Self| {
            IPV4_ONLY_ADDRESSES.iter().all(|known| all.iter().any(|other| prefix.embedded_in(*other) == Some(*known)))
        };
        let lengths = LENGTHS.into_iter().filter(|length| is_known(places(*length)));
        lengths.filter_map(|length| Self::new(address, length)).find(|prefix| count == 1 || has_made_both(prefix))
    }

    /// The IPv6 address that stands for `ip` (RFC 6052 section 2.2). `None` for one that is not global behind the prefix of everybody
    /// (section 3.1).
    pub fn embed(&self, ip: Ipv4Addr) -> Option<Ipv6Addr> {
        if self.0 == WELL_KNOWN && NOT_GLOBAL.iter().any(|network| network.contains(&ip)) {
            return None;
        }
        let mut octets = self.0.addr().octets();
        for (place, octet) in places(self.0.prefix_len()).into_iter().zip(ip.octets()) {
            *octets.get_mut(place)? = octet;
        }
        Some(octets.into())
    }

    /// The IPv4 address that `address` stands for, if it is one with this prefix.
    pub fn embedded_in(&self, address: Ipv6Addr) -> Option<Ipv4Addr> {
        let octets = address.octets();
        let [Some(a), Some(b), Some(c), Some(d)] = places(self.0.prefix_len()).map(|place| octets.get(place).copied()) else {
            return None;
        };
        self.0.contains(&address).then_some(Ipv4Addr::new(a, b, c, d))
    }

    /// The prefix's bits, with zeros behind.
    pub fn network(&self) -> Ipv6Addr {
        self.0.addr()
    }

    /// Its length in bits: 32, 40, 48, 56, 64 or 96.
    pub fn length(&self) -> u8 {
        self.0.prefix_len()
    }
}

impl fmt::Display for Nat64Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// At which octets of an IPv6 address the IPv4 address stands behind a prefix of `length` bits.
fn places(length: u8) -> [usize; 4] {
    let first = usize::from(length / 8);
    [0, 1, 2, 3].map(|nth| {
        let place = first + nth;
        if first <= SKIPPED && place >= SKIPPED { place + 1 } else { place }
    })
}

#[cfg(test)]
mod tests;
