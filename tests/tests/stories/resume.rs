//! A laptop is closed and opened again, elsewhere and hours later.

use std::time::Duration;

use mn::mobile_node::Phase;
use protocol::sa::CipherSuite;
use tests::sim::{Access, Options, World};

use super::{SECOND, Traffic, assert_no_number_twice, registered, registered_with};

const HOUR: Duration = Duration::from_secs(3600);

/// Closed for so long and opened on these networks, while the correspondent node goes on sending.
fn sleeps(world: &mut World, duration: Duration, access: &[Access]) {
    world.mobile_node_sleeps();
    world.runs_for(duration);
    world.mobile_node_wakes(access);
}

/// Binding Updates on the wire since the record had `before` datagrams: copies of one are one.
fn binding_updates(world: &World, before: usize) -> usize {
    let mut numbers: Vec<_> = world.network.record[before..]
        .iter()
        .filter(|datagram| datagram.is_up() && datagram.is_signalling())
        .map(|datagram| datagram.number())
        .collect();
    numbers.dedup();
    numbers.len()
}

/// An SA for a day.
fn with_keys_for_a_day(suite: CipherSuite) -> World {
    registered_with(Options { sa_lifetime: HOUR * 24, ..Options::new(suite) })
}

#[test]
fn after_eight_hours_of_sleep_on_another_network_one_binding_update_brings_the_traffic_back() {
    for suite in CipherSuite::ALL {
        for access in [Access::Wifi, Access::Lte] {
            let mut world = with_keys_for_a_day(suite);
            let spi = world.bound_under();
            let mut traffic = Traffic::new(&world, Duration::from_millis(5));
            sleeps(&mut world, HOUR * 8, &[access]);
            assert_eq!(world.bound_to(), None, "the binding has ended meanwhile");
            let before = world.network.record.len();
            let took = traffic.is_back(&mut world, SECOND);
            println!("{suite}, awake on {access:?}: back after {took:?}");
            assert!(took <= world.network.wifi.delay * 3, "the Binding Update's way, and what follows it: {took:?}");
            traffic.settles(&mut world);
            traffic.assert_each_at_most_once();
            // Whoever is bound anew gives the token of the path check back.
            assert!(binding_updates(&world, before) <= 2, "{} Binding Updates", binding_updates(&world, before));
            assert_eq!((world.mhauth_runs(), world.bound_under(), world.phase()), (1, spi, Some(Phase::Registered)));
            assert_no_number_twice(&world);
        }
    }
}

#[test]
fn keys_that_ended_during_sleep_are_not_used_and_one_run_of_mhauth_gives_others() {
    for access in [Access::Wifi, Access::Lte] {
        let mut world = registered_with(Options { sa_lifetime: HOUR, ..Options::new(CipherSuite::Aes128Gcm) });
        let (spi, mut traffic) = (world.bound_under().unwrap(), Traffic::new(&world, Duration::from_millis(5)));
        sleeps(&mut world, HOUR * 8, &[access]);
        let before = world.network.record.len();
        let took = traffic.is_back(&mut world, SECOND * 2);
        println!("awake on {access:?}: back after {took:?}");
        traffic.settles(&mut world);
        traffic.assert_each_at_most_once();
        assert_eq!((world.mhauth_attempts(), world.mhauth_runs(), world.phase()), (2, 2, Some(Phase::Registered)));
        assert_eq!(world.network.record[before..].iter().filter(|sent| sent.number().0 == spi.get()).count(), 0);
        world.runs_for(SECOND * 10);
        assert_eq!(world.mhauth_attempts(), 2);
    }
}

#[test]
fn a_machine_that_wakes_without_a_network_waits_for_one_and_runs_mhauth_once() {
    for (lifetime, runs) in [(HOUR * 24, 1), (HOUR, 2)] {
        let mut world = registered_with(Options { sa_lifetime: lifetime, ..Options::new(CipherSuite::Aes128Gcm) });
        let mut traffic = Traffic::new(&world, Duration::from_millis(5));
        sleeps(&mut world, HOUR * 8, &[]);
        world.runs_for(SECOND * 20);
        assert_eq!(world.mhauth_attempts(), 1, "there is no network that it could go over");
        world.attaches_to(&[Access::Lte]);
        traffic.is_back(&mut world, SECOND);
        assert_eq!((world.mhauth_attempts(), world.phase()), (runs, Some(Phase::Registered)));
    }
}

#[test]
fn a_nap_with_the_network_still_there_costs_one_binding_update() {
    for nap in [SECOND * 3, SECOND * 60] {
        let mut world = with_keys_for_a_day(CipherSuite::Aes128Gcm).with_wifi_behind_a_nat();
        let before = world.network.record.len();
        sleeps(&mut world, nap, &[Access::Wifi]);
        assert_ne!(world.phase(), Some(Phase::Registered), "whether the home agent still knows the way is in doubt");
        world.runs_for(SECOND);
        assert_eq!((world.phase(), world.mhauth_runs()), (Some(Phase::Registered), 1));
        assert!(binding_updates(&world, before) <= 2);
    }
}

#[test]
fn a_run_of_mhauth_that_was_in_progress_is_begun_anew() {
    let mut world = registered(CipherSuite::Aes128Gcm);
    world.mobile_node_renews();
    world.runs_for(Duration::from_millis(5));
    assert_eq!((world.mhauth_attempts(), world.mhauth_runs()), (2, 1));
    sleeps(&mut world, SECOND * 60, &[Access::Wifi]);
    world.runs_for(SECOND * 2);
    assert_eq!((world.mhauth_attempts(), world.mhauth_runs()), (3, 2));
}
