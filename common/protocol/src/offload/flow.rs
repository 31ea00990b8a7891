//! What the merger has to know of a packet: whose it is, and whether it is data that may stand behind other data.

use super::octets::{
    IPV4_HEADER, IPV6_HEADER, TCP, TCP_HEADER, UDP, UDP_HEADER, checksum_offset, get16, get32, pseudo_sum, tcp_flag,
};
use crate::wire::checksum;

/// Whose a packet is. Addresses of IPv4 stand in front of zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flow {
    ports: [u8; 4],
    /// TCP, UDP, or zero for what has no ports that could be read: any flow of its addresses.
    pub(super) protocol: u8,
    pub(super) is_ipv4: bool,
    source: [u8; 16],
    destination: [u8; 16],
}

impl Flow {
    /// Reads it. `None` for what is no IP packet.
    pub(super) fn read(packet: &[u8]) -> Option<Self> {
        match packet.first()? >> 4 {
            4 => Self::read_ipv4(packet),
            6 => Self::read_ipv6(packet),
            _ => None,
        }
    }

    /// Options, and all fragments, are let through as they are: the kernel's own merging does no more.
    fn read_ipv4(packet: &[u8]) -> Option<Self> {
        let header: &[u8; IPV4_HEADER] = packet.first_chunk()?;
        let [first, _, _, _, _, _, fragment_high, fragment_low, _, protocol, ..] = *header;
        let [.., s0, s1, s2, s3, d0, d1, d2, d3] = *header;
        let is_plain =
            first == 0x45 && (fragment_high & 0x3f, fragment_low) == (0, 0) && get16(packet, 2) == u16_len(packet.len());
        let (source, destination) = (behind_zeros([s0, s1, s2, s3]), behind_zeros([d0, d1, d2, d3]));
        let nobodys = Self { ports: [0; 4], protocol: 0, is_ipv4: true, source, destination };
        Some(nobodys.with_ports(if is_plain { protocol } else { 0 }, packet.get(IPV4_HEADER..)?))
    }

    /// Extension headers are let through as they are.
    fn read_ipv6(packet: &[u8]) -> Option<Self> {
        let (fixed, rest) = packet.split_first_chunk::<8>()?;
        let (source, rest) = rest.split_first_chunk()?;
        let (destination, message) = rest.split_first_chunk()?;
        let is_plain = get16(fixed, 4) == u16_len(message.len());
        let nobodys = Self { ports: [0; 4], protocol: 0, is_ipv4: false, source: *source, destination: *destination };
        Some(nobodys.with_ports(if is_plain { fixed[6] } else { 0 }, message))
    }

    fn with_ports(self, protocol: u8, message: &[u8]) -> Self {
        match message.first_chunk() {
            Some(ports) if protocol == TCP || protocol == UDP => Self { ports: *ports, protocol, ..self },
            _ => self,
        }
    }

    /// Whether a packet of the one must not overtake a packet of the other.
    pub(super) fn is_ordered_with(&self, other: &Self) -> bool {
        let is_one = self.protocol == 0 || other.protocol == 0 || (self.ports, self.protocol) == (other.ports, other.protocol);
        is_one && (self.is_ipv4, self.source, self.destination) == (other.is_ipv4, other.source, other.destination)
    }

    /// Octets of the IP header.
    pub(super) fn ip_header(&self) -> usize {
        if self.is_ipv4 { IPV4_HEADER } else { IPV6_HEADER }
    }
}

/// A packet of data and nothing else.
#[derive(Clone, Copy, Debug)]
pub(super) struct Data {
    /// Octets of all headers.
    pub(super) headers: usize,
    /// Octets behind them; at least one.
    pub(super) payload: usize,
    /// TCP's; zero of UDP.
    pub(super) sequence: u32,
    /// IPv4's; zero of IPv6.
    pub(super) id: u16,
    /// Whether TCP wants it delivered at once.
    pub(super) has_push: bool,
}

impl Data {
    /// Reads a packet of `flow`. `None` when something in it is for itself alone: flags but ACK and PSH, no payload, a UDP length
    /// that is not the packet's, no UDP checksum.
    pub(super) fn read(flow: &Flow, packet: &[u8]) -> Option<Self> {
        let ip = flow.ip_header();
        let message = packet.get(ip..)?;
        let (header, sequence, has_push) = match flow.protocol {
            TCP => read_tcp(message)?,
            UDP => read_udp(message)?,
            _ => return None,
        };
        let payload = message.len().checked_sub(header).filter(|payload| *payload > 0)?;
        let id = if flow.is_ipv4 { get16(packet, 4)? } else { 0 };
        Some(Self { headers: ip + header, payload, sequence, id, has_push })
    }

    /// The sequence number behind it.
    pub(super) fn end(&self) -> u32 {
        self.sequence.wrapping_add(self.payload as u32)
    }
}

/// Octets of the header, sequence number, whether PSH is set.
fn read_tcp(message: &[u8]) -> Option<(usize, u32, bool)> {
    let header: &[u8; TCP_HEADER] = message.first_chunk()?;
    let (offset, flags) = (header[12], header[13]);
    let len = usize::from(offset >> 4) * 4;
    let is_plain = offset & 0x0f == 0 && flags & !tcp_flag::PSH == tcp_flag::ACK && len >= TCP_HEADER;
    is_plain.then_some((len, get32(header, 4)?, flags & tcp_flag::PSH != 0))
}

fn read_udp(message: &[u8]) -> Option<(usize, u32, bool)> {
    let is_plain = get16(message, 4) == u16_len(message.len()) && get16(message, 6)? != 0;
    is_plain.then_some((UDP_HEADER, 0, false))
}

/// Whether the checksums of a packet of `flow` are right: once merged, nobody looks at them again.
pub(super) fn has_right_checksums(flow: &Flow, packet: &[u8]) -> bool {
    let ip = flow.ip_header();
    let (Some(header), Some(message), Some(pseudo)) = (packet.get(..ip), packet.get(ip..), pseudo_sum(packet, flow.protocol))
    else {
        return false;
    };
    let is_right = checksum::fold(pseudo + message.len() as u64 + checksum::sum(message)) == 0xffff;
    is_right && (!flow.is_ipv4 || checksum::bare(header) == 0)
}

/// Whether two packets of one `flow` differ in nothing but what merging makes anew: lengths, checksums, identification, sequence
/// number, and PSH. `headers` are octets of all headers of the first.
pub(super) fn have_same_headers(flow: &Flow, headers: usize, first: &[u8], next: &[u8]) -> bool {
    let same = |range: std::ops::Range<usize>| first.get(range.clone()) == next.get(range);
    let ip = flow.ip_header();
    let same_ip = if flow.is_ipv4 { same(0..2) && same(6..10) } else { same(0..4) && same(6..8) };
    // Acknowledgement and data offset; window; urgent pointer and options.
    let same_tcp = || same(ip + 8..ip + 13) && same(ip + 14..ip + checksum_offset(TCP)) && same(ip + 18..headers);
    same_ip && (flow.protocol == UDP || same_tcp())
}

fn u16_len(len: usize) -> Option<u16> {
    len.try_into().ok()
}

fn behind_zeros(address: [u8; 4]) -> [u8; 16] {
    let [a, b, c, d] = address;
    [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
}
