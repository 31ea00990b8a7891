//! Packets that stand for many: whatever the kernel says of them is cut or refused, and whatever nodes send is merged without loss.

use std::collections::BTreeMap;

use protocol::offload::{Merger, Merging, Segmentation, Segments, VirtioHeader};
use protocol::wire::checksum;
use protocol::wire::ip::InnerPacket;

use super::pieces;

/// The first octet's bit that says that TCP is merged.
pub const TCP: u8 = 1;
/// The first octet's bit that says that UDP is merged.
pub const UDP: u8 = 2;
/// The first octet's bit that says that checksums are made right before.
pub const CORRECTED: u8 = 4;
/// The most packets of one input.
const MOST: usize = 256;

/// The header of a TUN device, and the packet.
pub fn segments(data: &[u8]) {
    let Some((header, packet)) = data.split_first_chunk() else { return };
    let Some(header) = VirtioHeader::parse(header) else { return };
    let Ok(segments) = Segments::new(&header, packet) else { return };
    let count = segments.count();
    assert!(count > 0 && count <= packet.len(), "{count} segments of {} octets", packet.len());
    assert_eq!(segments.len(count).min(packet.len()), segments.len(count), "more than there is behind the last");
    let mut payload = 0;
    for index in 0..count {
        let mut segment = vec![0; segments.len(index)];
        segments.write(index, &mut segment);
        segments.write(index, &mut vec![0; segment.len() + 1]);
        if header.segmentation != Segmentation::None {
            let parsed = InnerPacket::parse(&segment);
            assert_eq!(parsed.map(|inner| inner.len), Ok(segment.len()), "a segment is no packet of its own");
            // Behind extension headers the addresses of the sum are the kernel's to know.
            let is_known =
                is_plain(&segment) && (!header.needs_checksum || usize::from(header.checksum_start) == ip_header(&segment).0);
            assert!(!is_known || is_right(&segment), "a segment's checksum is wrong");
        }
        payload += segment.len() - segments.len(count);
    }
    let expected = if header.segmentation == Segmentation::None { 0 } else { packet.len() - segments.len(count) };
    assert_eq!(payload, expected, "octets of payload were lost or doubled");
}

/// The first octet: [`TCP`], [`UDP`], [`CORRECTED`]. Then packets, each behind its length in two octets.
pub fn merge(data: &[u8]) {
    groups(data);
}

/// As [`merge`]: how many packets each group has.
pub fn groups(data: &[u8]) -> Vec<usize> {
    let Some((first, rest)) = data.split_first() else { return Vec::new() };
    let mut packets: Vec<Vec<u8>> = pieces::split(rest, MOST).map(<[u8]>::to_vec).collect();
    if first & CORRECTED != 0 {
        packets.iter_mut().for_each(|packet| correct(packet));
    }
    let mut merger = Merger::new(Merging { tcp: first & TCP != 0, udp: first & UDP != 0 });
    let mut arena = packets.concat();
    let mut start = 0;
    for packet in &packets {
        merger.push(&arena, start..start + packet.len());
        start += packet.len();
    }
    merger.finish(&mut arena);
    let mut again = Vec::new();
    let mut counts = Vec::new();
    for group in merger.groups() {
        let octets: Vec<u8> = group.parts.iter().flat_map(|part| arena[part.clone()].to_vec()).collect();
        assert!(group.parts.len() == 1 || octets.len() <= 65_535, "a group of {} octets", octets.len());
        counts.push(group.parts.len());
        again.extend(cut(&group.header, &octets, group.parts.len()));
    }
    assert!(by_flow(again) == by_flow(packets), "a packet was lost, changed, or overtook one of its flow");
    counts
}

fn cut(header: &VirtioHeader, octets: &[u8], count: usize) -> Vec<Vec<u8>> {
    if count == 1 {
        assert_eq!(*header, VirtioHeader::default(), "a packet for itself stands for many");
        return vec![octets.to_vec()];
    }
    let Ok(segments) = Segments::new(header, octets) else { panic!("what was merged cannot be cut") };
    assert_eq!(segments.count(), count, "what was merged is cut into others");
    let write = |index| {
        let mut segment = vec![0; segments.len(index)];
        segments.write(index, &mut segment);
        assert!(is_right(&segment), "a packet with a wrong checksum was merged");
        segment
    };
    (0..count).map(write).collect()
}

/// The packets of each flow in their order, without what merging may make anew.
fn by_flow(packets: Vec<Vec<u8>>) -> BTreeMap<Vec<u8>, Vec<Vec<u8>>> {
    let mut flows = BTreeMap::<_, Vec<_>>::new();
    for mut packet in packets {
        let part = |range| packet.get(range).unwrap_or(packet.as_slice());
        let flow = match packet.first().map(|first| first >> 4) {
            Some(4) => [part(9..10), part(12..24)].concat(),
            Some(6) => [part(6..7), part(8..44)].concat(),
            _ => packet.clone(),
        };
        forget(&mut packet);
        flows.entry(flow).or_default().push(packet);
    }
    flows
}

/// Right checksums may be written as 0 or 0xffff, and identifications count where they meant nothing.
fn forget(packet: &mut [u8]) {
    if !is_plain(packet) || !is_right(packet) {
        return;
    }
    if packet[0] == 0x45 {
        packet[10..12].fill(0);
        if packet[6] & 0x40 != 0 {
            packet[4..6].fill(0);
        }
    }
    let (ip, protocol) = ip_header(packet);
    let field = ip + if protocol == 6 { 16 } else { 6 };
    packet[field..field + 2].fill(0);
}

/// Whether TCP or UDP stands right behind an IP header without options, the lengths being right.
fn is_plain(packet: &[u8]) -> bool {
    let Ok(inner) = InnerPacket::parse(packet) else { return false };
    let (ip, protocol) = ip_header(packet);
    let header = if protocol == 6 { 20 } else { 8 };
    let is_known = (packet[0] == 0x45 || packet[0] >> 4 == 6) && matches!(protocol, 6 | 17);
    is_known && inner.len == packet.len() && packet.len() >= ip + header
}

/// Octets of an IP header without options, and what follows.
fn ip_header(packet: &[u8]) -> (usize, u8) {
    if packet[0] >> 4 == 4 { (20, packet[9]) } else { (40, packet[6]) }
}

fn is_right(packet: &[u8]) -> bool {
    (packet[0] >> 4 == 6 || checksum::bare(&packet[..20]) == 0) && transport_sum(packet) == 0
}

fn transport_sum(packet: &[u8]) -> u16 {
    let (ip, protocol) = ip_header(packet);
    let addresses = if ip == 20 { &packet[12..20] } else { &packet[8..40] };
    let len = (packet.len() - ip) as u32;
    checksum::bare(&[addresses, &len.to_be_bytes(), &[0, 0, 0, protocol], &packet[ip..]].concat())
}

/// Makes both checksums of a plain packet right.
pub fn correct(packet: &mut [u8]) {
    if !is_plain(packet) {
        return;
    }
    if packet[0] == 0x45 {
        packet[10..12].fill(0);
        let sum = checksum::bare(&packet[..20]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
    }
    let (ip, protocol) = ip_header(packet);
    let field = ip + if protocol == 6 { 16 } else { 6 };
    packet[field..field + 2].fill(0);
    let sum = match transport_sum(packet) {
        0 => 0xffff,
        sum => sum,
    };
    packet[field..field + 2].copy_from_slice(&sum.to_be_bytes());
}
