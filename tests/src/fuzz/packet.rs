//! What is parsed behind the ICV: PType 8 payloads with their Mobility Headers, and inner packets with the ICMP errors about them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use protocol::tunnel::Guard;
use protocol::wire::ip::InnerPacket;
use protocol::wire::mobility::{BindingIdentifiers, Ends, MobileRouter, MobilityMessage};
use protocol::wire::signalling::{self, Signalling};
use protocol::wire::{checksum, icmp};

const MOBILE_NODE: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 2);
const HOME_AGENT: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xf, 0, 0, 0, 0, 1);
const ENDS: Ends = Ends { source: MOBILE_NODE, destination: HOME_AGENT };
const OWN6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 1);
const OWN4: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);

/// The first octet is the Next Header, the rest the payload. The Mobility Header's checksum is made right before it is read.
pub fn signalling(data: &[u8]) {
    let Some((next_header, payload)) = data.split_first() else { return };
    let Ok(parsed) = Signalling::parse(*next_header, payload) else { return };
    assert!(payload.ends_with(parsed.mobility_header), "the Mobility Header does not reach to the end");
    let _ = MobilityMessage::parse(parsed.mobility_header, ENDS);
    let Ok(message) = MobilityMessage::parse(&with_right_checksum(parsed.mobility_header), ENDS) else { return };
    let header = message.emit(ENDS);
    if is_as_written(&message) {
        assert_eq!(MobilityMessage::parse(&header, ENDS).as_ref(), Ok(&message), "a message is not read as it was written");
    }
    let payload = signalling::behind_home_address_option(MOBILE_NODE, &header);
    let found = Signalling::parse(signalling::DESTINATION_OPTIONS, &payload).map(|found| found.mobility_header);
    assert_eq!(found, Ok(&header[..]), "a payload is not taken apart as it was put together");
}

/// What is refused, several Binding Identifiers or malformed ones and networks that are none, is not kept to be written again; nor is a
/// care-of address beside an identifier.
fn is_as_written(message: &MobilityMessage) -> bool {
    let MobilityMessage::BindingUpdate(update) = message else { return true };
    match update.identifiers {
        _ if update.mobile_router == MobileRouter::Invalid => false,
        BindingIdentifiers::None => true,
        BindingIdentifiers::One(identifier) => identifier.care_of == update.care_of,
        BindingIdentifiers::Several | BindingIdentifiers::Malformed => false,
    }
}

fn with_right_checksum(header: &[u8]) -> Vec<u8> {
    let mut header = header.to_vec();
    if let Some(field) = header.get_mut(4..6) {
        field.fill(0);
        let sum = checksum::with_pseudo_header(ENDS.source, ENDS.destination, signalling::MOBILITY, &header);
        header[4..6].copy_from_slice(&sum.to_be_bytes());
    }
    header
}

/// A packet: its addresses and length, whether the guard lets it through, and the ICMP error about it.
pub fn inner_packet(data: &[u8]) {
    let mut out = [0; 1500];
    for own in [IpAddr::V6(OWN6), IpAddr::V4(OWN4)] {
        let too_big = icmp::packet_too_big(data, 1_300, own, &mut out);
        too_big.into_iter().for_each(|len| check_error(&out[..len], data, own));
        let unreachable = icmp::address_unreachable(data, own, &mut out);
        assert_eq!(too_big, unreachable, "two errors about one packet");
        let Some(len) = unreachable else { continue };
        check_error(&out[..len], data, own);
        assert_eq!(icmp::address_unreachable(data, own, &mut vec![0; len - 1]), None, "an error is longer than its room");
    }
    let Ok(inner) = InnerPacket::parse(data) else { return };
    let Some(packet) = data.get(..inner.len) else { panic!("a packet is longer than its octets") };
    assert_eq!(InnerPacket::parse(packet), Ok(inner), "octets behind the packet change its meaning");
    let guard = Guard::new([IpAddr::V6(OWN6), IpAddr::V4(OWN4)]);
    let for_us = [IpAddr::V6(OWN6), IpAddr::V4(OWN4)].contains(&inner.destination);
    let [closed, open] = [guard.clone(), guard.with_services()].map(|guard| guard.allows(&inner, packet));
    assert!(closed || for_us, "a packet for another was held back");
    assert!(open || !closed, "open services hold back what passes without them");
}

/// That an error goes to the packet's source, quotes the packet, has a right checksum, and is itself never answered.
fn check_error(error: &[u8], about: &[u8], own: IpAddr) {
    let (Ok(header), Ok(inner)) = (InnerPacket::parse(error), InnerPacket::parse(about)) else {
        panic!("an error that is no packet, or about none")
    };
    assert_eq!((header.source, header.destination, header.len), (own, inner.source, error.len()), "another header");
    let (most, message) = if own.is_ipv6() { (1280, &error[40..]) } else { (576, &error[20..]) };
    assert!(error.len() <= most, "an error of {} octets", error.len());
    assert!(about[..inner.len].starts_with(&message[8..]), "an error quotes something else");
    let right = match (own, inner.source) {
        (IpAddr::V6(from), IpAddr::V6(to)) => checksum::is_right(from, to, 58, message),
        _ => checksum::bare(message) == 0 && checksum::bare(&error[..20]) == 0,
    };
    assert!(right, "an error's checksum is wrong");
    assert!(!inner.source.is_multicast() && inner.may_cross(), "an error to an address that names no single node");
    assert_eq!(icmp::address_unreachable(error, own, &mut [0; 1500]), None, "an error about an error");
}
