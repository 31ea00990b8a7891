//! Which home addresses are bound, as the commands to the tunnel's halves say it: for what follows bindings outside of the tunnel.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use protocol::addr::HomeAddresses;
use protocol::tunnel::Command;

/// The home addresses of each binding.
#[derive(Debug, Default)]
pub struct BoundAddresses(BTreeMap<Ipv6Addr, HomeAddresses>);

/// What a command changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Bound no more.
    pub gone: Vec<IpAddr>,
    /// Bound from now on.
    pub new: Vec<IpAddr>,
}

impl BoundAddresses {
    /// Each address that is bound.
    pub fn iter(&self) -> impl Iterator<Item = IpAddr> {
        self.0.values().flat_map(HomeAddresses::iter).map(|address| address.0)
    }

    /// Takes the next command. A binding that moves changes nothing.
    pub fn follow(&mut self, command: &Command) -> Changed {
        let (key, now) = match command {
            Command::Move { home, .. } => (home.in_mobility_header(), Some(*home)),
            Command::Remove(home) => (home.in_mobility_header(), None),
            Command::Install(_)
            | Command::Uninstall(_)
            | Command::Signal { .. }
            | Command::Probe { .. }
            | Command::Resend { .. }
            | Command::PathMtu { .. }
            | Command::Prefixes { .. }
            | Command::Keepalive { .. }
            | Command::LookUpIn(_)
            | Command::Guard(_)
            | Command::Mtu(_) => return Changed::default(),
        };
        let before = match now {
            Some(home) => self.0.insert(key, home),
            None => self.0.remove(&key),
        };
        let (before, now) = (addresses(before), addresses(now));
        let without = |these: &[IpAddr], those: &[IpAddr]| these.iter().copied().filter(|one| !those.contains(one)).collect();
        Changed { gone: without(&before, &now), new: without(&now, &before) }
    }
}

fn addresses(home: Option<HomeAddresses>) -> Vec<IpAddr> {
    home.iter().flat_map(HomeAddresses::iter).map(|address| address.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::sa::Spi;
    use protocol::tunnel::{Encapsulation, Path, Paths, SocketId};

    fn move_of(home: HomeAddresses) -> Command {
        Command::Move {
            home,
            paths: Paths::one(Path::proved(SocketId(0), "192.0.2.1:7872".parse().unwrap())),
            encapsulation: Encapsulation::ProtectedUdp,
            sending: Spi::new(0x5000).unwrap(),
        }
    }

    fn home(ip6: &str, ip4: Option<&str>) -> HomeAddresses {
        HomeAddresses::new(Some(ip6.parse().unwrap()), ip4.map(|ip| ip.parse().unwrap())).unwrap()
    }

    #[test]
    fn an_address_is_new_with_its_bindings_first_move_and_gone_with_its_end() {
        let mut bound = BoundAddresses::default();
        let (both, ip6) = (home("2001:db8:100::5", Some("10.9.0.5")), home("2001:db8:100::5", None));
        let [address6, address4] = ["2001:db8:100::5", "10.9.0.5"].map(|text| text.parse::<IpAddr>().unwrap());
        let changed = |gone: &[IpAddr], new: &[IpAddr]| Changed { gone: gone.to_vec(), new: new.to_vec() };
        assert_eq!(bound.follow(&move_of(both)), changed(&[], &[address6, address4]));
        assert_eq!(bound.follow(&move_of(both)), Changed::default());
        assert_eq!(bound.follow(&move_of(ip6)), changed(&[address4], &[]));
        assert_eq!(bound.follow(&Command::Remove(ip6)), changed(&[address6], &[]));
        assert_eq!(bound.follow(&Command::Remove(ip6)), Changed::default());
    }
}
