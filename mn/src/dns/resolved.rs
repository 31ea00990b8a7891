//! systemd-resolved (`org.freedesktop.resolve1(5)`): name servers of one link, and the routing domain `~.`, which sends it every name.
//!
//! What it is told of a link goes with the link, so that a crash leaves nothing.

use std::net::IpAddr;

use zbus::Connection;
use zbus::proxy::CacheProperties;

use super::{Device, DnsError};

/// As `systemd-resolved` has it on the bus.
pub(super) const NAME: &str = "org.freedesktop.resolve1";
/// `<linux/socket.h>`, as the interface wants families.
const AF_INET: i32 = 2;
const AF_INET6: i32 = 10;

#[zbus::proxy(
    interface = "org.freedesktop.resolve1.Manager",
    default_service = "org.freedesktop.resolve1",
    default_path = "/org/freedesktop/resolve1"
)]
trait Manager {
    #[zbus(name = "SetLinkDNS")]
    fn set_link_dns(&self, link: i32, servers: &[(i32, Vec<u8>)]) -> zbus::Result<()>;
    fn set_link_domains(&self, link: i32, domains: &[(&str, bool)]) -> zbus::Result<()>;
    fn set_link_default_route(&self, link: i32, is_default: bool) -> zbus::Result<()>;
    #[zbus(name = "SetLinkLLMNR")]
    fn set_link_llmnr(&self, link: i32, mode: &str) -> zbus::Result<()>;
    #[zbus(name = "SetLinkMulticastDNS")]
    fn set_link_multicast_dns(&self, link: i32, mode: &str) -> zbus::Result<()>;
    fn revert_link(&self, link: i32) -> zbus::Result<()>;
    fn flush_caches(&self) -> zbus::Result<()>;
    /// Link (0 for none), family, address.
    #[zbus(property, name = "DNS")]
    fn dns(&self) -> zbus::Result<Vec<(i32, i32, Vec<u8>)>>;
    /// Link (0 for none), domain, whether it only routes.
    #[zbus(property)]
    fn domains(&self) -> zbus::Result<Vec<(i32, String, bool)>>;
}

async fn manager(bus: &Connection) -> zbus::Result<ManagerProxy<'static>> {
    ManagerProxy::builder(bus).cache_properties(CacheProperties::No).build().await
}

/// Every name is asked of `servers`, on the device.
pub(super) async fn set(bus: &Connection, device: &Device, servers: &[IpAddr]) -> Result<(), DnsError> {
    let (manager, link) = (manager(bus).await?, link(device));
    let servers: Vec<_> = servers.iter().map(|server| octets(*server)).collect();
    manager.set_link_dns(link, &servers).await?;
    manager.set_link_domains(link, &[(".", true)]).await?;
    manager.set_link_default_route(link, true).await?;
    // Nobody on the device answers neighbours' questions.
    manager.set_link_llmnr(link, "no").await?;
    manager.set_link_multicast_dns(link, "no").await?;
    // What other servers have said counts no more.
    Ok(manager.flush_caches().await?)
}

/// It knows nothing of the device any more. One that has gone is no error.
pub(super) async fn unset(bus: &Connection, device: &Device) -> Result<(), DnsError> {
    let manager = manager(bus).await?;
    let reverted = manager.revert_link(link(device)).await;
    if let Err(zbus::Error::MethodError(name, ..)) = &reverted
        && name.as_str() == "org.freedesktop.resolve1.NoSuchLink"
    {
        return Ok(());
    }
    reverted?;
    Ok(manager.flush_caches().await?)
}

/// Whether it still knows what it was told.
pub(super) async fn stands(bus: &Connection, device: &Device, servers: &[IpAddr]) -> Result<bool, DnsError> {
    let (manager, link) = (manager(bus).await?, link(device));
    let known: Vec<_> = manager.dns().await?.into_iter().filter(|(of, ..)| *of == link).collect();
    let same = known.iter().map(|(_, family, octets)| (*family, octets.clone())).eq(servers.iter().map(|ip| self::octets(*ip)));
    let routes = manager.domains().await?.iter().any(|(of, domain, routes)| *of == link && domain == "." && *routes);
    Ok(same && routes)
}

/// The name servers of all links but the one of this index, with theirs.
pub(super) async fn of_other_links(bus: &Connection, own: u32) -> zbus::Result<Vec<(u32, IpAddr)>> {
    let known = manager(bus).await?.dns().await?;
    let server = |(link, family, octets): (i32, i32, Vec<u8>)| {
        let index = u32::try_from(link).ok().filter(|link| *link != own)?;
        Some((index, address(family, &octets)?))
    };
    Ok(known.into_iter().filter_map(server).collect())
}

/// Interface indices are positive there.
fn link(device: &Device) -> i32 {
    i32::try_from(device.index).unwrap_or(0)
}

fn octets(address: IpAddr) -> (i32, Vec<u8>) {
    match address {
        IpAddr::V4(ip) => (AF_INET, ip.octets().to_vec()),
        IpAddr::V6(ip) => (AF_INET6, ip.octets().to_vec()),
    }
}

fn address(family: i32, octets: &[u8]) -> Option<IpAddr> {
    match family {
        AF_INET => <[u8; 4]>::try_from(octets).ok().map(IpAddr::from),
        AF_INET6 => <[u8; 16]>::try_from(octets).ok().map(IpAddr::from),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_given_and_taken_by_family_and_octets() {
        for text in ["192.0.2.53", "2001:db8::53"] {
            let ip: IpAddr = text.parse().unwrap();
            let (family, octets) = octets(ip);
            assert_eq!(address(family, &octets), Some(ip));
        }
        assert_eq!((address(AF_INET, &[1, 2, 3]), address(7, &[1, 2, 3, 4])), (None, None));
    }
}
