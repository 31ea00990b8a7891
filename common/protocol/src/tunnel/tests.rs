//! Entry-point and exit-point together: what the one sends, the other takes, and nothing else.

mod at_rest;
mod batches;
mod clear;
mod ecn;
mod entry;
mod events;
mod look_up;
mod mobile_router;
mod shares;
mod traffic;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::addr::{HomeAddresses, HomeAgentAddresses};
use crate::features::Features;
use crate::prefixes::MobileNetworkPrefixes;
use crate::profile::WireProfile;
use crate::sa::{CipherSuite, DirectionKeys, Role, SecurityAssociation, Spi, UserData};
use crate::wire::signalling;

const HOME: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 7);
const HOME4: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 7);
const CORRESPONDENT: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 9, 0, 0, 0, 0, 9);

/// Both halves of both ends, joined by nothing but the batches.
struct Pair {
    now: Instant,
    rng: StdRng,
    mn: Ends,
    ha: Ends,
}

struct Ends {
    entry: EntryPoint,
    exit: ExitPoint,
    counters: Arc<Counters>,
}

impl Ends {
    fn new(role: Role, icmp: IcmpSources) -> Self {
        let counters = Arc::new(Counters::default());
        let (entry, exit) = (EntryPoint::new(role, counters.clone(), icmp), ExitPoint::new(role, counters.clone()));
        Self { entry, exit, counters }
    }

    fn apply(&mut self, command: &Command, rng: &mut StdRng) -> SendBatch {
        let mut send = SendBatch::new(16, 65_536);
        self.entry.apply(command, rng, &mut send);
        self.exit.apply(command);
        send
    }
}

impl Pair {
    fn new(suite: CipherSuite, lease: u32) -> Self {
        Self::with(&association(suite), lease)
    }

    fn with(sa: &SecurityAssociation, lease: u32) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
        let now = Instant::now();
        let icmp = IcmpSources { ip6: Some("2001:db8:100::1".parse().unwrap()), ip4: None };
        let mut pair = Self {
            now,
            rng: StdRng::seed_from_u64(1),
            mn: Ends::new(Role::MobileNode, IcmpSources::default()),
            ha: Ends::new(Role::HomeAgent, icmp),
        };
        for (end, lease) in [(&mut pair.mn, 0), (&mut pair.ha, lease)] {
            let install = Install::new(sa.clone(), now + Duration::from_secs(100), lease);
            end.apply(&Command::Install(Arc::new(install)), &mut pair.rng);
        }
        pair
    }

    fn bound(suite: CipherSuite) -> Self {
        let mut pair = Self::new(suite, 0);
        pair.mn.apply(&bind(7872), &mut pair.rng);
        pair.ha.apply(&bind(5000), &mut pair.rng);
        pair
    }

    fn mn_sends(&mut self, packet: &[u8]) -> Vec<Vec<u8>> {
        send(&mut self.mn, self.now, &mut self.rng, packet).0
    }

    fn ha_receives(&mut self, datagrams: &[Vec<u8>]) -> (Vec<Result<Vec<u8>, DropReason>>, Vec<Event>) {
        receive(&mut self.ha, self.now, datagrams)
    }

    fn ha_receives_from(&mut self, from: SocketAddr, datagrams: &[Vec<u8>]) -> (Vec<Result<Vec<u8>, DropReason>>, Vec<Event>) {
        receive_from(&mut self.ha, self.now, from, datagrams)
    }

    /// A datagram that the mobile node's control sends.
    fn mn_commands(&mut self, command: &Command) -> Vec<Vec<u8>> {
        self.mn.apply(command, &mut self.rng).iter().map(|(_, octets)| octets.to_vec()).collect()
    }
}

fn association(suite: CipherSuite) -> SecurityAssociation {
    SecurityAssociation {
        spi: spi(),
        suite,
        profile: WireProfile::Rfc6618,
        user_data: UserData::Protected,
        mn_to_ha: DirectionKeys::counting_from(1, suite),
        ha_to_mn: DirectionKeys::counting_from(0x80, suite),
        home: home(),
        home_agent: HomeAgentAddresses::new(Some("2001:db8:f::1".parse().unwrap()), None, 7872).unwrap(),
        features: Features::NONE,
        prefixes: MobileNetworkPrefixes::default(),
    }
}

fn spi() -> Spi {
    Spi::new(0x123_4567).unwrap()
}

fn home() -> HomeAddresses {
    HomeAddresses::new(Some(HOME), Some(HOME4)).unwrap()
}

fn bind(port: u16) -> Command {
    let paths = Paths::one(Path::proved(SocketId(0), ([198, 51, 100, 7], port).into()));
    Command::Move { home: home(), paths, encapsulation: Encapsulation::ProtectedUdp, sending: spi() }
}

fn send(end: &mut Ends, now: Instant, rng: &mut StdRng, packet: &[u8]) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let mut packets = PacketBatch::new(1, 65_536);
    assert!(packets.push(packet));
    let (mut out, mut replies) = (SendBatch::new(16, 65_536), PacketBatch::new(4, 65_536));
    let rest = end.entry.handle_packets(&packets, Place::default(), now, rng, &mut out, &mut replies);
    assert_eq!(rest, None);
    (out.iter().map(|(_, octets)| octets.to_vec()).collect(), replies.iter().map(<[u8]>::to_vec).collect())
}

/// Where the home agent of these tests sends to, once bound.
const MOBILE_NODE: ([u8; 4], u16) = ([198, 51, 100, 7], 5000);

fn receive(end: &mut Ends, now: Instant, datagrams: &[Vec<u8>]) -> (Vec<Result<Vec<u8>, DropReason>>, Vec<Event>) {
    receive_from(end, now, MOBILE_NODE.into(), datagrams)
}

fn receive_from(
    end: &mut Ends,
    now: Instant,
    from: SocketAddr,
    datagrams: &[Vec<u8>],
) -> (Vec<Result<Vec<u8>, DropReason>>, Vec<Event>) {
    let mut batch = ReceiveBatch::new(datagrams.len(), datagrams.iter().map(Vec::len).sum());
    datagrams.iter().for_each(|datagram| assert!(batch.copy_in(datagram, SocketId(0), from)));
    let mut verdicts = Vec::new();
    end.exit.handle_datagrams(&mut batch, now, &mut verdicts);
    let delivered = verdicts.into_iter().filter_map(|verdict| match verdict {
        Verdict::Deliver(range) => Some(Ok(batch.octets(range).to_vec())),
        Verdict::Consumed => None,
        Verdict::Drop(reason) => Some(Err(reason)),
        Verdict::PassOn(share) => unreachable!("passed on to {share}"),
    });
    (delivered.collect(), std::iter::from_fn(|| end.exit.poll_event()).collect())
}

fn ipv6(source: Ipv6Addr, destination: Ipv6Addr, payload: usize) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((payload as u16).to_be_bytes());
    packet.extend([17, 64]);
    packet.extend(source.octets());
    packet.extend(destination.octets());
    packet.extend((0..payload).map(|i| i as u8));
    packet
}

#[test]
fn each_suite_carries_packets_of_each_length_both_ways() {
    for suite in CipherSuite::ALL {
        let mut pair = Pair::bound(suite);
        for payload in 0..300 {
            let packet = ipv6(HOME, CORRESPONDENT, payload);
            let datagrams = pair.mn_sends(&packet);
            assert_eq!(pair.ha_receives(&datagrams).0, [Ok(packet)], "{suite} {payload}");
            let packet = ipv6(CORRESPONDENT, HOME, payload);
            let (datagrams, _) = send(&mut pair.ha, pair.now, &mut pair.rng, &packet);
            assert_eq!(receive(&mut pair.mn, pair.now, &datagrams).0, [Ok(packet)], "{suite} {payload}");
        }
    }
}

/// RFC 6618 section 7: what a node and a correspondent say to each other is theirs.
#[test]
fn a_mobility_header_between_node_and_correspondent_is_user_data_in_both_directions() {
    let mut pair = Pair::bound(CipherSuite::Aes128Gcm);
    let mobility = |source, destination, kind| {
        let mut packet = ipv6(source, destination, 16);
        packet[6] = signalling::MOBILITY;
        packet[40..46].copy_from_slice(&[59, 1, kind, 0, 0, 0]);
        packet
    };
    let (home_test_init, home_test, refresh_request, update) = (1, 3, 0, 5);
    for kind in [home_test_init, update] {
        let packet = mobility(HOME, CORRESPONDENT, kind);
        let datagrams = pair.mn_sends(&packet);
        assert_eq!(pair.ha_receives(&datagrams), (vec![Ok(packet)], vec![]), "type {kind}");
    }
    for kind in [home_test, refresh_request] {
        let packet = mobility(CORRESPONDENT, HOME, kind);
        let (datagrams, _) = send(&mut pair.ha, pair.now, &mut pair.rng, &packet);
        let (taken, events) = receive(&mut pair.mn, pair.now, &datagrams);
        assert_eq!(
            (taken, events.iter().any(|event| matches!(event, Event::Signalling(_)))),
            (vec![Ok(packet)], false),
            "type {kind}"
        );
    }
}

#[test]
fn a_flipped_bit_anywhere_is_refused_and_the_packet_itself_still_passes() {
    for suite in CipherSuite::ALL {
        let mut pair = Pair::bound(suite);
        let packet = ipv6(HOME, CORRESPONDENT, 20);
        let datagrams = pair.mn_sends(&packet);
        for bit in 0..datagrams[0].len() * 8 {
            let mut flipped = datagrams.clone();
            flipped[0][bit / 8] ^= 1 << (bit % 8);
            assert!(pair.ha_receives(&flipped).0[0].is_err(), "{suite} bit {bit}");
        }
        assert_eq!(pair.ha_receives(&datagrams).0, [Ok(packet)], "{suite}");
    }
}

#[test]
fn the_second_of_two_copies_in_one_batch_is_a_replay() {
    let mut pair = Pair::bound(CipherSuite::Aes128Gcm);
    let packet = ipv6(HOME, CORRESPONDENT, 20);
    let datagram = pair.mn_sends(&packet).remove(0);
    let (received, _) = pair.ha_receives(&[datagram.clone(), datagram]);
    assert_eq!(received, [Ok(packet), Err(DropReason::ReplayedSequence)]);
    assert_eq!(pair.ha.counters.dropped(DropReason::ReplayedSequence), 1);
}

#[test]
fn a_message_on_one_path_twice_is_sealed_once_and_taken_once() {
    for suite in CipherSuite::ALL {
        let mut pair = Pair::bound(suite);
        let paths = Paths::copies(Path::proved(SocketId(0), ([198, 51, 100, 1], 7872).into()), 2);
        let signal = Command::Signal { spi: spi(), paths, next_header: signalling::MOBILITY, payload: vec![1; 16] };
        let datagrams = pair.mn_commands(&signal);
        assert!(datagrams.len() == 2 && datagrams[0] == datagrams[1], "{suite}");
        let (dropped, events) = pair.ha_receives(&datagrams);
        assert_eq!((dropped, events.len()), (vec![Err(DropReason::ReplayedSequence)], 1), "{suite}");
        assert_eq!(pair.mn.counters.sent().0, 1, "{suite}: one packet");
        assert_eq!(pair.mn_commands(&signal)[0][4..8], [0, 0, 0, 1], "{suite}: one number");
    }
}

#[test]
fn a_copy_on_a_path_that_is_not_proved_counts_its_octets() {
    let mut pair = Pair::bound(CipherSuite::NullSha);
    let signal = |octets| {
        let path = Path { allowance: Allowance::octets(octets), ..Path::proved(SocketId(0), ([198, 51, 100, 7], 5000).into()) };
        let (paths, next_header) = (Paths::copies(path, 2), signalling::MOBILITY);
        Command::Signal { spi: spi(), paths, next_header, payload: vec![1; 16] }
    };
    let len = pair.mn_commands(&signal(1000))[0].len() as u64 + allowance::HEADERS;
    for (octets, copies) in [(2 * len, 2), (2 * len - 1, 1), (len, 1), (len - 1, 0)] {
        assert_eq!(pair.mn_commands(&signal(octets)).len(), copies, "{octets}");
    }
}

#[test]
fn a_packet_reflected_to_its_sender_has_the_wrong_icv() {
    for suite in CipherSuite::ALL {
        let mut pair = Pair::bound(suite);
        let datagrams = pair.mn_sends(&ipv6(HOME, CORRESPONDENT, 20));
        assert_eq!(receive(&mut pair.mn, pair.now, &datagrams).0, [Err(DropReason::WrongIcv)], "{suite}");
    }
}

#[test]
fn an_inner_source_that_is_not_the_sas_home_address_is_refused() {
    let mut pair = Pair::bound(CipherSuite::Aes128CbcSha);
    // A mobile node that lies: its own table names the address of another.
    let other = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 8);
    let Command::Move { paths, encapsulation, sending, .. } = bind(7872) else { unreachable!() };
    let lie = Command::Move { home: HomeAddresses::new(Some(other), None).unwrap(), paths, encapsulation, sending };
    pair.mn.apply(&lie, &mut pair.rng);
    let datagrams = pair.mn_sends(&ipv6(other, CORRESPONDENT, 20));
    assert_eq!(pair.ha_receives(&datagrams).0, [Err(DropReason::ForeignHomeAddress)]);
}

#[test]
fn clear_unassigned_unknown_and_short_datagrams_are_dropped_by_name() {
    let mut pair = Pair::bound(CipherSuite::NullSha);
    let mut clear = vec![0; 8];
    clear.extend(ipv6(HOME, CORRESPONDENT, 20));
    let mut unassigned = pair.mn_sends(&ipv6(HOME, CORRESPONDENT, 20)).remove(0);
    unassigned[0] = 0x20 | unassigned[0] & 0x0f;
    let rows = [
        (clear, DropReason::PlaintextRefused),
        (unassigned, DropReason::UnassignedPType),
        (vec![0x80, 0, 0, 0, 0, 0, 0, 0, 0], DropReason::UnknownSpi),
        (vec![0x11, 0x23, 0x45, 0x68, 0, 0, 0, 0, 0], DropReason::UnknownSpi),
        (vec![0x11, 0x23, 0x45], DropReason::Truncated),
        (vec![0x11, 0x23, 0x45, 0x67, 0, 0, 0, 9], DropReason::Truncated),
    ];
    for (datagram, reason) in rows {
        assert_eq!(pair.ha_receives(&[datagram]).0, [Err(reason)]);
    }
}

#[test]
fn good_data_without_a_binding_is_dropped_and_counted() {
    let mut pair = Pair::new(CipherSuite::Aes128Gcm, 0);
    pair.mn.apply(&bind(7872), &mut pair.rng);
    let datagrams = pair.mn_sends(&ipv6(HOME, CORRESPONDENT, 20));
    assert_eq!(pair.ha_receives(&datagrams).0, [Err(DropReason::NoBinding)]);
}

#[test]
fn an_sa_whose_replay_state_is_lost_takes_signalling_only_and_answers_in_its_leases_run() {
    let mut pair = Pair::new(CipherSuite::Aes128Gcm, 3);
    pair.mn.apply(&bind(7872), &mut pair.rng);
    pair.ha.apply(&bind(5000), &mut pair.rng);
    let data = pair.mn_sends(&ipv6(HOME, CORRESPONDENT, 20));
    assert_eq!(pair.ha_receives(&data).0, [Err(DropReason::ReplayStateLost)]);
    let path = Path::proved(SocketId(0), ([198, 51, 100, 1], 7872).into());
    let signal = Command::Signal { spi: spi(), paths: Paths::one(path), next_header: signalling::MOBILITY, payload: vec![1; 16] };
    let out = pair.mn.apply(&signal, &mut pair.rng);
    let datagrams: Vec<_> = out.iter().map(|(_, octets)| octets.to_vec()).collect();
    let (_, events) = pair.ha_receives(&datagrams);
    assert!(matches!(&events[..], [Event::Signalling(received)] if received.lease == 3 && received.payload == [1; 16]));
    let answer = pair.ha.apply(&signal, &mut pair.rng);
    let (_, octets) = answer.iter().next().unwrap();
    assert_eq!(octets[4..8], [0xF0, 0x02, 0, 0]);
}

#[test]
fn an_sa_opens_for_a_minute_after_its_validity_and_not_longer() {
    let mut pair = Pair::bound(CipherSuite::NullSha);
    let packet = ipv6(HOME, CORRESPONDENT, 20);
    let (first, second) = (pair.mn_sends(&packet), pair.mn_sends(&packet));
    pair.now += Duration::from_secs(159);
    assert_eq!(pair.ha_receives(&first).0, [Ok(packet)]);
    pair.now += Duration::from_secs(1);
    assert_eq!(pair.ha_receives(&second).0, [Err(DropReason::SaExpired)]);
}

#[test]
fn a_packet_to_an_unbound_home_address_is_answered_with_address_unreachable_at_a_limited_rate() {
    let mut pair = Pair::new(CipherSuite::NullSha, 0);
    let packet = ipv6(CORRESPONDENT, HOME, 20);
    let replies: usize = (0..200).map(|_| send(&mut pair.ha, pair.now, &mut pair.rng, &packet).1.len()).sum();
    assert_eq!(replies, 50);
    pair.now += Duration::from_millis(10);
    let (datagrams, replies) = send(&mut pair.ha, pair.now, &mut pair.rng, &packet);
    assert_eq!((datagrams.len(), &replies[0][40..42]), (0, &[1, 3][..]));
}

#[test]
fn an_unproved_path_carries_its_allowance_and_no_more() {
    let mut pair = Pair::new(CipherSuite::NullSha, 0);
    let path = Path { allowance: Allowance::octets(300), ..Path::proved(SocketId(0), ([198, 51, 100, 7], 5000).into()) };
    let command =
        Command::Move { home: home(), paths: Paths::one(path), encapsulation: Encapsulation::ProtectedUdp, sending: spi() };
    pair.ha.apply(&command, &mut pair.rng);
    let packet = ipv6(CORRESPONDENT, HOME, 20);
    let sent: usize = (0..5).map(|_| send(&mut pair.ha, pair.now, &mut pair.rng, &packet).0.len()).sum();
    assert_eq!(sent, 2, "two datagrams of 84 octets behind their headers and not a third");
    assert_eq!(pair.ha.counters.dropped(DropReason::AllowanceUsedUp), 3);
}
