//! The tunnel table: home address -> where its packets go and under which SA; and likewise the networks behind a mobile router.
//!
//! The seam between the data path and the writers of bindings. Each half has a copy and applies the same commands to it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Command, Encapsulation, Path, Paths};
use crate::addr::{HomeAddress, HomeAddresses};
use crate::prefixes::{MobileNetworkPrefixes, Networks};
use crate::sa::Spi;

/// One tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// Whose.
    pub home: HomeAddresses,
    /// Where to; a packet is sealed once and sent on each.
    pub paths: Paths,
    /// In which form.
    pub encapsulation: Encapsulation,
    /// Under which security association.
    pub sending: Spi,
    /// The longest inner packet, in octets, that is known to come through in one piece; no limit until control says one.
    pub mtu: u16,
    /// The networks behind the node; none of a host.
    pub prefixes: MobileNetworkPrefixes,
}

/// Of a tunnel of which nothing is known.
const NO_LIMIT: u16 = u16::MAX;

/// All tunnels of one half.
#[derive(Debug, Default)]
pub struct TunnelTable {
    tunnels: Vec<Option<Tunnel>>,
    free: Vec<usize>,
    by_home: BTreeMap<HomeAddress, usize>,
    networks: Networks<usize>,
    /// The latest answer: most packets are of the node that the one before was of.
    latest: Cell<Option<(HomeAddress, usize)>>,
}

impl TunnelTable {
    /// Obeys `Move`, `PathMtu`, `Prefixes` and `Remove`; the other commands are not about bindings.
    pub fn apply(&mut self, command: &Command) {
        match command {
            Command::Move { home, paths, encapsulation, sending } => {
                let (home, paths) = (*home, paths.clone());
                let before = self.any_of(&home).map(|before| (before.mtu, before.prefixes.clone()));
                let (mtu, prefixes) = before.unwrap_or((NO_LIMIT, MobileNetworkPrefixes::default()));
                self.set(Tunnel { home, paths, encapsulation: *encapsulation, sending: *sending, mtu, prefixes });
            }
            Command::Remove(home) => self.remove(home),
            Command::PathMtu { home, mtu } => self.limit(home, *mtu),
            Command::Prefixes { home, prefixes } => self.set_prefixes(home, prefixes),
            Command::Install(_)
            | Command::Uninstall(_)
            | Command::Signal { .. }
            | Command::Probe { .. }
            | Command::Resend { .. }
            | Command::Keepalive { .. }
            | Command::LookUpIn(_)
            | Command::Guard(_)
            | Command::Mtu(_) => {}
        }
    }

    /// Makes or replaces the tunnel of these home addresses; an address that the new one lacks is not bound any more. What a
    /// path that is not proved has used of its allowance stays used.
    pub fn set(&mut self, mut tunnel: Tunnel) {
        if let Some(before) = self.any_of(&tunnel.home) {
            tunnel.paths.iter_mut().for_each(|path| keep_allowance(path, &before.paths));
        }
        for home in tunnel.home.iter() {
            self.remove_one(home);
        }
        let index = self.free.pop().unwrap_or_else(|| {
            self.tunnels.push(None);
            self.tunnels.len() - 1
        });
        for home in tunnel.home.iter() {
            self.by_home.insert(home, index);
        }
        self.networks.add(&tunnel.prefixes, index);
        if let Some(slot) = self.tunnels.get_mut(index) {
            *slot = Some(tunnel);
        }
    }

    /// Ends the tunnel of these home addresses.
    pub fn remove(&mut self, home: &HomeAddresses) {
        for home in home.iter() {
            self.remove_one(home);
        }
    }

    /// The tunnel of a home address.
    pub fn get(&self, home: HomeAddress) -> Option<&Tunnel> {
        self.tunnels.get(self.index(home)?)?.as_ref()
    }

    /// The tunnel of an address: a home address, or one in a network behind a node.
    pub fn find(&self, address: HomeAddress) -> Option<&Tunnel> {
        self.get(address).or_else(|| self.behind(address.0))
    }

    /// The tunnel of the node behind which `address` is.
    pub fn behind(&self, address: IpAddr) -> Option<&Tunnel> {
        let IpAddr::V6(address) = address else { return None };
        self.tunnels.get(self.networks.node(address)?)?.as_ref()
    }

    fn set_prefixes(&mut self, home: &HomeAddresses, prefixes: &MobileNetworkPrefixes) {
        let Some(index) = home.iter().find_map(|home| self.by_home.get(&home).copied()) else { return };
        if let Some(Some(tunnel)) = self.tunnels.get_mut(index) {
            let before = std::mem::replace(&mut tunnel.prefixes, prefixes.clone());
            self.networks.remove(&before, index);
            self.networks.add(prefixes, index);
        }
    }

    fn any_of(&self, home: &HomeAddresses) -> Option<&Tunnel> {
        home.iter().find_map(|home| self.get(home))
    }

    fn limit(&mut self, home: &HomeAddresses, mtu: u16) {
        for index in home.iter().filter_map(|home| self.by_home.get(&home).copied()) {
            if let Some(Some(tunnel)) = self.tunnels.get_mut(index) {
                tunnel.mtu = mtu;
            }
        }
    }

    fn index(&self, home: HomeAddress) -> Option<usize> {
        if let Some((_, index)) = self.latest.get().filter(|(latest, _)| *latest == home) {
            return Some(index);
        }
        let index = *self.by_home.get(&home)?;
        self.latest.set(Some((home, index)));
        Some(index)
    }

    /// Ends the whole tunnel that `home` belongs to. No address loses its place but here.
    fn remove_one(&mut self, home: HomeAddress) {
        self.latest.set(None);
        let Some(index) = self.by_home.remove(&home) else { return };
        if let Some(tunnel) = self.tunnels.get_mut(index).and_then(Option::take) {
            for home in tunnel.home.iter() {
                self.by_home.remove(&home);
            }
            self.networks.remove(&tunnel.prefixes, index);
            self.free.push(index);
        }
    }
}

/// Of a path to a place that was not proved before: the very one that is counted down, wherever that is done.
fn keep_allowance(path: &mut Path, before: &Paths) {
    let same = before.iter().find(|old| old.leads_to(path.socket, path.remote) && !old.is_proved());
    if let (false, Some(old)) = (path.is_proved(), same) {
        path.allowance = old.allowance.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tunnel::{Path, SocketId};

    fn tunnel(ip6: Option<&str>, ip4: Option<&str>, port: u16) -> Tunnel {
        let home = HomeAddresses::new(ip6.map(|ip| ip.parse().unwrap()), ip4.map(|ip| ip.parse().unwrap())).unwrap();
        let path = Path::proved(SocketId(0), ([198, 51, 100, 7], port).into());
        let sending = Spi::new(0x1000).unwrap();
        Tunnel {
            home,
            paths: Paths::one(path),
            encapsulation: Encapsulation::ProtectedUdp,
            sending,
            mtu: NO_LIMIT,
            prefixes: MobileNetworkPrefixes::default(),
        }
    }

    fn home(ip: &str) -> HomeAddress {
        HomeAddress(ip.parse().unwrap())
    }

    #[test]
    fn both_home_addresses_lead_to_one_tunnel_and_move_together() {
        let mut table = TunnelTable::default();
        table.set(tunnel(Some("2001:db8:100::7"), Some("10.9.0.7"), 1));
        table.set(tunnel(Some("2001:db8:100::7"), Some("10.9.0.7"), 2));
        for ip in ["2001:db8:100::7", "10.9.0.7"] {
            assert_eq!(table.get(home(ip)).unwrap().paths.iter().next().unwrap().remote.port(), 2);
        }
        assert_eq!(table.tunnels.len(), 1);
    }

    #[test]
    fn an_address_that_a_new_tunnel_lacks_is_not_bound_any_more() {
        let mut table = TunnelTable::default();
        table.set(tunnel(Some("2001:db8:100::7"), Some("10.9.0.7"), 1));
        table.set(tunnel(Some("2001:db8:100::7"), None, 1));
        assert!(table.get(home("2001:db8:100::7")).is_some() && table.get(home("10.9.0.7")).is_none());
        table.remove(&tunnel(Some("2001:db8:100::7"), None, 1).home);
        assert!(table.get(home("2001:db8:100::7")).is_none());
    }

    #[test]
    fn a_path_mtu_is_kept_in_a_move_and_goes_with_the_tunnel() {
        let (mut table, ip4) = (TunnelTable::default(), "10.9.0.7");
        let both = tunnel(Some("2001:db8:100::7"), Some(ip4), 1).home;
        let mtu = |table: &TunnelTable| table.get(home(ip4)).map(|tunnel| tunnel.mtu);
        let move_to = |port| {
            let Tunnel { home, paths, encapsulation, sending, .. } = tunnel(Some("2001:db8:100::7"), Some(ip4), port);
            Command::Move { home, paths, encapsulation, sending }
        };
        table.apply(&Command::PathMtu { home: both, mtu: 1_300 });
        table.apply(&move_to(1));
        assert_eq!(mtu(&table), Some(NO_LIMIT), "there was no tunnel yet");
        table.apply(&Command::PathMtu { home: both, mtu: 1_300 });
        table.apply(&move_to(2));
        assert_eq!(mtu(&table), Some(1_300));
        table.apply(&Command::Remove(both));
        table.apply(&move_to(3));
        assert_eq!(mtu(&table), Some(NO_LIMIT));
    }

    fn router(number: u16, prefixes: &str) -> Tunnel {
        let home = format!("2001:db8:100::{number}");
        Tunnel { prefixes: prefixes.parse().unwrap(), ..tunnel(Some(&home), None, number) }
    }

    /// The port of the tunnel that an address is found in.
    fn found(table: &TunnelTable, ip: &str) -> Option<u16> {
        table.find(home(ip)).map(|tunnel| tunnel.paths.iter().next().unwrap().remote.port())
    }

    #[test]
    fn networks_are_found_from_their_first_address_to_their_last_and_behind_their_own_node() {
        let mut table = TunnelTable::default();
        for (number, prefixes) in [(1, "2001:db8:1::/64,2001:db8:3::/48"), (2, "2001:db8:2::/64,2001:db8:1:1::/64"), (3, "")] {
            table.set(router(number, prefixes));
        }
        for (ip, port) in [
            ("2001:db8:1::", Some(1)),
            ("2001:db8:1:0:ffff:ffff:ffff:ffff", Some(1)),
            ("2001:db8:1:1::", Some(2)),
            ("2001:db8:1:2::", None),
            ("2001:db8:2::9", Some(2)),
            ("2001:db8:3:ffff::1", Some(1)),
            ("2001:db8:4::", None),
            ("2001:db8::", None),
            ("2001:db8:100::3", Some(3)),
            ("10.9.0.7", None),
        ] {
            assert_eq!(found(&table, ip), port, "{ip}");
            assert!(table.get(home(ip)).is_none() || ip.contains(":100:"), "{ip} is no home address");
        }
        table.remove(&router(1, "").home);
        assert_eq!((found(&table, "2001:db8:1::1"), found(&table, "2001:db8:1:1::1")), (None, Some(2)));
        assert_eq!(table.networks.len(), 2);
    }

    #[test]
    fn networks_are_kept_in_a_move_replaced_by_others_and_gone_with_the_tunnel() {
        let mut table = TunnelTable::default();
        let of = |text: &str| Command::Prefixes { home: router(1, "").home, prefixes: text.parse().unwrap() };
        let move_to = |port| {
            let Tunnel { home, encapsulation, sending, .. } = router(1, "");
            let path = Path::proved(SocketId(0), ([198, 51, 100, 7], port).into());
            Command::Move { home, paths: Paths::one(path), encapsulation, sending }
        };
        table.apply(&of("2001:db8:1::/64"));
        assert_eq!(found(&table, "2001:db8:1::1"), None, "there is no tunnel yet");
        table.apply(&move_to(1));
        table.apply(&of("2001:db8:1::/64"));
        table.apply(&move_to(2));
        assert_eq!(found(&table, "2001:db8:1::1"), Some(2));
        table.apply(&of("2001:db8:2::/64"));
        assert_eq!((found(&table, "2001:db8:1::1"), found(&table, "2001:db8:2::1")), (None, Some(2)));
        table.apply(&of(""));
        assert_eq!((found(&table, "2001:db8:2::1"), table.networks.len()), (None, 0));
        table.apply(&of("2001:db8:1::/64"));
        table.apply(&Command::Remove(router(1, "").home));
        table.apply(&move_to(3));
        assert_eq!((found(&table, "2001:db8:1::1"), table.networks.len()), (None, 0));
    }

    #[test]
    fn a_network_that_overlaps_another_nodes_is_left_to_that_node() {
        for second in ["2001:db8:1::/64", "2001:db8:1:0:1::/80", "2001:db8::/32"] {
            let mut table = TunnelTable::default();
            table.set(router(1, "2001:db8:1::/64"));
            table.set(router(2, second));
            assert_eq!((found(&table, "2001:db8:1::1"), table.networks.len()), (Some(1), 1), "{second}");
            table.remove(&router(2, "").home);
            assert_eq!(found(&table, "2001:db8:1:0:1::1"), Some(1), "{second}");
        }
    }

    #[test]
    fn an_address_that_was_removed_or_moved_is_not_answered_from_memory() {
        let (ip6, ip4) = ("2001:db8:100::7", "10.9.0.7");
        let port = |table: &TunnelTable, ip| table.get(home(ip)).map(|tunnel| tunnel.paths.iter().next().unwrap().remote.port());
        let mut table = TunnelTable::default();
        table.set(tunnel(Some(ip6), Some(ip4), 1));
        table.set(tunnel(None, Some("10.9.0.8"), 8));
        assert_eq!((port(&table, ip4), port(&table, ip4), port(&table, "10.9.0.8")), (Some(1), Some(1), Some(8)));

        assert_eq!(port(&table, ip4), Some(1));
        table.set(tunnel(Some(ip6), None, 2));
        assert_eq!(port(&table, ip4), None, "it went with the tunnel's other address");
        assert_eq!(port(&table, ip6), Some(2));
        table.set(tunnel(Some(ip6), Some(ip4), 3));
        assert_eq!(port(&table, ip6), Some(3));
        table.remove(&tunnel(None, Some(ip4), 3).home);
        assert_eq!(port(&table, ip6), None);

        // Another node gets the place in which the removed one was.
        table.set(tunnel(None, Some("10.9.0.9"), 9));
        assert_eq!((port(&table, ip6), port(&table, ip4), port(&table, "10.9.0.9")), (None, None, Some(9)));
    }
}
