//! Home addresses on the home link itself (RFC 6275 section 11.5.5): marked as such in the kernel, which prefers them as sources (RFC
//! 6724 section 5, rule 4) where it is built with CONFIG_IPV6_MIP6, and by which what a process has left behind is known.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage};

use super::address::message;
use super::{Address, Change, Netlink, NetlinkError};

/// A home address on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeAddressHere {
    /// The interface index.
    pub interface: u32,
    /// The address, by itself.
    pub address: Ipv6Addr,
    /// Duplicate address detection has not ended.
    pub tentative: bool,
    /// Another node has it.
    pub dad_failed: bool,
}

impl Netlink {
    /// Adds `address` by itself as a home address. With `detects` the kernel asks first whether another node has it.
    ///
    /// # Errors
    /// The interface does not exist, or CAP_NET_ADMIN is missing.
    pub async fn add_home_address(&self, interface: u32, address: Ipv6Addr, detects: bool) -> Result<Change, NetlinkError> {
        let mut message = message(interface, IpNet::from(IpAddr::V6(address)));
        message.header.flags = AddressHeaderFlags::Homeaddress;
        if !detects {
            message.header.flags |= AddressHeaderFlags::Nodad;
        }
        let what = format!("add the home address {address} to interface {interface}");
        self.change(&what, RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_EXCL, &[libc::EEXIST]).await
    }

    /// The home addresses that [`Self::add_home_address`] has added, whoever called it.
    ///
    /// # Errors
    /// No answer.
    pub async fn home_addresses(&self) -> Result<Vec<HomeAddressHere>, NetlinkError> {
        let answer = self.dump("list the home addresses", RouteNetlinkMessage::GetAddress(AddressMessage::default())).await?;
        Ok(answer.iter().filter_map(parsed).collect())
    }
}

fn parsed(answer: &RouteNetlinkMessage) -> Option<HomeAddressHere> {
    let RouteNetlinkMessage::NewAddress(message) = answer else { return None };
    let is_marked = |attribute: &AddressAttribute| matches!(attribute, AddressAttribute::Flags(flags) if flags.contains(AddressFlags::Homeaddress));
    let Address { interface, address, tentative, dad_failed, .. } = Address::parse(message)?;
    let is_home = message.attributes.iter().any(is_marked) && address.prefix_len() == address.max_prefix_len();
    match address.addr() {
        IpAddr::V6(address) if is_home => Some(HomeAddressHere { interface, address, tentative, dad_failed }),
        IpAddr::V6(_) | IpAddr::V4(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use fixture::{in_new_network_namespace_async, shell};

    use super::*;
    use crate::link_names::index_of;

    #[test]
    fn a_home_address_is_known_as_one_until_it_is_deleted() {
        in_new_network_namespace_async(|| async {
            shell("ip link add home type veth peer name far && ip link set home up && ip link set far up");
            shell("ip address add 2001:db8:100::abcd/64 dev home nodad");
            let (netlink, interface) = (Netlink::connect().unwrap(), index_of("home").unwrap());
            let address: Ipv6Addr = "2001:db8:100::7".parse().unwrap();
            assert_eq!(netlink.add_home_address(interface, address, false).await.unwrap(), Change::Made);
            assert_eq!(netlink.add_home_address(interface, address, false).await.unwrap(), Change::AlreadySo);
            let expected = HomeAddressHere { interface, address, tentative: false, dad_failed: false };
            assert_eq!(netlink.home_addresses().await.unwrap(), [expected], "the other address is none");
            netlink.await_address(address.into()).await.unwrap();
            netlink.delete_address(interface, IpNet::from(IpAddr::V6(address))).await.unwrap();
            assert_eq!(netlink.home_addresses().await.unwrap(), []);
        });
    }
}
