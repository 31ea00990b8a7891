//! Where no node is: what no packet to a node is sent to.
//!
//! A home address and a network behind a node lead into a tunnel, and from there to wherever that node is bound. A node that was bound
//! at one of them would have its packets go in a circle through this home agent, sealed once more each time round. No circle is closed
//! where nothing is bound at what is bound already: the registration that would close it always is.

use std::net::IpAddr;

use ipnet::IpNet;
use protocol::addr::CareOfAddress;
use protocol::sa::SecurityAssociation;

use crate::binding_cache::BindingCache;

/// What is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Nowhere<'a> {
    /// The home agent's own outer addresses.
    pub own: &'a [IpAddr],
    /// Pools of home addresses that are routed into the tunnels.
    pub tunnelled: &'a [IpNet],
    /// Which nodes are bound.
    pub cache: &'a BindingCache,
}

impl Nowhere<'_> {
    /// Whether the node of `sa` cannot be where the outer source `ip` says.
    pub fn covers(&self, ip: IpAddr, sa: &SecurityAssociation) -> bool {
        let ip = ip.to_canonical();
        self.is_nobodys(ip) || is_at_home(ip, sa) || self.leads_into_a_tunnel(ip)
    }

    /// Whether the node of `sa` cannot have this care-of address. An IPv4 one may be any private one behind a NAT, another node's home
    /// address too: packets go to the outer source.
    pub fn covers_care_of(&self, care_of: CareOfAddress, sa: &SecurityAssociation) -> bool {
        match care_of.0.to_canonical() {
            ip @ IpAddr::V4(_) => self.is_nobodys(ip) || is_at_home(ip, sa),
            ip @ IpAddr::V6(_) => self.covers(ip, sa),
        }
    }

    fn is_nobodys(&self, ip: IpAddr) -> bool {
        ip.is_multicast() || ip.is_loopback() || ip.is_unspecified() || self.own.contains(&ip)
    }

    fn leads_into_a_tunnel(&self, ip: IpAddr) -> bool {
        self.tunnelled.iter().any(|pool| pool.contains(&ip)) || self.cache.leads_to_a_node(ip)
    }
}

/// Whether `ip` is the node's own wherever it is, bound or not.
fn is_at_home(ip: IpAddr, sa: &SecurityAssociation) -> bool {
    let is_behind = |ip| if let IpAddr::V6(ip) = ip { sa.prefixes.contain(ip) } else { false };
    sa.home.contains(ip) || is_behind(ip)
}
