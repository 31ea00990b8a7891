//! A process is killed and started again: a counter is known, or its security association is not used.

use std::collections::BTreeSet;
use std::time::Duration;

use mn::mobile_node::Phase;
use protocol::sa::CipherSuite;

use super::{SECOND, assert_no_number_twice, down, numbers, registered, up};

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
