//! The TUN device's addresses and the routes and rules that lead packets to it; and how all of it is taken back.
//!
//! The routes stand in a table of their own, to which rules lead packets whose source is a home address or yet to be chosen, and
//! forwarded ones; never packets with the node's own mark, nor those from another of the host's addresses, so that what comes to
//! a care-of address is found on the way there (`docs/why/policy-routing.md`). What goes past the tunnel, private networks that
//! the host is attached to and what the operator excepts, is thrown out of that table again: no route of the main table is asked
//! first, whoever put it there. Nothing of the host's own routes is ever changed, and what a crash leaves behind is found by the
//! table's number.

mod home;
mod upkeep;

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use net::netlink::{DeviceName, Family, MAIN_TABLE, Netlink, NetlinkError, Route, Rule, RuleAction, Selector};
use protocol::addr::{HomeAddress, HomeAddresses};

use crate::config::Tunnel;
use crate::local_networks;

/// The number by which these routes say who made them.
const ROUTE_PROTOCOL: u8 = 78;
/// Of the routes into the tunnel: what stands before them, does so by less.
const METRIC: u32 = 1024;

/// Routes and rules of one mobile node.
pub struct Routes {
    netlink: Netlink,
    tunnel: Tunnel,
    /// The home addresses whose packets are led into the tunnel.
    led: Vec<HomeAddress>,
    /// What stands in the kernel: interface and home addresses. `None` when it has to be set anew.
    standing: Option<(u32, Vec<HomeAddress>)>,
    /// What the device has.
    configured: Option<Configured>,
    /// Private networks that the host is attached to.
    local: Vec<IpNet>,
    /// Networks behind this host, reached past the tunnel likewise.
    networks: Vec<IpNet>,
    /// The home link, while the node is there.
    at_home: Option<home::AtHome>,
}

/// What the device was given.
struct Configured {
    interface: u32,
    mtu: u16,
    home: HomeAddresses,
}

impl Routes {
    /// For the tunnel of this configuration.
    pub fn new(netlink: Netlink, tunnel: Tunnel) -> Self {
        let (led, local, networks) = (Vec::new(), Vec::new(), Vec::new());
        Self { netlink, tunnel, led, standing: None, configured: None, local, networks, at_home: None }
    }

    /// Takes back what an earlier run has left; gives how many rules and routes that were.
    ///
    /// # Errors
    /// The kernel refused, CAP_NET_ADMIN is missing, or the table's number is one of the system's.
    pub async fn clean_up(&self) -> Result<(usize, usize), NetlinkError> {
        self.delete_home_addresses().await?;
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
            self.add_address(interface, address.0).await?;
        }
        self.configured = Some(Configured { interface, mtu, home: *home });
        Ok(())
    }

    async fn add_address(&self, interface: u32, address: IpAddr) -> Result<(), NetlinkError> {
        self.netlink.add_address(interface, IpNet::from(address)).await?;
        match self.netlink.await_address(address).await {
            // A busy kernel takes it into use later, and the node is of use as soon as it does.
            Err(late @ NetlinkError::NotInUse { .. }) => {
                tracing::warn!(%late, "the tunnel may carry nothing yet");
                Ok(())
            }
            awaited => awaited,
        }
    }

    /// These are the private networks that the host is attached to: they are reached past the tunnel.
    ///
    /// # Errors
    /// The kernel refused.
    pub async fn set_local(&mut self, local: Vec<IpNet>) -> Result<(), NetlinkError> {
        let before = self.past();
        self.local = local;
        self.throw_others_than(&before).await
    }

    /// These are the networks behind this host, whose packets come out of the tunnel.
    ///
    /// # Errors
    /// The kernel refused.
    pub async fn set_networks(&mut self, networks: Vec<IpNet>) -> Result<(), NetlinkError> {
        let before = self.past();
        self.networks = networks;
        self.throw_others_than(&before).await
    }

    /// Has the table throw out what goes past the tunnel, where `before` did.
    async fn throw_others_than(&self, before: &[IpNet]) -> Result<(), NetlinkError> {
        let Some((_, homes)) = &self.standing else { return Ok(()) };
        let is_led = |prefix: &IpNet| homes.iter().any(|home| family_of(home.0) == family_of(prefix.addr()));
        let now = self.past();
        for new in now.iter().filter(|prefix| is_led(prefix) && !before.contains(prefix)) {
            self.netlink.replace_route(&self.throw(*new)).await?;
        }
        for gone in before.iter().filter(|prefix| is_led(prefix) && !now.contains(prefix)) {
            self.netlink.delete_route(&self.throw(*gone)).await?;
        }
        Ok(())
    }

    /// Has the device carry packets of up to `mtu` octets.
    ///
    /// # Errors
    /// The kernel refused.
    pub async fn set_mtu(&mut self, interface: u32, mtu: u16) -> Result<(), NetlinkError> {
        self.configured.iter_mut().for_each(|configured| configured.mtu = mtu);
        self.netlink.set_link_up(interface, Some(mtu)).await
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
        for home in bound {
            self.lead_in(interface, home.0).await?;
        }
        for gone in self.led.iter().filter(|home| !bound.contains(home)) {
            self.lead_past(interface, gone.0, bound).await?;
        }
        self.led = bound.to_vec();
        self.standing = Some((interface, bound.to_vec()));
        Ok(())
    }

    async fn lead_in(&self, interface: u32, home: IpAddr) -> Result<(), NetlinkError> {
        for route in self.routes(home, interface) {
            self.netlink.replace_route(&route).await?;
        }
        for rule in self.rules(home) {
            self.netlink.add_rule(&rule).await?;
        }
        Ok(())
    }

    /// In the other order: as long as one rule leads to the table, those that lead past it stand before.
    async fn lead_past(&self, interface: u32, home: IpAddr, bound: &[HomeAddress]) -> Result<(), NetlinkError> {
        let kept: Vec<Rule> = bound.iter().flat_map(|home| self.rules(home.0)).collect();
        for rule in self.rules(home).iter().rev().filter(|rule| !kept.contains(rule)) {
            self.netlink.delete_rule(rule).await?;
        }
        let family = family_of(home);
        if bound.iter().all(|home| family_of(home.0) != family) {
            for route in self.routes(home, interface).iter().rev() {
                self.netlink.delete_route(route).await?;
            }
        }
        Ok(())
    }

    /// What stands in the table for a family whose home address is `home`, in the order in which it is added: what goes past the
    /// tunnel is never in it.
    fn routes(&self, home: IpAddr, interface: u32) -> Vec<Route> {
        let is_family = |prefix: &&IpNet| family_of(prefix.addr()) == family_of(home);
        let past = self.past();
        let thrown = past.iter().filter(is_family).map(|prefix| self.throw(*prefix));
        let into = |prefix: &IpNet| {
            let route = Route::unicast(*prefix, interface, self.tunnel.table, ROUTE_PROTOCOL);
            route.with_metric(METRIC).with_source(home)
        };
        let entering = self.tunnel.routes.iter().filter(is_family).filter(|prefix| !past.contains(prefix)).map(into);
        thrown.chain(entering).collect()
    }

    /// Destinations that the main table is asked for. A local network within a route that the configuration names is none.
    fn past(&self) -> Vec<IpNet> {
        let is_named = |prefix: &IpNet| self.tunnel.routes.iter().any(|route| route.prefix_len() > 0 && route.contains(prefix));
        let local = local_networks::of_every_link().into_iter().chain(self.local.iter().copied());
        let mut past: Vec<IpNet> = local.filter(|prefix| !is_named(prefix)).collect();
        past.extend(self.tunnel.except.iter().map(IpNet::trunc));
        past.extend(&self.networks);
        past.sort();
        past.dedup();
        past
    }

    fn throw(&self, destination: IpNet) -> Route {
        Route::throw(destination, self.tunnel.table, ROUTE_PROTOCOL)
    }

    /// In the order in which they are added and asked.
    fn rules(&self, home: IpAddr) -> Vec<Rule> {
        let (family, priority) = (family_of(home), self.tunnel.table);
        let end = priority + 1;
        let to_tunnel = |packets| Rule::new(family, priority, self.tunnel.table).only(packets);
        let mut rules = vec![
            Rule::new(family, end, self.tunnel.table).with_action(RuleAction::Nop),
            to_tunnel(Selector::Marked(self.tunnel.fwmark)).with_action(RuleAction::Goto(end)),
        ];
        // What comes out of the tunnel for a network behind this host goes there, and not back.
        let out_of_tunnel = DeviceName::new(&self.tunnel.device).map(Selector::FromDevice);
        rules.extend(out_of_tunnel.map(|packets| Rule::new(family, priority, MAIN_TABLE).only(packets).suppressing(0)));
        match family {
            Family::V4 => rules.extend([home, Ipv4Addr::UNSPECIFIED.into()].map(|source| to_tunnel(Selector::From(source)))),
            Family::V6 => rules.push(to_tunnel(Selector::FromOrUnset(home))),
        }
        rules.push(to_tunnel(Selector::Forwarded));
        rules
    }
}

fn family_of(address: IpAddr) -> Family {
    match address {
        IpAddr::V4(_) => Family::V4,
        IpAddr::V6(_) => Family::V6,
    }
}

#[cfg(test)]
mod tests;
