use super::*;
use crate::tunnel::DropReason;

/// 20 octets of IPv4 and 20 of TCP, the checksum being the pseudo-header's sum, then nine octets of payload.
const TCP4: [u8; 49] = [
    0x45, 0x02, 0x00, 0x31, 0xff, 0xff, 0x40, 0x00, 0x40, 0x06, 0x00, 0x00, 192, 0, 2, 9, 10, 9, 0, 2, //
    0x10, 0x01, 0x00, 0x50, 0xff, 0xff, 0xff, 0xfe, 0x00, 0x00, 0x20, 0x00, 0x50, 0x99, 0x02, 0x00, 0xcc, 0x3b, 0x00,
    0x00, //
    b'a', b'b', b'c', b'd', b'e', b'f', b'g', b'h', b'i',
];

#[test]
fn a_tcp_packet_of_known_octets_is_cut_into_known_octets() {
    let header = VirtioHeader {
        segmentation: Segmentation::Tcp4,
        needs_checksum: true,
        has_cwr: true,
        header_len: 49,
        segment: 4,
        checksum_start: 20,
        checksum_offset: 16,
    };
    let segments = cut(&header, &TCP4);
    let hex: Vec<String> = segments.iter().map(hex::encode).collect();
    let known = [
        // The identification and the sequence number wrap around; CWR is not repeated; FIN and PSH wait for the last.
        "4502002cffff400040066eb6c00002090a09000210010050fffffffe0000200050900200ec25000061626364",
        "4502002c0000400040066eb6c00002090a09000210010050000000020000200050100200e49a000065666768",
        "450200290001400040066eb8c00002090a09000210010050000000060000200050190200485f000069",
    ];
    assert_eq!(hex, known);
}

#[test]
fn a_udp_packet_over_ipv6_is_cut_into_datagrams() {
    let (header, packet) = Sample::new(true, false, *b"abcdefg").as_read(3);
    let hex: Vec<String> = cut(&header, &packet).iter().map(hex::encode).collect();
    let known = [
        "60010203000b114020010db809000000000000000000000920010db801000000000000000000000210010050000bc5a7616263",
        "60010203000b114020010db809000000000000000000000920010db801000000000000000000000210010050000bbfa4646566",
        "600102030009114020010db809000000000000000000000920010db8010000000000000000000002100100500009230e67",
    ];
    assert_eq!(hex, known);
}

#[test]
fn what_does_not_fit_is_refused() {
    let (good, packet) = Sample::new(false, true, [7; 100]).as_read(40);
    let (udp, datagrams) = Sample::new(true, false, [7; 100]).as_read(40);
    let with = |octet: usize, value: u8| {
        let mut packet = packet.clone();
        packet[octet] = value;
        packet
    };
    let bad: [(&str, VirtioHeader, &[u8]); 14] = [
        ("segments of no octets", VirtioHeader { segment: 0, ..good }, &packet),
        ("a start beyond the packet", VirtioHeader { checksum_start: 152, ..good }, &packet),
        ("a start within the IP header", VirtioHeader { checksum_start: 19, ..good }, &packet),
        ("a start behind nothing that IPv4 knows", VirtioHeader { checksum_start: 24, ..good }, &packet),
        ("UDP's offset", VirtioHeader { checksum_offset: 6, ..good }, &packet),
        ("TCP's offset", VirtioHeader { checksum_offset: 16, ..udp }, &datagrams),
        ("the other version", VirtioHeader { segmentation: Segmentation::Tcp6, ..good }, &packet),
        ("the other protocol", VirtioHeader { segmentation: Segmentation::Udp, checksum_offset: 6, ..good }, &packet),
        ("an IPv4 header over the start", good, &with(0, 0x46)),
        ("no version", good, &with(0, 0x55)),
        ("a short data offset", good, &with(32, 0x40)),
        ("a data offset beyond the packet", good, &packet[..50]),
        ("half of UDP's header", udp, &datagrams[..44]),
        ("nothing", VirtioHeader::default(), &[]),
    ];
    for (what, header, packet) in bad {
        assert_eq!(Segments::new(&header, packet).err(), Some(DropReason::BadInnerPacket), "{what}");
    }
}

#[test]
fn a_checksum_outside_of_a_single_packet_is_refused() {
    let whole = Sample::new(false, true, [7; 9]).octets();
    let header = VirtioHeader { needs_checksum: true, checksum_start: 20, checksum_offset: 16, ..VirtioHeader::default() };
    assert!(Segments::new(&header, &whole).is_ok());
    for (start, offset) in [(19, 16), (20, whole.len() as u16 - 21), (u16::MAX, 16), (20, u16::MAX), (u16::MAX, u16::MAX)] {
        let header = VirtioHeader { checksum_start: start, checksum_offset: offset, ..header };
        assert_eq!(Segments::new(&header, &whole).err(), Some(DropReason::BadInnerPacket), "{start} {offset}");
    }
}

#[test]
fn what_is_whole_is_copied_and_room_of_another_length_is_left_as_it_is() {
    let whole = Sample::new(true, false, [7; 9]).octets();
    assert_eq!(cut(&VirtioHeader::default(), &whole), std::slice::from_ref(&whole));
    let (header, packet) = Sample::new(true, false, [7; 9]).as_read(4);
    for segments in [Segments::new(&VirtioHeader::default(), &whole), Segments::new(&header, &packet)].map(Result::unwrap) {
        for (index, len) in [(0, 0), (0, segments.len(0) - 1), (0, segments.len(0) + 1), (usize::MAX, 300)] {
            let mut room = vec![0xaa; len];
            segments.write(index, &mut room);
            assert_eq!(room, vec![0xaa; len]);
        }
    }
}

#[test]
fn extension_headers_are_carried_along_and_the_kernels_pseudo_header_holds_behind_them() {
    let sample = Sample::new(true, true, [7; 100]);
    let (header, packet) = sample.as_read(40);
    // Destination Options with PadN, and a checksum to another last address than the header's.
    let mut extended = [&packet[..40], &[6, 0, 1, 4, 0, 0, 0, 0], &packet[40..]].concat();
    extended[4..6].copy_from_slice(&(packet.len() as u16 - 40 + 8).to_be_bytes());
    extended[6] = 60;
    extended[24] ^= 0xff;
    let header = VirtioHeader { checksum_start: 48, ..header };
    let segments = cut(&header, &extended);
    assert_eq!(segments.len(), 3);
    for (mut segment, plain) in segments.into_iter().zip(cut(&sample.virtio(40), &packet)) {
        assert_eq!(segment[40..48], [6, 0, 1, 4, 0, 0, 0, 0]);
        assert_eq!(usize::from(u16::from_be_bytes([segment[4], segment[5]])), segment.len() - 40);
        assert_eq!(segment.split_off(48), plain[40..], "TCP is what it is without the extension header");
    }
}

#[test]
fn what_a_network_card_has_merged_is_cut_without_being_told_where() {
    for ip6 in [false, true] {
        for tcp in [false, true] {
            let sample = Sample::new(ip6, tcp, [7; 100]);
            let (header, packet) = sample.as_read(40);
            let untold = VirtioHeader { needs_checksum: false, checksum_start: 0, checksum_offset: 0, ..header };
            assert_eq!(cut(&untold, &sample.octets()), cut(&header, &packet));
        }
    }
}

#[test]
fn udp_never_says_that_it_has_no_checksum() {
    for ip6 in [false, true] {
        // What the checksum would be stands in the payload, so that the sum over all is 0xffff.
        let mut sample = Sample::new(ip6, false, [7, 7, 0, 0]);
        let without = sample.octets();
        let field = sample.checksum_field();
        sample.payload[2..].copy_from_slice(&without[field..field + 2]);
        for segmentation in [Segmentation::None, Segmentation::Udp] {
            let (header, packet) = sample.as_read(4);
            let whole = cut(&VirtioHeader { segmentation, ..header }, &packet);
            assert_eq!(whole[0][field..field + 2], [0xff, 0xff]);
        }
    }
}

#[test]
fn flags_belong_to_the_first_or_the_last_segment() {
    let flags = |count: usize| {
        let sample = Sample { flags: ACK | PSH | FIN | CWR, ..Sample::new(true, true, vec![7; count * 10]) };
        let (header, packet) = sample.as_read(10);
        cut(&header, &packet).iter().map(|segment| segment[53]).collect::<Vec<_>>()
    };
    assert_eq!(flags(1), [ACK | PSH | FIN | CWR]);
    assert_eq!(flags(0), [ACK | PSH | FIN | CWR]);
    assert_eq!(flags(3), [ACK | CWR, ACK, ACK | PSH | FIN]);
}

proptest! {
    #[test]
    fn each_segment_is_the_packet_that_would_have_been_sent(sample in sample(0..5_000), segment in 1usize..2_000) {
        let (header, packet) = sample.as_read(segment);
        let segments = cut(&header, &packet);
        let payloads: Vec<&[u8]> = if sample.payload.is_empty() { vec![&[]] } else { sample.payload.chunks(segment).collect() };
        prop_assert_eq!(segments.len(), payloads.len());
        for (index, (segment_octets, payload)) in segments.iter().zip(payloads).enumerate() {
            let alone = Sample {
                id: sample.id.wrapping_add(index as u16),
                sequence: sample.sequence.wrapping_add((index * segment) as u32),
                payload: payload.to_vec(),
                ..sample.clone()
            };
            prop_assert_eq!(segment_octets, &alone.octets());
            prop_assert!(is_right(segment_octets));
        }
    }

    #[test]
    fn a_checksum_is_completed(sample in sample(0..3_000)) {
        let (header, packet) = sample.as_read(1);
        let header = VirtioHeader { segmentation: Segmentation::None, ..header };
        let completed = cut(&header, &packet);
        prop_assert!(completed.len() == 1 && is_right(&completed[0]));
    }

    #[test]
    fn no_header_and_no_octets_make_it_panic(
        header in any::<[u8; VirtioHeader::LEN]>(),
        near in any::<[u8; 4]>(),
        sample in sample(0..200),
        changes in proptest::collection::vec((0usize..80, any::<u8>()), 0..4),
        len in 0usize..300,
    ) {
        let (told, mut packet) = sample.as_read(usize::from(near[0]));
        packet.truncate(len);
        changes.iter().for_each(|(at, value)| if let Some(octet) = packet.get_mut(*at) { *octet = *value });
        let close = VirtioHeader { checksum_start: near[1].into(), checksum_offset: near[2].into(), ..told };
        for header in [told, close].into_iter().chain(VirtioHeader::parse(&header)) {
            let Ok(segments) = Segments::new(&header, &packet) else { continue };
            for index in (0..segments.count()).chain([segments.count(), usize::MAX]) {
                segments.write(index, &mut vec![0; segments.len(index)]);
                segments.write(index, &mut [0; 3]);
            }
        }
    }
}
