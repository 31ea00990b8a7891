//! Watches the kernel's links, addresses and routes and says which attachments are usable now: no timer, no debounce.
//!
//! An event says only that something may be different; the lists are read anew and given on when they differ from before.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use net::netlink::{Address, Link, ListReader, MAIN_TABLE, Monitor, NetlinkError, Route, RouteFilter, RouteKind, Scope};
use protocol::addr::CareOfAddress;
use tokio::sync::{mpsc, watch};

use crate::address_selection::{Source, compare_sources};
use crate::clock;
use crate::home_link::{self, OnLink};
use crate::movement::Attachment;
use crate::nat64::Reach;
use crate::next_hop::NextHop;

/// After the kernel's socket has failed, before it is opened again.
const PAUSE: Duration = Duration::from_secs(1);

/// What is usable now.
#[derive(Clone, Debug)]
pub struct Found {
    /// The attachments.
    pub usable: Vec<Attachment>,
    /// What is on the links.
    pub on_link: Vec<OnLink>,
    /// When the kernel's first event was read that this list follows from.
    pub noticed: Instant,
}

/// The interfaces of this host that lead to no network: the tunnel's device, and that of the network behind it.
#[derive(Clone, Debug)]
pub struct Inward {
    /// The tunnel's device.
    pub device: u32,
    /// The name of the interface of the network behind this host, if it is a mobile router.
    pub lan: Option<String>,
}

impl Inward {
    /// Whether `link` is up and another than these.
    pub fn leaves(&self, link: &Link) -> bool {
        link.up && link.carrier && !link.loopback && link.index != self.device && self.lan.as_ref() != Some(&link.name)
    }
}

/// Where what is found goes.
pub struct Listeners {
    /// Hears when the attachments that lead to the home agent are others than before.
    pub usable: mpsc::Sender<Found>,
    /// The neighbours that packets from them go to first.
    pub next_hops: watch::Sender<Vec<NextHop>>,
}

/// Tells `listeners` of the attachments that lead to the home agent of `home_agent`; as long as there is none, of those that lead where
/// the default route leads. Ends when the receiver is gone.
pub async fn run(inward: Inward, mut home_agent: watch::Receiver<Option<Reach>>, listeners: Listeners) {
    let mut known = None;
    while !listeners.usable.is_closed() {
        if let Err(error) = watch_kernel(&inward, &mut home_agent, &listeners, &mut known).await {
            tracing::warn!(%error, "the kernel's link events cannot be read; trying again");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn watch_kernel(
    inward: &Inward,
    home_agent: &mut watch::Receiver<Option<Reach>>,
    listeners: &Listeners,
    known: &mut Option<Listed>,
) -> Result<(), NetlinkError> {
    let (mut monitor, mut reader) = (Monitor::open()?, ListReader::open()?);
    let mut links = reader.links()?;
    let mut noticed = clock::now();
    loop {
        let target = home_agent.borrow_and_update().clone();
        let (found, on_link) = read(&mut reader, &links, inward, target.as_ref())?;
        let (attachments, next_hops) = found.into_iter().unzip();
        listeners.tell(next_hops);
        let now = (attachments, on_link);
        if known.as_ref() != Some(&now) {
            *known = Some(now.clone());
            let (usable, on_link) = now;
            if listeners.usable.send(Found { usable, on_link, noticed }).await.is_err() {
                return Ok(());
            }
        }
        tokio::select! {
            changed = monitor.changed() => {
                noticed = clock::now();
                match changed {
                    // Who changes an address or a route holds up who lists the links, and is held up by it.
                    Ok(changed) if changed.links => links = reader.links()?,
                    Ok(_) => {}
                    Err(_) => return Ok(()),
                }
            }
            changed = home_agent.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                noticed = clock::now();
            }
            () = listeners.usable.closed() => return Ok(()),
        }
    }
}

impl Listeners {
    fn tell(&self, mut next_hops: Vec<NextHop>) {
        next_hops.dedup();
        self.next_hops.send_if_modified(|known| std::mem::replace(known, next_hops.clone()) != next_hops);
    }
}

/// Attachments, and what is on the links.
pub type Listed = (Vec<Attachment>, Vec<OnLink>);

/// The attachments that are usable now and what is on the links, as [`run`] sends them.
///
/// # Errors
/// The kernel refused.
pub fn list(inward: &Inward, target: Option<&Reach>) -> Result<Listed, NetlinkError> {
    let mut reader = ListReader::open()?;
    let links = reader.links()?;
    let (attachments, on_link) = read(&mut reader, &links, inward, target)?;
    Ok((attachments.into_iter().map(|(attachment, _)| attachment).collect(), on_link))
}

/// An attachment, and the neighbour that packets from there go to first.
type WithNextHop = (Attachment, NextHop);

/// The attachments, and what is on the links.
fn read(
    reader: &mut ListReader,
    links: &[Link],
    inward: &Inward,
    target: Option<&Reach>,
) -> Result<(Vec<WithNextHop>, Vec<OnLink>), NetlinkError> {
    let addresses = reader.addresses()?;
    let routes = reader.routes(RouteFilter { table: Some(MAIN_TABLE), protocol: None })?;
    let links = || links.iter().filter(|link| inward.leaves(link));
    let towards = |link| targets(target, link).into_iter().flatten().map(move |to| (link, to));
    let attachments = links().flat_map(towards).flat_map(|(link, to)| attachments(link, to, &addresses, &routes));
    Ok((attachments.collect(), home_link::on_links(links(), &routes)))
}

/// What the attachments of `link` have to lead to. Only a default route leads to the unspecified address.
fn targets(home_agent: Option<&Reach>, link: &Link) -> [Option<IpAddr>; 2] {
    match home_agent {
        Some(known) => known.targets(link.index),
        None => [Some(Ipv6Addr::UNSPECIFIED.into()), Some(Ipv4Addr::UNSPECIFIED.into())],
    }
}

/// The care-of addresses that `link` offers towards `target`, if it has a route there: the route's own source first, then as RFC 6724
/// section 5 has them.
fn attachments(link: &Link, target: IpAddr, addresses: &[Address], routes: &[Route]) -> Vec<WithNextHop> {
    let leads = |route: &&Route| {
        route.kind == RouteKind::Unicast && route.interface == Some(link.index) && route.destination.contains(&target)
    };
    let route = routes
        .iter()
        .filter(leads)
        .min_by_key(|route| (std::cmp::Reverse(route.destination.prefix_len()), route.metric.unwrap_or(0)));
    let Some(route) = route else { return Vec::new() };
    let usable = |address: &&Address| {
        address.interface == link.index
            && address.address.addr().is_ipv4() == target.is_ipv4()
            && address.scope == Scope::Global
            && !address.tentative
            && !address.dad_failed
    };
    let next_hop = NextHop { interface: link.index, address: route.gateway.unwrap_or(target), to_ipv6: target.is_ipv6() };
    let attachment = |address: &Address| {
        let attachment = Attachment {
            interface: link.index,
            name: link.name.clone(),
            care_of: CareOfAddress(address.address.addr()),
            metric: route.metric.unwrap_or(0),
            deprecated: address.deprecated,
        };
        (attachment, next_hop)
    };
    let mut found: Vec<&Address> = addresses.iter().filter(usable).collect();
    found.sort_by(|one, other| {
        let is_wanted = |address: &Address| !address.deprecated && route.source == Some(address.address.addr());
        is_wanted(other).cmp(&is_wanted(one)).then_with(|| compare_sources(&source(one), &source(other), target))
    });
    found.into_iter().map(attachment).collect()
}

fn source(address: &Address) -> Source {
    Source { address: address.address, deprecated: address.deprecated, temporary: address.temporary }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> Link {
        Link { index: 3, name: "wifi".to_owned(), up: true, carrier: true, loopback: false, mtu: 1500 }
    }

    fn address(ip: &str) -> Address {
        Address {
            interface: 3,
            address: ip.parse().unwrap(),
            scope: Scope::Global,
            tentative: false,
            deprecated: false,
            dad_failed: false,
            temporary: false,
            permanent: true,
        }
    }

    fn default_route() -> Route {
        Route::unicast("0.0.0.0/0".parse().unwrap(), 3, MAIN_TABLE, 16).with_metric(600)
    }

    fn target() -> IpAddr {
        [203, 0, 113, 1].into()
    }

    #[test]
    fn an_address_with_a_route_to_the_home_agent_is_usable_with_that_routes_metric() {
        let found = attachments(&link(), target(), &[address("198.51.100.7/24")], &[default_route()]);
        let [(found, _)] = &found[..] else { panic!("{found:?}") };
        assert_eq!((found.care_of.0, found.metric, found.deprecated), ([198, 51, 100, 7].into(), 600, false));
    }

    #[test]
    fn what_is_down_the_tunnel_itself_and_the_network_behind_the_host_lead_nowhere() {
        let leaves = |device, lan: Option<&str>, link| Inward { device, lan: lan.map(str::to_owned) }.leaves(&link);
        assert!(leaves(4, None, link()) && leaves(4, Some("eth1"), link()));
        assert!(!leaves(3, None, link()) && !leaves(4, Some("wifi"), link()));
        for down in [Link { up: false, ..link() }, Link { carrier: false, ..link() }, Link { loopback: true, ..link() }] {
            assert!(!leaves(4, None, down));
        }
    }

    #[test]
    fn tentative_and_failed_addresses_and_those_of_the_other_family_are_not_usable() {
        let good = address("198.51.100.7/24");
        let bad = [
            Address { tentative: true, ..good.clone() },
            Address { dad_failed: true, ..good.clone() },
            Address { scope: Scope::Link, ..good.clone() },
            Address { interface: 4, ..good.clone() },
            address("2001:db8:2::7/64"),
        ];
        assert_eq!(attachments(&link(), target(), &bad, &[default_route()]), []);
    }

    #[test]
    fn without_a_route_to_the_home_agent_an_address_is_of_no_use() {
        let elsewhere = Route::unicast("192.0.2.0/24".parse().unwrap(), 3, MAIN_TABLE, 2);
        assert_eq!(attachments(&link(), target(), &[address("198.51.100.7/24")], &[elsewhere]), []);
    }

    #[test]
    fn every_address_is_usable_the_routes_preferred_source_first_and_what_is_deprecated_last() {
        let old = Address { deprecated: true, ..address("198.51.100.6/24") };
        let addresses = [old, address("198.51.100.7/24"), address("198.51.100.8/24")];
        let route = default_route().with_source([198, 51, 100, 8].into());
        let found = attachments(&link(), target(), &addresses, &[route]);
        let found: Vec<_> = found.iter().map(|(attachment, _)| (attachment.care_of.0, attachment.deprecated)).collect();
        assert_eq!(found, [(8, false), (7, false), (6, true)].map(|(last, old)| (IpAddr::from([198, 51, 100, last]), old)));
    }

    #[test]
    fn the_next_hop_is_the_routes_router_or_where_there_is_none_the_home_agent_itself() {
        let next_hop = |routes: &[Route]| attachments(&link(), target(), &[address("198.51.100.7/24")], routes)[0].1;
        let router = Route { gateway: Some([198, 51, 100, 1].into()), ..default_route() };
        let on_link = Route::unicast("203.0.113.0/24".parse().unwrap(), 3, MAIN_TABLE, 2);
        let hop = |address: [u8; 4]| NextHop { interface: 3, address: address.into(), to_ipv6: false };
        assert_eq!(next_hop(std::slice::from_ref(&router)), hop([198, 51, 100, 1]));
        assert_eq!(next_hop(&[router, on_link]), hop([203, 0, 113, 1]));
    }

    #[test]
    fn ipv6_addresses_are_in_the_order_of_default_address_selection() {
        let temporary = Address { temporary: true, ..address("2001:db8:1::d5e3:7953/64") };
        let addresses = [address("fd00::7/64"), address("2001:db8:1::7/64"), temporary, address("2001:db8:f::7/64")];
        let route = Route::unicast("::/0".parse().unwrap(), 3, MAIN_TABLE, 16);
        let order = |target: &str| {
            let found = attachments(&link(), target.parse().unwrap(), &addresses, std::slice::from_ref(&route));
            found.iter().map(|(attachment, _)| attachment.care_of.0.to_string()).collect::<Vec<_>>()
        };
        let public = ["2001:db8:1::d5e3:7953", "2001:db8:f::7", "2001:db8:1::7", "fd00::7"];
        assert_eq!(order("2001:db8:f::1"), public, "the prefix of the home agent's network is nearer");
        assert_eq!(order("::"), [public[0], public[2], public[1], public[3]], "nothing is near what is not known yet");
        assert_eq!(order("fd00::1")[0], "fd00::7");
    }
}
