//! Bindings and security associations come to their ends: by time, and by the operator's will.

use std::time::Duration;

use mn::mobile_node::Phase;
use protocol::sa::{CipherSuite, UserData};
use protocol::tunnel::DropReason;
use tests::sim::{Access, Options, World};

use super::{SECOND, Traffic, comes_up, complaints, registered, registered_with};

#[test]
fn a_node_that_vanishes_is_forgotten_when_its_binding_ends() {
    let mut world = registered(CipherSuite::Aes128Gcm);
    world.network.loses = Box::new(|_| true);
    world.runs_for(SECOND * 601);
    assert_eq!(world.bound_to(), None);
    assert_eq!(world.logged("the home agent does not answer"), 1, "once an outage");
}

#[test]
fn a_node_that_was_away_longer_than_its_binding_binds_anew_under_the_same_sa() {
    let mut world = registered(CipherSuite::Aes128Gcm);
    let (spi, mut traffic) = (world.bound_under(), Traffic::new(&world, Duration::from_millis(10)));
    world.attaches_to(&[]);
    world.runs_for(SECOND * 599);
    assert!(world.bound_to().is_some());
    world.runs_for(SECOND * 2);
    assert_eq!(world.bound_to(), None);
    world.attaches_to(&[Access::Wifi]);
    traffic.is_back(&mut world, SECOND);
    assert_eq!((world.bound_under(), world.mhauth_runs()), (spi, 1));
}

#[test]
fn under_an_sa_that_has_ended_nothing_is_sent_and_nothing_taken_at_either_end() {
    let hour = SECOND * 3600;
    let protected = CipherSuite::ALL.map(|suite| (suite, UserData::Protected));
    for (suite, user_data) in protected.into_iter().chain([(CipherSuite::Aes128Gcm, UserData::Clear)]) {
        let mut world = registered_with(Options { sa_lifetime: hour, user_data, ..Options::new(suite) });
        let mut traffic = Traffic::new(&world, SECOND);
        world.hac_dies();
        traffic.flows_for(&mut world, hour - SECOND * 5);
        traffic.settles(&mut world);
        traffic.assert_each_once();
        // The end is four seconds away.
        traffic.flows_for(&mut world, SECOND * 5);
        traffic.settles(&mut world);
        let (sealed, received) = (world.network.record.clone(), traffic.received.each_ref().map(Vec::len));
        for access in [Access::Wifi, Access::Lte] {
            world.moves_to(access);
            traffic.flows_for(&mut world, hour / 2);
            assert_eq!(world.network.record.len(), sealed.len(), "{suite}: something was sent after the end, on {access:?}");
        }
        assert_eq!(traffic.received.each_ref().map(Vec::len), received);
        play_back(&mut world, &sealed);
        assert_eq!((world.bound_to(), world.correspondent_received().len()), (None, 0), "{suite}");
        complaints(&mut world);
    }
}

#[test]
fn a_disabled_subscriber_is_cut_off_within_a_second_and_the_home_agent_answers_him_nothing() {
    for suite in CipherSuite::ALL {
        let mut world = registered(suite);
        let mut traffic = Traffic::new(&world, Duration::from_millis(20));
        traffic.flows_for(&mut world, SECOND);
        world.operator_enables_the_subscriber(false);
        world.runs_for(SECOND);
        traffic.settles(&mut world);
        assert_eq!((world.bound_to(), world.home_agent_holds()), (None, 0));
        let (received, sent) = (traffic.received.each_ref().map(Vec::len), world.network.record.len());
        traffic.flows_for(&mut world, SECOND * 60);
        assert_eq!(traffic.received.each_ref().map(Vec::len), received, "{suite}: packets after the end");
        assert!(world.network.record[sent..].iter().all(|sent| sent.is_up()), "{suite}: the home agent answered");
        assert!(world.home_agent_dropped(DropReason::UnknownSpi) > 100);
        assert!(world.correspondent_was_refused().len() > 100, "who sends to him is told");
        assert_ne!(world.phase(), Some(Phase::Registered), "{suite}: the node knows");
        assert!(world.logged("whether the subscriber is enabled") >= 1, "and says what may be the matter");
        complaints(&mut world);
    }
}

#[test]
fn a_subscriber_who_is_enabled_again_is_back_by_himself_with_his_address() {
    let mut world = registered(CipherSuite::Aes128Gcm);
    let home = world.home();
    world.operator_enables_the_subscriber(false);
    let mut traffic = Traffic::new(&world, Duration::from_millis(20));
    traffic.flows_for(&mut world, SECOND * 60);
    world.operator_enables_the_subscriber(true);
    // The backoff is not longer than the time since the first failure, a fifth either way.
    let took = traffic.is_back(&mut world, SECOND * 72);
    println!("back {took:?} after he was enabled");
    comes_up(&mut world, SECOND);
    assert_eq!((world.home(), world.mhauth_runs()), (home, 2));
    complaints(&mut world);
}

/// As an attacker would: everything, to whom it was sent.
fn play_back(world: &mut World, record: &[tests::sim::Datagram]) {
    for datagram in record {
        world.attacker_sends(datagram.from, datagram.to, &datagram.octets);
    }
    world.runs_for(SECOND);
}
