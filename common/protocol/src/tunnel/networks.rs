//! Which node's networks an address is in (RFC 3963): networks of several nodes, apart from each other.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use crate::prefixes::MobileNetworkPrefixes;

/// By the first address of each network its last one, and the node that it is behind.
#[derive(Debug, Default)]
pub(super) struct Networks(BTreeMap<Ipv6Addr, (Ipv6Addr, usize)>);

impl Networks {
    /// The node behind which `address` is.
    pub(super) fn node(&self, address: Ipv6Addr) -> Option<usize> {
        let (_, (last, node)) = self.0.range(..=address).next_back()?;
        (address <= *last).then_some(*node)
    }

    /// One that overlaps another node's is left to that node: whoever writes bindings lets no such pair come here.
    pub(super) fn add(&mut self, prefixes: &MobileNetworkPrefixes, node: usize) {
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
    pub(super) fn remove(&mut self, prefixes: &MobileNetworkPrefixes, node: usize) {
        for prefix in prefixes.iter() {
            if self.0.get(&prefix.network()).is_some_and(|(_, of)| *of == node) {
                self.0.remove(&prefix.network());
            }
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
