use super::*;
use crate::offload::{Merger, Merging};

pub(super) const BOTH: Merging = Merging { tcp: true, udp: true };

/// What each group is: its header, and its octets in one piece.
pub(super) fn merged(merging: Merging, packets: &[Vec<u8>]) -> Vec<(VirtioHeader, Vec<u8>)> {
    let mut arena = vec![0xee; 3];
    let mut merger = Merger::new(merging);
    let ranges: Vec<_> = packets
        .iter()
        .map(|packet| {
            // As in a received message: something before and behind each packet.
            arena.extend(packet);
            let range = arena.len() - packet.len()..arena.len();
            arena.extend([0xee; 5]);
            range
        })
        .collect();
    ranges.into_iter().for_each(|range| merger.push(&arena, range));
    merger.finish(&mut arena);
    let octets = |parts: &[std::ops::Range<usize>]| parts.iter().flat_map(|part| arena[part.clone()].to_vec()).collect();
    merger.groups().map(|group| (group.header, octets(group.parts))).collect()
}

/// How many octets of payload each segment has, by group.
fn lens(merging: Merging, packets: &[Sample]) -> Vec<Vec<usize>> {
    let octets: Vec<_> = packets.iter().map(Sample::octets).collect();
    let headers = packets[0].headers();
    let of_group =
        |(header, packet): &(VirtioHeader, Vec<u8>)| cut(header, packet).iter().map(|one| one.len() - headers).collect();
    merged(merging, &octets).iter().map(of_group).collect()
}

/// Packets of one flow, one behind the other, of so many octets each.
pub(super) fn run(first: &Sample, lens: &[usize]) -> Vec<Sample> {
    let mut next = first.clone();
    let packet = |len: &usize| {
        let packet = Sample { payload: vec![7; *len], ..next.clone() };
        next.id = next.id.wrapping_add(1);
        next.sequence = next.sequence.wrapping_add(*len as u32);
        packet
    };
    lens.iter().map(packet).collect()
}

#[test]
fn tcp_packets_of_known_octets_are_one() {
    let packets = [
        "4502002cffff400040066eb6c00002090a09000210010050fffffffe0000200050100200eca5000061626364",
        "4502002c0000400040066eb6c00002090a09000210010050000000020000200050100200e49a000065666768",
        "450200290001400040066eb8c00002090a090002100100500000000600002000501802004860000069",
    ];
    let whole = "45020031ffff400040066eb1c00002090a09000210010050fffffffe0000200050180200cc370000616263646566676869";
    let header = VirtioHeader {
        segmentation: Segmentation::Tcp4,
        needs_checksum: true,
        has_cwr: false,
        header_len: 40,
        segment: 4,
        checksum_start: 20,
        checksum_offset: 16,
    };
    assert_eq!(merged(BOTH, &packets.map(unhex)), [(header, unhex(whole))]);
}

#[test]
fn datagrams_of_known_octets_over_ipv6_are_one() {
    let packets = [
        "60010203000b114020010db809000000000000000000000920010db801000000000000000000000210010050000bc5a7616263",
        "60010203000b114020010db809000000000000000000000920010db801000000000000000000000210010050000bbfa4646566",
        "600102030009114020010db809000000000000000000000920010db8010000000000000000000002100100500009230e67",
    ];
    let whole = "60010203000f114020010db809000000000000000000000920010db801000000000000000000000210010050000f659d61626364656667";
    let header = VirtioHeader {
        segmentation: Segmentation::Udp,
        needs_checksum: true,
        has_cwr: false,
        header_len: 48,
        segment: 3,
        checksum_start: 40,
        checksum_offset: 6,
    };
    assert_eq!(merged(BOTH, &packets.map(unhex)), [(header, unhex(whole))]);
}

fn unhex(octets: &str) -> Vec<u8> {
    hex::decode(octets).unwrap()
}

#[test]
fn a_shorter_segment_and_push_end_a_group_and_a_longer_one_begins_another() {
    let tcp = Sample::new(false, true, []);
    assert_eq!(lens(BOTH, &run(&tcp, &[9, 9, 5, 9, 9])), [vec![9, 9, 5], vec![9, 9]]);
    assert_eq!(lens(BOTH, &run(&tcp, &[9, 9, 10, 10])), [vec![9, 9], vec![10, 10]]);
    assert_eq!(lens(BOTH, &run(&Sample::new(true, false, []), &[9, 9, 5, 5, 5])), [vec![9, 9, 5], vec![5, 5]]);
    let mut packets = run(&tcp, &[9; 5]);
    packets[0].flags |= PSH;
    packets[2].flags |= PSH;
    assert_eq!(lens(BOTH, &packets), [vec![9], vec![9, 9], vec![9, 9]]);
    let octets: Vec<_> = packets.iter().map(Sample::octets).collect();
    let flags: Vec<u8> = merged(BOTH, &octets).iter().map(|(_, packet)| packet[33]).collect();
    assert_eq!(flags, [ACK | PSH, ACK | PSH, ACK], "a group pushes when its last packet does");
}

#[test]
fn a_group_is_no_longer_than_a_packet_and_no_more_than_64() {
    for (ip6, tcp) in [(false, true), (true, true), (false, false), (true, false)] {
        let first = Sample::new(ip6, tcp, []);
        let groups: Vec<_> = lens(BOTH, &run(&first, &[100; 70])).iter().map(Vec::len).collect();
        assert_eq!(groups, [64, 6]);
        let most = (65_535 - first.headers()) / 1_380;
        let groups: Vec<_> = lens(BOTH, &run(&first, &vec![1_380; most + 3])).iter().map(Vec::len).collect();
        assert_eq!(groups, [most, 3]);
    }
}

#[test]
fn what_the_receiver_does_not_take_as_one_stays_apart() {
    let (tcp, udp) = (run(&Sample::new(true, true, []), &[9; 3]), run(&Sample::new(true, false, []), &[9; 3]));
    let groups = |merging| (lens(merging, &tcp).len(), lens(merging, &udp).len());
    assert_eq!(groups(Merging { tcp: true, udp: false }), (1, 3));
    assert_eq!(groups(Merging { tcp: false, udp: true }), (3, 1));
    assert_eq!(groups(Merging::default()), (3, 3));
}

/// Each change to the second of two packets; what the kernel could not make anew is not lost by merging.
#[test]
fn packets_that_differ_in_more_than_cutting_makes_anew_stay_apart() {
    type Change = fn(&mut Sample);
    let any: [(&str, Change); 3] = [
        ("ECN", |packet| packet.traffic_class = 3),
        ("TTL", |packet| packet.hop_limit -= 1),
        ("another flow", |packet| packet.port += 1),
    ];
    let tcp: [(&str, Change); 11] = [
        ("a number before its turn", |packet| packet.sequence -= 1),
        ("a gap", |packet| packet.sequence += 1),
        ("fewer options", |packet| packet.options -= 1),
        ("no ACK", |packet| packet.flags = 0),
        ("FIN", |packet| packet.flags |= FIN),
        ("SYN", |packet| packet.flags |= 0x02),
        ("RST", |packet| packet.flags |= 0x04),
        ("URG", |packet| packet.flags |= 0x20),
        ("ECE", |packet| packet.flags |= 0x40),
        ("CWR", |packet| packet.flags |= CWR),
        ("nothing but an acknowledgement", |packet| packet.payload.clear()),
    ];
    let ip4: [(&str, Change); 2] = [("identification", |packet| packet.id += 1), ("DF", |packet| packet.dont_fragment = false)];
    for (ip6, is_tcp) in [(false, true), (true, true), (false, false), (true, false)] {
        let of_tcp = tcp.iter().filter(|_| is_tcp);
        let of_ip4 = ip4.iter().filter(|_| !ip6);
        for (what, change) in any.iter().chain(of_tcp).chain(of_ip4) {
            let mut packets = run(&Sample::new(ip6, is_tcp, []), &[9; 2]);
            change(&mut packets[1]);
            let octets: Vec<_> = packets.iter().map(Sample::octets).collect();
            let apart = octets.clone().into_iter().map(|packet| (VirtioHeader::default(), packet));
            assert_eq!(merged(BOTH, &octets), apart.collect::<Vec<_>>(), "{what} {ip6}");
        }
    }
}

/// One octet of the header that no [`Sample`] sets, the checksum made right again.
#[test]
fn acknowledgement_window_urgent_pointer_options_and_flow_label_are_the_same_in_a_group() {
    for (what, octet) in [("flow label", 3), ("ack", 51), ("reserved", 52), ("window", 55), ("urgent", 59), ("option", 60)] {
        let mut octets: Vec<_> = run(&Sample::new(true, true, []), &[9; 3]).iter().map(Sample::octets).collect();
        assert_eq!(merged(BOTH, &octets).len(), 1);
        octets[1][octet] ^= 1;
        octets[1][56..58].fill(0);
        let wrong = folded(sum(&octets[1][8..]) + 6 + (octets[1].len() - 40) as u64);
        octets[1][56..58].copy_from_slice(&(!wrong).to_be_bytes());
        assert!(is_right(&octets[1]));
        let groups = merged(BOTH, &octets);
        assert_eq!((&groups[0].1, &groups[1].1), (&octets[0], &octets[1]), "{what}");
    }
}

#[test]
fn identifications_that_stand_still_merge_where_nothing_may_be_fragmented() {
    let packets = |ids: [u16; 4], dont_fragment| ids.map(|id| Sample { id, dont_fragment, ..Sample::new(false, false, [7; 9]) });
    let groups = |packets: [Sample; 4]| lens(BOTH, &packets).iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(groups(packets([0; 4], true)), [4]);
    assert_eq!(groups(packets([0; 4], false)), [1; 4]);
    assert_eq!(groups(packets([0xffff, 0, 1, 2], false)), [4]);
    assert_eq!(groups(packets([0, 0, 1, 2], true)), [2, 2], "it is one or the other");
    assert_eq!(groups(packets([0, 1, 1, 2], true)), [2, 2]);
}

#[test]
fn a_packet_with_a_wrong_checksum_is_left_as_it_is_for_the_kernel_to_drop() {
    for (ip6, tcp, octet) in [(false, true, 10), (false, true, 50), (true, true, 70), (false, false, 26), (true, false, 46)] {
        let mut octets: Vec<_> = run(&Sample::new(ip6, tcp, []), &[9; 3]).iter().map(Sample::octets).collect();
        octets[1][octet] ^= 0xff;
        let groups = merged(BOTH, &octets);
        assert_eq!(groups, octets.iter().map(|packet| (VirtioHeader::default(), packet.clone())).collect::<Vec<_>>());
    }
}

#[test]
fn datagrams_without_a_checksum_or_of_another_length_than_theirs_stay_apart() {
    let good: Vec<_> = run(&Sample::new(false, false, []), &[9; 3]).iter().map(Sample::octets).collect();
    let (mut unsummed, mut shorter) = (good.clone(), good.clone());
    unsummed.iter_mut().for_each(|packet| packet[26..28].fill(0));
    // One octet of the packet belongs to no datagram: the sum is right without it.
    let fixed = folded(u64::from(u16::from_be_bytes([shorter[1][26], shorter[1][27]])) + 1);
    (shorter[1][25], shorter[1][26], shorter[1][27]) = (16, fixed.to_be_bytes()[0], fixed.to_be_bytes()[1]);
    assert_eq!(merged(BOTH, &good).len(), 1);
    assert_eq!(merged(BOTH, &unsummed).len(), 3);
    assert_eq!(merged(BOTH, &shorter).len(), 3);
}

#[test]
fn what_has_no_readable_ports_is_overtaken_by_nothing_between_its_addresses() {
    let packets: Vec<_> = run(&Sample::new(false, true, []), &[9; 3]).iter().map(Sample::octets).collect();
    let changed = |octet: usize, value: u8| {
        let mut packet = packets[1].clone();
        packet[octet] = value;
        packet
    };
    let odd = [("first fragment", changed(6, 0x20)), ("later fragment", changed(7, 1)), ("ICMP", changed(9, 1))];
    let odd = odd.into_iter().chain([("options", changed(0, 0x46)), ("octets behind it", [&packets[1][..], &[0]].concat())]);
    for (what, between) in odd {
        let groups = merged(BOTH, &[packets[0].clone(), between.clone(), packets[1].clone(), packets[2].clone()]);
        assert_eq!(groups.iter().map(|(_, packet)| packet.len()).collect::<Vec<_>>(), [61, between.len(), 70], "{what}");
        assert_eq!(groups[1], (VirtioHeader::default(), between), "{what}");
        let elsewhere = Sample::new(true, false, [7; 9]).octets();
        assert_eq!(merged(BOTH, &[packets[0].clone(), elsewhere, packets[1].clone()]).len(), 2, "other addresses, {what}");
    }
}

#[test]
fn what_is_no_packet_passes_as_it_is() {
    let odd = [vec![], vec![0], vec![0x45; 19], vec![0x60; 39], vec![0x45; 20], vec![0x60; 40], vec![0xf0; 100]];
    assert_eq!(merged(BOTH, &odd), odd.clone().map(|packet| (VirtioHeader::default(), packet)));
}

#[test]
fn a_merger_that_was_cleared_knows_nothing() {
    let mut arena: Vec<u8> = run(&Sample::new(false, true, []), &[9; 2]).iter().flat_map(Sample::octets).collect();
    let mut merger = Merger::new(BOTH);
    for _ in 0..3 {
        merger.push(&arena, 0..61);
        merger.push(&arena, 61..122);
        merger.finish(&mut arena.clone());
        assert_eq!(merger.groups().map(|group| group.parts.to_vec()).collect::<Vec<_>>(), [[0..61, 113..122]]);
        merger.clear();
        assert_eq!(merger.groups().count(), 0);
    }
    merger.push(&arena, 61..122);
    merger.finish(&mut arena);
    let groups: Vec<_> = merger.groups().map(|group| (group.parts.len(), group.parts.first().cloned())).collect();
    assert_eq!(groups, [(1, Some(61..122))]);
}

#[test]
fn more_flows_than_may_be_open_cost_merging_and_nothing_else() {
    for (flows, groups) in [(16, 16), (17, 34)] {
        let flows = (0..flows).map(|port| run(&Sample { port, ..Sample::new(false, true, []) }, &[9; 2]));
        let flows: Vec<_> = flows.collect();
        let packets: Vec<_> = (0..2).flat_map(|turn| flows.iter().map(move |flow| flow[turn].octets())).collect();
        assert_eq!(merged(BOTH, &packets).len(), groups);
    }
}
