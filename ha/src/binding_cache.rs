//! The binding cache (RFC 6275 section 9.1): which home addresses are bound, where to, and until when. Nothing else.

use std::collections::BTreeMap;
use std::net::{Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use protocol::addr::{CareOfAddress, HomeAddresses};
use protocol::sa::Spi;
use protocol::tunnel::SocketId;

/// One mobile node's binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The home addresses that are bound; the IPv4 one only when the Binding Update asked for it.
    pub home: HomeAddresses,
    /// As the Binding Update's option says.
    pub care_of: CareOfAddress,
    /// The socket that the Binding Update came in on.
    pub socket: SocketId,
    /// The outer source of the latest valid Binding Update: where packets go.
    pub remote: SocketAddr,
    /// The security association that packets are sent under.
    pub spi: Spi,
    /// How long it was granted for.
    pub lifetime: Duration,
    /// When it ends unless it is refreshed.
    pub expires: Instant,
    /// How often it was moved to another outer address.
    pub moves: u64,
}

/// All bindings of a home agent, by the address that stands for a node in Mobility Headers.
#[derive(Debug, Default)]
pub struct BindingCache {
    bindings: BTreeMap<Ipv6Addr, Binding>,
}

impl BindingCache {
    /// The binding of a node.
    pub fn get(&self, home: Ipv6Addr) -> Option<&Binding> {
        self.bindings.get(&home)
    }

    /// Makes or replaces a binding; gives the one that was there.
    pub fn insert(&mut self, home: Ipv6Addr, binding: Binding) -> Option<Binding> {
        self.bindings.insert(home, binding)
    }

    /// Ends a binding.
    pub fn remove(&mut self, home: Ipv6Addr) -> Option<Binding> {
        self.bindings.remove(&home)
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
