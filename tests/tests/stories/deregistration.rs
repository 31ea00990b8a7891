//! A node leaves.

use protocol::sa::CipherSuite;

use super::{SECOND, registered};

#[test]
fn a_binding_is_refreshed_for_hours_and_ends_when_the_node_leaves() {
    let mut world = registered(CipherSuite::Aes128Gcm);
    world.runs_for(SECOND * 3600 * 3);
    assert!(world.bound_to().is_some());
    world.mobile_node_leaves();
    world.runs_for(SECOND);
    assert_eq!((world.bound_to(), world.phase()), (None, None));
}
