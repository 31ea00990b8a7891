//! A process is killed and started again: a counter is known, or its security association is not used. For every suite in both
//! profiles the same holds, where packets are numbered.

use std::time::Duration;

use mn::mobile_node::Phase;
use protocol::profile::WireProfile;
use protocol::sa::{CipherSuite, UserData};
use protocol::tunnel::DropReason;
use protocol::wire::mobility::Status;
use tests::sim::{Access, Datagram, Options, World};

use super::{SECOND, Traffic, assert_no_number_twice, comes_up, complaints, numbers, registered_with};

/// A node notices two seconds after the last look at which it had heard something, at its looks each 500 ms. Then it asks, is told
/// 176, and takes MHAuth's four round trips and a registration.
const NOTICED: Duration = Duration::from_millis(2_800);
/// MHAuth and a registration are five round trips of 40 ms and the feed's two milliseconds; then a packet crosses.
const BOOTED: Duration = Duration::from_millis(300);

#[test]
fn a_home_agent_killed_under_traffic_is_back_after_one_176_and_one_run_of_mhauth() {
    is_back_after(World::home_agent_dies, World::home_agent_starts, NOTICED, 1);
}

#[test]
fn a_mobile_node_killed_under_traffic_is_back_after_one_run_of_mhauth() {
    is_back_after(World::mobile_node_dies, World::mobile_node_boots, BOOTED, 0);
}

#[test]
fn both_ends_killed_at_once_are_back_after_one_run_of_mhauth() {
    let die = |world: &mut World| {
        world.mobile_node_dies();
        world.home_agent_dies();
    };
    let start = |world: &mut World| {
        world.home_agent_starts();
        world.mobile_node_boots();
    };
    is_back_after(die, start, BOOTED, 0);
}

/// Killed under traffic and started half a second later: packets cross both ways `within` that time of the start, after so many
/// 176s and one run of MHAuth.
fn is_back_after(die: fn(&mut World), start: fn(&mut World), within: Duration, reinitialisations: usize) {
    for kind in every_kind() {
        let (mut world, mut traffic) = talking(kind);
        die(&mut world);
        traffic.flows_for(&mut world, SECOND / 2);
        let recorded = world.network.record.clone();
        start(&mut world);
        let took = traffic.is_back(&mut world, within);
        traffic.flows_for(&mut world, SECOND * 5);
        let said = world.acknowledgements(Status::REINIT_SA_WITH_HAC);
        assert_eq!((said, world.mhauth_runs()), (reinitialisations, 2), "{kind:?}, back after {took:?}");
        assert_the_rules_hold(&mut world, &mut traffic, kind, &recorded);
    }
}

#[test]
fn both_ends_killed_again_and_again_never_use_a_number_twice() {
    for kind in every_kind() {
        let (mut world, mut traffic) = talking(kind);
        let recorded = world.network.record.clone();
        for life in 0..3 {
            world.home_agent_restarts();
            // Once before the node has noticed, once while it authenticates, once after that.
            traffic.flows_for(&mut world, SECOND * 11 / 4 + Duration::from_millis(50) * life);
            world.mobile_node_boots();
            traffic.is_back(&mut world, SECOND);
        }
        assert_the_rules_hold(&mut world, &mut traffic, kind, &recorded);
    }
}

#[test]
fn a_hac_killed_and_started_under_traffic_costs_nobody_a_packet() {
    for kind in every_kind() {
        let (mut world, mut traffic) = talking(kind);
        let recorded = world.network.record.clone();
        world.hac_dies();
        traffic.flows_for(&mut world, SECOND * 5);
        world.hac_starts();
        traffic.flows_for(&mut world, SECOND * 5);
        world.mobile_node_renews();
        traffic.flows_for(&mut world, SECOND * 5);
        traffic.settles(&mut world);
        traffic.assert_each_once();
        assert_eq!((world.acknowledgements(Status::REINIT_SA_WITH_HAC), world.mhauth_runs()), (0, 2), "{kind:?}: only as asked");
        assert_the_rules_hold(&mut world, &mut traffic, kind, &recorded);
    }
}

#[test]
fn the_home_agent_serves_what_it_has_for_hours_while_the_hac_is_away() {
    let (mut world, mut traffic) = talking((CipherSuite::Aes128Gcm, WireProfile::Rfc6618));
    world.hac_dies();
    traffic.every = SECOND;
    for access in [Access::Lte, Access::Wifi, Access::Lte] {
        world.fades_to(&[access]);
        traffic.flows_for(&mut world, SECOND * 7200);
        assert_eq!((world.phase(), world.bound_to().unwrap().is_ipv6()), (Some(Phase::Registered), access == Access::Lte));
    }
    traffic.settles(&mut world);
    traffic.assert_each_once();
    assert_eq!(world.mhauth_runs(), 1);
}

/// It has nothing then: what it is sent it drops, and what others send to the node it refuses.
#[test]
fn a_home_agent_killed_while_the_hac_is_away_has_nothing_until_the_hac_is_back_and_then_all_is_back() {
    for kind in every_kind() {
        let (mut world, mut traffic) = talking(kind);
        world.hac_dies();
        world.home_agent_restarts();
        let before = traffic.received.each_ref().map(Vec::len);
        traffic.flows_for(&mut world, SECOND * 30);
        assert_eq!((world.home_agent_holds(), traffic.received.each_ref().map(Vec::len)), (0, before), "{kind:?}");
        let unknown = world.home_agent_dropped(DropReason::UnknownSpi) + world.home_agent_dropped(DropReason::PlaintextRefused);
        assert!(unknown > 1_000 && world.correspondent_was_refused().len() > 1_000, "{kind:?}");
        assert!(complaints(&mut world) > 0, "the node says so");
        let recorded = world.network.record.clone();
        world.hac_starts();
        // The home agent subscribes anew each second, the node asks for keys each 32 s at the latest.
        let took = traffic.is_back(&mut world, SECOND * 34);
        println!("{kind:?}: back {took:?} after the HAC");
        traffic.flows_for(&mut world, SECOND * 40);
        println!("{:?}", (world.acknowledgements(Status::REINIT_SA_WITH_HAC), world.mhauth_runs()));
        assert!(world.acknowledgements(Status::REINIT_SA_WITH_HAC) <= 1 && world.mhauth_runs() == 2, "{kind:?}");
        assert_the_rules_hold(&mut world, &mut traffic, kind, &recorded);
        complaints(&mut world);
        world.logged("an authenticated mobile node was refused");
    }
}

/// Each life has numbers of its own for its 176. None of these five comes through; the next one does.
#[test]
fn a_home_agent_killed_five_times_in_a_row_says_176_under_other_numbers_each_time() {
    for kind in every_kind() {
        let (mut world, mut traffic) = talking(kind);
        let recorded = world.network.record.clone();
        let update = recorded.iter().rev().find(|sent| sent.is_up() && sent.is_signalling()).unwrap();
        let (spi, seen) = (world.bound_under().unwrap().get(), recorded.len());
        world.network.loses = Box::new(|_| true);
        for _ in 0..5 {
            world.home_agent_restarts();
            world.runs_for(Duration::from_millis(10));
            world.attacker_sends(update.from, update.to, &update.octets);
            world.runs_for(Duration::from_millis(10));
            assert_eq!(world.acknowledgements(Status::REINIT_SA_WITH_HAC), 1, "{kind:?}");
        }
        world.network.loses = Box::new(|_| false);
        let said: Vec<u32> = numbers(&world)[seen..].iter().filter(|sent| sent.0 == spi && !sent.1).map(|sent| sent.2).collect();
        let leases: Vec<u32> = if is_numbered(kind) { (0..5).map(|n| 0xF000_0000 + n * 65_536).collect() } else { vec![0; 5] };
        assert_eq!(said, leases, "{kind:?}");
        traffic.is_back(&mut world, NOTICED);
        traffic.flows_for(&mut world, SECOND * 5);
        assert_eq!((world.acknowledgements(Status::REINIT_SA_WITH_HAC), world.mhauth_runs()), (2, 2), "{kind:?}");
        assert_the_rules_hold(&mut world, &mut traffic, kind, &recorded);
    }
}

/// A Binding Update is under way for 20 ms, its acknowledgement for 20 more.
#[test]
fn a_home_agent_killed_in_the_midst_of_a_registration_is_back_after_one_176_and_one_run_of_mhauth() {
    for kind in every_kind() {
        for at in [1, 10, 19, 20, 21, 30, 39] {
            let (mut world, mut traffic) = talking(kind);
            world.moves_to(Access::Lte);
            world.runs_for(Duration::from_millis(at));
            let recorded = world.network.record.clone();
            world.home_agent_restarts();
            traffic.is_back(&mut world, NOTICED);
            traffic.flows_for(&mut world, SECOND * 5);
            let said = world.acknowledgements(Status::REINIT_SA_WITH_HAC);
            assert_eq!((said, world.mhauth_runs()), (1, 2), "{kind:?}, after {at} ms");
            assert!(world.bound_to().unwrap().is_ipv6());
            assert_the_rules_hold(&mut world, &mut traffic, kind, &recorded);
        }
    }
}

type Kind = (CipherSuite, WireProfile);

fn every_kind() -> impl Iterator<Item = Kind> {
    let profiles = [WireProfile::Rfc6618, WireProfile::Draft04].into_iter();
    profiles.flat_map(|profile| CipherSuite::ALL.into_iter().map(move |suite| (suite, profile)))
}

fn is_numbered((suite, profile): Kind) -> bool {
    profile == WireProfile::Rfc6618 || suite.encrypts()
}

/// Registered, with a second of traffic behind it. What the draft does not number goes in the clear, since nothing else can.
fn talking(kind: Kind) -> (World, Traffic) {
    let (suite, profile) = kind;
    let user_data = if is_numbered(kind) { UserData::Protected } else { UserData::Clear };
    let mut world = registered_with(Options { profile, user_data, ..Options::new(suite) });
    let mut traffic = Traffic::new(&world, Duration::from_millis(20));
    traffic.flows_for(&mut world, SECOND);
    traffic.settles(&mut world);
    traffic.assert_each_once();
    (world, traffic)
}

/// No number twice under one key, and nothing that was sent before the restart is worth anything after it.
fn assert_the_rules_hold(world: &mut World, traffic: &mut Traffic, kind: Kind, recorded: &[Datagram]) {
    traffic.settles(world);
    traffic.assert_each_at_most_once();
    if is_numbered(kind) {
        assert_no_number_twice(world);
    } else {
        assert!(numbers(world).iter().all(|(.., number)| *number == 0), "the draft numbers nothing under a NULL suite");
        world.logged("no replay protection");
    }
    comes_up(world, SECOND);
    let state = |world: &World| (world.bound_to(), world.bound_under(), world.phase(), world.mhauth_runs());
    let before = state(world);
    for datagram in recorded {
        // What went in the clear is as good as its source: a stranger's is worth nothing.
        let is_clear = datagram.ptype() == 0;
        let from = if is_clear { ([198, 51, 100, 66], 6666).into() } else { datagram.from };
        world.attacker_sends(from, datagram.to, &datagram.octets);
    }
    world.runs_for(SECOND);
    assert_eq!((world.correspondent_received().len(), world.mobile_node_received().len()), (0, 0), "{kind:?}");
    assert_eq!(state(world), before, "{kind:?}: a recording has moved something");
}
