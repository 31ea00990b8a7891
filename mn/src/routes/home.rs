//! The home link in the routing table (RFC 6275 section 11.5.5): the IPv6 home address on the interface there, and routes that lead past
//! the tunnel.
//!
//! The device keeps both home addresses, and the table its routes to the device; those to the home link stand before them by their
//! metric. So no connection loses its address, and when the link goes the kernel itself takes its routes away, and what is left leads
//! into the tunnel. The IPv4 home address needs no place on the interface: Linux answers ARP for every address of the host.

use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use net::netlink::{HomeAddressHere, NetlinkError, Route};

use super::{ROUTE_PROTOCOL, Routes, family_of};
use crate::home_link::HomeLink;

/// Before that of the routes into the tunnel.
const METRIC: u32 = super::METRIC / 2;
/// Duplicate Address Detection takes a second, and may begin late.
const DETECTION: Duration = Duration::from_secs(4);
const POLL: Duration = Duration::from_millis(20);

/// What stands for the home link.
#[derive(Debug)]
pub(super) struct AtHome {
    link: HomeLink,
    /// What leads there; none while the node is not led there yet.
    routes: Vec<Route>,
}

impl Routes {
    /// Gives the interface of `link` the IPv6 home address; `false` where it `detects` that another node has it. The device has it
    /// as well.
    ///
    /// # Errors
    /// The kernel refused, or the interface is gone.
    pub async fn take_home(&mut self, link: &HomeLink, detects: bool) -> Result<bool, NetlinkError> {
        let Some(address) = link.home.ip6() else { return Ok(false) };
        let interface = link.attachment.interface;
        let routes = self.at_home.take().map(|at_home| at_home.routes).unwrap_or_default();
        self.at_home = Some(AtHome { link: link.clone(), routes });
        self.netlink.add_home_address(interface, address, detects).await?;
        if detects { self.is_free(interface, address).await } else { Ok(true) }
    }

    /// Waits for the kernel's verdict.
    async fn is_free(&self, interface: u32, address: Ipv6Addr) -> Result<bool, NetlinkError> {
        let deadline = Instant::now() + DETECTION;
        loop {
            let found = self.netlink.home_addresses().await?;
            match found.iter().find(|one| (one.interface, one.address) == (interface, address)) {
                Some(HomeAddressHere { tentative: true, dad_failed: false, .. }) if Instant::now() < deadline => {
                    tokio::time::sleep(POLL).await;
                }
                found => return Ok(found.is_some_and(|one| !one.tentative && !one.dad_failed)),
            }
        }
    }

    /// Leads packets from the home addresses, and those that are yet to get one, out on the home link.
    ///
    /// # Errors
    /// As [`Self::take_home`].
    pub async fn lead_home(&mut self, tunnel: u32, link: &HomeLink) -> Result<(), NetlinkError> {
        let homes: Vec<_> = link.home.iter().collect();
        let now = self.home_routes(link);
        let before = self.at_home.take().map(|at_home| at_home.routes).unwrap_or_default();
        let all = before.iter().chain(&now).cloned().collect();
        self.at_home = Some(AtHome { link: link.clone(), routes: all });
        for route in &now {
            self.netlink.replace_route(route).await?;
        }
        for gone in before.iter().filter(|route| !now.contains(route)) {
            self.netlink.delete_route(gone).await?;
        }
        self.at_home = Some(AtHome { link: link.clone(), routes: now });
        // The rules that ask this table, and what is left when the link goes.
        self.lead_to(tunnel, &homes).await
    }

    /// Takes all of it back: what was led out there goes into the tunnel.
    ///
    /// # Errors
    /// The kernel refused.
    pub async fn leave_home(&mut self) -> Result<(), NetlinkError> {
        let Some(AtHome { link, routes }) = self.at_home.take() else { return Ok(()) };
        for route in routes.iter().rev() {
            self.netlink.delete_route(route).await?;
        }
        if let Some(address) = link.home.ip6() {
            self.netlink.delete_address(link.attachment.interface, IpNet::from(IpAddr::V6(address))).await?;
        }
        Ok(())
    }

    /// What stands in the table beside the routes into the tunnel, and before them.
    fn home_routes(&self, link: &HomeLink) -> Vec<Route> {
        let source_for = |destination: &IpNet| {
            let home = link.home.iter().find(|home| family_of(home.0) == family_of(destination.addr()))?;
            let interface = link.attachment.interface;
            let route = Route::unicast(*destination, interface, self.tunnel.table, ROUTE_PROTOCOL).with_metric(METRIC);
            Some(route.with_source(home.0))
        };
        let past = self.past();
        let on_link = link.prefixes.iter().filter(|prefix| !past.contains(prefix)).filter_map(source_for);
        let routes = self.tunnel.routes.iter().filter(|route| !past.contains(route) && !link.prefixes.contains(route));
        let by_router = routes.filter_map(|route| Some(source_for(route)?.with_gateway(link.gateway(route.addr())?)));
        on_link.chain(by_router).collect()
    }

    /// Puts back what somebody else took away, as long as the link is there; gives names for it.
    pub(super) async fn reassert_home(&self, gone: &mut Vec<String>) -> Result<(), NetlinkError> {
        let Some(AtHome { link, routes }) = &self.at_home else { return Ok(()) };
        let (interface, links) = (link.attachment.interface, self.netlink.links().await?);
        if routes.is_empty() || !links.iter().any(|link| link.index == interface && link.up && link.carrier) {
            return Ok(());
        }
        if let Some(address) = link.home.ip6() {
            let found = self.netlink.home_addresses().await?;
            if !found.iter().any(|one| (one.interface, one.address) == (interface, address)) {
                gone.push(format!("address {address} on {}", link.attachment.name));
                self.netlink.add_home_address(interface, address, false).await?;
            }
        }
        self.reassert_routes(routes, gone).await
    }

    /// Deletes the home addresses that an earlier run has left on an interface.
    pub(super) async fn delete_home_addresses(&self) -> Result<(), NetlinkError> {
        for HomeAddressHere { interface, address, .. } in self.netlink.home_addresses().await? {
            self.netlink.delete_address(interface, IpNet::from(IpAddr::V6(address))).await?;
        }
        Ok(())
    }
}
