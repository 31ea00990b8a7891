//! Random walks: whatever happens in whatever order, the world keeps what it promises (see `tests::sim::walk`); and what walks
//! have found, told as stories.

use std::time::Duration;

use mn::mobile_node::Phase;
use protocol::sa::CipherSuite;
use tests::link::Link;
use tests::sim::walk::{random, walk};
use tests::sim::{Access, World};

use super::{SECOND, registered};

/// `HALTSEC_WALKS` says otherwise, `HALTSEC_FIRST_WALK` where to begin.
const WALKS: u64 = 300;

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number of walks"))
}

#[test]
fn no_random_walk_breaks_a_promise() {
    let first = from_environment("HALTSEC_FIRST_WALK", 0);
    let mut promised = 0;
    for seed in first..first + from_environment("HALTSEC_WALKS", WALKS) {
        let report = walk(&random(seed));
        promised += report.promised;
        println!("{seed}: {report:?}");
    }
    assert!(promised > 0, "no walk was ever calm, so nothing was promised");
}

fn binding_updates(world: &World) -> usize {
    world.network.record.iter().filter(|sent| sent.is_signalling() && sent.is_up()).count()
}

/// The first timeout follows the round trip of the network before: on a slower one Binding Updates are repeated before they can
/// be answered, until the rate has one of them wait. The answer to the one before it settles that one too.
#[test]
fn a_node_that_moves_to_a_network_sixty_times_slower_registers_and_is_quiet_then() {
    let mut world = registered(CipherSuite::Aes128Gcm);
    world.network.wifi = Link::calm(Duration::from_millis(5));
    world.network.lte = Link::calm(Duration::from_millis(300));
    world.runs_for(SECOND * 600);
    world.moves_to(Access::Lte);
    world.runs_for(SECOND * 3);
    let sent = binding_updates(&world);
    world.runs_for(SECOND * 60);
    assert_eq!((world.phase(), binding_updates(&world) - sent), (Some(Phase::Registered), 0));
}
