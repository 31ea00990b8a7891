//! The headers that all segments of a packet have in common, with what changes from one to the next left out of their sums.

use super::octets::{
    IPV4_HEADER, IPV6_HEADER, TCP, TCP_HEADER, UDP, UDP_HEADER, checksum_offset, get16, get32, never_zero, pseudo_sum, put16,
    put32, tcp_flag,
};
use super::{Segmentation, VirtioHeader};
use crate::wire::checksum;

/// What is known of a packet's headers before any segment is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Template {
    /// Octets of all headers together.
    pub(super) headers: usize,
    /// Where TCP or UDP begins.
    transport: usize,
    protocol: u8,
    /// The first segment's identification, and the sum of the header without length, identification and checksum.
    ipv4: Option<(u16, u64)>,
    sequence: u32,
    tcp_flags: u8,
    /// Over pseudo-header and transport header, without lengths, TCP's sequence number and flags, and the checksum.
    transport_sum: u64,
}

/// Which of a packet's segments is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    /// Its number.
    pub(super) index: usize,
    /// Octets of payload before it.
    pub(super) offset: usize,
    /// Whether it is the last.
    pub(super) is_last: bool,
}

impl Template {
    /// Reads the headers of a packet that stands for many. `None` when they do not fit it or each other.
    pub(super) fn read(header: &VirtioHeader, packet: &[u8]) -> Option<Self> {
        let protocol = protocol(header.segmentation)?;
        let (ip, is_ipv4) = ip_header(packet)?;
        let transport = transport_start(header, ip, protocol)?;
        // Behind an IPv4 header there is nothing but TCP or UDP; behind the one of IPv6 there may be extension headers.
        let is_behind_ip = transport == ip && packet.get(if is_ipv4 { 9 } else { 6 }) == Some(&protocol);
        if !is_kind_of(header.segmentation, is_ipv4) || !(is_behind_ip || (transport > ip && !is_ipv4)) {
            return None;
        }
        let message = packet.get(transport..)?;
        let headers = transport + transport_header(message, protocol)?;
        let pseudo = if is_behind_ip { pseudo_sum(packet, protocol)? } else { told_pseudo_sum(message, protocol)? };
        let transport_sum = pseudo + header_sum(packet.get(transport..headers)?, protocol)?;
        let ipv4 = if is_ipv4 { Some((get16(packet, 4)?, ipv4_sum(packet.get(..ip)?)?)) } else { None };
        let (sequence, tcp_flags) = if protocol == TCP { (get32(message, 4)?, *message.get(13)?) } else { (0, 0) };
        Some(Self { headers, transport, protocol, ipv4, sequence, tcp_flags, transport_sum })
    }

    /// Makes a segment of `headers`, which are the packet's as they were, and `payload`, which is the segment's own.
    pub(super) fn finish(&self, at: At, headers: &mut [u8], payload: &[u8]) {
        self.finish_ip(at, headers, headers.len() + payload.len());
        let Some(transport) = headers.get_mut(self.transport..) else { return };
        let len = transport.len() + payload.len();
        let own = match self.protocol {
            TCP => self.finish_tcp(at, transport),
            _ => finish_udp(transport, len),
        };
        let sum = !checksum::fold(self.transport_sum + own + len as u64 + checksum::sum(payload));
        let sum = if self.protocol == UDP { never_zero(sum) } else { sum };
        put16(transport, checksum_offset(self.protocol), sum);
    }

    fn finish_ip(&self, at: At, headers: &mut [u8], len: usize) {
        let Some((first_id, fixed_sum)) = self.ipv4 else {
            return put16(headers, 4, len.saturating_sub(IPV6_HEADER) as u16);
        };
        let (len, id) = (len as u16, first_id.wrapping_add(at.index as u16));
        put16(headers, 2, len);
        put16(headers, 4, id);
        put16(headers, 10, !checksum::fold(fixed_sum + u64::from(len) + u64::from(id)));
    }

    /// Gives what TCP's changing fields add to the sum.
    fn finish_tcp(&self, at: At, header: &mut [u8]) -> u64 {
        let sequence = self.sequence.wrapping_add(at.offset as u32);
        let not_first = if at.index == 0 { 0 } else { tcp_flag::CWR };
        let not_last = if at.is_last { 0 } else { tcp_flag::FIN | tcp_flag::PSH };
        let flags = self.tcp_flags & !not_first & !not_last;
        put32(header, 4, sequence);
        if let Some(field) = header.get_mut(13) {
            *field = flags;
        }
        u64::from(sequence >> 16) + u64::from(sequence & 0xffff) + u64::from(flags)
    }
}

/// Gives what UDP's length adds to the sum.
fn finish_udp(header: &mut [u8], len: usize) -> u64 {
    put16(header, 4, len as u16);
    len as u64
}

/// Octets of the fixed IPv6 header or of the whole IPv4 header, and which of both it is.
pub(super) fn ip_header(packet: &[u8]) -> Option<(usize, bool)> {
    let first = *packet.first()?;
    let (len, is_ipv4) = match first >> 4 {
        4 => (usize::from(first & 0x0f) * 4, true),
        6 => (IPV6_HEADER, false),
        _ => return None,
    };
    (len >= IPV4_HEADER && len <= packet.len()).then_some((len, is_ipv4))
}

fn protocol(segmentation: Segmentation) -> Option<u8> {
    match segmentation {
        Segmentation::None => None,
        Segmentation::Tcp4 | Segmentation::Tcp6 => Some(TCP),
        Segmentation::Udp => Some(UDP),
    }
}

fn is_kind_of(segmentation: Segmentation, is_ipv4: bool) -> bool {
    match segmentation {
        Segmentation::Tcp4 => is_ipv4,
        Segmentation::Tcp6 => !is_ipv4,
        Segmentation::None | Segmentation::Udp => true,
    }
}

/// Where TCP or UDP begins: as told, or right behind the IP header where the kernel tells nothing, since it has seen a right checksum
/// (what a network card has merged and is forwarded).
fn transport_start(header: &VirtioHeader, ip: usize, protocol: u8) -> Option<usize> {
    if !header.needs_checksum {
        return Some(ip);
    }
    let start = usize::from(header.checksum_start);
    (start >= ip && usize::from(header.checksum_offset) == checksum_offset(protocol)).then_some(start)
}

fn transport_header(message: &[u8], protocol: u8) -> Option<usize> {
    let len = if protocol == TCP { usize::from(message.get(12)? >> 4) * 4 } else { UDP_HEADER };
    let least = if protocol == TCP { TCP_HEADER } else { UDP_HEADER };
    (len >= least && len <= message.len()).then_some(len)
}

/// The pseudo-header's sum without the length, from the kernel's own over the whole `message`: behind extension headers the last
/// address may be another than the header's (RFC 8200 section 8.1).
fn told_pseudo_sum(message: &[u8], protocol: u8) -> Option<u64> {
    let told = get16(message, checksum_offset(protocol))?;
    Some(u64::from(told) + without(message.len() as u64))
}

fn header_sum(transport: &[u8], protocol: u8) -> Option<u64> {
    let (checksum, changing): (u16, u64) = match protocol {
        TCP => {
            let sequence = get32(transport, 4)?;
            let flags = u64::from(*transport.get(13)?);
            (get16(transport, 16)?, u64::from(sequence >> 16) + u64::from(sequence & 0xffff) + flags)
        }
        _ => (get16(transport, 6)?, u64::from(get16(transport, 4)?)),
    };
    Some(checksum::sum(transport) + without(u64::from(checksum) + changing))
}

fn ipv4_sum(header: &[u8]) -> Option<u64> {
    let changing = u64::from(get16(header, 2)?) + u64::from(get16(header, 4)?) + u64::from(get16(header, 10)?);
    Some(checksum::sum(header) + without(changing))
}

/// What takes `sum` out of another sum (RFC 1624 section 3).
fn without(sum: u64) -> u64 {
    u64::from(!checksum::fold(sum))
}
