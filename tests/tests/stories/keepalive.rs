//! A silent node learns how long its NAT keeps a mapping, and what that costs.

use std::time::Duration;

use protocol::sa::{CipherSuite, UserData};
use tests::sim::{Access, Options, World};

use super::SECOND;

const STEP: Duration = Duration::from_millis(100);
const HOUR: Duration = Duration::from_secs(3_600);
/// A look at the counters is up to half a second late, and the answer takes one and a half round trips of 40 ms.
const LATE: Duration = Duration::from_millis(1_100);

/// Registered behind a NAT that keeps a silent mapping so long.
fn registered(lifetime: Duration, user_data: UserData) -> World {
    let options = Options { user_data, ..Options::new(CipherSuite::Aes128Gcm) };
    let mut world = World::with(options).with_wifi_behind_a_nat();
    world.network.nat.as_mut().unwrap().lifetime = lifetime;
    world.mobile_node_boots();
    world.runs_for(SECOND);
    assert!(world.is_proved());
    world
}

/// How long the node is out of reach: in all, and at most at a time.
fn out_of_reach(world: &mut World, during: Duration) -> [Duration; 2] {
    let (mut sum, mut longest, mut current) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let end = world.elapsed() + during;
    while world.elapsed() < end {
        world.runs_for(STEP);
        current = if world.is_mapped_where_it_is_bound() { Duration::ZERO } else { current + STEP };
        sum += if current.is_zero() { current } else { STEP };
        longest = longest.max(current);
    }
    [sum, longest]
}

#[test]
fn a_silent_node_learns_how_long_a_mapping_lives_and_is_never_out_of_reach_for_longer_than_it_tries() {
    for user_data in [UserData::Protected, UserData::Clear] {
        for (seconds, most_lost) in [(30, 6), (60, 22), (120, 0), (300, 0)] {
            let mut world = registered(SECOND * seconds, user_data);
            let [lost, longest] = out_of_reach(&mut world, HOUR);
            let interval = world.keepalive_interval().unwrap();
            let before = world.keepalives();
            let afterwards = out_of_reach(&mut world, HOUR);
            let sent = world.keepalives() - before;
            eprintln!(
                "{user_data:?}, mappings live {seconds} s: every {interval:.1?}; out of reach {lost:.1?} while learning, {longest:.1?} at a time; \
                 {sent} keepalives an hour afterwards"
            );
            assert!(interval + LATE < SECOND * seconds || interval <= SECOND * 110 && seconds > 110, "every {interval:?}");
            assert!(interval * 2 > (SECOND * seconds).min(SECOND * 110), "every {interval:?} is much more often than needed");
            assert!(lost <= SECOND * most_lost, "out of reach {lost:?}");
            assert_eq!(afterwards, [Duration::ZERO; 2], "afterwards");
            assert!(sent <= 3_600 / (seconds.min(110) as u64 * 3 / 4) + 1, "{sent} keepalives an hour");
        }
    }
}

#[test]
fn what_was_learnt_is_known_when_the_node_comes_back() {
    let mut world = registered(SECOND * 60, UserData::Protected);
    out_of_reach(&mut world, HOUR);
    let learnt = world.keepalive_interval();
    world.moves_to(Access::Lte);
    world.runs_for(SECOND);
    assert_eq!(world.keepalive_interval(), None, "no NAT");
    world.moves_to(Access::Wifi);
    world.runs_for(SECOND);
    assert_eq!(world.keepalive_interval(), learnt);
    assert_eq!(out_of_reach(&mut world, HOUR), [Duration::ZERO; 2]);
}

#[test]
fn a_silent_node_whose_nat_is_restarted_is_out_of_reach_for_no_longer_than_its_interval_and_keeps_it() {
    let mut world = registered(SECOND * 60, UserData::Protected);
    out_of_reach(&mut world, HOUR);
    let learnt = world.keepalive_interval().unwrap();
    for pause in [7, 31, 5, 44] {
        world.runs_for(SECOND * pause);
        world.nat_forgets_mappings();
        let [_, longest] = out_of_reach(&mut world, SECOND * 120);
        assert!(longest > Duration::ZERO && longest <= learnt + LATE, "{longest:?} where {learnt:?} was learnt");
    }
    assert_eq!(world.keepalive_interval(), Some(learnt));
}

#[test]
fn a_nat_that_comes_to_keep_mappings_for_less_time_is_learnt_anew() {
    let mut world = registered(SECOND * 120, UserData::Protected);
    out_of_reach(&mut world, HOUR);
    world.network.nat.as_mut().unwrap().lifetime = SECOND * 40;
    out_of_reach(&mut world, HOUR);
    assert!(world.keepalive_interval().unwrap() < SECOND * 40, "every {:?}", world.keepalive_interval());
    assert_eq!(out_of_reach(&mut world, HOUR), [Duration::ZERO; 2]);
}
