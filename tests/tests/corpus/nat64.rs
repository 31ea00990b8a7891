//! Seeds of what a network says of its NAT64.

use std::net::Ipv6Addr;
use std::time::Duration;

use protocol::nat64::{IPV4_ONLY_ADDRESSES, Nat64Prefix};
use protocol::wire::pref64::Pref64;

use crate::Seed;

/// Target and seeds.
pub(crate) fn all() -> Vec<(&'static str, Vec<Seed>)> {
    let mut seeds = Vec::new();
    for (text, length) in [
        ("2001:db8::", 32),
        ("2001:db8:100::", 40),
        ("2001:db8:122::", 48),
        ("2001:db8:122:300::", 56),
        ("2001:db8:64::", 64),
        ("2001:db8:64::", 96),
    ] {
        let prefix = Nat64Prefix::new(text.parse().unwrap(), length).unwrap();
        let option = Pref64 { prefix, lifetime: Duration::from_secs(600) }.emit();
        seeds.push((format!("option{length}"), option.to_vec()));
        seeds.push((
            format!("message{length}"),
            [message(&option), message(&[&[25, 1, 0, 0, 0, 0, 0, 0], &option[..]].concat())].concat(),
        ));
        let answers = IPV4_ONLY_ADDRESSES.map(|known| octets(prefix, known.octets()));
        seeds.push((format!("answer{length}"), answers.concat()));
    }
    let everybodys = ["64:ff9b::c000:aa", "64:ff9b::c000:ab"].map(|text| text.parse::<Ipv6Addr>().unwrap().octets());
    seeds.push(("everybodys".to_owned(), everybodys.concat()));
    vec![("nat64", seeds)]
}

fn octets(prefix: Nat64Prefix, known: [u8; 4]) -> [u8; 16] {
    prefix.embed(known.into()).map_or([0; 16], |address: Ipv6Addr| address.octets())
}

/// RTM_NEWNDUSEROPT of a Router Advertisement on interface 3, as a little-endian machine has it.
fn message(options: &[u8]) -> Vec<u8> {
    let head =
        [&(32 + options.len() as u32).to_le_bytes()[..], &[68, 0], &[0; 10], &[10, 0], &(options.len() as u16).to_le_bytes()];
    [&head.concat()[..], &[3, 0, 0, 0, 134, 0, 0, 0, 0, 0, 0, 0], options].concat()
}
