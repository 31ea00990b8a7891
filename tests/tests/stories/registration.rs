//! Binding Updates and their acknowledgements (RFC 6275 sections 9.5, 11.7 and 11.8).

use std::time::Duration;

use mn::mobile_node::Phase;
use protocol::sa::CipherSuite;
use protocol::tunnel::DropReason;
use protocol::wire::mobility::Status;
use tests::sim::packet::{CORRESPONDENT4, CORRESPONDENT6, udp};
use tests::sim::{Access, World};

use super::{SECOND, Traffic, assert_no_number_twice, complaints, down, home6, registered};

#[test]
fn a_lost_binding_update_is_sent_again_with_a_new_sequence_number() {
    let mut world = registered(CipherSuite::NullSha);
    let sent = world.network.record.len() as u64;
    // Both datagrams of it.
    world.network.loses = Box::new(move |number| (sent + 1..=sent + 2).contains(&number));
    world.moves_to(Access::Lte);
    world.runs_for(Duration::from_millis(100));
    assert!(world.bound_to().unwrap().is_ipv4(), "the first one is lost");
    world.runs_for(Duration::from_millis(150));
    assert!(world.bound_to().unwrap().is_ipv6(), "three round trips and 50 ms later the second one is not");
    assert_no_number_twice(&world);
}

#[test]
fn a_lost_binding_acknowledgement_costs_one_more_binding_update_and_no_packet() {
    let mut world = registered(CipherSuite::Aes128Gcm);
    let mut traffic = Traffic::new(&world, Duration::from_millis(10));
    world.moves_to(Access::Lte);
    world.runs_for(Duration::from_millis(19));
    while_everything_is_lost(&mut world, |world| world.runs_for(Duration::from_millis(2)));
    let accepted = world.acknowledgements(Status::ACCEPTED);
    traffic.flows_for(&mut world, SECOND);
    traffic.settles(&mut world);
    traffic.assert_each_once();
    assert_eq!((world.acknowledgements(Status::ACCEPTED) - accepted, world.phase()), (1, Some(Phase::Registered)));
    assert_no_number_twice(&world);
}

#[test]
fn signalling_that_arrives_twice_is_heeded_once() {
    let mut world = registered(CipherSuite::Aes128CbcSha);
    world.network.change_links(|link| link.duplication = 1.0);
    let (accepted, dropped) = (world.acknowledgements(Status::ACCEPTED), world.home_agent_dropped(DropReason::ReplayedSequence));
    world.moves_to(Access::Lte);
    world.runs_for(SECOND * 60);
    assert_eq!((world.phase(), world.mhauth_runs()), (Some(Phase::Registered), 1));
    assert_eq!(world.acknowledgements(Status::ACCEPTED), accepted + 1);
    assert!(world.home_agent_dropped(DropReason::ReplayedSequence) > dropped);
    assert!(world.mobile_node_dropped(DropReason::ReplayedSequence) >= 1);
}

#[test]
fn an_acknowledgement_that_another_one_has_overtaken_changes_nothing() {
    let mut world = registered(CipherSuite::Aes128Gcm);
    world.moves_to(Access::Lte);
    world.runs_for(Duration::from_millis(19));
    detained_for(&mut world, SECOND / 4, |world| world.runs_for(Duration::from_millis(2)));
    world.moves_to(Access::Wifi);
    world.runs_for(Duration::from_millis(45));
    let (accepted, bound) = (world.acknowledgements(Status::ACCEPTED), world.bound_to());
    assert!(world.phase() == Some(Phase::Registered) && bound.unwrap().is_ipv4());
    world.runs_for(SECOND);
    assert_eq!((world.phase(), world.bound_to()), (Some(Phase::Registered), bound));
    assert_eq!(world.acknowledgements(Status::ACCEPTED), accepted, "nobody asked again");
}

/// The first Binding Update comes after the second, whose acknowledgement is lost: 135 is then all that the node hears.
#[test]
fn a_binding_update_out_of_order_is_answered_135_and_the_node_goes_on_from_there_at_once() {
    let mut world = registered(CipherSuite::Aes128Gcm);
    detained_for(&mut world, SECOND * 3 / 10, |world| world.moves_to(Access::Lte));
    world.runs_for(Duration::from_millis(180));
    while_everything_is_lost(&mut world, |world| world.runs_for(Duration::from_millis(20)));
    assert_eq!(world.phase(), Some(Phase::Registering));
    world.runs_for(Duration::from_millis(185));
    assert!(world.acknowledgements(Status::SEQUENCE_OUT_OF_WINDOW) >= 1);
    assert_eq!(world.phase(), Some(Phase::Registered), "two round trips after 135, no timer has passed");
    assert!(world.bound_to().unwrap().is_ipv6());
    assert_eq!(world.mhauth_runs(), 1);
}

#[test]
fn a_binding_outlives_hours_on_a_link_that_loses_a_fifth() {
    for seed in 0..5 {
        let mut world = super::registered_with(tests::sim::Options { seed, ..tests::sim::Options::new(CipherSuite::Aes128Gcm) });
        world.network.change_links(|link| link.loss = 0.2);
        for _ in 0..4 * 360 {
            world.runs_for(SECOND * 10);
            assert!(world.bound_to().is_some(), "seed {seed}: not bound after {:?}", world.elapsed());
        }
        assert!(world.acknowledgements(Status::ACCEPTED) >= 4 * 3600 / 480);
        complaints(&mut world);
    }
}

#[test]
fn a_correspondent_hears_that_a_node_is_unreachable_while_it_is_not_bound() {
    let mut world = registered(CipherSuite::Aes128Gcm);
    let (home6, home4) = (home6(&world), world.home().unwrap().ip4().unwrap().into());
    let packets = [down(&world, b"anybody?"), udp(CORRESPONDENT4.into(), home4, b"anybody?")];
    world.mobile_node_leaves();
    world.runs_for(SECOND);
    for packet in &packets {
        world.correspondent_sends(packet);
    }
    let [six, four] = &world.correspondent_was_refused()[..] else { panic!("an answer to each") };
    assert_eq!((six[40], six[41]), (1, 3), "ICMPv6 destination unreachable, address unreachable");
    assert_eq!((four[20], four[21]), (3, 1), "ICMP destination unreachable, host unreachable");
    assert_eq!(world.home_agent_dropped(DropReason::NoTunnel), 2);
    world.mobile_node_boots();
    world.runs_for(SECOND);
    world.correspondent_sends(&udp(CORRESPONDENT6.into(), home6, b"there"));
    world.runs_for(SECOND);
    assert_eq!((world.mobile_node_received().len(), world.correspondent_was_refused().len()), (1, 0));
}

fn while_everything_is_lost(world: &mut World, happens: impl Fn(&mut World)) {
    world.network.loses = Box::new(|_| true);
    happens(world);
    world.network.loses = Box::new(|_| false);
}

/// What is sent while `happens` arrives so much later.
fn detained_for(world: &mut World, time: Duration, happens: impl Fn(&mut World)) {
    world.network.detains = Box::new(move |_| time);
    happens(world);
    world.network.detains = Box::new(|_| Duration::ZERO);
}
