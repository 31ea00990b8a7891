//! Both networks are up for half a second, and nothing is lost, whichever of them is the faster one (RFC 5648).

use std::time::Duration;

use mn::flight_recorder::{Kind, Outcome};
use protocol::features::Features;
use protocol::sa::CipherSuite;
use protocol::tunnel::DropReason;
use tests::sim::{Access, Options, World};

use super::{Traffic, registered_with};

const BOTH: Duration = Duration::from_millis(500);

/// At a home agent that takes several care-of addresses.
fn registered(suite: CipherSuite) -> World {
    registered_with(Options { features: Features::MCOA, ..Options::new(suite) })
}

/// `count` moves, each to a network that is better than the one in use, which is gone half a second later.
fn moves(world: &mut World, traffic: &mut Traffic, count: usize) {
    for access in [Access::Lte, Access::Wifi].into_iter().cycle().take(count) {
        world.gets_better(access);
        traffic.flows_for(world, BOTH);
        world.attaches_to(&[access]);
        traffic.flows_for(world, BOTH);
    }
}

fn assert_nothing_lost(traffic: &Traffic) {
    traffic.assert_each_at_most_once();
    let counts = traffic.received.each_ref().map(Vec::len);
    assert_eq!(counts, [traffic.number as usize; 2], "packets of {} each way", traffic.number);
}

#[test]
fn a_thousand_moves_lose_nothing_and_double_nothing() {
    let mut world = registered(CipherSuite::Aes128Gcm);
    let mut traffic = Traffic::new(&world, Duration::from_millis(5));
    moves(&mut world, &mut traffic, 1_000);
    traffic.settles(&mut world);
    assert_nothing_lost(&traffic);
    assert!(world.home_agent_dropped(DropReason::ReplayedSequence) > 1_000, "packets went over both networks");
    let records = world.handovers();
    assert!(records.iter().all(|one| one.kind == Kind::MakeBeforeBreak && one.lost == 0 && one.duplicates > 0), "{records:?}");
}

#[test]
fn nothing_is_lost_in_any_suite_and_over_networks_of_different_delays_and_behind_a_translator() {
    for suite in CipherSuite::ALL {
        for (wifi, lte) in [(5, 5), (5, 60), (60, 5), (2, 120), (120, 2)] {
            for is_translated in [false, true] {
                let mut world = registered(suite);
                if is_translated {
                    world = world.with_wifi_behind_a_nat();
                }
                world.network.wifi.delay = Duration::from_millis(wifi);
                world.network.lte.delay = Duration::from_millis(lte);
                let mut traffic = Traffic::new(&world, Duration::from_millis(5));
                // The delays have just changed, and the translator has just come.
                traffic.flows_for(&mut world, Duration::from_secs(3));
                traffic.settles(&mut world);
                let mut traffic = Traffic::new(&world, Duration::from_millis(5));
                moves(&mut world, &mut traffic, 4);
                traffic.settles(&mut world);
                assert_nothing_lost(&traffic);
            }
        }
    }
}

#[test]
fn a_better_network_that_leads_nowhere_loses_nothing_and_is_left_alone() {
    let mut world = registered(CipherSuite::Aes128CbcSha);
    world.network.lte.loss = 1.0;
    let mut traffic = Traffic::new(&world, Duration::from_millis(5));
    world.gets_better(Access::Lte);
    traffic.flows_for(&mut world, Duration::from_secs(10));
    traffic.settles(&mut world);
    assert_nothing_lost(&traffic);
    assert!(world.bound_to().unwrap().is_ipv4());
    assert_eq!(world.logged("does not answer over this network"), 1);
    assert_eq!(world.handovers().last().unwrap().outcome, Outcome::Abandoned);
}

#[test]
fn where_both_networks_lose_a_fifth_the_move_itself_loses_less() {
    let mut world = registered(CipherSuite::Aes128Gcm);
    world.network.change_links(|link| link.loss = 0.2);
    let mut traffic = Traffic::new(&world, Duration::from_millis(5));
    moves(&mut world, &mut traffic, 40);
    traffic.settles(&mut world);
    traffic.assert_each_at_most_once();
    for received in &traffic.received {
        let share = received.len() as f64 / f64::from(traffic.number);
        assert!(share > 0.8, "{share}: a copy over another network makes up for some of the loss");
    }
}
