//! Seeds of cutting and merging: each kind of packet that stands for many, flows that merge, and what keeps packets apart.

use protocol::offload::{Segmentation, VirtioHeader};
use tests::fuzz::offload::{self, CORRECTED, TCP, UDP};
use tests::fuzz::pieces::join as input;

use crate::Seed;

/// Target and seeds.
pub(crate) fn all() -> Vec<(&'static str, Vec<Seed>)> {
    vec![("segments", super_packets()), ("merge", flows())]
}

fn super_packets() -> Vec<Seed> {
    let told = |segmentation, ip: u16| VirtioHeader {
        segmentation,
        needs_checksum: true,
        has_cwr: false,
        header_len: 0,
        segment: 100,
        checksum_start: ip,
        checksum_offset: if segmentation == Segmentation::Udp { 6 } else { 16 },
    };
    let (tcp4, tcp6, udp4, udp6) = (tcp(false, 0), tcp(true, 0), udp(false, 0), udp(true, 0));
    let (tcp4_told, udp6_told) = (told(Segmentation::Tcp4, 20), told(Segmentation::Udp, 40));
    let behind_options = {
        let mut packet = [&udp6[..40], &[17, 0, 1, 4, 0, 0, 0, 0], &udp6[40..]].concat();
        let len = (packet.len() - 40) as u16;
        packet[4..6].copy_from_slice(&len.to_be_bytes());
        packet[6] = 60;
        packet
    };
    let rows: [(&str, VirtioHeader, &[u8]); 12] = [
        ("tcp4", tcp4_told, &tcp4),
        ("tcp6", told(Segmentation::Tcp6, 40), &tcp6),
        ("udp4", told(Segmentation::Udp, 20), &udp4),
        ("udp6", udp6_told, &udp6),
        ("whole", VirtioHeader::default(), &tcp4),
        ("without_checksum", VirtioHeader { segmentation: Segmentation::None, ..tcp4_told }, &tcp4),
        ("untold", VirtioHeader { needs_checksum: false, checksum_start: 0, ..tcp4_told }, &tcp4),
        ("of_one_octet", VirtioHeader { segment: 1, ..udp6_told }, &udp6),
        ("of_no_octets", VirtioHeader { segment: 0, ..udp6_told }, &udp6),
        ("behind_options", VirtioHeader { checksum_start: 48, ..udp6_told }, &behind_options),
        ("start_beyond", VirtioHeader { checksum_start: u16::MAX, ..udp6_told }, &udp6),
        ("headers_alone", tcp4_told, &tcp4[..40]),
    ];
    rows.map(|(name, header, packet)| (name.to_owned(), [&header.emit(), packet].concat())).to_vec()
}

fn flows() -> Vec<Seed> {
    let both = TCP | UDP | CORRECTED;
    let run = |packet: fn(bool, u16) -> Vec<u8>, ip6: bool| (0..4).map(|number| packet(ip6, number)).collect::<Vec<_>>();
    let (tcp4, udp6) = (run(tcp, false), run(udp, true));
    let interleaved: Vec<_> = tcp4.iter().zip(&udp6).flat_map(|(left, right)| [left.clone(), right.clone()]).collect();
    let changed = |octet: usize, value: u8| {
        let mut packets = tcp4.clone();
        packets[1][octet] = value;
        packets
    };
    let shorter = {
        let mut packets = run(udp, false);
        packets[1].truncate(100);
        packets[1][2..4].copy_from_slice(&[0, 100]);
        packets[1][24..26].copy_from_slice(&[0, 80]);
        packets
    };
    let rows = [
        ("tcp4", both, tcp4.clone()),
        ("tcp6", both, run(tcp, true)),
        ("udp4", both, run(udp, false)),
        ("udp6", both, udp6.clone()),
        ("udp_is_not_merged", TCP | CORRECTED, udp6),
        ("interleaved", both, interleaved),
        ("wrong_checksums", TCP | UDP, tcp4.clone()),
        ("push", both, changed(33, 0x18)),
        ("fin", both, changed(33, 0x11)),
        ("fragment", both, changed(6, 0x20)),
        ("header_options", both, changed(0, 0x46)),
        ("other_hop_limit", both, changed(8, 9)),
        ("same_identification", both, changed(5, 0)),
        ("shorter", both, shorter),
    ];
    rows.map(|(name, first, packets)| (name.to_owned(), input(first, packets))).to_vec()
}

/// The packet at `number` of a flow, 280 octets of payload each, without checksums.
fn tcp(ip6: bool, number: u16) -> Vec<u8> {
    let sequence = (u32::from(number) * 280).to_be_bytes();
    let header = [&[0x10, 0, 0, 80], &sequence[..], &[0, 0, 0, 1, 0x50, 0x10, 2, 0, 0, 0, 0, 0]].concat();
    packet(ip6, number, 6, &header)
}

fn udp(ip6: bool, number: u16) -> Vec<u8> {
    packet(ip6, number, 17, &[0x10, 0, 0, 53, 0x01, 0x20, 0, 0])
}

fn packet(ip6: bool, number: u16, protocol: u8, header: &[u8]) -> Vec<u8> {
    let message = [header, &[number as u8; 280]].concat();
    let len = message.len() as u16 + if ip6 { 0 } else { 20 };
    let ([high, low], [id_high, id_low]) = (len.to_be_bytes(), number.to_be_bytes());
    let ip = if ip6 {
        let addresses =
            [[0x20, 1, 0xd, 0xb8, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9], [0x20, 1, 0xd, 0xb8, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]];
        [&[0x60, 0, 0, 0, high, low, protocol, 64], addresses.as_flattened()].concat()
    } else {
        vec![0x45, 0, high, low, id_high, id_low, 0x40, 0, 64, protocol, 0, 0, 192, 0, 2, 9, 10, 9, 0, 2]
    };
    [ip, message].concat()
}

/// What becomes of the packets of each seed.
#[test]
fn the_seeds_merge_as_far_as_they_should() {
    let expected = |name: &str| match name {
        "udp_is_not_merged" | "wrong_checksums" => vec![1; 4],
        "interleaved" => vec![4, 4],
        "push" => vec![2, 2],
        "fin" | "fragment" | "header_options" | "other_hop_limit" => vec![1, 1, 2],
        "same_identification" => vec![2, 2],
        "shorter" => vec![2, 2],
        _ => vec![4],
    };
    for (name, seed) in flows() {
        assert_eq!(offload::groups(&seed), expected(&name), "{name}");
    }
}
