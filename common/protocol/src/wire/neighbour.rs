//! Who has an address on an Ethernet link: Neighbor Discovery (RFC 4861, RFC 4862) and ARP (RFC 826, RFC 5227), as far as somebody
//! needs it who speaks for another's address: to ask whether anybody has it, to say that one has it now, and to hear that somebody
//! else does.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::checksum;

/// A MAC-48 address.
pub type HardwareAddress = [u8; 6];

/// EtherType of IPv6.
pub const IPV6: u16 = 0x86dd;
/// EtherType of ARP.
pub const ARP: u16 = 0x0806;

const BROADCAST: HardwareAddress = [0xff; 6];
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// RFC 4861 section 7.1: a packet that a router has passed on has less.
const HOP_LIMIT: u8 = 255;
const ICMPV6: u8 = 58;
const HEADER: usize = 40;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
/// The O bit of an advertisement; S and R are clear.
const OVERRIDE: u8 = 0x20;
const TARGET_LINK_LAYER_ADDRESS: [u8; 2] = [2, 1];

/// Ethernet, IPv4, and the lengths of their addresses.
const ARP_OF_IPV4: [u8; 6] = [0, 1, 8, 0, 6, 4];
const REQUEST: u8 = 1;
const REPLY: u8 = 2;

/// A packet for a link, without its Ethernet header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkPacket {
    /// The EtherType: [`IPV6`] or [`ARP`].
    pub ethertype: u16,
    /// Whom it goes to: a group, or everybody.
    pub to: HardwareAddress,
    /// From the IPv6 or ARP header on.
    pub octets: Vec<u8>,
}

/// The end of a link that announcements come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkEnd {
    /// Its hardware address.
    pub hardware: HardwareAddress,
    /// Its link-local IPv6 address; without one it cannot speak for an IPv6 address.
    pub ip6: Option<Ipv6Addr>,
}

/// Asks whether somebody has `address`: a Neighbor Solicitation of Duplicate Address Detection (RFC 4862 section 5.4.2), or an ARP
/// probe (RFC 5227 section 2.1.1).
pub fn probe(address: IpAddr, from: HardwareAddress) -> LinkPacket {
    match address {
        IpAddr::V6(target) => {
            let group = solicited_node(target);
            let message = [&[SOLICITATION, 0, 0, 0, 0, 0, 0, 0][..], &target.octets()].concat();
            icmpv6(Ipv6Addr::UNSPECIFIED, group, message)
        }
        IpAddr::V4(target) => arp(from, Ipv4Addr::UNSPECIFIED, target),
    }
}

/// Says to everybody that `address` is now at `from`: an unsolicited Neighbor Advertisement that overrides what is known (RFC 6275
/// section 10.4.1, RFC 4861 section 7.2.6), or an ARP announcement (RFC 5227 section 2.3). `None` for an IPv6 address where that end has
/// none itself.
pub fn announcement(address: IpAddr, from: LinkEnd) -> Option<LinkPacket> {
    Some(match address {
        IpAddr::V6(target) => {
            let option = [&TARGET_LINK_LAYER_ADDRESS[..], &from.hardware].concat();
            let message = [&[ADVERTISEMENT, 0, 0, 0, OVERRIDE, 0, 0, 0][..], &target.octets(), &option].concat();
            icmpv6(from.ip6?, ALL_NODES, message)
        }
        IpAddr::V4(own) => arp(from.hardware, own, own),
    })
}

/// The address that the sender of an IPv6 packet says it has, or is about to take: in a Neighbor Advertisement, or in a Neighbor
/// Solicitation of its own Duplicate Address Detection (RFC 4862 sections 5.4.3 and 5.4.4).
pub fn claimed_in_ipv6(packet: &[u8]) -> Option<Ipv6Addr> {
    let (header, rest) = packet.split_first_chunk::<HEADER>()?;
    let [0x60..=0x6f, _, _, _, l0, l1, ICMPV6, HOP_LIMIT, addresses @ ..] = header else { return None };
    let message = rest.get(..usize::from(u16::from_be_bytes([*l0, *l1])))?;
    let (source, destination) = addresses.split_first_chunk::<16>()?;
    let source = Ipv6Addr::from(*source);
    if !checksum::is_right(source, Ipv6Addr::from(<[u8; 16]>::try_from(destination).ok()?), ICMPV6, message) {
        return None;
    }
    let (fixed, rest) = message.split_first_chunk::<8>()?;
    let target = Ipv6Addr::from(*rest.first_chunk::<16>()?);
    let is_claim = match fixed {
        [ADVERTISEMENT, 0, ..] => true,
        [SOLICITATION, 0, ..] => source.is_unspecified(),
        _ => false,
    };
    (is_claim && !target.is_multicast() && !target.is_unspecified()).then_some(target)
}

/// The address that the sender of an ARP packet says it has, or with a probe is about to take (RFC 5227 section 2.1.1). What `own` has
/// sent says nothing.
pub fn claimed_in_arp(packet: &[u8], own: HardwareAddress) -> Option<Ipv4Addr> {
    let (fixed, rest) = packet.split_first_chunk::<8>()?;
    let (kind, [0, operation @ (REQUEST | REPLY)]) = fixed.split_first_chunk::<6>()? else { return None };
    let (hardware, rest) = rest.split_first_chunk::<6>()?;
    let (sender, rest) = rest.split_first_chunk::<4>()?;
    let (_, rest) = rest.split_first_chunk::<6>()?;
    let (sender, target) = (Ipv4Addr::from(*sender), Ipv4Addr::from(*rest.first_chunk::<4>()?));
    let is_probe = sender.is_unspecified() && *operation == REQUEST;
    let claimed = if is_probe { target } else { sender };
    (*kind == ARP_OF_IPV4 && *hardware != own && !claimed.is_unspecified()).then_some(claimed)
}

/// RFC 4291 section 2.7.1.
fn solicited_node(target: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = target.octets();
    Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c])
}

fn icmpv6(source: Ipv6Addr, group: Ipv6Addr, mut message: Vec<u8>) -> LinkPacket {
    let sum = checksum::with_pseudo_header(source, group, ICMPV6, &message);
    if let Some(field) = message.get_mut(2..4) {
        field.copy_from_slice(&sum.to_be_bytes());
    }
    let [l0, l1] = (message.len() as u16).to_be_bytes();
    let header = [0x60, 0, 0, 0, l0, l1, ICMPV6, HOP_LIMIT];
    let octets = [&header[..], &source.octets(), &group.octets(), &message].concat();
    // RFC 2464 section 7.
    let [.., a, b, c, d] = group.octets();
    LinkPacket { ethertype: IPV6, to: [0x33, 0x33, a, b, c, d], octets }
}

fn arp(hardware: HardwareAddress, sender: Ipv4Addr, target: Ipv4Addr) -> LinkPacket {
    let octets = [&ARP_OF_IPV4[..], &[0, REQUEST], &hardware, &sender.octets(), &[0; 6], &target.octets()].concat();
    LinkPacket { ethertype: ARP, to: BROADCAST, octets }
}

#[cfg(test)]
mod tests;
