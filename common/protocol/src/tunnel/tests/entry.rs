//! What the entry-point does with a batch: it goes on where there was no room, and says outside what the packet says inside.

use super::*;

fn room(octets: usize) -> (SendBatch, PacketBatch) {
    (SendBatch::new(64, octets), PacketBatch::new(4, 65_536))
}

/// The datagrams of a batch, sent in as many turns as a send buffer of `octets` needs.
fn in_turns(pair: &mut Pair, packets: &PacketBatch, octets: usize) -> Vec<Vec<Vec<u8>>> {
    let (mut send, mut replies) = room(octets);
    let mut turns = Vec::new();
    let mut next = Some(Place::default());
    while let Some(place) = next {
        next = pair.mn.entry.handle_packets(packets, place, pair.now, &mut pair.rng, &mut send, &mut replies);
        turns.push(send.iter().map(|(_, datagram)| datagram.to_vec()).collect());
        send.clear();
    }
    turns
}

#[test]
fn a_batch_that_is_longer_than_the_room_goes_out_in_turns_each_packet_once_and_in_order() {
    let mut pair = Pair::bound(CipherSuite::Aes128Gcm);
    let mut packets = PacketBatch::new(10, 65_536);
    (0..10).for_each(|number| assert!(packets.push(&ipv6(HOME, CORRESPONDENT, 100 + number))));
    let turns = in_turns(&mut pair, &packets, 600);
    assert_eq!(turns.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 3, 1]);
    let (delivered, _) = pair.ha_receives(&turns.concat());
    let lengths: Vec<usize> = delivered.into_iter().map(|packet| packet.unwrap().len()).collect();
    assert_eq!(lengths, (140..150).collect::<Vec<_>>());
    assert_eq!(pair.mn.counters.sent(), (10, (140..150).sum()));
}

#[test]
fn a_packet_that_no_room_could_ever_take_is_dropped_and_the_next_goes_out() {
    let mut pair = Pair::bound(CipherSuite::Aes128Gcm);
    let mut packets = PacketBatch::new(2, 65_536);
    assert!(packets.push(&ipv6(HOME, CORRESPONDENT, 1_000)) && packets.push(&ipv6(HOME, CORRESPONDENT, 10)));
    assert_eq!(in_turns(&mut pair, &packets, 600).concat().len(), 1);
    assert_eq!(pair.mn.counters.dropped(DropReason::BatchFull), 1);
}

/// RFC 6040 section 4.1, normal mode: the outer header has the inner one's ECN; PROFILE copies DSCP too.
#[test]
fn the_outer_header_has_the_inner_ones_traffic_class() {
    let mut pair = Pair::bound(CipherSuite::Aes128CbcSha);
    for traffic_class in [0, 1, 2, 3, 0xb8, 0xba] {
        let mut packet = ipv6(HOME, CORRESPONDENT, 10);
        packet[0] |= traffic_class >> 4;
        packet[1] |= traffic_class << 4;
        let mut packets = PacketBatch::new(1, 65_536);
        assert!(packets.push(&packet));
        let (mut send, mut replies) = room(600);
        pair.mn.entry.handle_packets(&packets, Place::default(), pair.now, &mut pair.rng, &mut send, &mut replies);
        assert_eq!(send.runs().map(|(run, _)| run.traffic_class).collect::<Vec<_>>(), [traffic_class]);
    }
}

/// At either end: the tunnel of the other may be the narrower one.
#[test]
fn a_syn_announces_segments_that_fit_into_the_tunnel() {
    let mut pair = Pair::bound(CipherSuite::Aes128Gcm);
    let mut syn = ipv6(HOME, CORRESPONDENT, 24);
    syn[6] = 6;
    syn[40..].fill(0);
    syn[52..54].copy_from_slice(&[0x60, 0x02]);
    syn[60..64].copy_from_slice(&[2, 4, 0x05, 0xa0]);
    let mss = |pair: &mut Pair| {
        let datagrams = pair.mn_sends(&syn);
        let packet = pair.ha_receives(&datagrams).0.remove(0).unwrap();
        u16::from_be_bytes([packet[62], packet[63]])
    };
    assert_eq!(mss(&mut pair), 1_440, "control has said nothing yet");
    pair.ha.apply(&Command::Mtu(1_400), &mut pair.rng);
    assert_eq!(mss(&mut pair), 1_340);
    pair.mn.apply(&Command::Mtu(1_280), &mut pair.rng);
    assert_eq!(mss(&mut pair), 1_220);
}

/// What goes again when `mn` is told so: numbers behind `above`, to the home agent.
fn resend(pair: &mut Pair, above: Option<u32>) -> Vec<Vec<u8>> {
    let Command::Move { paths, .. } = bind(5001) else { unreachable!() };
    let since = pair.now;
    pair.mn_commands(&Command::Resend { spi: spi(), paths, above, since, spared: 0 })
}

#[test]
fn what_was_lost_in_a_break_goes_again_as_it_was_and_what_came_is_a_replay() {
    for suite in CipherSuite::ALL {
        let mut pair = Pair::bound(suite);
        let packets: Vec<_> = (0..6).map(|number| ipv6(HOME, CORRESPONDENT, 100 + number)).collect();
        let sealed: Vec<_> = packets.iter().flat_map(|packet| pair.mn_sends(packet)).collect();
        let (delivered, _) = pair.ha_receives(&sealed[..2]);
        assert!(delivered.iter().all(Result::is_ok));
        let again = resend(&mut pair, None);
        assert_eq!(again, sealed, "{suite}");
        let (delivered, _) = pair.ha_receives(&again);
        let expected: Vec<_> =
            std::iter::repeat_n(Err(DropReason::ReplayedSequence), 2).chain(packets[2..].iter().cloned().map(Ok)).collect();
        assert_eq!(delivered, expected, "{suite}");
        assert!(resend(&mut pair, None).is_empty(), "once");
        assert_eq!(pair.mn.counters.sent_again(), 6);
    }
}

#[test]
fn what_control_says_and_what_stands_for_many_segments_does_not_go_again() {
    let mut pair = Pair::bound(CipherSuite::Aes128Gcm);
    let Command::Move { paths, .. } = bind(5001) else { unreachable!() };
    let path = paths.iter().next().unwrap().clone();
    assert_eq!(pair.mn_commands(&Command::Keepalive { spi: spi(), path }).len(), 1);
    assert_eq!(pair.mn_sends(&ipv6(HOME, CORRESPONDENT, (16 << 10) - 39)).len(), 1);
    assert_eq!(resend(&mut pair, None), [[0; 0]; 0]);
    let longest = pair.mn_sends(&ipv6(HOME, CORRESPONDENT, (16 << 10) - 40));
    assert_eq!(resend(&mut pair, None), longest);
}
