//! Nodes whose datagrams come over TLS: what a relay's address stands for.
//!
//! To the halves such a node is at a loopback address, the relay's. Only the address of a relay that is open is usable; every other one
//! on loopback stays refused. TCP has shown that the node receives where its connection comes from, so that path needs no proof.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv6Addr, SocketAddr};

use protocol::tunnel::{Allowance, Command, Path, Paths};
use protocol::wire::mobility::PathToken;

use super::HomeAgent;
use crate::binding_cache::PathProof;

/// The relays that are open. Bounded by the fallback's connections.
#[derive(Debug, Default)]
pub(super) struct Relays {
    open: BTreeMap<SocketAddr, Relay>,
    bound: VecDeque<(SocketAddr, Ipv6Addr)>,
}

#[derive(Debug)]
struct Relay {
    remote: SocketAddr,
    /// Whose Binding Update came by it last.
    node: Option<Ipv6Addr>,
}

impl Relays {
    /// Where the connection comes from whose relay is at `from`; `None` where there is no relay.
    pub(super) fn remote_of(&self, from: SocketAddr) -> Option<SocketAddr> {
        self.open.get(&from).map(|relay| relay.remote)
    }

    /// Where a datagram really came from whose outer source is `from`.
    pub(super) fn seen_from(&self, from: SocketAddr) -> SocketAddr {
        self.remote_of(from).unwrap_or(from)
    }

    /// Whether `from` is a relay that `node` has not registered by, or not last: what is sent there is another's.
    pub(super) fn is_anothers(&self, from: SocketAddr, node: Ipv6Addr) -> bool {
        self.open.get(&from).is_some_and(|relay| relay.node != Some(node))
    }

    /// A Binding Update of `node` from `from` was accepted. Gives the other node that has registered by that relay before.
    fn note_bound(&mut self, from: SocketAddr, node: Ipv6Addr) -> Option<Ipv6Addr> {
        let relay = self.open.get_mut(&from).filter(|relay| relay.node != Some(node))?;
        self.bound.push_back((from, node));
        relay.node.replace(node)
    }
}

impl HomeAgent {
    /// A relay is open at the loopback address `relay`, for a connection that comes from `remote`.
    pub fn handle_relay_opened(&mut self, relay: SocketAddr, remote: SocketAddr) {
        self.relays.open.insert(relay, Relay { remote, node: None });
    }

    /// It has ended. Nothing is sent to its address any more, which may be somebody else's next; the binding stands until its node is
    /// heard from elsewhere.
    pub fn handle_relay_closed(&mut self, relay: SocketAddr) {
        if let Some(home) = self.relays.open.remove(&relay).and_then(|relay| relay.node) {
            self.leave_relay(relay, home);
        }
    }

    /// `home` has registered from `from`. Where that is a relay it is this node's from now on, and no other's.
    pub(super) fn note_relay(&mut self, from: SocketAddr, home: Ipv6Addr) {
        if let Some(earlier) = self.relays.note_bound(from, home) {
            self.leave_relay(from, earlier);
        }
    }

    /// Nothing of what is for `home` goes to `relay` any more.
    fn leave_relay(&mut self, relay: SocketAddr, home: Ipv6Addr) {
        let Some(binding) = self.cache.get_mut(home) else { return };
        if let Some(held) = self.sas.get_mut(&binding.spi) {
            held.seen_at.take_if(|seen| seen.place.1 == relay);
        }
        for care_of in binding.care_ofs_mut() {
            if let PathProof::Awaited { fallback, .. } = &mut care_of.proof {
                fallback.take_if(|proved| proved.remote == relay);
            }
        }
        if binding.retain(|care_of| care_of.remote == relay) {
            return self.move_downlink(home);
        }
        // No path that was proved any more. The token goes to nobody: it would go to that address alone.
        binding.latest.proof = PathProof::Awaited { token: PathToken([0; 8]), fallback: None };
        let nowhere = Path { allowance: Allowance::octets(0), ..binding.latest.path() };
        let (home, sending) = (binding.home, binding.spi);
        let Some(held) = self.sas.get(&sending) else { return };
        let encapsulation = held.encapsulation();
        self.commands.push_back(Command::Move { home, paths: Paths::one(nowhere), encapsulation, sending });
    }

    /// The next relay by which a node has registered that had not by this one; drained until `None`.
    pub fn poll_relay_bound(&mut self) -> Option<(SocketAddr, Ipv6Addr)> {
        self.relays.bound.pop_front()
    }
}
