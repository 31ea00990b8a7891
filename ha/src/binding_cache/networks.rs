//! Whose the networks behind mobile routers are, so that no two nodes have one network.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use protocol::prefixes::MobileNetworkPrefixes;

/// The networks of all bindings, by first address: the last one, and the address that stands for the node.
#[derive(Debug, Default)]
pub(super) struct Networks(BTreeMap<Ipv6Addr, (Ipv6Addr, Ipv6Addr)>);

impl Networks {
    /// They are behind the node `home`. None of them may overlap another's.
    pub(super) fn insert(&mut self, prefixes: &MobileNetworkPrefixes, home: Ipv6Addr) {
        self.0.extend(prefixes.iter().map(|prefix| (prefix.network(), (prefix.broadcast(), home))));
    }

    /// They are behind it no more.
    pub(super) fn remove(&mut self, prefixes: &MobileNetworkPrefixes) {
        for prefix in prefixes.iter() {
            self.0.remove(&prefix.network());
        }
    }

    /// A node other than `home` that has a network with an address in common with these.
    pub(super) fn other_with(&self, prefixes: &MobileNetworkPrefixes, home: Ipv6Addr) -> Option<Ipv6Addr> {
        prefixes.iter().find_map(|prefix| {
            // They are apart, so the last addresses are in the order of the first ones.
            let before = self.0.range(..=prefix.broadcast()).rev().map(|(_, entry)| entry);
            let mut overlapping = before.take_while(|(last, _)| *last >= prefix.network());
            overlapping.find(|(_, other)| *other != home).map(|(_, other)| *other)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_that_is_anothers_in_part_or_as_a_whole_is_found_with_its_node() {
        let [one, two] = [1, 2].map(|number| Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, number));
        let read = |text: &str| text.parse::<MobileNetworkPrefixes>().unwrap();
        let mut networks = Networks::default();
        networks.insert(&read("2001:db8:1::/64,2001:db8:3::/48"), one);
        networks.insert(&read("2001:db8:1:1::/64"), two);
        for (asked, by, other) in [
            ("2001:db8:1::/64", two, Some(one)),
            ("2001:db8:1::/64", one, None),
            ("2001:db8:3:7::/64", two, Some(one)),
            ("2001:db8:1::/48", one, Some(two)),
            ("2001:db8:1::/48", two, Some(one)),
            ("2001:db8:2::/48,2001:db8:4::/48", two, None),
            ("2001:db8:2::/48,2001:db8:1:1:8000::/66", one, Some(two)),
            ("", one, None),
        ] {
            assert_eq!(networks.other_with(&read(asked), by), other, "{asked} by {by}");
        }
        networks.remove(&read("2001:db8:1:1::/64"));
        assert_eq!(networks.other_with(&read("2001:db8:1::/48"), one), None);
    }
}
