//! Stories in the simulated world: one behaviour each.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up has failed")]

mod nat;
mod profiles;
mod renewal;
mod world;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use hac::store::Pools;
use mn::mobile_node::Phase;
use protocol::sa::CipherSuite;
use protocol::tunnel::DropReason;
use tests::sim::packet::{CORRESPONDENT4, CORRESPONDENT6, udp};
use tests::sim::{Access, Options, World};

const SECOND: Duration = Duration::from_secs(1);

fn registered(suite: CipherSuite) -> World {
    registered_with(Options::new(suite))
}

fn registered_with(options: Options) -> World {
    let mut world = World::with(options);
    world.mobile_node_boots();
    world.runs_for(SECOND);
    assert_eq!(world.phase(), Some(Phase::Registered));
    world
}

fn home6(world: &World) -> IpAddr {
    world.home().unwrap().ip6().unwrap().into()
}

fn up(world: &World, payload: &[u8]) -> Vec<u8> {
    udp(home6(world), CORRESPONDENT6.into(), payload)
}

fn down(world: &World, payload: &[u8]) -> Vec<u8> {
    udp(CORRESPONDENT6.into(), home6(world), payload)
}

/// (SPI, direction, sequence number) of every datagram on the wire.
fn numbers(world: &World) -> Vec<(u32, bool, u32)> {
    let word = |octets: &[u8]| u32::from_be_bytes(octets.try_into().unwrap());
    let number = |datagram: &tests::sim::Datagram| {
        (word(&datagram.octets[..4]) & 0x0fff_ffff, datagram.to.port() == 7872, word(&datagram.octets[4..8]))
    };
    world.network.record.iter().map(number).collect()
}

fn assert_no_number_twice(world: &World) {
    let numbers = numbers(world);
    assert_eq!(numbers.iter().collect::<BTreeSet<_>>().len(), numbers.len(), "a (key, sequence number) pair was used twice");
}

#[test]
fn a_node_authenticates_registers_and_talks_both_ways_in_both_families() {
    for suite in CipherSuite::ALL {
        let mut world = registered(suite);
        let home4: IpAddr = world.home().unwrap().ip4().unwrap().into();
        let sent = [up(&world, b"six"), udp(home4, CORRESPONDENT4.into(), b"four")];
        let answers = [down(&world, b"SIX"), udp(CORRESPONDENT4.into(), home4, b"FOUR")];
        for (packet, answer) in sent.iter().zip(&answers) {
            world.mobile_node_sends(packet);
            world.correspondent_sends(answer);
        }
        world.runs_for(SECOND);
        assert_eq!(world.correspondent_received(), sent, "{suite}");
        assert_eq!(world.mobile_node_received(), answers, "{suite}");
    }
}

#[test]
fn a_node_with_home_addresses_of_one_family_talks_and_moves_over_both() {
    let both = Options::new(CipherSuite::Aes128Gcm).pools;
    for pools in [Pools { ip4: None, ..both }, Pools { ip6: None, ..both }] {
        let mut world = registered_with(Options { pools, ..Options::new(CipherSuite::Aes128Gcm) });
        let home = world.home().unwrap();
        assert_eq!((home.ip6().is_some(), home.ip4().is_some()), (pools.ip6.is_some(), pools.ip4.is_some()));
        let (home, correspondent) = match home.ip4() {
            Some(ip) => (IpAddr::V4(ip), CORRESPONDENT4.into()),
            None => (home6(&world), CORRESPONDENT6.into()),
        };
        let (sent, answer) = (udp(home, correspondent, b"up"), udp(correspondent, home, b"down"));
        for access in [Access::Wifi, Access::Lte, Access::Wifi] {
            world.moves_to(access);
            world.runs_for(SECOND);
            world.mobile_node_sends(&sent);
            world.correspondent_sends(&answer);
            world.runs_for(SECOND);
            assert_eq!(world.correspondent_received(), std::slice::from_ref(&sent), "{home} on {access:?}");
            assert_eq!(world.mobile_node_received(), std::slice::from_ref(&answer), "{home} on {access:?}");
        }
    }
}

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
    world.attaches_to(&[Access::Lte]);
    world.runs_for(SECOND);
    assert_eq!(world.mobile_node_received(), [down(&world, b"before")]);
}

#[test]
fn a_lost_binding_update_is_sent_again_with_a_new_sequence_number() {
    let mut world = registered(CipherSuite::NullSha);
    let sent = world.network.record.len() as u64;
    world.network.loses = Box::new(move |number| number == sent + 1);
    world.moves_to(Access::Lte);
    world.runs_for(Duration::from_millis(100));
    assert!(world.bound_to().unwrap().is_ipv4(), "the first one is lost");
    world.runs_for(Duration::from_millis(150));
    assert!(world.bound_to().unwrap().is_ipv6(), "three round trips and 50 ms later the second one is not");
    assert_no_number_twice(&world);
}

#[test]
fn doubled_and_reordered_datagrams_are_delivered_once_each() {
    for suite in CipherSuite::ALL {
        let mut world = registered(suite);
        world.network.doubles = Box::new(|number| number % 3 == 0);
        world.network.detains = Box::new(|number| Duration::from_micros(number * 7_919 % 30_000));
        let (mut sent, mut answers) = (BTreeSet::new(), BTreeSet::new());
        for number in 0_u32..100 {
            sent.insert(up(&world, &number.to_be_bytes()));
            world.mobile_node_sends(&up(&world, &number.to_be_bytes()));
            answers.insert(down(&world, &number.to_be_bytes()));
            world.correspondent_sends(&down(&world, &number.to_be_bytes()));
            world.runs_for(Duration::from_millis(1));
        }
        world.runs_for(SECOND);
        let (received, came) = (world.correspondent_received(), world.mobile_node_received());
        assert!(!received.is_sorted(), "{suite}: they arrived in order, so nothing is shown");
        assert_eq!((received.len(), came.len()), (100, 100), "{suite}");
        assert_eq!((BTreeSet::from_iter(received), BTreeSet::from_iter(came)), (sent, answers), "{suite}");
    }
}

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
fn a_node_that_vanishes_is_forgotten_when_its_binding_ends() {
    let mut world = registered(CipherSuite::Aes128Gcm);
    world.network.loses = Box::new(|_| true);
    world.runs_for(SECOND * 601);
    assert_eq!(world.bound_to(), None);
}

#[test]
fn a_home_agent_that_lost_its_memory_asks_for_a_new_sa_and_takes_nothing_recorded_before() {
    for suite in CipherSuite::ALL {
        let mut world = registered(suite);
        world.mobile_node_sends(&up(&world, b"before"));
        world.runs_for(SECOND);
        world.correspondent_received();
        let recorded = world.network.record.clone();
        world.home_agent_restarts();
        for datagram in &recorded {
            world.attacker_sends(datagram.from, datagram.to, &datagram.octets);
        }
        world.runs_for(SECOND);
        assert_eq!(world.correspondent_received().len(), 0, "{suite}");
        // A Binding Update played back draws a 176, which makes the node authenticate anew; it binds nothing by itself.
        let recorded_spis: BTreeSet<_> = numbers(&world).into_iter().take(recorded.len()).map(|(spi, ..)| spi).collect();
        assert!(world.bound_under().is_none_or(|spi| !recorded_spis.contains(&spi.get())), "{suite}");
        // The node's application goes on sending and hears nothing: the node asks, is told 176, and authenticates anew.
        let start = world.elapsed();
        while world.bound_to().is_none() {
            world.mobile_node_sends(&up(&world, b"after"));
            world.runs_for(Duration::from_millis(100));
            assert!(world.elapsed() - start < SECOND * 5, "{suite}: not back within 5 s");
        }
        world.runs_for(SECOND);
        world.correspondent_received();
        world.mobile_node_sends(&up(&world, b"back"));
        world.runs_for(SECOND);
        assert_eq!(world.correspondent_received(), [up(&world, b"back")], "{suite}");
    }
}

#[test]
fn after_restarts_of_both_ends_no_number_was_used_twice_under_one_key() {
    let mut world = registered(CipherSuite::Aes128Gcm);
    for _ in 0..3 {
        for _ in 0..10 {
            world.mobile_node_sends(&up(&world, b"up"));
            world.correspondent_sends(&down(&world, b"down"));
        }
        world.home_agent_restarts();
        for _ in 0..40 {
            world.mobile_node_sends(&up(&world, b"up"));
            world.runs_for(Duration::from_millis(100));
        }
        world.mobile_node_boots();
        world.runs_for(SECOND);
        assert_eq!(world.phase(), Some(Phase::Registered));
    }
    assert_no_number_twice(&world);
}

#[test]
fn a_recording_played_back_delivers_nothing_and_moves_nothing() {
    let mut world = registered(CipherSuite::Aes128CbcSha);
    world.mobile_node_sends(&up(&world, b"once"));
    world.moves_to(Access::Lte);
    world.runs_for(SECOND);
    assert_eq!(world.correspondent_received().len(), 1);
    let (bound, recorded) = (world.bound_to(), world.network.record.clone());
    let attacker = ([198, 51, 100, 66], 6666).into();
    for datagram in recorded.iter().filter(|datagram| datagram.to.port() == 7872) {
        world.attacker_sends(attacker, datagram.to, &datagram.octets);
    }
    world.runs_for(SECOND);
    assert_eq!((world.correspondent_received().len(), world.bound_to()), (0, bound));
    assert!(world.home_agent_dropped(DropReason::ReplayedSequence) >= 3);
}
