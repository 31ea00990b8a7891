//! Inner packets for stories: UDP with a checksum, of either family.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use protocol::wire::checksum;

/// The correspondent node's addresses.
pub const CORRESPONDENT6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 9, 0, 0, 0, 0, 9);
/// The correspondent node's addresses.
pub const CORRESPONDENT4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);
const UDP: u8 = 17;

/// A UDP packet between two addresses of one family.
///
/// # Panics
/// When the families differ.
pub fn udp(source: IpAddr, destination: IpAddr, payload: &[u8]) -> Vec<u8> {
    let mut message = vec![0x10, 0x00, 0x20, 0x00];
    message.extend((payload.len() as u16 + 8).to_be_bytes());
    message.extend([0, 0]);
    message.extend(payload);
    match (source, destination) {
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let sum = checksum::with_pseudo_header(source, destination, UDP, &message);
            message[6..8].copy_from_slice(&sum.to_be_bytes());
            let mut packet = vec![0x60, 0, 0, 0];
            packet.extend((message.len() as u16).to_be_bytes());
            packet.extend([UDP, 64]);
            packet.extend(source.octets());
            packet.extend(destination.octets());
            packet.extend(message);
            packet
        }
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let mut packet = vec![0x45, 0];
            packet.extend((message.len() as u16 + 20).to_be_bytes());
            packet.extend([0, 0, 0, 0, 64, UDP, 0, 0]);
            packet.extend(source.octets());
            packet.extend(destination.octets());
            let sum = checksum::bare(&packet);
            packet[10..12].copy_from_slice(&sum.to_be_bytes());
            packet.extend(message);
            packet
        }
        _ => panic!("{source} and {destination} are of different families"),
    }
}
