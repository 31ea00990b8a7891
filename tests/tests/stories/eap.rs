//! Authentication with EAP: by the HAC itself, and by a AAA server that may be late, silent or of another mind.

use std::time::Duration;

use hac::authentication::EapServer;
use mn::mobile_node::Phase;
use protocol::sa::CipherSuite;
use tests::sim::{Options, World};

use super::{SECOND, Traffic, assert_no_number_twice, comes_up, complaints, registered_with};

/// What a AAA server allows in these stories.
const SESSION: Duration = Duration::from_secs(600);
/// Questions of one run with EAP-GPSK: the identity, GPSK-2, GPSK-4.
const QUESTIONS: usize = 3;
/// A silent AAA server is waited for so long.
const PATIENCE: Duration = Duration::from_secs(10);

fn by_eap(eap_server: EapServer, suite: CipherSuite) -> Options {
    Options { eap_server: Some(eap_server), ..Options::new(suite) }
}

/// A HAC that asks a AAA server which allows [`SESSION`], and a node that has registered.
fn registered_for_a_session(suite: CipherSuite) -> World {
    let mut world = World::with(by_eap(EapServer::Radius, suite));
    world.aaa.session_timeout = Some(SESSION);
    world.mobile_node_boots();
    comes_up(&mut world, SECOND);
    world
}

/// A HAC that asks a AAA server, and a node that has just been started.
fn asking() -> World {
    let mut world = World::with(by_eap(EapServer::Radius, CipherSuite::Aes128Gcm));
    world.mobile_node_boots();
    world
}

/// What HAC and node say while a AAA server says nothing.
fn complaints_of_silence(world: &mut World) -> usize {
    complaints(world);
    world.logged("a mobile node is not authenticated")
}

#[test]
fn whoever_the_eap_server_is_a_node_registers_with_its_key_and_renews_without_a_gap() {
    for (server, questions) in [(EapServer::Local, 0), (EapServer::Radius, QUESTIONS)] {
        let mut world = registered_with(by_eap(server, CipherSuite::Aes128Gcm));
        assert_eq!((world.mhauth_runs(), world.aaa.answered()), (1, questions), "{server:?}");
        let (home, mut traffic) = (world.home(), Traffic::new(&world, SECOND * 10));
        // Four fifths of a day, and a little more.
        traffic.flows_for(&mut world, SECOND * 86_400 * 17 / 20);
        assert_eq!((world.mhauth_runs(), world.aaa.answered()), (2, 2 * questions), "{server:?}");
        let before = world.bound_under();
        world.home_agent_asks_for_new_sas();
        traffic.flows_for(&mut world, SECOND * 30);
        traffic.settles(&mut world);
        traffic.assert_each_once();
        assert!(world.home() == home && world.bound_under() != before, "{server:?}");
        assert_no_number_twice(&world);
    }
}

#[test]
fn a_subscriber_who_is_disabled_here_is_refused_whatever_the_aaa_server_says_and_is_back_when_enabled() {
    for server in [EapServer::Local, EapServer::Radius] {
        let mut world = registered_with(by_eap(server, CipherSuite::Aes128Gcm));
        let (home, mut traffic) = (world.home(), Traffic::new(&world, SECOND / 50));
        world.operator_enables_the_subscriber(false);
        world.runs_for(SECOND * 60);
        assert_eq!((world.bound_to(), world.mhauth_runs()), (None, 1), "{server:?}");
        world.operator_enables_the_subscriber(true);
        // The backoff is not longer than the time since the first failure, a fifth either way.
        traffic.is_back(&mut world, SECOND * 73);
        assert_eq!((world.home(), world.mhauth_runs()), (home, 2), "{server:?}");
        complaints(&mut world);
    }
}

#[test]
fn a_silent_aaa_server_is_504_and_the_node_comes_back_by_itself_when_it_answers() {
    // In the first case the node's run hangs at the HAC, which asks again; in the second its longest backoff may have begun.
    for (silence, back) in [(SECOND * 15, SECOND * 2), (SECOND * 600, SECOND * 74)] {
        let mut world = World::with(by_eap(EapServer::Radius, CipherSuite::Aes128Gcm));
        world.aaa.is_silent = true;
        world.mobile_node_boots();
        world.runs_for(silence);
        assert_eq!((world.phase(), world.mhauth_runs(), world.aaa.answered()), (Some(Phase::Bootstrapping), 0, 0));
        assert!(world.logged("504") >= 1);
        complaints_of_silence(&mut world);
        world.aaa.is_silent = false;
        let took = comes_up(&mut world, back);
        println!("up {took:?} after the AAA server");
        Traffic::new(&world, SECOND / 10).is_back(&mut world, SECOND);
        complaints_of_silence(&mut world);
    }
}

#[test]
fn a_late_answer_is_taken_within_the_limit_and_not_after_it() {
    let mut world = asking();
    world.aaa.delay = PATIENCE - SECOND;
    let took = comes_up(&mut world, SECOND * 30);
    assert!(took >= world.aaa.delay * QUESTIONS as u32, "{took:?}");
    assert_eq!(world.mhauth_attempts(), 1, "it was waited for");
    let mut world = asking();
    world.aaa.delay = PATIENCE + SECOND;
    world.runs_for(SECOND * 120);
    assert_eq!((world.mhauth_runs(), world.aaa.answered()), (0, 0));
    assert!(complaints_of_silence(&mut world) >= 3);
}

#[test]
fn a_hac_that_is_killed_while_it_asks_is_asked_anew() {
    let mut world = asking();
    world.aaa.delay = SECOND * 2;
    world.runs_for(SECOND * 3);
    assert_eq!((world.phase(), world.aaa.answered()), (Some(Phase::Bootstrapping), 1));
    world.hac_dies();
    world.hac_starts();
    let took = comes_up(&mut world, SECOND * 10);
    assert_eq!((world.mhauth_attempts(), world.aaa.answered()), (2, 1 + QUESTIONS), "{took:?}");
    assert_eq!(complaints(&mut world), 1);
}

#[test]
fn a_session_timeout_bounds_an_association_and_a_node_that_renews_before_loses_nothing() {
    for suite in [CipherSuite::Aes128Gcm, CipherSuite::TripleDesEdeCbcSha] {
        let mut world = registered_for_a_session(suite);
        let mut traffic = Traffic::new(&world, SECOND);
        traffic.flows_for(&mut world, SESSION * 7 / 10);
        assert_eq!(world.mhauth_runs(), 1, "{suite}: not before 75 %");
        traffic.flows_for(&mut world, SESSION * 3 / 20 + SECOND * 2);
        assert_eq!(world.mhauth_runs(), 2, "{suite}: not after 85 %");
        traffic.flows_for(&mut world, SESSION * 4);
        traffic.settles(&mut world);
        traffic.assert_each_once();
        assert_eq!(world.aaa.answered(), QUESTIONS * world.mhauth_runs() as usize, "{suite}");
        assert_no_number_twice(&world);
    }
}

#[test]
fn a_node_that_is_rejected_when_it_renews_goes_on_to_the_end_of_its_association_and_then_sends_nothing() {
    for suite in CipherSuite::ALL {
        let mut world = registered_for_a_session(suite);
        let (home, mut traffic) = (world.home(), Traffic::new(&world, SECOND));
        world.aaa.rejects = true;
        traffic.flows_for(&mut world, SESSION - SECOND * 5);
        traffic.settles(&mut world);
        traffic.assert_each_once();
        assert!(world.mhauth_runs() == 1 && world.mhauth_attempts() > 1, "{suite}: it has tried");
        traffic.flows_for(&mut world, SECOND * 5);
        traffic.settles(&mut world);
        let (sent, received) = (world.network.record.len(), traffic.received.each_ref().map(Vec::len));
        traffic.flows_for(&mut world, SESSION);
        assert_eq!(world.network.record.len(), sent, "{suite}: something was sent after the end");
        assert_eq!(traffic.received.each_ref().map(Vec::len), received, "{suite}: something arrived after the end");
        assert!(world.bound_to().is_none() && world.phase() != Some(Phase::Registered), "{suite}");
        assert!(world.logged("EAP failed") >= 1, "{suite}: it says why");
        complaints(&mut world);
        world.aaa.rejects = false;
        traffic.is_back(&mut world, SECOND * 74);
        assert_eq!((world.home(), world.mhauth_runs()), (home, 2), "{suite}");
        complaints(&mut world);
    }
}
