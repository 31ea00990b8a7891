//! Whose the networks behind several nodes are, apart from each other (RFC 3963).

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use super::MobileNetworkPrefixes;

/// By the first address of each network its last one, and the node that it is behind, named by an `N`.
#[derive(Debug)]
pub struct Networks<N>(BTreeMap<Ipv6Addr, (Ipv6Addr, N)>);

impl<N> Default for Networks<N> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<N: Copy + PartialEq> Networks<N> {
    /// The node behind which `address` is.
    pub fn node(&self, address: Ipv6Addr) -> Option<N> {
        let (_, (last, node)) = self.0.range(..=address).next_back()?;
        (address <= *last).then_some(*node)
    }

    /// A node other than `node` that has a network with an address in common with these.
    pub fn other_with(&self, prefixes: &MobileNetworkPrefixes, node: N) -> Option<N> {
        prefixes.iter().find_map(|prefix| {
            // They are apart, so the last addresses are in the order of the first ones.
            let before = self.0.range(..=prefix.broadcast()).rev().map(|(_, entry)| entry);
            let mut overlapping = before.take_while(|(last, _)| *last >= prefix.network());
            overlapping.find(|(_, other)| *other != node).map(|(_, other)| *other)
        })
    }

    /// They are behind `node`. One that overlaps another that is there is left out: whoever writes bindings lets no such pair come here.
    pub fn add(&mut self, prefixes: &MobileNetworkPrefixes, node: N) {
        for prefix in prefixes.iter() {
            let (first, last) = (prefix.network(), prefix.broadcast());
            // Those there are apart: the last that begins before this one ends is the only one that may reach into it.
            let before = self.0.range(..=last).next_back();
            if before.is_none_or(|(_, (end, _))| *end < first) {
                self.0.insert(first, (last, node));
            }
        }
    }

    /// Takes those away that are this node's.
    pub fn remove(&mut self, prefixes: &MobileNetworkPrefixes, node: N) {
        for prefix in prefixes.iter() {
            if self.0.get(&prefix.network()).is_some_and(|(_, of)| *of == node) {
                self.0.remove(&prefix.network());
            }
        }
    }

    /// How many there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
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
        networks.add(&read("2001:db8:1::/64,2001:db8:3::/48"), one);
        networks.add(&read("2001:db8:1:1::/64"), two);
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
        networks.remove(&read("2001:db8:1:1::/64"), two);
        assert_eq!(networks.other_with(&read("2001:db8:1::/48"), one), None);
    }
}
