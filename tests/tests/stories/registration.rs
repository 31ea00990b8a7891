//! Binding Updates and their acknowledgements (RFC 6275 sections 9.5, 11.7, 11.8).

use std::time::Duration;

use protocol::sa::CipherSuite;
use tests::sim::Access;

use super::{assert_no_number_twice, registered};

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
