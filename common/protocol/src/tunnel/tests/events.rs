//! What the halves tell control: packets from elsewhere, associations that wear out; and the dummies that keep a NAT's mapping.

use super::*;
use crate::sa::inbound::InboundSa;
use crate::sa::outbound::OutboundSa;
use crate::wire::envelope::PType;

fn sightings(events: &[Event]) -> Vec<(SocketAddr, u32)> {
    let sighted = events.iter().filter_map(|event| if let Event::Sighted(sighting) = event { Some(sighting) } else { None });
    sighted.map(|sighting| (sighting.from, sighting.sequence)).collect()
}

fn keepalive() -> Command {
    Command::Keepalive { spi: spi(), path: Path::proved(SocketId(0), ([203, 0, 113, 1], 7872).into()) }
}

#[test]
fn a_keepalive_is_an_empty_dummy_that_the_home_agent_takes_and_forgets() {
    let mut pair = Pair::bound(CipherSuite::Aes128Gcm);
    let datagrams = pair.mn_commands(&keepalive());
    assert_eq!(datagrams[0].len(), 8 + 8 + 4 + 16, "envelope, IV, trailer and ICV");
    assert_eq!(pair.ha_receives(&datagrams), (vec![], vec![]));
    assert_eq!(pair.ha_receives(&datagrams).0, [Err(DropReason::ReplayedSequence)]);
}

#[test]
fn authentic_packets_from_elsewhere_are_reported_at_a_limited_rate() {
    let mut pair = Pair::bound(CipherSuite::Aes128Gcm);
    let packet = ipv6(HOME, CORRESPONDENT, 20);
    let elsewhere: SocketAddr = ([198, 51, 100, 9], 6000).into();
    let datagrams: Vec<_> = (0..5).flat_map(|_| pair.mn_sends(&packet)).collect();
    assert_eq!(pair.ha_receives(&datagrams[..1]).1, [], "where it is bound to");
    let (delivered, events) = pair.ha_receives_from(elsewhere, &datagrams[1..3]);
    assert_eq!((delivered.len(), sightings(&events)), (2, vec![(elsewhere, 1)]), "the uplink does not wait");
    pair.now += Duration::from_millis(100);
    assert_eq!(sightings(&pair.ha_receives_from(elsewhere, &datagrams[3..4]).1), [(elsewhere, 3)]);
    assert_eq!(pair.ha_receives_from(elsewhere, &datagrams[3..4]).1, [], "a replay shows nothing");
}

fn signal() -> Command {
    let paths = Paths::one(Path::proved(SocketId(0), ([203, 0, 113, 1], 7872).into()));
    Command::Signal { spi: spi(), paths, next_header: crate::wire::signalling::MOBILITY, payload: vec![1; 16] }
}

#[test]
fn a_node_signals_to_the_home_agent_at_a_limited_rate_and_keeps_nobody_waiting() {
    let mut pair = Pair::bound(CipherSuite::Aes128Gcm);
    let mut heard = |milliseconds| {
        pair.now += Duration::from_millis(milliseconds);
        let datagrams: Vec<_> = (0..100).flat_map(|_| pair.mn_commands(&signal())).collect();
        let (dropped, events) = pair.ha_receives(&datagrams);
        assert!(dropped.iter().all(|verdict| *verdict == Err(DropReason::SignallingTooOften)));
        assert_eq!(dropped.len() + events.len(), 100);
        events.len()
    };
    assert_eq!([heard(0), heard(0), heard(100), heard(10_000)], [64, 0, 10, 64]);
    let packet = ipv6(HOME, CORRESPONDENT, 20);
    let datagrams = pair.mn_sends(&packet);
    assert_eq!(pair.ha_receives(&datagrams).0, [Ok(packet)], "its user data passes");
    assert_eq!(pair.ha.counters.dropped(DropReason::SignallingTooOften), 400 - 138);
}

#[test]
fn signalling_that_somebody_else_has_made_or_that_came_before_takes_no_place() {
    let mut pair = Pair::bound(CipherSuite::Aes128Gcm);
    let first = pair.mn_commands(&signal());
    let mut forged = pair.mn_commands(&signal());
    forged[0][20] ^= 1;
    assert_eq!(pair.ha_receives(&first).1.len(), 1);
    for _ in 0..100 {
        assert_eq!(pair.ha_receives(&first).0, [Err(DropReason::ReplayedSequence)]);
        assert_eq!(pair.ha_receives(&forged).0, [Err(DropReason::WrongIcv)]);
    }
    let datagrams: Vec<_> = (0..63).flat_map(|_| pair.mn_commands(&signal())).collect();
    assert_eq!(pair.ha_receives(&datagrams).1.len(), 63);
}

#[test]
fn a_mobile_node_hears_whatever_its_home_agent_signals() {
    let mut pair = Pair::bound(CipherSuite::Aes128Gcm);
    let datagrams: Vec<_> = (0..200)
        .flat_map(|_| pair.ha.apply(&signal(), &mut pair.rng).iter().map(|(_, octets)| octets.to_vec()).collect::<Vec<_>>())
        .collect();
    let (_, events) = receive(&mut pair.mn, pair.now, &datagrams);
    assert_eq!(events.iter().filter(|event| matches!(event, Event::Signalling(_))).count(), 200);
}

#[test]
fn a_dummy_from_elsewhere_is_reported_and_one_without_a_binding_is_not() {
    let mut pair = Pair::bound(CipherSuite::Aes128Gcm);
    let elsewhere: SocketAddr = ([198, 51, 100, 9], 6000).into();
    let datagrams = pair.mn_commands(&keepalive());
    assert_eq!(sightings(&pair.ha_receives_from(elsewhere, &datagrams).1), [(elsewhere, 0)]);
    pair.ha.apply(&Command::Remove(home()), &mut pair.rng);
    pair.now += Duration::from_secs(1);
    let datagrams = pair.mn_commands(&keepalive());
    assert_eq!(pair.ha_receives_from(elsewhere, &datagrams).1, []);
}

#[test]
fn packets_on_a_path_that_is_not_proved_are_reported() {
    let mut pair = Pair::bound(CipherSuite::Aes128Gcm);
    let path = Path { allowance: Allowance::octets(65_536), ..Path::proved(SocketId(0), MOBILE_NODE.into()) };
    let Command::Move { home, encapsulation, sending, .. } = bind(5000) else { unreachable!() };
    pair.ha.apply(&Command::Move { home, paths: Paths::one(path), encapsulation, sending }, &mut pair.rng);
    let datagrams = pair.mn_sends(&ipv6(HOME, CORRESPONDENT, 20));
    assert_eq!(sightings(&pair.ha_receives(&datagrams).1), [(MOBILE_NODE.into(), 0)]);
}

#[test]
fn a_mobile_node_reports_nobody_but_where_it_heard_something_first() {
    let mut pair = Pair::bound(CipherSuite::Aes128Gcm);
    let (datagrams, _) = send(&mut pair.ha, pair.now, &mut pair.rng, &ipv6(CORRESPONDENT, HOME, 20));
    let heard = [Event::Heard(SocketId(0))];
    assert_eq!(receive_from(&mut pair.mn, pair.now, ([192, 0, 2, 66], 1).into(), &datagrams).1, heard);
    let (datagrams, _) = send(&mut pair.ha, pair.now, &mut pair.rng, &ipv6(CORRESPONDENT, HOME, 20));
    assert_eq!(receive_from(&mut pair.mn, pair.now, ([192, 0, 2, 66], 1).into(), &datagrams).1, []);
}

#[test]
fn what_an_unproved_path_has_used_stays_used_when_the_binding_is_written_again() {
    let mut pair = Pair::new(CipherSuite::NullSha, 0);
    let path = Path { allowance: Allowance::octets(300), ..Path::proved(SocketId(0), MOBILE_NODE.into()) };
    let Command::Move { home, encapsulation, sending, .. } = bind(5000) else { unreachable!() };
    let unproved = Command::Move { home, paths: Paths::one(path), encapsulation, sending };
    let packet = ipv6(CORRESPONDENT, HOME, 20);
    let mut sent = 0;
    for _ in 0..5 {
        pair.ha.apply(&unproved, &mut pair.rng);
        sent += send(&mut pair.ha, pair.now, &mut pair.rng, &packet).0.len();
    }
    assert_eq!(sent, 2, "two datagrams of 84 octets behind their headers and not a third");
    pair.ha.apply(&bind(5000), &mut pair.rng);
    assert_eq!(send(&mut pair.ha, pair.now, &mut pair.rng, &packet).0.len(), 1, "proved, it has no limit");
}

fn install(suite: CipherSuite) -> Arc<Install> {
    #[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
    let now = Instant::now();
    Arc::new(Install::new(association(suite), now + Duration::from_secs(100), 0))
}

#[test]
fn at_three_quarters_of_the_numbers_each_half_wants_a_new_sa_once_and_at_the_end_sends_nothing() {
    let mut sender = OutboundSa::new(&install(CipherSuite::Aes128Gcm), Role::MobileNode).unwrap();
    let mut receiver = InboundSa::new(&install(CipherSuite::Aes128Gcm), Role::HomeAgent).unwrap();
    let now = install(CipherSuite::Aes128Gcm).valid_until - Duration::from_secs(1);
    let mut wants = |number: u32| {
        sender.skip_to(number);
        let reserved = sender.reserve(36, 0).unwrap();
        let mut datagram = vec![0; 36];
        let mut send = SendBatch::new(1, 36);
        let range = send.reserve(36, 1).unwrap();
        sender.frame(PType::Protected, reserved.sequence, 59, 0, &mut StdRng::seed_from_u64(1), send.slot(range.clone()));
        sender.seal_batch(&mut send, std::iter::once(range.clone()));
        datagram.copy_from_slice(send.slot(range));
        let opened = receiver.open(PType::Protected, number, &mut datagram, now).unwrap();
        (reserved.is_wearing_out, opened.is_wearing_out)
    };
    assert_eq!(wants(0xBFFF_FFFF), (false, false));
    assert_eq!(wants(0xC000_0000), (true, true));
    assert_eq!(wants(0xEFFF_FFFF), (false, false), "the last number of lease 0");
    assert_eq!(sender.reserve(36, 0), Err(DropReason::SaExhausted));
}

#[test]
fn a_three_des_association_wants_a_successor_at_eight_mebibytes_on_both_halves() {
    let mut pair = Pair::bound(CipherSuite::TripleDesEdeCbcSha);
    let packet = ipv6(HOME, CORRESPONDENT, 60_000);
    let (mut sent, mut said_at) = (0, Vec::new());
    while sent < 9 << 20 {
        let datagrams = pair.mn_sends(&packet);
        sent += datagrams[0].len();
        let heard = pair.ha_receives(&datagrams).1;
        let said: Vec<_> = std::iter::from_fn(|| pair.mn.entry.poll_event()).collect();
        if !said.is_empty() {
            assert_eq!((&said[..], &heard[..]), (&[Event::WearingOut(spi())][..], &[Event::WearingOut(spi())][..]));
            said_at.push(sent);
        }
    }
    assert!(matches!(said_at[..], [at] if (8 << 20..(8 << 20) + 61_000).contains(&at)), "{said_at:?}");
}
