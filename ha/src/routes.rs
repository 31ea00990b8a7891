//! What the kernel routes into the tunnels: the home agent's own inner addresses on the TUN device, the pools' prefixes to
//! it once, the networks behind mobile routers while these are bound, and, where the configuration says so, a route for each binding
//! for a routing daemon to spread.
//!
//! The device is not persistent: addresses and routes go with it, and it goes with the process, whatever ends it.

mod networks;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use feed::Welcome;
use ipnet::IpNet;
use net::netlink::{MAIN_TABLE, Netlink, NetlinkError, Route};
use net::tun::TunQueues;
use protocol::addr::HomeAddresses;
use protocol::tunnel::Command;
use tokio::sync::mpsc;

pub use networks::NetworkRoutes;

/// Changes to binding routes that wait for the kernel; the gateway waits when there are more.
const QUEUE: usize = 1024;

/// The kernel takes an address into use within milliseconds. One with much to do needs seconds, and then only packets to the
/// home agent itself wait for it, not a start after a crash.
const PATIENCE: Duration = Duration::from_millis(250);

/// Addresses and routes of one TUN device.
#[derive(Clone, Debug)]
pub struct Routes {
    netlink: Netlink,
    device: u32,
    name: String,
    protocol: u8,
}

impl Routes {
    /// For the device `tun`; routes get the routing protocol number `protocol`.
    ///
    /// # Errors
    /// No netlink socket.
    pub fn new(tun: &TunQueues, protocol: u8) -> Result<Self, NetlinkError> {
        Ok(Self { netlink: Netlink::connect()?, device: tun.index, name: tun.name.clone(), protocol })
    }

    /// Sets the device up with the home agent's own addresses and routes the pools to it. May be called again, within a tokio
    /// runtime.
    ///
    /// # Errors
    /// What the kernel refused.
    pub async fn set_up(&self, welcome: &Welcome) -> Result<(), NetlinkError> {
        self.be_a_tunnel();
        for address in &welcome.own_addresses {
            self.netlink.add_address(self.device, IpNet::from(*address)).await?;
        }
        self.netlink.set_link_up(self.device, None).await?;
        for pool in &welcome.pools {
            let own = welcome.own_addresses.iter().find(|own| pool.contains(*own)).copied();
            self.netlink.replace_route(&self.route(pool.trunc(), own)).await?;
        }
        let in_use = tokio::spawn(await_addresses(welcome.own_addresses.clone()));
        // Past that it goes on by itself.
        let _ = tokio::time::timeout(PATIENCE, in_use).await;
        Ok(())
    }

    /// Settings of the device alone, and gone with it.
    fn be_a_tunnel(&self) {
        // ICMP errors about packets to unbound home addresses come in on the device with the home agent's own address as
        // their source. IPv4 drops such packets as martians unless it is told otherwise. No other packet comes in with that
        // source: the exit-point lets a node send from its home addresses only.
        let file = format!("/proc/sys/net/ipv4/conf/{}/accept_local", self.name);
        if let Err(error) = std::fs::write(&file, "1") {
            tracing::warn!(%error, "cannot write 1 to {file}: correspondents may not hear of unbound home addresses");
        }
    }

    fn route(&self, destination: IpNet, source: Option<IpAddr>) -> Route {
        let route = Route::unicast(destination, self.device, MAIN_TABLE, self.protocol);
        match source {
            Some(source) => route.with_source(source),
            None => route,
        }
    }

    /// Starts a task that adds and deletes binding routes in the order in which they are sent.
    fn follow_bindings(self) -> mpsc::Sender<RouteChange> {
        let (changes, mut queue) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            while let Some(change) = queue.recv().await {
                let changed = match change {
                    RouteChange::Add(home) => self.netlink.add_route(&self.route(home, None)).await,
                    RouteChange::Delete(home) => self.netlink.delete_route(&self.route(home, None)).await,
                };
                if let Err(error) = changed {
                    tracing::warn!(%error, "a binding's route is not as it should be");
                }
            }
        });
        changes
    }
}

/// Until the kernel delivers to the home agent's own addresses. On a socket of its own: each lists one thing at a time.
async fn await_addresses(own: Vec<IpAddr>) {
    let in_use = async {
        let netlink = Netlink::connect()?;
        for address in own {
            netlink.await_address(address).await?;
        }
        Ok::<_, NetlinkError>(())
    };
    if let Err(error) = in_use.await {
        tracing::warn!(%error, "mobile nodes may not reach this home agent itself");
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RouteChange {
    Add(IpNet),
    Delete(IpNet),
}

/// The routes of bindings, following the commands that the tunnel's halves get.
#[derive(Debug)]
pub struct BindingRoutes {
    routed: BTreeMap<Ipv6Addr, HomeAddresses>,
    changes: mpsc::Sender<RouteChange>,
}

impl BindingRoutes {
    /// On the device of `routes`. Must be called within a tokio runtime.
    pub fn new(routes: Routes) -> Self {
        Self { routed: BTreeMap::new(), changes: routes.follow_bindings() }
    }

    /// Adds a route with a new binding and deletes it with the binding's end. A binding that moves keeps its route.
    pub async fn follow(&mut self, command: &Command) {
        let changes = self.changes_for(command);
        send_all(&self.changes, changes).await;
    }

    fn changes_for(&mut self, command: &Command) -> Vec<RouteChange> {
        let (key, now) = match command {
            Command::Move { home, .. } => (home.in_mobility_header(), Some(*home)),
            Command::Remove(home) => (home.in_mobility_header(), None),
            Command::Install(_)
            | Command::Uninstall(_)
            | Command::Signal { .. }
            | Command::Probe { .. }
            | Command::PathMtu { .. }
            | Command::Prefixes { .. }
            | Command::Keepalive { .. }
            | Command::LookUpIn(_)
            | Command::Guard(_)
            | Command::Mtu(_) => return Vec::new(),
        };
        let before = match now {
            Some(home) => self.routed.insert(key, home),
            None => self.routed.remove(&key),
        };
        let (before, now) = (host_routes(before), host_routes(now));
        let gone = before.iter().filter(|route| !now.contains(route)).copied().map(RouteChange::Delete);
        let new = now.iter().filter(|route| !before.contains(route)).copied().map(RouteChange::Add);
        gone.chain(new).collect()
    }
}

/// To the task of [`Routes::follow_bindings`].
async fn send_all(to: &mpsc::Sender<RouteChange>, changes: Vec<RouteChange>) {
    for change in changes {
        if to.send(change).await.is_err() {
            tracing::warn!("the task that keeps the routes of bindings has ended");
        }
    }
}

fn host_routes(home: Option<HomeAddresses>) -> Vec<IpNet> {
    home.iter().flat_map(HomeAddresses::iter).map(|address| IpNet::from(address.0)).collect()
}

/// Warns when the kernel does not forward packets of a pool's family: the tunnels would work and nothing would arrive.
pub fn warn_without_forwarding(pools: &[IpNet]) {
    let switches = [
        (pools.iter().any(|pool| pool.addr().is_ipv4()), "/proc/sys/net/ipv4/ip_forward", "net.ipv4.ip_forward"),
        (
            pools.iter().any(|pool| pool.addr().is_ipv6()),
            "/proc/sys/net/ipv6/conf/all/forwarding",
            "net.ipv6.conf.all.forwarding",
        ),
    ];
    for (wanted, file, name) in switches {
        let value = std::fs::read_to_string(file).unwrap_or_default();
        if wanted && value.trim() == "0" {
            tracing::warn!("this host does not forward packets of a pool's family: `sysctl -w {name}=1`");
        }
    }
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
    fn a_binding_has_a_route_from_its_first_move_to_its_end() {
        let (changes, _queue) = mpsc::channel(1);
        let mut routes = BindingRoutes { routed: BTreeMap::new(), changes };
        let (both, ip6) = (home("2001:db8:100::5", Some("10.9.0.5")), home("2001:db8:100::5", None));
        let (route6, route4) = ("2001:db8:100::5/128".parse().unwrap(), "10.9.0.5/32".parse().unwrap());
        assert_eq!(routes.changes_for(&move_of(both)), [RouteChange::Add(route6), RouteChange::Add(route4)]);
        assert_eq!(routes.changes_for(&move_of(both)), []);
        assert_eq!(routes.changes_for(&move_of(ip6)), [RouteChange::Delete(route4)]);
        assert_eq!(routes.changes_for(&Command::Remove(ip6)), [RouteChange::Delete(route6)]);
        assert_eq!(routes.changes_for(&Command::Remove(ip6)), []);
    }
}
