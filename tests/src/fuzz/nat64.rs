//! What a network says of its NAT64: an IPv4 address is found again in the IPv6 address that stands for it, no prefix leads where IPv6 means
//! something else, and our own writing is read as it was meant.

use std::net::{Ipv4Addr, Ipv6Addr};

use net::netlink;
use protocol::nat64::{IPV4_ONLY_ADDRESSES, Nat64Prefix};
use protocol::wire::pref64::Pref64;

/// A global address.
const SERVER: Ipv4Addr = Ipv4Addr::new(8, 8, 4, 4);

/// The octets as a datagram of the kernel's, as one option, and as the addresses in a name server's answer.
pub fn nat64(data: &[u8]) {
    for heard in netlink::advertised(data) {
        stands_for_ipv4(heard.pref64.prefix);
    }
    if let Some(said) = Pref64::parse(data) {
        stands_for_ipv4(said.prefix);
        assert_eq!(Pref64::parse(&said.emit()), Some(said), "our own writing is read otherwise");
    }
    let (addresses, _) = data.as_chunks::<16>();
    let answer: Vec<Ipv6Addr> = addresses.iter().map(|octets| Ipv6Addr::from(*octets)).collect();
    let prefixes = Nat64Prefix::of_answer(&answer);
    for prefix in &prefixes {
        stands_for_ipv4(*prefix);
        let is_known = |address: &Ipv6Addr| prefix.embedded_in(*address).is_some_and(|ip| IPV4_ONLY_ADDRESSES.contains(&ip));
        assert!(answer.iter().any(is_known), "{prefix} is in no answer");
    }
}

fn stands_for_ipv4(prefix: Nat64Prefix) {
    assert_eq!(Nat64Prefix::new(prefix.network(), prefix.length()), Some(prefix), "{prefix} is not its own network");
    let Some(address) = prefix.embed(SERVER) else { panic!("{prefix} does not stand for a global address") };
    assert_eq!(prefix.embedded_in(address), Some(SERVER), "{prefix} loses an address");
    let means_something_else = address.is_multicast() || address.is_unspecified() || address.is_loopback();
    assert!(!means_something_else && address.to_ipv4_mapped().is_none() && !address.is_unicast_link_local(), "{address}");
}
