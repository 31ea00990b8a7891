//! What a AAA server says with its Access-Accept of the association that follows: how long, with which home addresses, and what
//! accounting needs.

use std::net::Ipv6Addr;
use std::time::Duration;

use ipnet::Ipv6Net;

use crate::aaa::Accept;
use crate::store::{Access, Framed, FramedIp6};

/// The prefix length beside which an interface identifier makes an address (RFC 4291 section 2.5.1).
const INTERFACE_PREFIX_LEN: u8 = 64;

/// The AAA server's word on one authentication.
#[derive(Clone)]
pub(super) struct Word {
    /// How long an association may live at most.
    pub(super) limit: Option<Duration>,
    /// Home addresses.
    pub(super) framed: Framed,
    class: Vec<Vec<u8>>,
    interim: Option<Duration>,
}

impl Word {
    pub(super) fn of(accept: &Accept) -> Self {
        Self {
            limit: accept.session_timeout,
            framed: Framed { ip4: accept.framed_ip4, ip6: ip6(accept) },
            class: accept.class.clone(),
            interim: accept.interim,
        }
    }

    /// What is kept of it with the association of whom it has authenticated.
    pub(super) fn access(&self, identity: &str) -> Access {
        Access { user_name: identity.to_owned(), class: self.class.clone(), interim: self.interim }
    }
}

/// The most that is said: an address, else a prefix and an interface identifier, else a prefix. A delegated prefix is for a network
/// behind the mobile node, which there is none; where it is all that is said, the node's own address is in it.
fn ip6(accept: &Accept) -> Option<FramedIp6> {
    let by_interface = |prefix: Ipv6Net| {
        let interface = accept.framed_interface.filter(|_| prefix.prefix_len() == INTERFACE_PREFIX_LEN)?;
        Some(Ipv6Addr::from_bits(prefix.network().to_bits() | u128::from(u64::from_be_bytes(interface))))
    };
    let of_prefix = |prefix| by_interface(prefix).map_or(FramedIp6::Prefix(prefix), FramedIp6::Address);
    let address = accept.framed_ip6.map(FramedIp6::Address);
    address.or(accept.framed_prefix6.map(of_prefix)).or(accept.delegated_prefix6.map(FramedIp6::Prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERFACE: [u8; 8] = [0, 0, 0, 0, 0, 0, 0xab, 0xcd];

    fn nothing() -> Accept {
        Accept {
            eap: None,
            msk: None,
            user_name: None,
            session_timeout: None,
            class: Vec::new(),
            framed_ip4: None,
            framed_ip6: None,
            framed_prefix6: None,
            framed_interface: None,
            delegated_prefix6: None,
            interim: None,
        }
    }

    /// What comes first of several that are said.
    #[test]
    fn an_address_comes_before_a_prefix_with_an_interface_and_that_before_a_prefix_and_that_before_a_delegated_one() {
        let all = Accept {
            framed_ip6: "2001:db8::1".parse().ok(),
            framed_interface: Some(INTERFACE),
            framed_prefix6: "2001:db8:0:2::/64".parse().ok(),
            delegated_prefix6: "2001:db8:0:3::/64".parse().ok(),
            ..nothing()
        };
        let word = |accept: &Accept| Word::of(accept).framed.ip6;
        let address = |text: &str| Some(FramedIp6::Address(text.parse().unwrap()));
        let prefix = |text: &str| Some(FramedIp6::Prefix(text.parse().unwrap()));
        assert_eq!(word(&all), address("2001:db8::1"));
        let all = Accept { framed_ip6: None, ..all };
        assert_eq!(word(&all), address("2001:db8:0:2::abcd"));
        let wider = Accept { framed_prefix6: "2001:db8::/63".parse().ok(), ..all.clone() };
        assert_eq!(word(&wider), prefix("2001:db8::/63"), "it fits behind 64 bits alone");
        let all = Accept { framed_interface: None, ..all };
        assert_eq!(word(&all), prefix("2001:db8:0:2::/64"));
        let all = Accept { framed_prefix6: None, framed_interface: Some(INTERFACE), ..all };
        assert_eq!(word(&all), prefix("2001:db8:0:3::/64"), "a delegated prefix has no interface");
        assert_eq!(word(&Accept { delegated_prefix6: None, ..all }), None);
    }
}
