//! Merging and cutting undo each other, whatever the packets.

use super::merge::{BOTH, merged};
use super::*;
use crate::offload::Merging;

/// One packet of a mix: its flow, and what makes it odd.
#[derive(Clone, Debug)]
struct Turn {
    flow: u8,
    len: usize,
    is_counting: bool,
    flags: u8,
    /// The packet has an octet changed, its checksums as they were.
    damage: Option<usize>,
    /// The sequence number is another than the next.
    jump: u32,
}

fn turn() -> impl Strategy<Value = Turn> {
    let len = prop_oneof![6 => Just(9usize), 1 => Just(0), 1 => 1usize..12];
    let flags = prop_oneof![12 => Just(ACK), 2 => Just(ACK | PSH), 1 => any::<u8>()];
    let damage = prop_oneof![12 => Just(None), 1 => (0usize..90).prop_map(Some)];
    let jump = prop_oneof![12 => Just(0), 1 => any::<u32>()];
    (0u8..20, len, prop::bool::weighted(0.9), flags, damage, jump)
        .prop_map(|(flow, len, is_counting, flags, damage, jump)| Turn { flow, len, is_counting, flags, damage, jump })
}

/// The packets of a mix of 20 flows of all four kinds.
fn packets(turns: &[Turn]) -> Vec<Vec<u8>> {
    let flow = |port: u8| Sample { port, ..Sample::new(port & 1 != 0, port & 2 != 0, []) };
    let mut flows: Vec<Sample> = (0..20).map(flow).collect();
    let packet = |(number, turn): (usize, &Turn)| {
        let next = &mut flows[usize::from(turn.flow)];
        next.sequence = next.sequence.wrapping_add(turn.jump);
        let payload = vec![number as u8; turn.len];
        let mut octets = Sample { flags: turn.flags, payload, ..next.clone() }.octets();
        next.id = next.id.wrapping_add(turn.is_counting.into());
        next.sequence = next.sequence.wrapping_add(turn.len as u32);
        if let Some(octet) = turn.damage.and_then(|at| octets.get_mut(at)) {
            *octet ^= 0x41;
        }
        octets
    };
    turns.iter().enumerate().map(packet).collect()
}

/// What tells the flow, of a packet that may be damaged.
fn flow_of(packet: &[u8]) -> Vec<u8> {
    let part = |range| packet.get(range).unwrap_or(packet);
    match packet[0] >> 4 {
        4 => [part(9..10), part(12..24)].concat(),
        6 => [part(6..7), part(8..44)].concat(),
        _ => packet.to_vec(),
    }
}

/// Without what cutting may make anew where identifications stand still: the identification, and the checksum over it.
fn comparable(mut packet: Vec<u8>) -> Vec<u8> {
    if packet[0] >> 4 == 4 && packet[6] & 0x40 != 0 && is_right(&packet) {
        packet[4..6].fill(0);
        packet[10..12].fill(0);
    }
    packet
}

/// The packets of each flow, in their order.
fn by_flow(packets: impl IntoIterator<Item = Vec<u8>>) -> std::collections::BTreeMap<Vec<u8>, Vec<Vec<u8>>> {
    let mut flows = std::collections::BTreeMap::<_, Vec<_>>::new();
    packets.into_iter().for_each(|packet| flows.entry(flow_of(&packet)).or_default().push(comparable(packet)));
    flows
}

proptest! {
    #[test]
    fn what_was_cut_merges_into_what_it_was(sample in sample(2..6_000), segment in 100usize..2_000) {
        let (header, packet) = sample.as_read(segment);
        let segments = cut(&header, &packet);
        let groups = merged(BOTH, &segments);
        if segments.len() == 1 {
            prop_assert_eq!(&groups, &[(VirtioHeader::default(), segments[0].clone())]);
        } else {
            prop_assert_eq!(&groups, &[(header, packet)]);
        }
    }

    #[test]
    fn what_was_merged_is_cut_into_what_it_was(
        sample in sample(0..1),
        lens in proptest::collection::vec(1usize..1_500, 1..100),
        len in 1usize..1_500,
    ) {
        let equal: Vec<usize> = lens.iter().map(|_| len).collect();
        for lens in [equal, lens] {
            let packets: Vec<_> = super::merge::run(&sample, &lens).iter().map(Sample::octets).collect();
            let groups = merged(BOTH, &packets);
            let again: Vec<_> = groups.iter().flat_map(|(header, packet)| cut(header, packet)).collect();
            prop_assert_eq!(again, packets);
        }
    }

    #[test]
    fn interleaved_flows_merge_as_if_each_were_alone(
        flows in 2usize..=16,
        turns in proptest::collection::vec(any::<proptest::sample::Index>(), 1..200),
    ) {
        let turn = |index: &proptest::sample::Index| {
            Turn { flow: index.index(flows) as u8, len: 9, is_counting: true, flags: ACK, damage: None, jump: 0 }
        };
        let turns: Vec<_> = turns.iter().map(turn).collect();
        let mixed = merged(BOTH, &packets(&turns));
        let count = |flow: u8| turns.iter().filter(|turn| turn.flow == flow).count();
        let expected: usize = (0..flows as u8).map(|flow| count(flow).div_ceil(64)).sum();
        prop_assert_eq!(mixed.len(), expected);
        for (header, packet) in mixed.iter().filter(|(header, _)| *header != VirtioHeader::default()) {
            prop_assert!(cut(header, packet).iter().all(|segment| is_right(segment)));
        }
    }

    #[test]
    fn no_packet_is_lost_changed_or_overtakes_one_of_its_flow(
        turns in proptest::collection::vec(turn(), 1..300),
        tcp in any::<bool>(),
        udp in any::<bool>(),
    ) {
        let packets = packets(&turns);
        let groups = merged(Merging { tcp, udp }, &packets);
        let again = groups.iter().flat_map(|(header, packet)| cut(header, packet));
        prop_assert_eq!(by_flow(again), by_flow(packets));
    }
}
