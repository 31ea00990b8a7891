//! The old network is gone before the new one is there: what was sent meanwhile is late instead of lost.

use std::time::Duration;

use protocol::features::Features;
use protocol::sa::CipherSuite;
use tests::sim::{Access, Options};

use super::{SECOND, Traffic, World, assert_no_number_twice, registered, registered_with};

const EVERY: Duration = Duration::from_millis(2);

fn resending(suite: CipherSuite) -> World {
    registered_with(Options { features: Features::RESEND, ..Options::new(suite) })
}

/// Moves with a hole between the old network and the new one, under traffic both ways.
fn moves(world: &mut World, traffic: &mut Traffic, hole: Duration, count: usize) {
    for access in [Access::Lte, Access::Wifi].into_iter().cycle().take(count) {
        if hole.is_zero() {
            world.moves_to(access);
        } else {
            world.attaches_to(&[]);
            traffic.flows_for(world, hole);
            world.attaches_to(&[access]);
        }
        traffic.flows_for(world, SECOND);
    }
    traffic.settles(world);
}

#[test]
fn a_hole_of_up_to_a_third_of_a_second_loses_nothing_in_any_suite() {
    for suite in CipherSuite::ALL {
        for hole in [0, 1, 20, 200, 330].map(Duration::from_millis) {
            let mut world = resending(suite);
            let mut traffic = Traffic::new(&world, EVERY);
            traffic.flows_for(&mut world, SECOND);
            moves(&mut world, &mut traffic, hole, 4);
            println!(
                "{suite}, a hole of {hole:?}: {:?} of {} arrived",
                traffic.received.each_ref().map(Vec::len),
                traffic.number
            );
            traffic.assert_each_once();
            assert_no_number_twice(&world);
        }
    }
}

/// What is too old is nobody's any more.
#[test]
fn a_hole_of_two_seconds_loses_what_was_sent_in_its_first_one_and_a_half() {
    let mut world = resending(CipherSuite::Aes128Gcm);
    let mut traffic = Traffic::new(&world, EVERY);
    moves(&mut world, &mut traffic, SECOND * 2, 1);
    traffic.assert_each_at_most_once();
    for (lost, way) in
        traffic.received.each_ref().map(|received| traffic.number as usize - received.len()).into_iter().zip(["up", "down"])
    {
        assert!((700..=770).contains(&lost), "{way}: {lost}");
    }
}

/// Its own packets a node sends again whoever its home agent is.
#[test]
fn a_plain_home_agent_costs_the_downlink_its_hole_and_the_uplink_nothing() {
    let mut world = registered(CipherSuite::Aes128Gcm);
    let mut traffic = Traffic::new(&world, EVERY);
    moves(&mut world, &mut traffic, Duration::from_millis(200), 2);
    traffic.assert_each_at_most_once();
    let [up, down] = traffic.received.each_ref().map(|received| traffic.number as usize - received.len());
    assert!(up == 0 && down >= 200, "{up} and {down} lost");
}
