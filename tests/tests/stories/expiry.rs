//! Bindings and security associations come to their ends.

use protocol::sa::CipherSuite;

use super::{SECOND, registered};

#[test]
fn a_node_that_vanishes_is_forgotten_when_its_binding_ends() {
    let mut world = registered(CipherSuite::Aes128Gcm);
    world.network.loses = Box::new(|_| true);
    world.runs_for(SECOND * 601);
    assert_eq!(world.bound_to(), None);
}
