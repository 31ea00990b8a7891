//! Mobile Network Prefixes (RFC 3963 section 2): the IPv6 networks behind a mobile router, which move with it.

mod networks;

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;
use std::sync::Arc;

use ipnet::Ipv6Net;

pub use networks::Networks;

/// The shortest prefix: a wider network would take in a part of the Internet.
const SHORTEST: u8 = 16;
/// Networks that are behind nobody: the unspecified address and loopback, IPv4 in IPv6, link-local, multicast.
const NOBODYS: [Ipv6Net; 3] = [
    Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 80),
    Ipv6Net::new_assert(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
    Ipv6Net::new_assert(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8),
];

/// The prefixes of one mobile router: at most [`Self::MAX`], in order, apart from each other. Copies share them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MobileNetworkPrefixes(Arc<[Ipv6Net]>);

/// Why prefixes cannot be a mobile router's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// It is no IPv6 prefix.
    #[error("it is no IPv6 prefix, such as 2001:db8:1::/64")]
    Syntax,
    /// It is a network that nobody can have.
    #[error("{0} cannot be behind a mobile router: name a network of unicast addresses, /{SHORTEST} or longer")]
    Nobodys(Ipv6Net),
    /// One is a part of the other.
    #[error("{0} and {1} overlap: name each network once")]
    Overlap(Ipv6Net, Ipv6Net),
    /// There is no room for another.
    #[error("a mobile router has at most {max} prefixes", max = MobileNetworkPrefixes::MAX)]
    TooMany,
}

impl MobileNetworkPrefixes {
    /// The most prefixes of one mobile router.
    pub const MAX: usize = 8;

    /// Of these networks; bits behind a prefix do not count.
    ///
    /// # Errors
    /// What of them cannot be a mobile router's.
    pub fn new(prefixes: impl IntoIterator<Item = Ipv6Net>) -> Result<Self, PrefixError> {
        let mut taken: Vec<Ipv6Net> = Vec::new();
        for prefix in prefixes {
            let prefix = prefix.trunc();
            if taken.len() == Self::MAX {
                return Err(PrefixError::TooMany);
            }
            if prefix.prefix_len() < SHORTEST || NOBODYS.iter().any(|nobodys| overlap(nobodys, &prefix)) {
                return Err(PrefixError::Nobodys(prefix));
            }
            if let Some(other) = taken.iter().find(|other| overlap(other, &prefix)) {
                return Err(PrefixError::Overlap(*other, prefix));
            }
            taken.push(prefix);
        }
        taken.sort_unstable();
        Ok(Self(taken.into()))
    }

    /// With one more.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with(&self, prefix: Ipv6Net) -> Result<Self, PrefixError> {
        Self::new(self.iter().chain([prefix]))
    }

    /// Each, in order.
    pub fn iter(&self) -> impl Iterator<Item = Ipv6Net> {
        self.0.iter().copied()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none: the node is a host.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `address` is in one of them.
    pub fn contain(&self, address: Ipv6Addr) -> bool {
        self.0.iter().any(|prefix| prefix.contains(&address))
    }

    /// Whether each of `others` lies within one of them.
    pub fn cover(&self, others: &Self) -> bool {
        others.0.iter().all(|other| self.0.iter().any(|prefix| prefix.contains(other)))
    }

    /// Whether they have an address in common.
    pub fn overlap(&self, others: &Self) -> bool {
        self.0.iter().any(|one| others.0.iter().any(|other| overlap(one, other)))
    }
}

fn overlap(one: &Ipv6Net, other: &Ipv6Net) -> bool {
    one.contains(other) || other.contains(one)
}

impl fmt::Display for MobileNetworkPrefixes {
    /// With commas between them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().enumerate().try_for_each(|(index, prefix)| write!(f, "{}{prefix}", if index == 0 { "" } else { "," }))
    }
}

impl FromStr for MobileNetworkPrefixes {
    type Err = PrefixError;

    /// Prefixes with commas between them; of nothing at all it is none.
    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let words = text.split(',').map(str::trim).filter(|_| !text.trim().is_empty());
        let mut prefixes = Vec::new();
        for word in words.take(Self::MAX + 1) {
            prefixes.push(word.parse::<Ipv6Net>().map_err(|_| PrefixError::Syntax)?);
        }
        Self::new(prefixes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<MobileNetworkPrefixes, PrefixError> {
        text.parse()
    }

    #[test]
    fn prefixes_come_back_from_their_text_in_order_and_without_the_bits_behind_them() {
        assert_eq!(read("").unwrap(), MobileNetworkPrefixes::default());
        assert_eq!(read(" ").unwrap(), MobileNetworkPrefixes::default());
        let prefixes = read("2001:db8:2::1/64, 2001:db8:1::/48").unwrap();
        assert_eq!((prefixes.to_string().as_str(), prefixes.len()), ("2001:db8:1::/48,2001:db8:2::/64", 2));
        assert_eq!(read(&prefixes.to_string()), Ok(prefixes));
    }

    #[test]
    fn what_cannot_be_behind_a_mobile_router_is_refused() {
        for text in ["::/0", "2000::/3", "::1/128", "::ffff:10.9.0.0/112", "fe80::/64", "ff02::/16"] {
            assert_eq!(read(text), Err(PrefixError::Nobodys(text.parse::<Ipv6Net>().unwrap().trunc())), "{text}");
        }
        for text in ["2001:db8:1::", "10.9.0.0/24", "2001:db8:1::/129", ",", "2001:db8:1::/64,"] {
            assert_eq!(read(text), Err(PrefixError::Syntax), "{text}");
        }
        for text in ["2001:db8:1::/64,2001:db8:1::/64", "2001:db8:1:2::/64,2001:db8:1::/48", "2001:db8:1::/48,2001:db8:1:2::/64"]
        {
            assert!(matches!(read(text), Err(PrefixError::Overlap(..))), "{text}");
        }
    }

    #[test]
    fn there_is_room_for_so_many_and_no_more() {
        let text = |count: usize| (0..count).map(|n| format!("2001:db8:{n}::/64")).collect::<Vec<_>>().join(",");
        assert_eq!(read(&text(MobileNetworkPrefixes::MAX)).unwrap().len(), MobileNetworkPrefixes::MAX);
        assert_eq!(read(&text(MobileNetworkPrefixes::MAX + 1)), Err(PrefixError::TooMany));
        assert_eq!(read(&text(1000)), Err(PrefixError::TooMany));
    }

    #[test]
    fn addresses_and_parts_of_prefixes_are_in_them_and_others_are_not() {
        let own = read("2001:db8:1::/48,2001:db8:3::/64").unwrap();
        for (address, is_in) in
            [("2001:db8:1:ffff::1", true), ("2001:db8:3::", true), ("2001:db8:3:1::", false), ("2001:db8:2::", false)]
        {
            assert_eq!(own.contain(address.parse().unwrap()), is_in, "{address}");
        }
        for (others, covered, common) in [
            ("2001:db8:1:7::/64", true, true),
            ("2001:db8:1::/48,2001:db8:3::/64", true, true),
            ("2001:db8::/32", false, true),
            ("2001:db8:1:7::/64,2001:db8:2::/64", false, true),
            ("2001:db8:2::/64", false, false),
            ("", true, false),
        ] {
            let others = read(others).unwrap();
            assert_eq!((own.cover(&others), own.overlap(&others)), (covered, common), "{others}");
        }
    }
}
