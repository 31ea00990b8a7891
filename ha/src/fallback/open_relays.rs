//! The gateway's side: which relays are open, and which node has which. One node has one.

use std::collections::HashMap;
use std::net::{Ipv6Addr, SocketAddr};

use tokio::sync::watch;

use super::Standing;

/// Relays by their addresses and by nodes. Bounded by the connections, which are.
#[derive(Debug, Default)]
pub struct OpenRelays {
    relays: HashMap<SocketAddr, Relay>,
    by_node: HashMap<Ipv6Addr, SocketAddr>,
}

#[derive(Debug)]
struct Relay {
    standing: watch::Sender<Standing>,
    node: Option<Ipv6Addr>,
}

impl OpenRelays {
    /// The home agent knows `relay` now.
    pub fn open(&mut self, relay: SocketAddr, standing: watch::Sender<Standing>) {
        standing.send_replace(Standing::Known);
        self.relays.insert(relay, Relay { standing, node: None });
    }

    /// `relay` has ended.
    pub fn close(&mut self, relay: SocketAddr) {
        let node = self.relays.remove(&relay).and_then(|relay| relay.node);
        if let Some(node) = node.filter(|node| self.by_node.get(node) == Some(&relay)) {
            self.by_node.remove(&node);
        }
    }

    /// A Binding Update of `node` that came by `relay` was accepted. An older relay of that node is to end.
    pub fn bind(&mut self, relay: SocketAddr, node: Ipv6Addr) {
        let Some(open) = self.relays.get_mut(&relay) else { return };
        if open.node == Some(node) {
            return;
        }
        let earlier = open.node.replace(node);
        open.standing.send_replace(Standing::Bound);
        if let Some(earlier) = earlier.filter(|earlier| self.by_node.get(earlier) == Some(&relay)) {
            self.by_node.remove(&earlier);
        }
        let older = self.by_node.insert(node, relay).filter(|older| *older != relay);
        if let Some(older) = older.and_then(|older| self.relays.get(&older)) {
            older.standing.send_replace(Standing::Superseded);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relay(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    fn opened(relays: &mut OpenRelays, port: u16) -> watch::Receiver<Standing> {
        let (standing, heard) = watch::channel(Standing::Announced);
        relays.open(relay(port), standing);
        heard
    }

    #[test]
    fn a_newer_relay_of_a_node_ends_the_older_one_and_no_other() {
        let (mut relays, nodes) = (OpenRelays::default(), [Ipv6Addr::from(1), Ipv6Addr::from(2)]);
        let [first, other, second] = [1, 2, 3].map(|port| opened(&mut relays, port));
        relays.bind(relay(1), nodes[0]);
        relays.bind(relay(2), nodes[1]);
        relays.bind(relay(1), nodes[0]);
        assert_eq!([&first, &other, &second].map(|heard| *heard.borrow()), [Standing::Bound, Standing::Bound, Standing::Known]);
        relays.bind(relay(3), nodes[0]);
        let expected = [Standing::Superseded, Standing::Bound, Standing::Bound];
        assert_eq!([&first, &other, &second].map(|heard| *heard.borrow()), expected);
        relays.close(relay(1));
        relays.bind(relay(3), nodes[0]);
        assert_eq!(*second.borrow(), Standing::Bound, "the older one's end is not the newer one's");
        for port in [2, 3] {
            relays.close(relay(port));
        }
        assert!(relays.relays.is_empty() && relays.by_node.is_empty());
    }

    #[test]
    fn what_is_not_open_is_bound_to_nobody() {
        let mut relays = OpenRelays::default();
        relays.bind(relay(1), Ipv6Addr::from(1));
        assert!(relays.by_node.is_empty());
        relays.close(relay(1));
    }

    #[test]
    fn a_relay_that_another_node_registers_by_is_that_ones() {
        let mut relays = OpenRelays::default();
        let _heard = opened(&mut relays, 1);
        relays.bind(relay(1), Ipv6Addr::from(1));
        relays.bind(relay(1), Ipv6Addr::from(2));
        assert_eq!(relays.by_node, HashMap::from([(Ipv6Addr::from(2), relay(1))]));
    }
}
