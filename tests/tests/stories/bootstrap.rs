//! A node starts: MHAuth, keys, home addresses, the first registration (RFC 6618 section 5).

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use hac::store::Pools;
use mn::mobile_node::Phase;
use protocol::sa::{CipherSuite, Spi};
use tests::sim::packet::{CORRESPONDENT4, CORRESPONDENT6, udp};
use tests::sim::{Access, Options, World};

use super::{SECOND, Traffic, comes_up, complaints, down, home6, numbers, registered, registered_with, up};

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
fn on_a_link_that_loses_doubles_and_delays_a_node_still_comes_up() {
    for seed in 0..20 {
        let mut world = World::with(Options { seed, ..Options::new(CipherSuite::Aes128Gcm) });
        let jitter = Duration::from_millis(50);
        world.network.change_links(|link| (link.loss, link.duplication, link.jitter) = (0.2, 0.2, jitter));
        world.mobile_node_boots();
        let took = comes_up(&mut world, SECOND * 60);
        println!("seed {seed}: {took:?}");
        let mut traffic = Traffic::new(&world, Duration::from_millis(20));
        traffic.is_back(&mut world, SECOND * 5);
        traffic.assert_each_at_most_once();
        complaints(&mut world);
    }
}

/// The longest backoff is a minute, a fifth either way; a HAC whose home agent is not back yet asks for five seconds more.
#[test]
fn a_node_that_finds_no_hac_says_so_and_comes_up_at_its_next_try() {
    for (away, within) in [(SECOND * 5, SECOND * 7), (SECOND * 60, SECOND * 60), (SECOND * 3600, SECOND * 79)] {
        let mut world = World::new(CipherSuite::Aes128Gcm);
        world.hac_dies();
        world.mobile_node_boots();
        world.runs_for(away);
        assert!(world.logged("is it running, and does the network let TCP through?") >= 3, "away for {away:?}");
        world.hac_starts();
        let took = comes_up(&mut world, within);
        println!("HAC away for {away:?}: up {took:?} after it is back");
        assert_eq!(world.mhauth_runs(), 1);
        complaints(&mut world);
        world.logged("an authenticated mobile node was refused");
    }
}

/// The connection is made for 80 ms, Init is at the HAC after 100 ms, Done after 140 ms, the home agent's acknowledgement after
/// 142 ms, the grant at the node after 162 ms.
#[test]
fn whenever_in_mhauth_the_hac_is_killed_the_node_uses_no_sa_but_what_is_on_its_disk_and_comes_up() {
    for at in (0..240).step_by(2).chain([141]) {
        let mut world = World::new(CipherSuite::Aes128Gcm);
        world.mobile_node_boots();
        world.runs_for(Duration::from_millis(at));
        world.hac_dies();
        world.runs_for(SECOND / 2);
        world.hac_starts();
        // Its backoff is a second; should the home agent not have subscribed anew by then, the HAC asks for five more.
        comes_up(&mut world, SECOND * 8);
        let mut traffic = Traffic::new(&world, Duration::from_millis(20));
        traffic.flows_for(&mut world, SECOND);
        traffic.settles(&mut world);
        traffic.assert_each_once();
        assert_eq!(world.mhauth_runs(), 1, "killed after {at} ms");
        let used: BTreeSet<_> = numbers(&world).into_iter().map(|(spi, ..)| Spi::new(spi).unwrap()).collect();
        assert!(used.len() == 1 && used.into_iter().all(|spi| world.hac_has(spi)), "killed after {at} ms");
        assert!(complaints(&mut world) <= 2, "killed after {at} ms");
        world.logged("an authenticated mobile node was refused");
    }
}

#[test]
fn while_no_home_agent_is_connected_the_hac_says_503_and_the_node_comes_again_when_it_was_asked_to() {
    let mut world = World::new(CipherSuite::Aes128Gcm);
    world.home_agent_dies();
    world.mobile_node_boots();
    world.runs_for(SECOND / 2);
    assert_eq!(world.logged("an authenticated mobile node was refused"), 1, "the HAC says so");
    assert_eq!(world.logged("(503): no home agent is connected"), 1, "the node says so");
    world.home_agent_starts();
    let took = comes_up(&mut world, SECOND * 6);
    assert!(took >= SECOND * 3, "asked for 5 s, it came after {took:?}");
    assert_eq!((world.mhauth_runs(), world.home_agent_holds()), (1, 1));
}

#[test]
fn an_sa_that_its_home_agent_did_not_live_to_acknowledge_is_taken_back() {
    for back_after in [Duration::ZERO, SECOND, SECOND * 4] {
        let mut world = World::new(CipherSuite::Aes128Gcm);
        world.mobile_node_boots();
        world.runs_for(Duration::from_micros(140_500));
        world.home_agent_dies();
        world.runs_for(back_after);
        world.home_agent_starts();
        world.runs_for(Duration::from_millis(100));
        assert_eq!(world.logged("an association was taken back"), 1);
        assert_eq!((world.phase(), world.home_agent_holds()), (Some(Phase::Bootstrapping), 0), "neither end has it");
        comes_up(&mut world, SECOND * 7);
        assert_eq!((world.mhauth_runs(), world.home_agent_holds()), (1, 1));
        assert_eq!(world.logged("503"), 1);
    }
}

#[test]
fn a_node_with_a_wrong_key_gives_up_and_says_what_to_look_at_and_the_hac_has_given_nothing() {
    let mut world = World::with(Options { key: [0xbb; 32], ..Options::new(CipherSuite::Aes128Gcm) });
    world.mobile_node_boots();
    world.runs_for(SECOND * 60);
    assert_eq!(world.phase(), None);
    assert_eq!(world.logged("check `nai` and the key file"), 1);
    assert_eq!((world.mhauth_runs(), world.home_agent_holds(), world.network.record.len()), (0, 0, 0));
}

#[test]
fn a_disabled_subscriber_is_turned_away_like_a_stranger_and_comes_up_when_he_is_enabled() {
    let mut world = World::new(CipherSuite::Aes128Gcm);
    world.operator_enables_the_subscriber(false);
    world.mobile_node_boots();
    world.runs_for(SECOND * 60);
    assert_eq!((world.phase(), world.home_agent_holds()), (None, 0));
    assert_eq!(world.logged("whether the subscriber is enabled"), 1);
    world.operator_enables_the_subscriber(true);
    world.mobile_node_boots();
    comes_up(&mut world, SECOND);
}

#[test]
fn a_node_that_starts_without_a_network_comes_up_when_there_is_one() {
    for without in [SECOND * 5, SECOND * 3600] {
        let mut world = World::new(CipherSuite::Aes128Gcm);
        world.attaches_to(&[]);
        world.mobile_node_boots();
        world.runs_for(without);
        assert!(world.logged("cannot reach the HAC") >= 1);
        world.attaches_to(&[Access::Lte]);
        let took = comes_up(&mut world, SECOND / 4);
        println!("without a network for {without:?}: up {took:?} after there is one");
        assert!(world.bound_to().unwrap().is_ipv6());
    }
}
