//! The TUN device's addresses and the routes and rules that lead packets to it; and how all of it is taken back.
//!
//! The routes stand in a table of their own, to which rules lead packets whose source is a home address or yet to be chosen, and
//! forwarded ones; never packets with the node's own mark, nor those from another of the host's addresses, so that what comes to
//! a care-of address is found on the way there (`docs/why/policy-routing.md`). What goes past the tunnel, private networks that
//! the host is attached to and what the operator excepts, is thrown out of that table again: no route of the main table is asked
//! first, whoever put it there. Nothing of the host's own routes is ever changed, and what a crash leaves behind is found by the
//! table's number.

mod upkeep;

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use net::netlink::{DeviceName, Family, MAIN_TABLE, Netlink, NetlinkError, Route, Rule, RuleAction, Selector};
use protocol::addr::{HomeAddress, HomeAddresses};

use crate::config::Tunnel;
use crate::local_networks;

/// The number by which these routes say who made them.
const ROUTE_PROTOCOL: u8 = 78;

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
        Self { netlink, tunnel, led: Vec::new(), standing: None, configured: None, local: Vec::new() }
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
        let into = |prefix: &IpNet| Route::unicast(*prefix, interface, self.tunnel.table, ROUTE_PROTOCOL).with_source(home);
        let entering = self.tunnel.routes.iter().filter(is_family).filter(|prefix| !past.contains(prefix)).map(into);
        thrown.chain(entering).collect()
    }

    /// Destinations that the main table is asked for. A local network within a route that the configuration names is none.
    fn past(&self) -> Vec<IpNet> {
        let is_named = |prefix: &IpNet| self.tunnel.routes.iter().any(|route| route.prefix_len() > 0 && route.contains(prefix));
        let local = local_networks::of_every_link().into_iter().chain(self.local.iter().copied());
        let mut past: Vec<IpNet> = local.filter(|prefix| !is_named(prefix)).collect();
        past.extend(self.tunnel.except.iter().map(IpNet::trunc));
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
mod tests {
    use fixture::{in_new_network_namespace_async, shell};

    use super::*;

    #[test]
    fn only_families_that_are_bound_are_led_into_the_tunnel() {
        in_new_network_namespace_async(|| async {
            let tun = net::tun::Tun::create("mn0", 1400, net::offloads::Offloads::NONE).unwrap();
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
                // One that leads in, and one that throws out what is on every link.
                assert!(led.len() == 2 * families.len() && is_right, "{led:?}");
                let rules = netlink.rules(Some(table)).await.unwrap();
                let expected: usize = families.iter().map(|family| if *family == Family::V4 { 5 } else { 4 }).sum();
                assert!(rules.len() == expected && rules.iter().all(|rule| families.contains(&rule.family)), "{rules:?}");
                assert_eq!(netlink.rules(Some(table + 1)).await.unwrap().len(), families.len());
            }
        });
    }

    #[test]
    fn the_kernel_is_asked_for_nothing_while_what_is_led_into_the_tunnel_stays_the_same() {
        in_new_network_namespace_async(|| async {
            let tun = net::tun::Tun::create("mn0", 1400, net::offloads::Offloads::NONE).unwrap();
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
            let rules = netlink.rules(Some(table)).await.unwrap();
            assert!(
                rules.len() == 5 && rules.iter().any(|rule| rule.packets == Selector::From([10, 9, 0, 8].into())),
                "{rules:?}"
            );
            assert_eq!(routes.reassert().await.unwrap(), [""; 0], "nobody else took anything away");
            // Away and back before anything was led: the kernel has dropped the routes of the address that was gone.
            routes.configure(tun.index(), 1400, &home(9), Some(&home(8))).await.unwrap();
            routes.configure(tun.index(), 1400, &home(8), Some(&home(9))).await.unwrap();
            routes.lead_to(tun.index(), &bound(8)).await.unwrap();
            let filter = net::netlink::RouteFilter { table: Some(table), protocol: None };
            assert_eq!(netlink.routes(filter).await.unwrap().len(), 2);
        });
    }

    const HOME4: &str = "10.9.0.7";
    const HOME6: &str = "2001:db8:100::7";

    /// A node that is attached to `wifi` with a default route, filters strictly by reverse path, forwards for `guests`, and is led
    /// into the tunnel.
    async fn registered() -> (net::tun::Tun, Routes) {
        shell(
            "set -e; ip link set lo up
             for device in wifi guests; do
                 ip link add $device type veth peer name $device-far; ip link set $device up; ip link set $device-far up
             done
             ip address add 198.51.100.2/24 dev wifi; ip address add 2001:db8:1::2/64 dev wifi nodad
             ip address add 172.17.0.1/24 dev guests; ip address add 2001:db8:17::1/64 dev guests nodad
             ip route add default via 198.51.100.1; ip route add default via 2001:db8:1::1
             for device in all default wifi guests; do echo 1 > /proc/sys/net/ipv4/conf/$device/rp_filter; done
             echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding",
        );
        let tun = net::tun::Tun::create("mn0", 1400, net::offloads::Offloads::NONE).unwrap();
        let tunnel = Tunnel { except: vec!["192.0.2.128/25".parse().unwrap()], ..Tunnel::default() };
        let mut routes = Routes::new(Netlink::connect().unwrap(), tunnel);
        let home = HomeAddresses::new(Some(HOME6.parse().unwrap()), Some(HOME4.parse().unwrap())).unwrap();
        routes.configure(tun.index(), 1400, &home, None).await.unwrap();
        routes.lead_to(tun.index(), &home.iter().collect::<Vec<_>>()).await.unwrap();
        routes.set_local(vec!["172.17.0.0/24".parse().unwrap()]).await.unwrap();
        (tun, routes)
    }

    /// What the kernel does with a packet to an address far away, described to `ip route get`; and its device.
    const LOOK_UPS: [(&str, &str); 19] = [
        ("203.0.113.5", "dev mn0 table 7872 src 10.9.0.7"),
        ("203.0.113.5 from 10.9.0.7", "dev mn0 table 7872"),
        ("203.0.113.5 from 198.51.100.2", "via 198.51.100.1 dev wifi"),
        ("203.0.113.5 mark 7872", "via 198.51.100.1 dev wifi src 198.51.100.2"),
        ("203.0.113.5 mark 7873", "dev mn0 table 7872 src 10.9.0.7"),
        ("203.0.113.5 from 172.17.0.9 iif guests", "dev mn0 table 7872"),
        ("198.51.100.9", "dev mn0 table 7872 src 10.9.0.7"),
        ("172.17.0.9", "dev guests src 172.17.0.1"),
        ("172.17.0.9 from 10.9.0.7", "dev guests"),
        ("192.0.2.129", "via 198.51.100.1 dev wifi"),
        ("172.17.0.9 from 203.0.113.5 iif mn0", "dev guests"),
        ("2001:db8:77::5", "dev mn0 table 7872 proto 78 src 2001:db8:100::7"),
        ("2001:db8:77::5 from 2001:db8:100::7", "dev mn0 table 7872"),
        ("2001:db8:77::5 from 2001:db8:1::2", "via 2001:db8:1::1 dev wifi"),
        ("2001:db8:77::5 mark 7872", "via 2001:db8:1::1 dev wifi src 2001:db8:1::2"),
        ("2001:db8:77::5 mark 7873", "dev mn0 table 7872 proto 78 src 2001:db8:100::7"),
        ("2001:db8:77::5 from 2001:db8:17::9 iif guests", "dev mn0 table 7872"),
        ("2001:db8:1::9", "dev mn0 table 7872 proto 78 src 2001:db8:100::7"),
        ("2001:db8:17::9 from 2001:db8:77::5 iif mn0", "dev guests"),
    ];

    #[test]
    fn the_source_of_a_packet_decides_whether_it_goes_into_the_tunnel() {
        in_new_network_namespace_async(|| async {
            let (_tun, routes) = registered().await;
            for (packet, expected) in LOOK_UPS {
                let found = shell(&format!("ip route get {packet}"));
                assert!(found.contains(expected), "{packet}: {found}");
            }
            routes.clean_up().await.unwrap();
            let found = shell("ip route get 203.0.113.5; ip route get 2001:db8:77::5");
            assert!(!found.contains("mn0") && shell("ip rule; ip -6 rule").lines().count() == 5, "{found}");
        });
    }

    /// What a DHCP server or a router that wants to read along hands out (CVE-2024-3661, TunnelCrack).
    const ROGUE: [&str; 7] = [
        "0.0.0.0/1 via 198.51.100.1",
        "128.0.0.0/1 via 198.51.100.1",
        "203.0.113.5/32 via 198.51.100.1",
        "172.16.0.0/12 dev wifi scope link",
        "2000::/3 via 2001:db8:1::1",
        "2001:db8:77::/64 dev wifi",
        "2001:db8:77::5/128 via 2001:db8:1::1",
    ];

    #[test]
    fn no_route_of_the_main_table_beats_the_tunnel_however_specific_it_is() {
        in_new_network_namespace_async(|| async {
            let (_tun, mut routes) = registered().await;
            for route in ROGUE {
                shell(&format!("ip route add {route}"));
            }
            for packet in ["203.0.113.5", "172.20.0.1", "2001:db8:77::5", "203.0.113.5 from 172.17.0.9 iif guests"] {
                let found = shell(&format!("ip route get {packet}"));
                assert!(found.contains("dev mn0 table 7872"), "{packet}: {found}");
            }
            // The network goes, and with it what was local.
            routes.set_local(Vec::new()).await.unwrap();
            assert!(shell("ip route get 172.17.0.9").contains("dev mn0"));
        });
    }

    #[test]
    fn a_local_network_within_a_route_that_the_configuration_names_is_none() {
        in_new_network_namespace_async(|| async {
            let tunnel = Tunnel { routes: vec!["10.0.0.0/8".parse().unwrap()], ..Tunnel::default() };
            let mut routes = Routes::new(Netlink::connect().unwrap(), tunnel);
            routes.set_local(vec!["10.1.0.0/16".parse().unwrap(), "192.168.1.0/24".parse().unwrap()]).await.unwrap();
            let past: Vec<String> = routes.past().iter().map(ToString::to_string).collect();
            assert_eq!(past, ["169.254.0.0/16", "192.168.1.0/24", "fe80::/10"]);
        });
    }

    #[test]
    fn what_somebody_else_took_away_is_put_back_and_named() {
        in_new_network_namespace_async(|| async {
            let (_tun, routes) = registered().await;
            assert_eq!(routes.reassert().await.unwrap(), <[String; 0]>::default());
            let whole =
                || shell("ip rule; ip -6 rule; ip route show table 7872; ip -6 route show table 7872; ip address show mn0");
            let before = whole();
            for (taken, named) in [
                (
                    "ip rule flush; ip rule add lookup main priority 32766; ip rule add lookup default priority 32767",
                    "rules (V4)",
                ),
                ("ip -6 rule del from all iif mn0", "1 of 5 rules (V6)"),
                ("ip route flush table 7872", "route to 0.0.0.0/0"),
                ("ip -6 route del default table 7872", "route to ::/0"),
                ("ip route del throw 172.17.0.0/24 table 7872", "route to 172.17.0.0/24"),
                ("ip address del 10.9.0.7/32 dev mn0", "address 10.9.0.7"),
                ("ip link set mn0 down", "device mn0 (down)"),
            ] {
                shell(taken);
                assert_ne!(whole(), before, "{taken}");
                let gone = routes.reassert().await.unwrap().join(", ");
                assert!(gone.contains(named), "{taken}: {gone}");
                assert_eq!(routes.reassert().await.unwrap(), <[String; 0]>::default(), "{taken}");
                for (packet, expected) in LOOK_UPS {
                    let found = shell(&format!("ip route get {packet}"));
                    assert!(found.contains(expected), "{taken}: {packet}: {found}");
                }
            }
        });
    }

    #[test]
    fn strict_reverse_path_filtering_takes_what_comes_to_the_care_of_address_and_out_of_the_tunnel() {
        in_new_network_namespace_async(|| async {
            let (_tun, _routes) = registered().await;
            shell("echo 1 > /proc/sys/net/ipv4/conf/mn0/rp_filter");
            for (packet, device) in [("198.51.100.2", "wifi"), (HOME4, "mn0")] {
                let taken = shell(&format!("ip route get {packet} from 203.0.113.5 iif {device}"));
                assert!(taken.starts_with(&format!("local {packet} ")), "{taken}");
            }
            for (packet, device) in [("198.51.100.2", "mn0"), (HOME4, "wifi")] {
                let refused = shell(&format!("ip route get {packet} from 203.0.113.5 iif {device} 2>&1 || true"));
                assert!(refused.starts_with("RTNETLINK answers"), "the filter filters: {refused}");
            }
        });
    }
}
