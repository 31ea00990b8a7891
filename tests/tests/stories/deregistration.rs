//! A node leaves: it ends its binding, and then itself, whoever answers.

use std::time::Duration;

use protocol::sa::CipherSuite;
use protocol::tunnel::DropReason;

use super::{SECOND, registered, up};

#[test]
fn a_binding_is_refreshed_for_hours_and_ends_when_the_node_leaves() {
    let mut world = registered(CipherSuite::Aes128Gcm);
    world.runs_for(SECOND * 3600 * 3);
    assert!(world.bound_to().is_some());
    world.mobile_node_leaves();
    world.runs_for(SECOND);
    assert_eq!((world.bound_to(), world.phase()), (None, None));
}

#[test]
fn a_node_whose_farewell_is_not_answered_repeats_it_and_ends() {
    for lost in [Duration::ZERO, Duration::from_millis(19)] {
        let mut world = registered(CipherSuite::Aes128Gcm);
        world.network.loses = Box::new(move |_| lost.is_zero());
        world.mobile_node_leaves();
        world.runs_for(lost);
        // Either the Binding Update is lost, or its acknowledgement.
        world.network.loses = Box::new(|_| true);
        world.runs_for(Duration::from_millis(100));
        world.network.loses = Box::new(|_| false);
        assert!(world.phase().is_some());
        world.runs_for(SECOND);
        assert_eq!((world.phase(), world.bound_to()), (None, None), "the second one says the same");
    }
}

#[test]
fn a_node_whose_home_agent_is_dead_ends_all_the_same() {
    let mut world = registered(CipherSuite::Aes128Gcm);
    world.home_agent_dies();
    world.mobile_node_leaves();
    let start = world.elapsed();
    while world.phase().is_some() {
        world.runs_for(Duration::from_millis(10));
        assert!(world.elapsed() - start < SECOND * 7, "three Binding Updates wait 1 s, 2 s and 4 s at most");
    }
    println!("ended after {:?}", world.elapsed() - start);
}

#[test]
fn a_packet_that_comes_after_the_farewell_is_dropped_and_counted() {
    for suite in CipherSuite::ALL {
        let mut world = registered(suite);
        world.network.detains = Box::new(|_| SECOND / 2);
        world.mobile_node_sends(&up(&world, b"too late"));
        world.network.detains = Box::new(|_| Duration::ZERO);
        world.mobile_node_leaves();
        world.runs_for(SECOND);
        assert_eq!(world.correspondent_received().len(), 0, "{suite}");
        assert_eq!(world.home_agent_dropped(DropReason::NoBinding), 1, "{suite}");
    }
}

#[test]
fn a_node_that_comes_again_has_the_home_addresses_that_it_had() {
    let mut world = registered(CipherSuite::Aes128Gcm);
    let home = world.home();
    for _ in 0..6 {
        world.mobile_node_leaves();
        world.runs_for(SECOND * 1000);
        world.mobile_node_boots();
        world.runs_for(SECOND);
        assert_eq!(world.home(), home);
    }
    assert_eq!(world.mhauth_runs(), 7);
}
