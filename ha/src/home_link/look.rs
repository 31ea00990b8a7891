//! What an interface is, before anything is done with it.

use std::net::IpAddr;

use ipnet::IpNet;
use net::netlink::{Address, Netlink, Scope};
use protocol::wire::neighbour::LinkEnd;

use super::HomeLinkError;

/// An interface that can be a home link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// Its name.
    pub name: String,
    /// Its index.
    pub index: u32,
    /// The prefixes of its addresses.
    pub prefixes: Vec<IpNet>,
    /// What announcements come from.
    pub end: LinkEnd,
}

/// Looks at the interface `name`; changes nothing.
///
/// # Errors
/// It cannot be a home link.
pub async fn look(netlink: &Netlink, name: &str) -> Result<Look, HomeLinkError> {
    let index = net::link_names::index_of(name).ok_or_else(|| HomeLinkError::NoInterface(name.to_owned()))?;
    let hardware = netlink.hardware_address(index).await?.ok_or_else(|| HomeLinkError::NotEthernet(name.to_owned()))?;
    let addresses: Vec<Address> =
        netlink.addresses().await?.into_iter().filter(|address| address.interface == index && !address.dad_failed).collect();
    let prefixes = prefixes(&addresses);
    let ip6 = addresses.iter().find_map(link_local);
    if prefixes.is_empty() {
        return Err(HomeLinkError::NoPrefix(name.to_owned()));
    }
    if ip6.is_none() && prefixes.iter().any(|prefix| prefix.addr().is_ipv6()) {
        return Err(HomeLinkError::NoLinkLocal(name.to_owned()));
    }
    Ok(Look { name: name.to_owned(), index, prefixes, end: LinkEnd { hardware, ip6 } })
}

/// A single address says nothing of what is on the link.
fn prefixes(addresses: &[Address]) -> Vec<IpNet> {
    let on_link = addresses.iter().filter(|address| address.scope != Scope::Link && address.scope != Scope::Host);
    let mut prefixes: Vec<IpNet> = on_link.map(|address| address.address.trunc()).collect();
    prefixes.retain(|prefix| prefix.prefix_len() < prefix.max_prefix_len());
    prefixes.sort();
    prefixes.dedup();
    prefixes
}

fn link_local(address: &Address) -> Option<std::net::Ipv6Addr> {
    match address.address.addr() {
        IpAddr::V6(ip) if ip.is_unicast_link_local() => Some(ip),
        IpAddr::V6(_) | IpAddr::V4(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use fixture::{in_new_network_namespace_async, shell};

    use super::*;

    #[test]
    fn an_ethernet_link_with_an_address_of_the_home_network_will_do_and_anything_else_is_told_what_it_lacks() {
        in_new_network_namespace_async(|| async {
            shell(
                "ip link add home address 02:00:00:00:00:01 type veth peer name far && ip link set home up && ip link set far up",
            );
            shell("ip tuntap add tun0 mode tun");
            let netlink = Netlink::connect().unwrap();
            let problem = async |name| look(&netlink, name).await.unwrap_err().to_string();
            assert!(problem("nowhere").await.contains("no interface \"nowhere\""));
            assert!(problem("tun0").await.contains("tun0 is no Ethernet link"));
            assert!(problem("home").await.contains("`ip address add 2001:db8:100::1/64 dev home`"));
            shell("ip address add 10.9.0.1/32 dev home");
            assert!(problem("home").await.contains("no address with a prefix"));
            shell("ip address add 2001:db8:100::1/64 dev home nodad && ip address add 10.9.0.2/24 dev home");
            let found = look(&netlink, "home").await.unwrap();
            let expected: [IpNet; 2] = ["10.9.0.0/24", "2001:db8:100::/64"].map(|text| text.parse().unwrap());
            assert_eq!((found.prefixes, found.end.hardware), (expected.to_vec(), [2, 0, 0, 0, 0, 1]));
            assert!(found.end.ip6.is_some());
            shell("ip -6 address flush dev home scope link");
            assert!(problem("home").await.contains("no link-local IPv6 address"));
        });
    }
}
