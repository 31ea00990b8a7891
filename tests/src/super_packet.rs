//! Packets that stand for many segments, as a TUN device with `IFF_VNET_HDR` hands them over: what the benches cut and merge.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use protocol::offload::{Segmentation, Segments, VirtioHeader};

/// Octets of an inner packet that TCP cuts, and how many of them a packet of 64 KB has.
const TCP_PACKET: usize = 1_420;
const TCP_SEGMENTS: usize = 46;
const UDP_PAYLOAD: usize = 64;
const UDP_SEGMENTS: usize = 64;
const TCP_HEADER: usize = 32;
const UDP_HEADER: usize = 8;

/// A packet and what the kernel says of it.
#[derive(Clone, Debug)]
pub struct SuperPacket {
    /// What it stands for.
    pub header: VirtioHeader,
    /// The headers of one segment, the payload of all.
    pub packet: Vec<u8>,
}

impl SuperPacket {
    /// 46 TCP segments with timestamps, each of 1,420 octets with all its headers. Both addresses are of one family.
    pub fn tcp(source: IpAddr, destination: IpAddr) -> Self {
        let mut header = vec![0; TCP_HEADER];
        header[..4].copy_from_slice(&[0x13, 0x88, 0x13, 0x89]);
        header[12..14].copy_from_slice(&[0x80, 0x10]);
        header[20..24].copy_from_slice(&[1, 1, 8, 10]);
        let (segmentation, ip) = if source.is_ipv4() { (Segmentation::Tcp4, 20) } else { (Segmentation::Tcp6, 40) };
        build(source, destination, segmentation, &header, TCP_PACKET - ip - TCP_HEADER, TCP_SEGMENTS)
    }

    /// 64 UDP datagrams, each with 64 octets of payload. Both addresses are of one family.
    pub fn udp(source: IpAddr, destination: IpAddr) -> Self {
        let len = (UDP_HEADER + UDP_PAYLOAD * UDP_SEGMENTS) as u16;
        let mut header = vec![0x13, 0x88, 0x13, 0x89, 0, 0, 0, 0];
        header[4..6].copy_from_slice(&len.to_be_bytes());
        build(source, destination, Segmentation::Udp, &header, UDP_PAYLOAD, UDP_SEGMENTS)
    }

    /// What there is to cut.
    ///
    /// # Panics
    /// When the header does not fit the packet.
    pub fn segments(&self) -> Segments<'_> {
        Segments::new(&self.header, &self.packet).unwrap_or_else(|reason| panic!("{reason:?}"))
    }

    /// Its segments, each a packet of its own.
    pub fn cut(&self) -> Vec<Vec<u8>> {
        let segments = self.segments();
        let write = |index| {
            let mut segment = vec![0; segments.len(index)];
            segments.write(index, &mut segment);
            segment
        };
        (0..segments.count()).map(write).collect()
    }
}

/// IP and transport header, and the payload of so many segments; the transport checksum is the sum of the pseudo-header, as the
/// kernel leaves it.
fn build(
    source: IpAddr,
    destination: IpAddr,
    segmentation: Segmentation,
    transport: &[u8],
    segment: usize,
    segments: usize,
) -> SuperPacket {
    let (protocol, checksum_offset) = if segmentation == Segmentation::Udp { (17, 6) } else { (6, 16) };
    let len = (transport.len() + segment * segments) as u16;
    let (mut packet, addresses) = match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => (ipv4_header(source, destination, protocol, len), 12..20),
        (IpAddr::V6(source), IpAddr::V6(destination)) => (ipv6_header(source, destination, protocol, len), 8..40),
        _ => panic!("{source} and {destination} are of two families"),
    };
    let checksum_start = packet.len();
    let pseudo = [&packet[addresses], &[0, protocol], &len.to_be_bytes()].iter().map(|part| sum(part)).sum();
    packet.extend(transport);
    packet.resize(checksum_start + usize::from(len), 0x55);
    packet[checksum_start + checksum_offset..][..2].copy_from_slice(&fold(pseudo).to_be_bytes());
    let header = VirtioHeader {
        segmentation,
        needs_checksum: true,
        has_cwr: false,
        header_len: (checksum_start + transport.len()) as u16,
        segment: segment as u16,
        checksum_start: checksum_start as u16,
        checksum_offset: checksum_offset as u16,
    };
    SuperPacket { header, packet }
}

fn ipv4_header(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, len: u16) -> Vec<u8> {
    let mut header = vec![0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, protocol, 0, 0];
    header[2..4].copy_from_slice(&(20 + len).to_be_bytes());
    header.extend([source.octets(), destination.octets()].concat());
    let checksum = (!fold(sum(&header))).to_be_bytes();
    header[10..12].copy_from_slice(&checksum);
    header
}

fn ipv6_header(source: Ipv6Addr, destination: Ipv6Addr, protocol: u8, len: u16) -> Vec<u8> {
    let mut header = vec![0x60, 0, 0, 0, 0, 0, protocol, 64];
    header[4..6].copy_from_slice(&len.to_be_bytes());
    header.extend([source.octets(), destination.octets()].concat());
    header
}

fn sum(octets: &[u8]) -> u32 {
    octets.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum()
}

fn fold(sum: u32) -> u16 {
    let once = (sum & 0xffff) + (sum >> 16);
    ((once & 0xffff) + (once >> 16)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_segment_is_a_whole_packet_with_a_checksum_that_is_right() {
        let ends4 = ([10, 9, 0, 7].into(), [198, 51, 100, 9].into());
        let ends6 = ("2001:db8:100::7".parse().unwrap(), "2001:db8:9::9".parse().unwrap());
        for (from, to) in [ends4, ends6] {
            check(&SuperPacket::tcp(from, to), 46, 1_420);
            check(&SuperPacket::udp(from, to), 64, if from.is_ipv4() { 92 } else { 112 });
        }
    }

    fn check(load: &SuperPacket, count: usize, len: usize) {
        let segments = load.cut();
        assert_eq!((segments.len(), segments[0].len()), (count, len), "{:?}", load.header);
        for segment in segments {
            let (addresses, transport, protocol) =
                if segment[0] >> 4 == 4 { (12..20, 20, segment[9]) } else { (8..40, 40, segment[6]) };
            let pseudo = [&segment[addresses], &[0, protocol], &((segment.len() - transport) as u16).to_be_bytes()];
            let all: u32 = pseudo.iter().map(|part| sum(part)).sum();
            assert_eq!(fold(all + sum(&segment[transport..])), 0xffff);
            assert!(transport == 40 || fold(sum(&segment[..20])) == 0xffff, "the header's own");
        }
    }
}
