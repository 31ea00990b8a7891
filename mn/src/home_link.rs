//! Whether a link is the home link (RFC 6275 section 11.5.5): the home addresses are on-link there, as the kernel's routes say it.
//!
//! That is a claim and no proof, since any router may advertise any prefix: what is found here is asked about, and the home agent's
//! answer decides (`mobile_node/home.rs`, `docs/why/home-link.md`).

use std::net::IpAddr;

use ipnet::IpNet;
use net::netlink::{Link, Route, RouteKind};
use protocol::addr::HomeAddresses;

use crate::movement::Attachment;

/// Prefixes and routers of a link that are looked at: a host's own links have fewer.
const MOST: usize = 64;

/// What the routes say of one link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnLink {
    /// The interface's index.
    pub interface: u32,
    /// The prefixes that are reached there without a router.
    pub prefixes: Vec<IpNet>,
    /// The default routers there, the best of each family first.
    pub gateways: Vec<IpAddr>,
}

/// A link that says it is home, and the address to ask from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeLink {
    /// An address on the link that is no home address.
    pub attachment: Attachment,
    /// The home addresses.
    pub home: HomeAddresses,
    /// The on-link prefixes that the home addresses are in.
    pub prefixes: Vec<IpNet>,
    /// The default routers.
    pub gateways: Vec<IpAddr>,
}

/// What the `routes` of the main table say of each of the `links`.
pub fn on_links<'a>(links: impl Iterator<Item = &'a Link>, routes: &[Route]) -> Vec<OnLink> {
    links.map(|link| of_link(link, routes)).filter(|on_link| !on_link.prefixes.is_empty()).collect()
}

fn of_link(link: &Link, routes: &[Route]) -> OnLink {
    let here = || routes.iter().filter(|route| route.kind == RouteKind::Unicast && route.interface == Some(link.index));
    let is_prefix = |route: &&Route| {
        let len = route.destination.prefix_len();
        route.gateway.is_none() && 0 < len && len < route.destination.max_prefix_len()
    };
    let mut prefixes: Vec<IpNet> = here().filter(is_prefix).map(|route| route.destination.trunc()).take(MOST).collect();
    prefixes.sort();
    prefixes.dedup();
    let mut defaults: Vec<&Route> = here().filter(|route| route.destination.prefix_len() == 0).collect();
    defaults.sort_by_key(|route| route.metric.unwrap_or(0));
    let gateways = defaults.iter().filter_map(|route| route.gateway).take(MOST).collect();
    OnLink { interface: link.index, prefixes, gateways }
}

/// A link on which every one of the addresses `home` is, with an attachment among `usable` whose address is of the IPv6 home address's
/// prefix; `kept`, if that is one. Over IPv4 nobody comes home (RFC 5555 section 4.4.4).
pub fn find(home: &HomeAddresses, on_link: &[OnLink], usable: &[Attachment], kept: Option<&Attachment>) -> Option<HomeLink> {
    let home6 = IpAddr::V6(home.ip6()?);
    let found = |on_link: &OnLink| {
        let prefix_of = |address: &IpAddr| on_link.prefixes.iter().find(|prefix| prefix.contains(address)).copied();
        let mut prefixes = home.iter().map(|home| prefix_of(&home.0)).collect::<Option<Vec<_>>>()?;
        prefixes.dedup();
        let own_prefix = prefix_of(&home6)?;
        let is_there = |attachment: &&Attachment| {
            let address = attachment.care_of.0;
            attachment.interface == on_link.interface && own_prefix.contains(&address) && !home.contains(address)
        };
        let is_kept = |attachment: &&Attachment| kept.is_some_and(|kept| kept.is_same_place(attachment));
        let candidates = || usable.iter().filter(is_there);
        let attachment = candidates().find(is_kept).or_else(|| candidates().next())?.clone();
        Some(HomeLink { attachment, home: *home, prefixes, gateways: on_link.gateways.clone() })
    };
    on_link.iter().find_map(found)
}

impl HomeLink {
    /// Whether both are the same link with the same addresses on it; routers come and go.
    pub fn is_same(&self, other: &Self) -> bool {
        self.attachment.is_same_place(&other.attachment) && self.home == other.home && self.prefixes == other.prefixes
    }

    /// The default router of the family of `destination`.
    pub fn gateway(&self, destination: IpAddr) -> Option<IpAddr> {
        self.gateways.iter().copied().find(|gateway| gateway.is_ipv4() == destination.is_ipv4())
    }
}

#[cfg(test)]
mod tests {
    use net::netlink::MAIN_TABLE;
    use protocol::addr::CareOfAddress;

    use super::*;

    fn link(index: u32) -> Link {
        Link { index, name: format!("if{index}"), up: true, carrier: true, loopback: false, mtu: 1500 }
    }

    fn on_link(prefix: &str, interface: u32) -> Route {
        Route::unicast(prefix.parse().unwrap(), interface, MAIN_TABLE, 2)
    }

    fn default(gateway: &str, interface: u32, metric: u32) -> Route {
        let all = if gateway.contains(':') { "::/0" } else { "0.0.0.0/0" };
        on_link(all, interface).with_gateway(gateway.parse().unwrap()).with_metric(metric)
    }

    fn attachment(interface: u32, ip: &str) -> Attachment {
        let care_of = CareOfAddress(ip.parse().unwrap());
        Attachment { interface, name: format!("if{interface}"), care_of, metric: 100, deprecated: false }
    }

    fn home(ip4: Option<&str>) -> HomeAddresses {
        HomeAddresses::new(Some("2001:db8:100::7".parse().unwrap()), ip4.map(|ip| ip.parse().unwrap())).unwrap()
    }

    fn home_network(interface: u32) -> Vec<Route> {
        let routers = [default("fe80::1", interface, 1024), default("10.9.0.1", interface, 100)];
        [vec![on_link("2001:db8:100::/64", interface), on_link("10.9.0.0/24", interface)], routers.to_vec()].concat()
    }

    #[test]
    fn a_link_with_the_home_prefixes_and_an_address_in_them_is_home() {
        let seen = on_links([&link(3)].into_iter(), &home_network(3));
        let usable = [attachment(3, "10.9.0.77"), attachment(3, "2001:db8:100::abcd"), attachment(3, "2001:db8:100::abce")];
        let found = find(&home(Some("10.9.0.7")), &seen, &usable, None).unwrap();
        assert_eq!((&found.attachment, found.prefixes.len()), (&usable[1], 2));
        assert_eq!(found.gateway([0; 4].into()), Some([10, 9, 0, 1].into()));
        assert_eq!(found.gateway([0; 16].into()), Some("fe80::1".parse().unwrap()));
        let kept = find(&home(None), &seen, &usable, Some(&usable[2])).unwrap();
        assert_eq!((&kept.attachment, kept.prefixes.len()), (&usable[2], 1));
    }

    #[test]
    fn a_link_that_lacks_one_of_the_prefixes_is_not_home() {
        let usable = [attachment(3, "2001:db8:100::abcd")];
        let seen = on_links([&link(3)].into_iter(), &[on_link("2001:db8:100::/64", 3)]);
        assert!(find(&home(None), &seen, &usable, None).is_some());
        assert_eq!(find(&home(Some("10.9.0.7")), &seen, &usable, None), None);
        let elsewhere = on_links([&link(3)].into_iter(), &[on_link("2001:db8:200::/64", 3)]);
        assert_eq!(find(&home(None), &elsewhere, &usable, None), None);
    }

    #[test]
    fn a_default_route_or_one_by_a_router_or_to_an_address_puts_nothing_on_the_link() {
        let by_router = on_link("2001:db8:100::/64", 3).with_gateway("fe80::1".parse().unwrap());
        for route in [on_link("::/0", 3), by_router, on_link("2001:db8:100::7/128", 3)] {
            assert_eq!(on_links([&link(3)].into_iter(), std::slice::from_ref(&route)), [], "{route:?}");
        }
    }

    #[test]
    fn nobody_is_home_by_his_home_address_alone_nor_over_ipv4() {
        let seen = on_links([&link(3)].into_iter(), &home_network(3));
        assert_eq!(find(&home(None), &seen, &[attachment(3, "2001:db8:100::7"), attachment(3, "10.9.0.77")], None), None);
        let only4 = HomeAddresses::new(None, Some([10, 9, 0, 7].into())).unwrap();
        assert_eq!(find(&only4, &seen, &[attachment(3, "10.9.0.77")], None), None);
    }
}
