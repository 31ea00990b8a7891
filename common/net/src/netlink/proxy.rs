//! Addresses that this host answers for on a link though they are elsewhere: the kernel's proxy entries of Neighbor Discovery and ARP
//! (`ip neighbour … proxy`), and what speaks for them: a link's hardware address.

use std::net::IpAddr;

use protocol::wire::neighbour::HardwareAddress;
use rtnetlink::packet_route::link::{LinkAttribute, LinkLayerType, LinkMessage};
use rtnetlink::packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use super::{Change, Family, Netlink, NetlinkError};

impl Netlink {
    /// Answers for `address` on the link `interface` from now on, as far as the host's settings let it: `net.ipv6.conf.*.proxy_ndp`,
    /// and for IPv4 forwarding there and a route to the address by another interface. `protocol` marks the entry as the caller's.
    ///
    /// # Errors
    /// The interface is gone, or CAP_NET_ADMIN is missing.
    pub async fn add_proxy(&self, interface: u32, address: IpAddr, protocol: u8) -> Result<(), NetlinkError> {
        let mut message = message(interface, address);
        message.attributes.push(NeighbourAttribute::Protocol(protocol.into()));
        let flags = rtnetlink::packet_core::NLM_F_CREATE;
        self.ask(&what("answer", interface, address), RouteNetlinkMessage::NewNeighbour(message), flags).await?;
        Ok(())
    }

    /// Answers for `address` there no more.
    ///
    /// # Errors
    /// CAP_NET_ADMIN is missing.
    pub async fn delete_proxy(&self, interface: u32, address: IpAddr) -> Result<Change, NetlinkError> {
        let request = RouteNetlinkMessage::DelNeighbour(message(interface, address));
        let harmless = [libc::ENOENT, libc::ENODEV, libc::ESRCH];
        self.change(&what("stop to answer", interface, address), request, 0, &harmless).await
    }

    /// The addresses that this host answers for on that link with entries marked as `protocol`, of both families.
    ///
    /// # Errors
    /// No answer.
    pub async fn proxies(&self, interface: u32, protocol: u8) -> Result<Vec<IpAddr>, NetlinkError> {
        let mut proxies = Vec::new();
        for family in Family::BOTH {
            let mut message = NeighbourMessage::default();
            message.header.family = family.into();
            message.header.flags = NeighbourFlags::Proxy;
            let answer = self.dump("list the addresses answered for", RouteNetlinkMessage::GetNeighbour(message)).await?;
            proxies.extend(answer.iter().filter_map(|entry| marked(entry, interface, protocol)));
        }
        Ok(proxies)
    }

    /// The hardware address of an Ethernet interface; `None` for one of another kind.
    ///
    /// # Errors
    /// ENODEV when there is no such interface.
    pub async fn hardware_address(&self, interface: u32) -> Result<Option<HardwareAddress>, NetlinkError> {
        let mut message = LinkMessage::default();
        message.header.index = interface;
        let what = format!("read the hardware address of interface {interface}");
        let answer = self.ask(&what, RouteNetlinkMessage::GetLink(message), 0).await?;
        Ok(answer.iter().find_map(ethernet_address))
    }
}

fn ethernet_address(answer: &RouteNetlinkMessage) -> Option<HardwareAddress> {
    let RouteNetlinkMessage::NewLink(message) = answer else { return None };
    let address = message.attributes.iter().find_map(|attribute| {
        let LinkAttribute::Address(octets) = attribute else { return None };
        octets.as_slice().try_into().ok()
    });
    address.filter(|_| message.header.link_layer_type == LinkLayerType::Ether)
}

fn marked(entry: &RouteNetlinkMessage, interface: u32, protocol: u8) -> Option<IpAddr> {
    let RouteNetlinkMessage::NewNeighbour(message) = entry else { return None };
    let mark = NeighbourAttribute::Protocol(protocol.into());
    let is_ours = message.header.ifindex == interface && message.attributes.contains(&mark);
    message.attributes.iter().find_map(destination).filter(|_| is_ours)
}

pub(super) fn destination(attribute: &NeighbourAttribute) -> Option<IpAddr> {
    let NeighbourAttribute::Destination(address) = attribute else { return None };
    if let NeighbourAddress::Inet6(ip) = address {
        Some(IpAddr::V6(*ip))
    } else if let NeighbourAddress::Inet(ip) = address {
        Some(IpAddr::V4(*ip))
    } else {
        None
    }
}

fn message(interface: u32, address: IpAddr) -> NeighbourMessage {
    let (family, destination) = match address {
        IpAddr::V6(ip) => (AddressFamily::Inet6, NeighbourAddress::Inet6(ip)),
        IpAddr::V4(ip) => (AddressFamily::Inet, NeighbourAddress::Inet(ip)),
    };
    let mut message = NeighbourMessage::default();
    message.header.family = family;
    message.header.ifindex = interface;
    message.header.flags = NeighbourFlags::Proxy;
    message.attributes.push(NeighbourAttribute::Destination(destination));
    message
}

fn what(verb: &str, interface: u32, address: IpAddr) -> String {
    format!("{verb} for {address} on interface {interface}")
}

#[cfg(test)]
mod tests {
    use fixture::{in_new_network_namespace_async, shell};

    use super::*;

    #[test]
    fn addresses_are_answered_for_until_they_are_deleted_and_only_ones_own_are_listed() {
        in_new_network_namespace_async(|| async {
            shell("ip link add home type veth peer name far && ip link set home up");
            shell("ip neighbour add proxy 2001:db8:100::9 dev home && ip neighbour add proxy 2001:db8:100::5 dev far");
            let netlink = Netlink::connect().unwrap();
            let home = netlink.link_index("home").await.unwrap();
            let addresses: Vec<IpAddr> = ["10.9.0.5", "2001:db8:100::5"].map(|text| text.parse().unwrap()).into();
            for address in addresses.iter().chain(&addresses) {
                netlink.add_proxy(home, *address, 78).await.unwrap();
            }
            assert_eq!(netlink.proxies(home, 78).await.unwrap(), addresses);
            assert!(netlink.proxies(home, 79).await.unwrap().is_empty());
            for address in &addresses {
                assert_eq!(netlink.delete_proxy(home, *address).await.unwrap(), Change::Made);
                assert_eq!(netlink.delete_proxy(home, *address).await.unwrap(), Change::AlreadySo);
            }
            let left = shell("ip neighbour show proxy; ip -6 neighbour show proxy");
            assert!(left.contains("2001:db8:100::9") && !left.contains("10.9.0.5"), "{left}");
        });
    }

    #[test]
    fn an_ethernet_link_has_a_hardware_address_and_a_tunnel_has_none() {
        in_new_network_namespace_async(|| async {
            shell("ip link add home address 02:00:00:00:00:01 type veth peer name far && ip tuntap add tun0 mode tun");
            let netlink = Netlink::connect().unwrap();
            let index = async |name| netlink.link_index(name).await.unwrap();
            assert_eq!(netlink.hardware_address(index("home").await).await.unwrap(), Some([2, 0, 0, 0, 0, 1]));
            assert_eq!(netlink.hardware_address(index("tun0").await).await.unwrap(), None);
            assert_eq!(netlink.hardware_address(9999).await.unwrap_err().errno(), Some(libc::ENODEV));
        });
    }
}
