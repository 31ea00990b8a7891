//! ECN at the exit-point (RFC 6040 section 4.2), through both halves.

use super::*;
use crate::tunnel::batch::Received;
use crate::wire::checksum;

/// `datagrams` under outer headers with this Traffic Class.
fn receive_under(end: &mut Ends, now: Instant, traffic_class: u8, datagrams: &[Vec<u8>]) -> Vec<Result<Vec<u8>, DropReason>> {
    let mut batch = ReceiveBatch::new(datagrams.len(), datagrams.iter().map(Vec::len).sum());
    let mut start = 0;
    for datagram in datagrams {
        let range = start..start + datagram.len();
        start = range.end;
        batch.arena()[range.clone()].copy_from_slice(datagram);
        batch.push_with(Received { range, socket: SocketId(0), from: MOBILE_NODE.into(), traffic_class });
    }
    let mut verdicts = Vec::new();
    end.exit.handle_datagrams(&mut batch, now, &mut verdicts);
    let delivered = verdicts.into_iter().filter_map(|verdict| match verdict {
        Verdict::Deliver(range) => Some(Ok(batch.octets(range).to_vec())),
        Verdict::Consumed => None,
        Verdict::Drop(reason) => Some(Err(reason)),
        Verdict::PassOn(share) => unreachable!("passed on to {share}"),
    });
    delivered.collect()
}

fn inner6(traffic_class: u8) -> Vec<u8> {
    let mut packet = ipv6(HOME, CORRESPONDENT, 20);
    packet[0] = 0x60 | traffic_class >> 4;
    packet[1] = traffic_class << 4;
    packet
}

fn inner4(traffic_class: u8) -> Vec<u8> {
    let mut packet = vec![0x45, traffic_class, 0, 28, 0, 7, 0, 0, 64, 17, 0, 0];
    packet.extend(HOME4.octets());
    packet.extend([192, 0, 2, 9]);
    let sum = checksum::bare(&packet);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend([0x10, 0, 0x20, 0, 0, 8, 0, 0]);
    packet
}

/// Figure 4 of RFC 6040, a row for each inner field, a column for each outer one, both from 0 to 3.
const FIGURE_4: [[Option<u8>; 4]; 4] = [
    [Some(0), Some(0), Some(0), None],
    [Some(1), Some(1), Some(1), Some(3)],
    [Some(2), Some(1), Some(2), Some(3)],
    [Some(3), Some(3), Some(3), Some(3)],
];

fn assert_figure_4(pair: &mut Pair, packet: fn(u8) -> Vec<u8>) {
    const DSCP: u8 = 10 << 2;
    for (inner, row) in (0..).zip(FIGURE_4) {
        for (outer, expected) in (0..).zip(row) {
            let datagrams = pair.mn_sends(&packet(DSCP | inner));
            let received = receive_under(&mut pair.ha, pair.now, outer, &datagrams);
            let expected = expected.map(|ecn| packet(DSCP | ecn)).ok_or(DropReason::CongestionNotEct);
            assert_eq!(received, [expected], "inner {inner:02b}, outer {outer:02b}");
        }
    }
    assert_eq!(pair.ha.counters.dropped(DropReason::CongestionNotEct), 1);
}

#[test]
fn what_the_path_says_of_congestion_reaches_the_inner_packet_of_either_family() {
    for suite in CipherSuite::ALL {
        for packet in [inner6 as fn(u8) -> Vec<u8>, inner4] {
            assert_figure_4(&mut Pair::bound(suite), packet);
        }
    }
}

#[test]
fn what_the_path_says_of_congestion_reaches_a_packet_in_the_clear() {
    for packet in [inner6 as fn(u8) -> Vec<u8>, inner4] {
        let mut pair = Pair::with(&SecurityAssociation { user_data: UserData::Clear, ..association(CipherSuite::Aes128Gcm) }, 0);
        for (end, port) in [(&mut pair.mn, 7872), (&mut pair.ha, 5000)] {
            let Command::Move { home, paths, sending, .. } = bind(port) else { unreachable!() };
            let command = Command::Move { home, paths, encapsulation: Encapsulation::ClearUdp, sending };
            end.apply(&command, &mut pair.rng);
        }
        assert_figure_4(&mut pair, packet);
    }
}

#[test]
fn a_packet_that_is_dropped_for_congestion_is_not_user_data_that_was_carried_and_uses_its_number_up() {
    let mut pair = Pair::bound(CipherSuite::Aes128Gcm);
    let datagrams = pair.mn_sends(&inner6(0));
    assert_eq!(receive_under(&mut pair.ha, pair.now, 3, &datagrams), [Err(DropReason::CongestionNotEct)]);
    assert_eq!(receive_under(&mut pair.ha, pair.now, 0, &datagrams), [Err(DropReason::ReplayedSequence)]);
}

#[test]
fn signalling_and_dummies_are_taken_whatever_the_path_says() {
    let mut pair = Pair::bound(CipherSuite::Aes128Gcm);
    let path = Path::proved(SocketId(0), ([203, 0, 113, 1], 7872).into());
    let paths = Paths::one(path.clone());
    let signal = Command::Signal { spi: spi(), paths, next_header: signalling::MOBILITY, payload: vec![1; 16] };
    for command in [signal, Command::Keepalive { spi: spi(), path }] {
        let datagrams = pair.mn_commands(&command);
        assert_eq!(receive_under(&mut pair.ha, pair.now, 3, &datagrams), []);
    }
    assert_eq!(pair.ha.exit.poll_event().into_iter().count(), 1);
}
