//! What was on the wire once comes again: doubled on the way, recorded and played back.

use std::collections::BTreeSet;
use std::time::Duration;

use protocol::sa::CipherSuite;
use protocol::tunnel::DropReason;
use tests::sim::Access;

use super::{SECOND, down, registered, up};

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
