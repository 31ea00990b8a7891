//! What a Binding Update says of networks behind its node: the Mobile Router flag (RFC 3963 section 4.1) and the Mobile Network
//! Prefix option (section 4.3).
//!
//! ```text
//! | Reserved (1) | Prefix Length (1) | Mobile Network Prefix (16) |
//! ```

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;

use super::option;
use crate::prefixes::MobileNetworkPrefixes;

/// The flag R in a Binding Update and what goes with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MobileRouter {
    /// The flag is clear: the node is a host, and options that it may have are not looked at.
    #[default]
    No,
    /// Set, and no option: all prefixes that the home agent knows to be the node's (section 5.2, implicit mode).
    Implicit,
    /// Set, with an option for each of these (explicit mode).
    Explicit(MobileNetworkPrefixes),
    /// Set, with options that are no set of prefixes; it is answered with [`Status::INVALID_PREFIX`](super::Status::INVALID_PREFIX).
    Invalid,
}

impl MobileRouter {
    /// By the flag alone.
    pub(super) fn flagged(is_router: bool) -> Self {
        if is_router { Self::Implicit } else { Self::No }
    }

    /// Whether the flag is set.
    pub fn is_router(&self) -> bool {
        *self != Self::No
    }

    /// Takes the value of one more option.
    pub(super) fn take(&mut self, value: &[u8]) {
        let before = match self {
            Self::No | Self::Invalid => return,
            Self::Implicit => &MobileNetworkPrefixes::default(),
            Self::Explicit(before) => before,
        };
        let with = prefix(value).and_then(|prefix| before.with(prefix).ok());
        *self = with.map_or(Self::Invalid, Self::Explicit);
    }

    /// An option for each prefix, at 8n+4.
    pub(super) fn emit(&self, header: &mut Vec<u8>) {
        let Self::Explicit(prefixes) = self else { return };
        for prefix in prefixes.iter() {
            let mut value = vec![0, prefix.prefix_len()];
            value.extend(prefix.network().octets());
            option::push(header, 8, 4, option::MOBILE_NETWORK_PREFIX, &value);
        }
    }
}

/// `None` for a length that the option never has, and for a prefix longer than an address.
fn prefix(value: &[u8]) -> Option<Ipv6Net> {
    let [_, length, address @ ..] = <[u8; 18]>::try_from(value).ok()?;
    Ipv6Net::new(Ipv6Addr::from(<[u8; 16]>::try_from(address.as_slice()).ok()?), length).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option_of(text: &str) -> Vec<u8> {
        let prefix: Ipv6Net = text.parse().unwrap();
        let mut value = vec![0xff, prefix.prefix_len()];
        value.extend(prefix.addr().octets());
        value
    }

    fn said(values: &[&[u8]]) -> MobileRouter {
        let mut router = MobileRouter::Implicit;
        values.iter().for_each(|value| router.take(value));
        router
    }

    /// RFC 3963 section 4.3: the octets, at 8n+4 whatever stands before.
    #[test]
    fn an_option_has_the_octets_of_the_rfc_where_its_alignment_wants_it() {
        let router = MobileRouter::Explicit("2001:db8:1::/64".parse().unwrap());
        for used in 0..16 {
            let mut header = vec![0; used];
            router.emit(&mut header);
            let start = header.len() - 20;
            assert_eq!(start % 8, 4, "behind {used}");
            assert_eq!(hex::encode(&header[start..]), "0612".to_owned() + "0040" + "20010db8000100000000000000000000");
        }
    }

    #[test]
    fn options_are_taken_together_and_what_is_no_prefix_spoils_them_all() {
        let (one, other) = (option_of("2001:db8:2::1/64"), option_of("2001:db8:1::/48"));
        assert_eq!(said(&[&one, &other]), MobileRouter::Explicit("2001:db8:1::/48,2001:db8:2::/64".parse().unwrap()));
        let (mut too_long, wide) = (one.clone(), option_of("::/0"));
        too_long[1] = 129;
        for spoiled in [&too_long[..], &wide, &one, &one[..17], &[]] {
            assert_eq!(said(&[&one, spoiled]), MobileRouter::Invalid, "{spoiled:?}");
            assert_eq!(said(&[&one, spoiled, &other]), MobileRouter::Invalid, "{spoiled:?}");
        }
        let many: Vec<Vec<u8>> = (0..9).map(|n| option_of(&format!("2001:db8:{n}::/64"))).collect();
        let many: Vec<&[u8]> = many.iter().map(Vec::as_slice).collect();
        assert!(matches!(said(&many[..8]), MobileRouter::Explicit(prefixes) if prefixes.len() == 8));
        assert_eq!(said(&many), MobileRouter::Invalid);
    }

    #[test]
    fn without_the_flag_options_are_not_looked_at() {
        let mut router = MobileRouter::flagged(false);
        router.take(&option_of("2001:db8:1::/64"));
        router.take(&[]);
        assert_eq!((router.is_router(), router), (false, MobileRouter::No));
    }
}
