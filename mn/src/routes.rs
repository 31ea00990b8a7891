//! The TUN device's addresses and the routes and rules that lead packets to it; and how all of it is taken back.
//!
//! The routes stand in a table of their own, which two rules of each family lead to: first the main table without its default
//! routes, so that networks on the link stay on the link; then, for packets without the node's own mark, the tunnel's table.
//! So nothing of the host's own routes is ever changed, and what a crash leaves behind is found by the table's number.

use std::net::IpAddr;

use ipnet::IpNet;
use net::netlink::{Family, MAIN_TABLE, Netlink, NetlinkError, Route, Rule};
use protocol::addr::{HomeAddress, HomeAddresses};

use crate::config::Tunnel;

/// The number by which these routes say who made them.
const ROUTE_PROTOCOL: u8 = 78;

/// Routes and rules of one mobile node.
pub struct Routes {
    netlink: Netlink,
    tunnel: Tunnel,
    /// The families whose packets are led into the tunnel.
    led: Vec<Family>,
    /// What stands in the kernel: interface and home addresses. `None` when it has to be set anew.
    standing: Option<(u32, Vec<HomeAddress>)>,
}

impl Routes {
    /// For the tunnel of this configuration.
    pub fn new(netlink: Netlink, tunnel: Tunnel) -> Self {
        Self { netlink, tunnel, led: Vec::new(), standing: None }
    }

    /// Takes back what an earlier run has left; gives how many rules and routes that were.
    ///
    /// # Errors
    /// The kernel refused, CAP_NET_ADMIN is missing, or the table's number is one of the system's.
    pub async fn clean_up(&self) -> Result<(usize, usize), NetlinkError> {
        let found = self.netlink.clean_up(self.tunnel.table, self.tunnel.table).await?;
        Ok((found.rules, found.routes))
    }

    /// Gives the device `interface` the home addresses, in place of `before`, and sets it up.
    ///
    /// # Errors
    /// The kernel refused.
    pub async fn configure(
        &mut self,
        interface: u32,
        mtu: u16,
        home: &HomeAddresses,
        before: Option<&HomeAddresses>,
    ) -> Result<(), NetlinkError> {
        for gone in before.into_iter().flat_map(HomeAddresses::iter).filter(|old| !home.contains(old.0)) {
            // The kernel takes routes from that address with it.
            self.standing = None;
            self.netlink.delete_address(interface, IpNet::from(gone.0)).await?;
        }
        self.netlink.set_link_up(interface, Some(mtu)).await?;
        for address in home.iter() {
            self.netlink.add_address(interface, IpNet::from(address.0)).await?;
            match self.netlink.await_address(address.0).await {
                // A busy kernel takes it into use later, and the node is of use as soon as it does.
                Err(late @ NetlinkError::NotInUse { .. }) => tracing::warn!(%late, "the tunnel may carry nothing yet"),
                awaited => awaited?,
            }
        }
        Ok(())
    }

    /// Leads packets of the families in which an address is bound to the device `interface`, and those of a family that is
    /// not, or not any more, where they go without the tunnel. Asks nothing of the kernel when that is as it was.
    ///
    /// # Errors
    /// The kernel refused.
    pub async fn lead_to(&mut self, interface: u32, bound: &[HomeAddress]) -> Result<(), NetlinkError> {
        if self.standing.as_ref().is_some_and(|(device, homes)| *device == interface && homes == bound) {
            return Ok(());
        }
        let families: Vec<Family> = bound.iter().map(|home| family_of(home.0)).collect();
        for home in bound {
            self.lead_in(interface, home.0).await?;
        }
        for family in self.led.iter().filter(|family| !families.contains(family)) {
            self.lead_past(*family, interface).await?;
        }
        self.led = families;
        self.standing = Some((interface, bound.to_vec()));
        Ok(())
    }

    async fn lead_in(&self, interface: u32, home: IpAddr) -> Result<(), NetlinkError> {
        let family = family_of(home);
        for route in self.routes(family, interface) {
            self.netlink.replace_route(&route.with_source(home)).await?;
        }
        // Two rules of one priority are asked in the order in which they were added.
        for rule in self.rules(family) {
            self.netlink.add_rule(&rule).await?;
        }
        Ok(())
    }

    async fn lead_past(&self, family: Family, interface: u32) -> Result<(), NetlinkError> {
        for rule in self.rules(family) {
            self.netlink.delete_rule(&rule).await?;
        }
        for route in self.routes(family, interface) {
            self.netlink.delete_route(&route).await?;
        }
        Ok(())
    }

    fn routes(&self, family: Family, interface: u32) -> impl Iterator<Item = Route> {
        let destinations = self.tunnel.routes.iter().filter(move |destination| family_of(destination.addr()) == family);
        destinations.map(move |destination| Route::unicast(*destination, interface, self.tunnel.table, ROUTE_PROTOCOL))
    }

    fn rules(&self, family: Family) -> [Rule; 2] {
        let priority = self.tunnel.table;
        [
            Rule::new(family, priority, MAIN_TABLE).suppressing(0),
            Rule::new(family, priority, self.tunnel.table).without_mark(self.tunnel.fwmark),
        ]
    }
}

fn family_of(address: IpAddr) -> Family {
    match address {
        IpAddr::V4(_) => Family::V4,
        IpAddr::V6(_) => Family::V6,
    }
}

#[cfg(test)]
mod tests {
    use fixture::in_new_network_namespace_async;

    use super::*;

    #[test]
    fn only_families_that_are_bound_are_led_into_the_tunnel() {
        in_new_network_namespace_async(|| async {
            let tun = net::tun::Tun::create("mn0", 1400).unwrap();
            let netlink = Netlink::connect().unwrap();
            let tunnel = Tunnel::default();
            let (table, filter) = (tunnel.table, net::netlink::RouteFilter { table: Some(tunnel.table), protocol: None });
            let mut routes = Routes::new(netlink.clone(), tunnel);
            let home = HomeAddresses::new(Some("2001:db8:100::7".parse().unwrap()), Some([10, 9, 0, 7].into())).unwrap();
            routes.configure(tun.index(), 1400, &home, None).await.unwrap();
            let all: Vec<HomeAddress> = home.iter().collect();
            let (only_ip6, only_ip4) = (&all[..1], &all[1..]);
            for bound in [only_ip6, &all, only_ip4, &[], &all, only_ip6] {
                routes.lead_to(tun.index(), bound).await.unwrap();
                let families: Vec<Family> = bound.iter().map(|home| family_of(home.0)).collect();
                let led = netlink.routes(filter).await.unwrap();
                let is_right = led.iter().all(|route| families.contains(&family_of(route.destination.addr())));
                assert!(led.len() == families.len() && is_right, "{led:?}");
                let rules = netlink.rules(Some(table)).await.unwrap();
                assert!(
                    rules.len() == 2 * families.len() && rules.iter().all(|rule| families.contains(&rule.family)),
                    "{rules:?}"
                );
            }
        });
    }

    #[test]
    fn the_kernel_is_asked_for_nothing_while_what_is_led_into_the_tunnel_stays_the_same() {
        in_new_network_namespace_async(|| async {
            let tun = net::tun::Tun::create("mn0", 1400).unwrap();
            let netlink = Netlink::connect().unwrap();
            let table = Tunnel::default().table;
            let mut routes = Routes::new(netlink.clone(), Tunnel::default());
            let home = |last| HomeAddresses::new(None, Some([10, 9, 0, last].into())).unwrap();
            let bound = |last| home(last).iter().collect::<Vec<_>>();
            routes.configure(tun.index(), 1400, &home(7), None).await.unwrap();
            routes.lead_to(tun.index(), &bound(7)).await.unwrap();
            netlink.clean_up(table, table).await.unwrap();
            routes.lead_to(tun.index(), &bound(7)).await.unwrap();
            assert_eq!(
                netlink.rules(Some(table)).await.unwrap().len(),
                0,
                "what somebody else took away shows that nothing is done"
            );
            routes.configure(tun.index(), 1400, &home(8), Some(&home(7))).await.unwrap();
            routes.lead_to(tun.index(), &bound(8)).await.unwrap();
            assert_eq!(netlink.rules(Some(table)).await.unwrap().len(), 2, "another home address is led anew");
            // Away and back before anything was led: the kernel has dropped the routes of the address that was gone.
            routes.configure(tun.index(), 1400, &home(9), Some(&home(8))).await.unwrap();
            routes.configure(tun.index(), 1400, &home(8), Some(&home(9))).await.unwrap();
            routes.lead_to(tun.index(), &bound(8)).await.unwrap();
            let filter = net::netlink::RouteFilter { table: Some(table), protocol: None };
            assert_eq!(netlink.routes(filter).await.unwrap().len(), 1);
        });
    }
}
