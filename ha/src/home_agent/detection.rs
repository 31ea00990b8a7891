//! Duplicate Address Detection for home addresses on a real home link (RFC 6275 section 10.3.1): before the first Binding
//! Acknowledgement somebody looks whether another node there has one of them. Without a home link nobody can.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Instant;

use ipnet::IpNet;
use protocol::addr::HomeAddresses;
use protocol::tunnel::{DropReason, SignallingReceived};
use protocol::wire::mobility::{BindingUpdate, Status, sequence};
use rand::CryptoRng;

use super::HomeAgent;
use super::held_sa::HeldSa;
use crate::binding_cache::Binding;

/// Home addresses of a node that are to be looked for on the home link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detection {
    /// The node, by the address that stands for it in Mobility Headers.
    pub node: Ipv6Addr,
    /// What it wants to bind and is not bound yet.
    pub addresses: Vec<IpAddr>,
}

/// Whose Binding Updates wait.
#[derive(Debug, Default)]
pub(super) struct Detections {
    /// What is on the home link; nothing where it is virtual.
    prefixes: Vec<IpNet>,
    /// The latest of each node. Every one has an SA: there are no more than these.
    waiting: BTreeMap<Ipv6Addr, Waiting>,
    wanted: VecDeque<Detection>,
}

#[derive(Debug)]
struct Waiting {
    update: BindingUpdate,
    received: SignallingReceived,
}

impl Detections {
    /// Which of `home` nobody has looked for yet: a binding has them to itself as long as it stands.
    fn unknown(&self, home: &HomeAddresses, before: Option<&Binding>) -> Vec<IpAddr> {
        let is_bound = |address| before.is_some_and(|binding| binding.home.contains(address));
        home.iter().map(|home| home.0).filter(|address| self.covers(*address) && !is_bound(*address)).collect()
    }

    /// Whether a home address is on the home link.
    pub(super) fn covers(&self, address: IpAddr) -> bool {
        self.prefixes.iter().any(|prefix| prefix.contains(&address))
    }

    /// A node that says goodbye, or that is answered otherwise, waits no more.
    pub(super) fn forget(&mut self, node: Ipv6Addr) {
        self.waiting.remove(&node);
    }
}

impl HomeAgent {
    /// Home addresses in these prefixes are on a home link that is real, from now on.
    pub fn set_home_link(&mut self, prefixes: Vec<IpNet>) {
        self.detections.prefixes = prefixes;
    }

    /// What is to be looked for next; drained until `None`. Each is answered with [`Self::handle_detected`].
    pub fn poll_detection(&mut self) -> Option<Detection> {
        self.detections.wanted.pop_front()
    }

    /// Whether a Binding Update has to wait, because nobody has looked yet for what it would bind, `known` apart. It is kept, the latest
    /// of its node.
    pub(super) fn awaits_detection(
        &mut self,
        home: &HomeAddresses,
        known: &[IpAddr],
        update: &BindingUpdate,
        received: &SignallingReceived,
    ) -> bool {
        let Some(node) = self.sas.get(&received.spi).map(HeldSa::home) else { return false };
        let addresses = self.detections.unknown(home, self.cache.get(node));
        if addresses.iter().all(|address| known.contains(address)) {
            return false;
        }
        let waiting = self.detections.waiting.get(&node);
        if waiting.is_none_or(|waiting| !self.is_later(waiting, update, received)) {
            let waiting = Waiting { update: update.clone(), received: received.clone() };
            if self.detections.waiting.insert(node, waiting).is_none() {
                self.detections.wanted.push_back(Detection { node, addresses });
            }
        }
        true
    }

    /// Whether what waits was sent after `update`.
    fn is_later(&self, waiting: &Waiting, update: &BindingUpdate, received: &SignallingReceived) -> bool {
        let installed = |spi| self.sas.get(&spi).map(|held| held.installed);
        if waiting.received.spi == received.spi {
            !sequence::is_newer(update.sequence, waiting.update.sequence)
        } else {
            installed(waiting.received.spi) > installed(received.spi)
        }
    }

    /// Somebody has looked for what `detection` says and has found that others have the `duplicates`: the Binding Update that waits is
    /// taken now, or refused with 134.
    pub fn handle_detected(&mut self, detection: &Detection, duplicates: &[IpAddr], now: Instant, rng: &mut impl CryptoRng) {
        let Some(Waiting { update, received }) = self.detections.waiting.remove(&detection.node) else { return };
        let outcome = if duplicates.is_empty() {
            self.take(&update, &received, &detection.addresses, now, rng)
        } else {
            self.refuse_duplicate(&update, &received, duplicates)
        };
        if let Err(reason) = outcome {
            self.counters.count_drop(reason);
        }
    }

    fn refuse_duplicate(
        &mut self,
        update: &BindingUpdate,
        received: &SignallingReceived,
        duplicates: &[IpAddr],
    ) -> Result<(), DropReason> {
        let held = self.sas.get_mut(&received.spi).ok_or(DropReason::UnknownSpi)?;
        held.last_sequence = Some(update.sequence);
        let install = held.install.clone();
        tracing::warn!(spi = %received.spi, ?duplicates, "another node on the home link has a mobile node's home address: refused with 134");
        self.acknowledge(received, &install, update, Status::DUPLICATE_ADDRESS, update.sequence);
        Ok(())
    }
}
