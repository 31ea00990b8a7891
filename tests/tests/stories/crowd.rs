//! 64 nodes behind one address, each with the same port inside.

use std::collections::BTreeSet;
use std::time::Duration;

use tests::sim::crowd::Crowd;

use super::SECOND;

const NODES: u8 = 64;
const ROUND_TRIP: Duration = Duration::from_millis(40);

/// Each node sends and is sent to; everything comes to whom it is for, and to nobody else.
fn all_talk(crowd: &mut Crowd) {
    for number in 0..NODES {
        crowd.node_sends(number, &[b'u', number]);
        crowd.correspondent_sends(number, &[b'd', number]);
    }
    crowd.runs_for(SECOND);
    for number in 0..NODES {
        assert_eq!(crowd.node_received(number), [[b'd', number]], "node {number}");
    }
    let received: BTreeSet<_> = crowd.correspondent_received().into_iter().collect();
    assert_eq!(received, (0..NODES).map(|number| vec![b'u', number]).collect());
}

fn bound(crowd: &Crowd) -> BTreeSet<std::net::SocketAddr> {
    crowd.bound().into_iter().collect()
}

#[test]
fn nodes_that_share_an_address_are_bound_to_a_port_each_and_none_gets_anothers_packets() {
    let mut crowd = Crowd::new(NODES);
    crowd.runs_for(SECOND);
    let bound = bound(&crowd);
    assert_eq!((bound.len(), crowd.registered()), (usize::from(NODES), usize::from(NODES)));
    assert_eq!(bound.iter().map(std::net::SocketAddr::ip).collect::<BTreeSet<_>>().len(), 1, "one address");
    all_talk(&mut crowd);
    assert_eq!(crowd.dropped(), 0);
}

/// Whoever speaks first after the restart gets the port that another one had.
#[test]
fn a_nat_that_is_restarted_and_gives_the_ports_to_others_brings_all_back_with_their_next_packets() {
    let mut crowd = Crowd::new(NODES);
    crowd.runs_for(SECOND);
    let before = bound(&crowd);
    crowd.nat_forgets_mappings_and_counts_ports_anew();
    for number in (0..NODES).rev() {
        crowd.node_sends(number, &[b'u', number]);
    }
    crowd.runs_for(ROUND_TRIP / 2);
    assert_eq!(crowd.correspondent_received().len(), usize::from(NODES), "what they send is taken at once");
    for number in 0..NODES {
        crowd.correspondent_sends(number, &[b'd', number]);
    }
    crowd.runs_for(ROUND_TRIP / 2);
    for number in 0..NODES {
        assert_eq!(crowd.node_received(number), [[b'd', number]], "node {number}, a round trip after its packet");
    }
    crowd.runs_for(SECOND);
    assert_eq!(bound(&crowd), before, "the same ports, each another node's");
    all_talk(&mut crowd);
}

#[test]
fn after_a_restart_silent_nodes_come_back_with_their_keepalives() {
    let mut crowd = Crowd::new(NODES);
    crowd.runs_for(SECOND);
    crowd.nat_forgets_mappings();
    crowd.runs_for(SECOND * 24);
    all_talk(&mut crowd);
}
