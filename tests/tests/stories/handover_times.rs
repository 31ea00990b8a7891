//! How long a move takes, in figures: many moves, each on links that lose other datagrams.

use std::time::Duration;

use protocol::sa::CipherSuite;
use tests::figures::Figures;
use tests::sim::{Access, Options, World};

use super::{SECOND, complaints, down, registered_with, up};

/// Of both links in these stories.
const ROUND_TRIP: Duration = Duration::from_millis(40);
const MILLISECOND: Duration = Duration::from_millis(1);

/// How long each of so many moves took until a packet had crossed: `(uplink, downlink)`.
fn moves(count: usize, loss: f64, suite: CipherSuite) -> (Figures, Figures) {
    let mut world = registered_with(Options { seed: count as u64, ..Options::new(suite) });
    world.network.change_links(|link| (link.delay, link.loss) = (ROUND_TRIP / 2, loss));
    let (mut uplink, mut downlink) = (Vec::new(), Vec::new());
    for access in [Access::Lte, Access::Wifi].into_iter().cycle().take(count) {
        let (up, down) = times(&mut world, access);
        uplink.push(up);
        downlink.push(down);
        world.runs_for(SECOND * 3);
    }
    complaints(&mut world);
    (Figures::of(uplink), Figures::of(downlink))
}

/// A packet each way each millisecond, from the move on.
fn times(world: &mut World, access: Access) -> (Duration, Duration) {
    let (start, mut crossed) = (world.elapsed(), [None, None]);
    let _of_the_move_before = [world.correspondent_received(), world.mobile_node_received()];
    world.moves_to(access);
    while crossed.contains(&None) {
        world.mobile_node_sends(&up(world, b"up"));
        world.correspondent_sends(&down(world, b"down"));
        world.runs_for(MILLISECOND);
        for (crossed, received) in crossed.iter_mut().zip([world.correspondent_received(), world.mobile_node_received()]) {
            if !received.is_empty() {
                crossed.get_or_insert(world.elapsed() - start);
            }
        }
        assert!(world.elapsed() - start < SECOND * 10, "not back within 10 s");
    }
    (crossed[0].unwrap(), crossed[1].unwrap())
}

#[test]
fn on_good_links_the_uplink_is_there_after_one_way_and_the_downlink_after_a_round_trip_always() {
    let (uplink, downlink) = moves(100, 0.0, CipherSuite::Aes128Gcm);
    assert_eq!([uplink.percentile(0.0), uplink.worst()], [ROUND_TRIP / 2; 2]);
    assert!(downlink.worst() <= ROUND_TRIP + MILLISECOND * 2, "{downlink}");
}

/// A fifth is lost each way. Two copies of a Binding Update, four of its repetition: one move in 25 waits for a timeout of 170 ms or
/// for the home agent to ask, one in 15,000 longer.
#[test]
fn where_a_fifth_is_lost_99_of_100_moves_have_their_downlink_within_three_round_trips_and_300_ms() {
    for suite in [CipherSuite::Aes128Gcm, CipherSuite::NullSha] {
        let (uplink, downlink) = moves(600, 0.2, suite);
        println!("{suite}: uplink {uplink}; downlink {downlink}");
        assert!(uplink.p99() <= ROUND_TRIP / 2 + MILLISECOND * 5);
        assert!(downlink.median() <= ROUND_TRIP + MILLISECOND * 5);
        assert!(downlink.p99() <= ROUND_TRIP * 3 + MILLISECOND * 300);
    }
}
