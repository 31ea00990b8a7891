//! Seeds of what is heard on a home link.

use std::net::IpAddr;

use protocol::wire::neighbour::{self, LinkEnd};

use crate::Seed;

/// Target and seeds.
pub(crate) fn all() -> Vec<(&'static str, Vec<Seed>)> {
    let hardware = [2, 0, 0, 0, 0, 9];
    let end = LinkEnd { hardware, ip6: Some([0xfe80, 0, 0, 0, 0, 0, 0, 9].into()) };
    let addresses: [(&str, IpAddr); 2] = [("6", "2001:db8:100::5".parse().unwrap()), ("4", "10.9.0.5".parse().unwrap())];
    let mut seeds = Vec::new();
    for (family, address) in addresses {
        let (probe, said) = (neighbour::probe(address, hardware).octets, neighbour::announcement(address, end).unwrap().octets);
        seeds.push((format!("half{family}"), said[..said.len() / 2].to_vec()));
        let mut passed_on = said.clone();
        passed_on[7] = passed_on[7].wrapping_sub(1);
        seeds.extend([
            (format!("probe{family}"), probe),
            (format!("said{family}"), said),
            (format!("changed{family}"), passed_on),
        ]);
    }
    vec![("neighbour", seeds)]
}
