//! The binding cache (RFC 6275 section 9.1): which home addresses are bound, where to, and until when. Nothing else.

mod care_of;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use protocol::addr::{CareOfAddress, HomeAddresses};
use protocol::prefixes::{MobileNetworkPrefixes, Networks};
use protocol::sa::Spi;
use protocol::tunnel::Path;
use protocol::wire::mobility::PathToken;

pub use care_of::CareOfBinding;

/// One mobile node's binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The home addresses that are bound; the IPv4 one only when the Binding Update asked for it.
    pub home: HomeAddresses,
    /// The security association that packets are sent under.
    pub spi: Spi,
    /// What the latest valid Binding Update has bound them to.
    pub latest: CareOfBinding,
    /// What else they are bound to (RFC 5648), later ones first: packets go there as well.
    pub others: Vec<CareOfBinding>,
    /// How long the latest was granted for.
    pub lifetime: Duration,
    /// How often it was moved to another outer address.
    pub moves: u64,
    /// The networks behind the node that packets are forwarded for: it has registered as a mobile router (RFC 3963). None of a host.
    pub prefixes: MobileNetworkPrefixes,
}

impl Binding {
    /// Whether the node has registered as a mobile router.
    pub fn is_router(&self) -> bool {
        !self.prefixes.is_empty()
    }
}

/// What is known of the path to a binding's remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathProof {
    /// The node receives there.
    Proved,
    /// Not known yet.
    Awaited {
        /// What the node is to give back; it goes with every Binding Acknowledgement to that remote.
        token: PathToken,
        /// The last path that was proved.
        fallback: Option<Path>,
    },
}

/// Whether a NAT stands between: the outer source is not the care-of address, its family included.
pub fn has_nat(care_of: CareOfAddress, remote: SocketAddr) -> bool {
    care_of.0 != remote.ip().to_canonical()
}

/// All bindings of a home agent, by the address that stands for a node in Mobility Headers.
#[derive(Debug, Default)]
pub struct BindingCache {
    bindings: BTreeMap<Ipv6Addr, Binding>,
    /// Whose an IPv4 home address is.
    by_ip4: BTreeMap<Ipv4Addr, Ipv6Addr>,
    networks: Networks<Ipv6Addr>,
}

impl BindingCache {
    /// The binding of a node.
    pub fn get(&self, home: Ipv6Addr) -> Option<&Binding> {
        self.bindings.get(&home)
    }

    /// The binding of a node, to change what is known of its path.
    pub fn get_mut(&mut self, home: Ipv6Addr) -> Option<&mut Binding> {
        self.bindings.get_mut(&home)
    }

    /// Under which address another binding than that of `home` has one of these home addresses or networks: a node that was given
    /// another IPv6 home address, and kept the rest, has the older binding yet. So has one whose network is another's by now, while its
    /// own SA has not ended here.
    pub fn other_with(&self, home: Ipv6Addr, addresses: &HomeAddresses, prefixes: &MobileNetworkPrefixes) -> Option<Ipv6Addr> {
        let by_ip4 = addresses.ip4().and_then(|ip4| self.by_ip4.get(&ip4)).copied().filter(|other| *other != home);
        by_ip4.or_else(|| self.networks.other_with(prefixes, home))
    }

    /// Whether packets to `address` go to a node: it is bound, or in a network behind a node that is.
    pub fn leads_to_a_node(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(ip4) => self.by_ip4.contains_key(&ip4),
            IpAddr::V6(ip6) => self.bindings.contains_key(&ip6) || self.networks.node(ip6).is_some(),
        }
    }

    /// Makes or replaces a binding; gives the one that was there.
    pub fn insert(&mut self, home: Ipv6Addr, binding: Binding) -> Option<Binding> {
        let ip4 = binding.home.ip4();
        let before = self.remove(home);
        self.by_ip4.extend(ip4.map(|ip4| (ip4, home)));
        self.networks.add(&binding.prefixes, home);
        self.bindings.insert(home, binding);
        before
    }

    /// Ends a binding.
    pub fn remove(&mut self, home: Ipv6Addr) -> Option<Binding> {
        let binding = self.bindings.remove(&home)?;
        self.networks.remove(&binding.prefixes, home);
        if let Some(ip4) = binding.home.ip4().filter(|ip4| self.by_ip4.get(ip4) == Some(&home)) {
            self.by_ip4.remove(&ip4);
        }
        Some(binding)
    }

    /// Each binding, by home address.
    pub fn iter(&self) -> impl Iterator<Item = &Binding> {
        self.bindings.values()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.bindings.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bindings.is_empty()
    }
}
