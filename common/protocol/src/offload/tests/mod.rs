//! Packets for the tests of cutting and merging, and their checksums word by word.

mod cut;
mod merge;
mod order;

use proptest::prelude::*;

use super::{Segmentation, Segments, VirtioHeader};

/// A packet of one flow, to be written in one piece or as the kernel hands over many.
#[derive(Clone, Debug)]
struct Sample {
    ip6: bool,
    tcp: bool,
    /// Tells flows apart.
    port: u8,
    traffic_class: u8,
    hop_limit: u8,
    id: u16,
    dont_fragment: bool,
    sequence: u32,
    flags: u8,
    /// TCP options, in words.
    options: u8,
    payload: Vec<u8>,
}

const ACK: u8 = 0x10;
const PSH: u8 = 0x08;
const FIN: u8 = 0x01;
const CWR: u8 = 0x80;

impl Sample {
    fn new(ip6: bool, tcp: bool, payload: impl Into<Vec<u8>>) -> Self {
        let (port, traffic_class, hop_limit, id, sequence, flags) = (1, 0, 64, 7, 1_000, ACK);
        let payload = payload.into();
        Self { ip6, tcp, port, traffic_class, hop_limit, id, dont_fragment: true, sequence, flags, options: 3, payload }
    }

    /// Octets of the IP header.
    fn ip(&self) -> usize {
        if self.ip6 { 40 } else { 20 }
    }

    /// Octets of all headers.
    fn headers(&self) -> usize {
        self.ip() + if self.tcp { 20 + usize::from(self.options) * 4 } else { 8 }
    }

    /// The whole packet, its checksums right.
    fn octets(&self) -> Vec<u8> {
        let mut packet = self.without_checksum();
        let field = self.checksum_field();
        let sum = match !folded(self.pseudo_sum() + sum(&packet[self.ip()..])) {
            0 if !self.tcp => 0xffff,
            sum => sum,
        };
        packet[field..field + 2].copy_from_slice(&sum.to_be_bytes());
        packet
    }

    /// As the kernel hands it over, to be cut into segments of so many octets.
    fn as_read(&self, segment: usize) -> (VirtioHeader, Vec<u8>) {
        let mut packet = self.without_checksum();
        let field = self.checksum_field();
        packet[field..field + 2].copy_from_slice(&folded(self.pseudo_sum()).to_be_bytes());
        (self.virtio(segment), packet)
    }

    fn virtio(&self, segment: usize) -> VirtioHeader {
        let segmentation = match (self.tcp, self.ip6) {
            (true, false) => Segmentation::Tcp4,
            (true, true) => Segmentation::Tcp6,
            (false, _) => Segmentation::Udp,
        };
        VirtioHeader {
            segmentation,
            needs_checksum: true,
            has_cwr: false,
            header_len: self.headers() as u16,
            segment: segment as u16,
            checksum_start: self.ip() as u16,
            checksum_offset: (self.checksum_field() - self.ip()) as u16,
        }
    }

    fn checksum_field(&self) -> usize {
        self.ip() + if self.tcp { 16 } else { 6 }
    }

    fn pseudo_sum(&self) -> u64 {
        let packet = self.ip_header();
        let addresses = if self.ip6 { &packet[8..40] } else { &packet[12..20] };
        sum(addresses) + u64::from(self.protocol()) + (self.headers() - self.ip() + self.payload.len()) as u64
    }

    fn protocol(&self) -> u8 {
        if self.tcp { 6 } else { 17 }
    }

    fn without_checksum(&self) -> Vec<u8> {
        let mut packet = self.ip_header();
        packet.extend([0x10, self.port, 0x00, 0x50]);
        if self.tcp {
            packet.extend(self.sequence.to_be_bytes());
            packet.extend([0, 0, 0x20, 0, (5 + self.options) << 4, self.flags, 0x02, 0x00, 0, 0, 0, 0]);
            packet.extend((0..self.options * 4).map(|octet| octet + 1));
        } else {
            packet.extend((8 + self.payload.len() as u16).to_be_bytes());
            packet.extend([0, 0]);
        }
        packet.extend(&self.payload);
        packet
    }

    fn ip_header(&self) -> Vec<u8> {
        let len = (self.headers() + self.payload.len()) as u16;
        if self.ip6 {
            let mut header = vec![0x60 | self.traffic_class >> 4, self.traffic_class << 4 | 1, 2, 3];
            header.extend((len - 40).to_be_bytes());
            header.extend([self.protocol(), self.hop_limit]);
            header.extend([0x20, 1, 0xd, 0xb8, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]);
            header.extend([0x20, 1, 0xd, 0xb8, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
            return header;
        }
        let [len_high, len_low] = len.to_be_bytes();
        let [id_high, id_low] = self.id.to_be_bytes();
        let flags = if self.dont_fragment { 0x40 } else { 0 };
        let mut header =
            vec![0x45, self.traffic_class, len_high, len_low, id_high, id_low, flags, 0, self.hop_limit, self.protocol(), 0, 0];
        header.extend([192, 0, 2, 9, 10, 9, 0, 2]);
        let sum = !folded(sum(&header));
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        header
    }
}

/// Every segment that a packet is cut into.
fn cut(header: &VirtioHeader, packet: &[u8]) -> Vec<Vec<u8>> {
    let segments = Segments::new(header, packet).unwrap();
    let write = |index| {
        let mut segment = vec![0xaa; segments.len(index)];
        segments.write(index, &mut segment);
        segment
    };
    (0..segments.count()).map(write).collect()
}

/// Any packet with `payload` octets.
fn sample(payload: std::ops::Range<usize>) -> impl Strategy<Value = Sample> {
    let kind = (any::<bool>(), any::<bool>(), any::<u8>(), any::<u8>());
    let numbers = (any::<u16>(), any::<bool>(), any::<u32>(), 0u8..=10);
    (kind, numbers, proptest::collection::vec(any::<u8>(), payload)).prop_map(|(kind, numbers, payload)| {
        let (ip6, tcp, port, traffic_class) = kind;
        let (id, dont_fragment, sequence, options) = numbers;
        Sample { port, traffic_class, id, dont_fragment, sequence, options, ..Sample::new(ip6, tcp, payload) }
    })
}

/// Whether every checksum of a packet without extension headers and options is right, and its lengths are its own.
fn is_right(packet: &[u8]) -> bool {
    let (ip, protocol, addresses, len) = match packet[0] >> 4 {
        4 => (20, packet[9], &packet[12..20], usize::from(u16::from_be_bytes([packet[2], packet[3]]))),
        _ => (40, packet[6], &packet[8..40], 40 + usize::from(u16::from_be_bytes([packet[4], packet[5]]))),
    };
    let message = &packet[ip..];
    let udp_len_is_right = protocol == 6 || usize::from(u16::from_be_bytes([message[4], message[5]])) == message.len();
    let transport = sum(addresses) + u64::from(protocol) + message.len() as u64 + sum(message);
    len == packet.len() && udp_len_is_right && folded(transport) == 0xffff && (ip == 40 || folded(sum(&packet[..20])) == 0xffff)
}

fn sum(octets: &[u8]) -> u64 {
    octets.chunks(2).map(|word| u64::from(word[0]) << 8 | word.get(1).map_or(0, |low| u64::from(*low))).sum()
}

fn folded(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}
