//! What a home agent hears on its home link: whoever claims an address claims it in what stands behind it too, and no packet of our own
//! writing claims another one than it was written for.

use std::net::IpAddr;

use protocol::wire::neighbour::{self, ARP, HardwareAddress, LinkEnd, LinkPacket};

const OURS: HardwareAddress = [2, 0, 0, 0, 0, 1];
const THEIRS: HardwareAddress = [2, 0, 0, 0, 0, 9];

/// The octets as an IPv6 and as an ARP packet.
pub fn neighbour(data: &[u8]) {
    let claims = [neighbour::claimed_in_ipv6(data).map(IpAddr::V6), neighbour::claimed_in_arp(data, OURS).map(IpAddr::V4)];
    let padded = [data, &[0; 46]].concat();
    for address in claims.into_iter().flatten() {
        assert!(!address.is_unspecified(), "nobody has the unspecified address");
        assert_eq!(claimed(address.is_ipv4(), &padded), Some(address), "padding takes a claim away");
        let end = LinkEnd { hardware: THEIRS, ip6: Some([0xfe80, 0, 0, 0, 0, 0, 0, 9].into()) };
        for packet in [Some(neighbour::probe(address, THEIRS)), neighbour::announcement(address, end)] {
            let Some(LinkPacket { ethertype, octets, .. }) = packet else { panic!("an address that cannot be announced") };
            assert_eq!(claimed(ethertype == ARP, &octets), Some(address), "our own writing is read otherwise");
        }
    }
}

fn claimed(is_arp: bool, packet: &[u8]) -> Option<IpAddr> {
    if is_arp {
        neighbour::claimed_in_arp(packet, OURS).map(IpAddr::V4)
    } else {
        neighbour::claimed_in_ipv6(packet).map(IpAddr::V6)
    }
}
