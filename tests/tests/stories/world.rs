//! The world itself: what the other stories rely on.

use std::time::Duration;

use mn::mobile_node::Phase;
use protocol::sa::CipherSuite;
use tests::sim::{Access, Datagram, Options, World};

use super::{SECOND, down, up};

/// Moves and a renewal on bad links, with packets each way; gives all that was sent.
fn an_eventful_minute(seed: u64) -> Vec<Datagram> {
    let mut world = World::with(Options { seed, ..Options::new(CipherSuite::Aes128CbcSha) });
    world.network.change_links(|link| (link.loss, link.duplication, link.jitter) = (0.1, 0.1, Duration::from_millis(10)));
    world.mobile_node_boots();
    world.runs_for(SECOND * 20);
    for access in [Access::Lte, Access::Wifi] {
        world.moves_to(access);
        for number in 0_u16..100 {
            world.mobile_node_sends(&up(&world, &number.to_be_bytes()));
            world.correspondent_sends(&down(&world, &number.to_be_bytes()));
            world.runs_for(Duration::from_millis(100));
        }
        world.mobile_node_renews();
        world.runs_for(SECOND * 10);
    }
    assert_eq!(world.phase(), Some(Phase::Registered));
    std::mem::take(&mut world.network.record)
}

#[test]
fn the_same_seed_gives_the_same_datagrams_octet_for_octet_and_another_gives_others() {
    let (first, again, other) = (an_eventful_minute(1), an_eventful_minute(1), an_eventful_minute(2));
    assert!(first.len() > 400 && first == again, "{} and {} datagrams", first.len(), again.len());
    assert!(first != other);
}

#[test]
fn mhauth_takes_four_round_trips_and_the_feed_its_own() {
    let mut world = World::new(CipherSuite::Aes128Gcm);
    let round_trip = world.network.wifi.delay * 2;
    world.mobile_node_boots();
    world.runs_for(round_trip * 4);
    assert_eq!((world.phase(), world.mhauth_runs()), (Some(Phase::Bootstrapping), 0), "the home agent has to acknowledge first");
    world.runs_for(Duration::from_millis(2));
    assert_eq!((world.phase(), world.mhauth_runs()), (Some(Phase::Registering), 1));
    world.runs_for(round_trip);
    assert_eq!(world.phase(), Some(Phase::Registered));
}
