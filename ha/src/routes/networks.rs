//! Routes to the networks behind mobile routers (RFC 3963 section 6.3): each stands as long as its node's binding, whatever the
//! configuration says of routes for bindings, since no pool has them in it.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use ipnet::IpNet;
use protocol::prefixes::MobileNetworkPrefixes;
use protocol::tunnel::Command;
use tokio::sync::mpsc;

use super::{RouteChange, Routes, send_all};

/// The routes, following the commands that the tunnel's halves get.
#[derive(Debug)]
pub struct NetworkRoutes {
    routed: BTreeMap<Ipv6Addr, MobileNetworkPrefixes>,
    changes: mpsc::Sender<RouteChange>,
}

impl NetworkRoutes {
    /// On the device of `routes`. Must be called within a tokio runtime.
    pub fn new(routes: Routes) -> Self {
        Self { routed: BTreeMap::new(), changes: routes.follow_bindings() }
    }

    /// Adds routes where a node registers as a mobile router, and deletes them with its binding's end.
    pub async fn follow(&mut self, command: &Command) {
        let changes = self.changes_for(command);
        send_all(&self.changes, changes).await;
    }

    fn changes_for(&mut self, command: &Command) -> Vec<RouteChange> {
        let (key, now) = match command {
            Command::Prefixes { home, prefixes } => (home.in_mobility_header(), prefixes.clone()),
            Command::Remove(home) => (home.in_mobility_header(), MobileNetworkPrefixes::default()),
            Command::Move { .. }
            | Command::Install(_)
            | Command::Uninstall(_)
            | Command::Signal { .. }
            | Command::Probe { .. }
            | Command::Resend { .. }
            | Command::PathMtu { .. }
            | Command::Keepalive { .. }
            | Command::LookUpIn(_)
            | Command::Guard(_)
            | Command::Mtu(_) => return Vec::new(),
        };
        let before = if now.is_empty() { self.routed.remove(&key) } else { self.routed.insert(key, now.clone()) };
        let before = before.unwrap_or_default();
        let only_in = |one: &MobileNetworkPrefixes, other: &MobileNetworkPrefixes| -> Vec<IpNet> {
            one.iter().filter(|prefix| !other.iter().any(|same| same == *prefix)).map(IpNet::V6).collect()
        };
        let gone = only_in(&before, &now).into_iter().map(RouteChange::Delete);
        gone.chain(only_in(&now, &before).into_iter().map(RouteChange::Add)).collect()
    }
}

#[cfg(test)]
mod tests {
    use protocol::addr::HomeAddresses;

    use super::*;

    #[test]
    fn a_network_has_a_route_from_the_registration_of_its_router_to_the_end_of_the_binding() {
        let (changes, _queue) = mpsc::channel(1);
        let mut routes = NetworkRoutes { routed: BTreeMap::new(), changes };
        let home = HomeAddresses::new("2001:db8:100::5".parse().ok(), None).unwrap();
        let of = |prefixes: &str| Command::Prefixes { home, prefixes: prefixes.parse().unwrap() };
        let [one, two] = ["2001:db8:7::/48", "2001:db8:8::/64"].map(|net| net.parse::<IpNet>().unwrap());
        assert_eq!(routes.changes_for(&of("2001:db8:7::/48")), [RouteChange::Add(one)]);
        assert_eq!(routes.changes_for(&of("2001:db8:7::/48")), [], "a refresh");
        assert_eq!(routes.changes_for(&of("2001:db8:8::/64")), [RouteChange::Delete(one), RouteChange::Add(two)]);
        assert_eq!(routes.changes_for(&of("")), [RouteChange::Delete(two)]);
        assert_eq!(routes.changes_for(&of("2001:db8:8::/64")), [RouteChange::Add(two)]);
        assert_eq!(routes.changes_for(&Command::Remove(home)), [RouteChange::Delete(two)]);
        assert_eq!(routes.changes_for(&Command::Remove(home)), [], "a host");
    }
}
