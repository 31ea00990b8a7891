//! What the kernel routes into the tunnels: the home agent's own inner addresses on the TUN device, the pools' prefixes to
//! it once, the networks behind mobile routers while these are bound, and, where the configuration says so, a route for each binding
//! for a routing daemon to spread.
//!
//! The device is not persistent: addresses and routes go with it, and it goes with the process, whatever ends it.

mod networks;

use std::net::IpAddr;
use std::time::Duration;

use feed::Welcome;
use ipnet::IpNet;
use net::netlink::{MAIN_TABLE, Netlink, NetlinkError, Route};
use net::tun::TunQueues;
use protocol::tunnel::Command;
use tokio::sync::mpsc;

pub use networks::NetworkRoutes;

use crate::bound_addresses::{BoundAddresses, Changed};

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

    /// Sets the device up with the home agent's own addresses and routes the pools to it, but for those of which `is_elsewhere` is
    /// true: they are on a real home link. May be called again, within a tokio runtime.
    ///
    /// # Errors
    /// What the kernel refused.
    pub async fn set_up(&self, welcome: &Welcome, is_elsewhere: impl Fn(&IpNet) -> bool) -> Result<(), NetlinkError> {
        self.be_a_tunnel();
        for address in &welcome.own_addresses {
            self.netlink.add_address(self.device, IpNet::from(*address)).await?;
        }
        self.netlink.set_link_up(self.device, None).await?;
        for pool in welcome.pools.iter().filter(|pool| !is_elsewhere(pool)) {
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
    bound: BoundAddresses,
    changes: mpsc::Sender<RouteChange>,
}

impl BindingRoutes {
    /// On the device of `routes`. Must be called within a tokio runtime.
    pub fn new(routes: Routes) -> Self {
        Self { bound: BoundAddresses::default(), changes: routes.follow_bindings() }
    }

    /// Adds a route with a new binding and deletes it with the binding's end. A binding that moves keeps its route.
    pub async fn follow(&mut self, command: &Command) {
        let Changed { gone, new } = self.bound.follow(command);
        let gone = gone.into_iter().map(|address| RouteChange::Delete(address.into()));
        let new = new.into_iter().map(|address| RouteChange::Add(address.into()));
        send_all(&self.changes, gone.chain(new).collect()).await;
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
