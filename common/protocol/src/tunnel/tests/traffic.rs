//! What a security association is said to have carried: user data, each packet once.

use super::*;

const NOTHING: Traffic = Traffic { from_node: volume(0, 0), to_node: volume(0, 0) };

const fn volume(packets: u64, octets: u64) -> Volume {
    Volume { packets, octets }
}

/// A bound pair, with the counters of the mobile node and of the home agent.
struct Counted {
    pair: Pair,
    mn: Arc<TrafficCounters>,
    ha: Arc<TrafficCounters>,
}

impl Counted {
    fn new(user_data: UserData, encapsulation: Encapsulation) -> Self {
        let sa = SecurityAssociation { user_data, ..association(CipherSuite::Aes128Gcm) };
        let mut pair = Pair::with(&sa, 0);
        let [mn, ha] = [&mut pair.mn, &mut pair.ha].map(|end| {
            let traffic = Arc::<TrafficCounters>::default();
            end.apply(&Command::Uninstall(spi()), &mut pair.rng);
            let valid_until = pair.now + Duration::from_secs(100);
            let install = Install { traffic: traffic.clone(), ..Install::new(sa.clone(), valid_until, 0) };
            end.apply(&Command::Install(Arc::new(install)), &mut pair.rng);
            traffic
        });
        for (end, port) in [(&mut pair.mn, 7872), (&mut pair.ha, 5000)] {
            let Command::Move { home, paths, sending, .. } = bind(port) else { unreachable!() };
            end.apply(&Command::Move { home, paths, encapsulation, sending }, &mut pair.rng);
        }
        Self { pair, mn, ha }
    }

    fn protected() -> Self {
        Self::new(UserData::Protected, Encapsulation::ProtectedUdp)
    }

    fn read(&self) -> [Traffic; 2] {
        [self.mn.read(), self.ha.read()]
    }

    fn ha_sends(&mut self, packet: &[u8]) -> Vec<Vec<u8>> {
        send(&mut self.pair.ha, self.pair.now, &mut self.pair.rng, packet).0
    }
}

#[test]
fn both_ends_count_what_crossed_each_way_with_the_octets_of_the_inner_packet() {
    for (user_data, encapsulation) in
        [(UserData::Protected, Encapsulation::ProtectedUdp), (UserData::Clear, Encapsulation::ClearUdp)]
    {
        let mut counted = Counted::new(user_data, encapsulation);
        let home_agent: SocketAddr = (Ipv6Addr::new(0x2001, 0xdb8, 0xf, 0, 0, 0, 0, 1), 7872).into();
        for payload in [20, 0] {
            let datagrams = counted.pair.mn_sends(&ipv6(HOME, CORRESPONDENT, payload));
            assert_eq!(counted.pair.ha_receives(&datagrams).0.len(), 1);
        }
        let datagrams = counted.ha_sends(&ipv6(CORRESPONDENT, HOME, 100));
        let received = receive_from(&mut counted.pair.mn, counted.pair.now, home_agent, &datagrams).0;
        assert!(matches!(received[..], [Ok(_)]), "{user_data}: {received:?}");
        let expected = Traffic { from_node: volume(2, 60 + 40), to_node: volume(1, 140) };
        assert_eq!(counted.read(), [expected; 2], "{user_data}");
    }
}

#[test]
fn what_stands_behind_a_packets_own_end_is_not_counted() {
    let mut counted = Counted::protected();
    let mut padded = ipv6(HOME, CORRESPONDENT, 20);
    padded.extend([0; 30]);
    let datagrams = counted.pair.mn_sends(&padded);
    assert!(counted.pair.ha_receives(&datagrams).0[0].is_ok());
    assert_eq!(counted.read(), [Traffic { from_node: volume(1, 60), ..NOTHING }; 2]);
}

#[test]
fn a_packet_on_several_paths_is_one() {
    let mut counted = Counted::protected();
    let path = |port| Path::proved(SocketId(0), ([198, 51, 100, 7], port).into());
    let Command::Move { home, encapsulation, sending, .. } = bind(5000) else { unreachable!() };
    let paths = Paths::new(vec![path(5000), path(5001), path(5002)]).unwrap();
    counted.pair.ha.apply(&Command::Move { home, paths, encapsulation, sending }, &mut counted.pair.rng);
    let datagrams = counted.ha_sends(&ipv6(CORRESPONDENT, HOME, 20));
    assert_eq!(datagrams.len(), 3);
    let received = receive(&mut counted.pair.mn, counted.pair.now, &datagrams).0;
    assert_eq!(received.iter().filter(|received| received.is_ok()).count(), 1);
    assert_eq!(counted.read(), [Traffic { to_node: volume(1, 60), ..NOTHING }; 2]);
}

#[test]
fn signalling_and_dummies_are_not_user_data() {
    let mut counted = Counted::protected();
    let path = Path::proved(SocketId(0), ([203, 0, 113, 1], 7872).into());
    let paths = Paths::one(path.clone());
    let signal = Command::Signal { spi: spi(), paths, next_header: signalling::MOBILITY, payload: vec![1; 16] };
    for command in [signal, Command::Keepalive { spi: spi(), path }] {
        let datagrams = counted.pair.mn_commands(&command);
        assert_eq!((datagrams.len(), counted.pair.ha_receives(&datagrams).0.len()), (1, 0));
    }
    assert_eq!(counted.read(), [NOTHING; 2]);
}

#[test]
fn a_packet_that_is_dropped_is_not_counted_by_who_drops_it() {
    let mut counted = Counted::protected();
    // Sent, and then played back, spoiled, and from an address that is not the node's.
    let datagrams = counted.pair.mn_sends(&ipv6(HOME, CORRESPONDENT, 20));
    let twice = [datagrams.clone(), datagrams.clone()].concat();
    assert_eq!(counted.pair.ha_receives(&twice).0[1], Err(DropReason::ReplayedSequence));
    let mut spoiled = counted.pair.mn_sends(&ipv6(HOME, CORRESPONDENT, 20));
    spoiled[0][30] ^= 1;
    assert_eq!(counted.pair.ha_receives(&spoiled).0, [Err(DropReason::WrongIcv)]);
    assert_eq!(counted.ha.read(), Traffic { from_node: volume(1, 60), ..NOTHING });
    // Without a binding the one sends nothing, and the other takes nothing.
    let late = counted.pair.mn_sends(&ipv6(HOME, CORRESPONDENT, 20));
    counted.pair.ha.apply(&Command::Remove(home()), &mut counted.pair.rng);
    assert_eq!(counted.pair.ha_receives(&late).0, [Err(DropReason::NoBinding)]);
    assert!(counted.ha_sends(&ipv6(CORRESPONDENT, HOME, 20)).is_empty());
    assert_eq!(counted.ha.read(), Traffic { from_node: volume(1, 60), ..NOTHING });
}

#[test]
fn in_the_clear_a_packet_from_elsewhere_is_not_counted() {
    let mut counted = Counted::new(UserData::Clear, Encapsulation::ClearUdp);
    let datagrams = counted.pair.mn_sends(&ipv6(HOME, CORRESPONDENT, 20));
    let received = counted.pair.ha_receives_from(([192, 0, 2, 66], 1).into(), &datagrams).0;
    assert_eq!((received, counted.ha.read()), (vec![Err(DropReason::PlaintextRefused)], NOTHING));
}

#[test]
fn a_path_whose_allowance_is_used_up_carries_nothing_and_counts_nothing() {
    let mut counted = Counted::protected();
    let path = Path { allowance: Allowance::octets(300), ..Path::proved(SocketId(0), MOBILE_NODE.into()) };
    let Command::Move { home, encapsulation, sending, .. } = bind(5000) else { unreachable!() };
    counted
        .pair
        .ha
        .apply(&Command::Move { home, paths: Paths::one(path.clone()), encapsulation, sending }, &mut counted.pair.rng);
    let sent: usize = (0..5).map(|_| counted.ha_sends(&ipv6(CORRESPONDENT, HOME, 20)).len()).sum();
    assert_eq!((sent as u64, counted.ha.read()), (2, Traffic { to_node: volume(2, 120), ..NOTHING }));
}

#[test]
fn the_counts_outlive_the_security_association() {
    let mut counted = Counted::protected();
    let datagrams = counted.pair.mn_sends(&ipv6(HOME, CORRESPONDENT, 20));
    assert!(counted.pair.ha_receives(&datagrams).0[0].is_ok());
    for end in [&mut counted.pair.mn, &mut counted.pair.ha] {
        end.apply(&Command::Uninstall(spi()), &mut counted.pair.rng);
    }
    assert_eq!(counted.read(), [Traffic { from_node: volume(1, 60), ..NOTHING }; 2]);
    assert_eq!(Arc::strong_count(&counted.ha), 1, "neither half holds on to them");
}

#[test]
fn what_came_on_top_is_a_difference_that_never_goes_below_zero() {
    let [less, more] = [1, 3].map(|factor| Traffic { from_node: volume(factor, 60 * factor), to_node: volume(0, 0) });
    assert_eq!(more.since(less), Traffic { from_node: volume(2, 120), ..NOTHING });
    assert_eq!(less.since(more), NOTHING);
}
