//! A node comes home and leaves again (RFC 6275 sections 10.3.2 and 11.5.5); and a network that only says that it is home.

use ha::home_agent::FEATURES;
use mn::flight_recorder::Kind;
use mn::mobile_node::Phase;
use protocol::features::Features;
use protocol::sa::CipherSuite;
use tests::sim::{Access, GUEST, Options, World};

use super::{SECOND, Traffic, down, registered_with, up};

fn registered() -> World {
    registered_with(Options { features: FEATURES.or(Features::HOME_LINK), ..Options::new(CipherSuite::Aes128Gcm) })
}

/// A packet each way, through the tunnel.
fn both_ways(world: &mut World) {
    let packets = [up(world, b"up"), down(world, b"down")];
    world.mobile_node_sends(&packets[0]);
    world.correspondent_sends(&packets[1]);
    world.runs_for(SECOND);
    assert_eq!([world.correspondent_received(), world.mobile_node_received()].map(|received| received.len()), [1, 1]);
}

#[test]
fn at_home_there_is_no_binding_and_no_tunnel_and_away_there_are_both_again() {
    let mut world = registered();
    both_ways(&mut world);
    for away in [Access::Lte, Access::Wifi].repeat(3) {
        world.moves_to(Access::Home);
        world.runs_for(SECOND);
        assert_eq!((world.phase(), world.bound_to()), (Some(Phase::AtHome), None));
        let sent = world.network.record.len();
        world.mobile_node_sends(&up(&world, b"nobody is to have this"));
        world.runs_for(SECOND * 30);
        assert_eq!(world.network.record.len(), sent, "nothing is sent, and nothing kept alive");
        world.runs_for(SECOND * 600);
        assert_eq!(world.phase(), Some(Phase::AtHome));
        world.moves_to(away);
        world.runs_for(SECOND);
        assert_eq!(world.phase(), Some(Phase::Registered));
        both_ways(&mut world);
    }
    assert_eq!(world.mhauth_runs(), 1);
    let homecomings = world.handovers().iter().filter(|record| record.kind == Kind::ReturnHome).count();
    assert_eq!(homecomings, 6);
}

#[test]
fn home_is_gone_to_from_a_network_that_works_and_nothing_is_lost_before() {
    let mut world = registered();
    let mut traffic = Traffic::new(&world, SECOND / 200);
    traffic.flows_for(&mut world, SECOND);
    traffic.settles(&mut world);
    let counts = traffic.received.each_ref().map(Vec::len);
    assert_eq!(counts, [traffic.number as usize; 2]);
    world.gets_better(Access::Home);
    world.runs_for(SECOND);
    assert_eq!((world.phase(), world.bound_to()), (Some(Phase::AtHome), None));
    traffic.assert_each_at_most_once();
}

#[test]
fn a_network_that_says_it_is_home_and_lets_nothing_back_is_left_and_the_binding_never_goes() {
    let mut world = registered();
    // What the home agent sends to an address of its home link goes there, and not to who has forged it.
    world.network.blocks = Box::new(|datagram| datagram.to.ip() == GUEST);
    for _ in 0..5 {
        world.gets_better(Access::Home);
        for _ in 0..40 {
            world.runs_for(SECOND / 10);
            assert!(world.bound_to().is_some() && world.phase() != Some(Phase::AtHome), "{:?}", world.phase());
        }
        world.attaches_to(&[Access::Wifi]);
        world.runs_for(SECOND * 70);
        assert_eq!(world.phase(), Some(Phase::Registered));
        both_ways(&mut world);
    }
    assert!(world.logged("is not the home link") > 0);
    let _expected = super::complaints(&mut world);
}

#[test]
fn a_node_that_starts_at_home_needs_no_binding_and_one_whose_home_agent_dies_is_not_home_any_more() {
    let mut world = World::with(Options { features: FEATURES.or(Features::HOME_LINK), ..Options::new(CipherSuite::Aes128Gcm) });
    world.attaches_to(&[Access::Home]);
    world.mobile_node_boots();
    world.runs_for(SECOND);
    assert_eq!((world.phase(), world.bound_to()), (Some(Phase::AtHome), None));
    world.home_agent_dies();
    world.runs_for(SECOND * 70);
    assert_eq!(world.phase(), Some(Phase::Registering), "nobody says any more that this is home");
    world.home_agent_starts();
    world.runs_for(SECOND * 150);
    assert_eq!(world.phase(), Some(Phase::AtHome));
    let _expected = super::complaints(&mut world) + world.logged("is not the home link");
}
