//! The tunnel table: home address -> where its packets go and under which SA.
//!
//! The seam between the data path and the writers of bindings. Each half has a copy and applies the same commands to it.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::{Command, Encapsulation, Path, Paths};
use crate::addr::{HomeAddress, HomeAddresses};
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
}

/// Of a tunnel of which nothing is known.
const NO_LIMIT: u16 = u16::MAX;

/// All tunnels of one half.
#[derive(Debug, Default)]
pub struct TunnelTable {
    tunnels: Vec<Option<Tunnel>>,
    free: Vec<usize>,
    by_home: BTreeMap<HomeAddress, usize>,
    /// The latest answer: most packets are of the node that the one before was of.
    latest: Cell<Option<(HomeAddress, usize)>>,
}

impl TunnelTable {
    /// Obeys `Move`, `PathMtu` and `Remove`; the other commands are not about bindings.
    pub fn apply(&mut self, command: &Command) {
        match command {
            Command::Move { home, paths, encapsulation, sending } => {
                let (home, paths) = (*home, paths.clone());
                let mtu = self.any_of(&home).map_or(NO_LIMIT, |before| before.mtu);
                self.set(Tunnel { home, paths, encapsulation: *encapsulation, sending: *sending, mtu });
            }
            Command::Remove(home) => self.remove(home),
            Command::PathMtu { home, mtu } => self.limit(home, *mtu),
            Command::Install(_)
            | Command::Uninstall(_)
            | Command::Signal { .. }
            | Command::Probe { .. }
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
        Tunnel { home, paths: Paths::one(path), encapsulation: Encapsulation::ProtectedUdp, sending, mtu: NO_LIMIT }
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
