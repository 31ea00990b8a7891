//! A node moves from one network to another; its home address does not.

use std::time::Duration;

use mn::mobile_node::Phase;
use protocol::sa::CipherSuite;
use protocol::tunnel::DropReason;
use tests::sim::{Access, Options};

use super::{SECOND, Traffic, assert_no_number_twice, complaints, down, home6, registered, registered_with, up};

#[test]
fn after_a_move_packets_find_the_node_one_way_later_and_its_address_stays() {
    let mut world = registered(CipherSuite::Aes128Gcm);
    let home = home6(&world);
    assert!(world.bound_to().unwrap().is_ipv4());
    world.moves_to(Access::Lte);
    world.mobile_node_sends(&up(&world, b"at once"));
    world.runs_for(world.network.wifi.delay);
    assert_eq!(world.correspondent_received(), [up(&world, b"at once")], "the uplink does not wait for the acknowledgement");
    assert!(world.bound_to().unwrap().is_ipv6(), "the downlink moves with the Binding Update");
    world.correspondent_sends(&down(&world, b"there"));
    world.runs_for(SECOND);
    assert_eq!(world.mobile_node_received(), [down(&world, b"there")]);
    assert_eq!((home6(&world), world.phase()), (home, Some(Phase::Registered)));
}

#[test]
fn a_packet_on_its_way_to_the_old_care_of_address_still_arrives_while_that_network_lives() {
    let mut world = registered(CipherSuite::Aes128CbcSha);
    world.attaches_to(&[Access::Wifi, Access::Lte]);
    world.correspondent_sends(&down(&world, b"before"));
    world.fades_to(&[Access::Lte]);
    world.runs_for(SECOND);
    assert_eq!(world.mobile_node_received(), [down(&world, b"before")]);
}

#[test]
fn the_loss_of_one_datagram_of_a_move_costs_the_downlink_no_time() {
    for suite in CipherSuite::ALL {
        for lost in 1..=2 {
            let mut world = registered(suite);
            let sent = world.network.record.len() as u64;
            world.network.loses = Box::new(move |number| number == sent + lost);
            world.moves_to(Access::Lte);
            world.runs_for(world.network.lte.delay);
            assert!(world.bound_to().unwrap().is_ipv6(), "{suite}, datagram {lost}");
            assert_eq!(world.home_agent_dropped(DropReason::ReplayedSequence), 1, "{suite}: the first registration's copy");
        }
    }
}

#[test]
fn however_often_it_moves_on_bad_links_nothing_is_delivered_twice_and_nothing_that_was_not_sent() {
    for seed in 0..4 {
        for suite in CipherSuite::ALL {
            let mut world = registered_with(Options { seed, ..Options::new(suite) });
            let jitter = Duration::from_millis(30);
            world.network.change_links(|link| (link.loss, link.duplication, link.jitter) = (0.1, 0.1, jitter));
            let mut traffic = Traffic::new(&world, Duration::from_millis(5));
            for access in [Access::Lte, Access::Wifi].repeat(6) {
                world.moves_to(access);
                traffic.flows_for(&mut world, Duration::from_millis(700));
            }
            world.network.change_links(|link| (link.loss, link.duplication, link.jitter) = (0.0, 0.0, Duration::ZERO));
            traffic.is_back(&mut world, SECOND * 5);
            traffic.settles(&mut world);
            traffic.assert_each_at_most_once();
            let arrived = traffic.received.each_ref().map(|received| received.len() * 100 / traffic.number as usize);
            println!("{suite}, seed {seed}: {arrived:?} % of {} arrived", traffic.number);
            assert!(arrived[0] >= 85, "the uplink waits for nothing");
            assert_no_number_twice(&world);
            complaints(&mut world);
        }
    }
}

#[test]
fn a_node_that_has_the_new_network_before_it_loses_the_old_one_loses_no_packet() {
    for suite in CipherSuite::ALL {
        let mut world = registered(suite);
        let mut traffic = Traffic::new(&world, Duration::from_millis(1));
        for (old, new) in [(Access::Wifi, Access::Lte), (Access::Lte, Access::Wifi)].repeat(2) {
            let bound = world.bound_to();
            world.attaches_to(&[old, new]);
            traffic.flows_for(&mut world, SECOND / 2);
            assert_eq!(world.bound_to(), bound, "what works is not left");
            world.fades_to(&[new]);
            traffic.flows_for(&mut world, SECOND / 2);
            assert_eq!(world.bound_to().unwrap().is_ipv6(), new == Access::Lte);
        }
        traffic.settles(&mut world);
        traffic.assert_each_once();
        assert_eq!(world.mhauth_runs(), 1);
    }
}

#[test]
fn after_a_while_without_any_network_one_round_trip_brings_the_traffic_back() {
    for without in [SECOND * 10, SECOND * 600, SECOND * 7200] {
        for access in [Access::Wifi, Access::Lte] {
            let mut world = registered(CipherSuite::Aes128Gcm);
            let mut traffic = Traffic::new(&world, Duration::from_millis(5));
            world.attaches_to(&[]);
            traffic.flows_for(&mut world, SECOND);
            assert_eq!((world.phase(), traffic.received.each_ref().map(Vec::len)), (Some(Phase::Detached), [0, 0]));
            world.runs_for(without);
            world.attaches_to(&[access]);
            let took = traffic.is_back(&mut world, SECOND * 5);
            println!("{without:?} without a network, then {access:?}: {took:?}");
            assert!(took <= world.network.wifi.delay * 3, "the Binding Update's way, and what follows it");
            traffic.settles(&mut world);
            traffic.assert_each_at_most_once();
            assert_eq!((world.phase(), world.mhauth_runs()), (Some(Phase::Registered), 1));
        }
    }
}

#[test]
fn a_node_that_moves_to_and_fro_faster_than_a_round_trip_is_bound_where_it_stays() {
    for (moves, last) in [(20, Access::Wifi), (21, Access::Lte)] {
        let mut world = registered(CipherSuite::Aes128Gcm);
        let mut traffic = Traffic::new(&world, Duration::from_millis(2));
        for access in [Access::Lte, Access::Wifi].into_iter().cycle().take(moves) {
            world.moves_to(access);
            traffic.flows_for(&mut world, Duration::from_millis(10));
        }
        let took = traffic.is_back(&mut world, SECOND * 2);
        println!("{moves} moves, one each 10 ms: back {took:?} after the last");
        traffic.settles(&mut world);
        traffic.assert_each_at_most_once();
        assert_eq!((world.phase(), world.bound_to().unwrap().is_ipv6()), (Some(Phase::Registered), last == Access::Lte));
    }
}
