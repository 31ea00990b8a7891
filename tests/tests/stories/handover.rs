//! A node moves from one network to another; its home address does not.

use mn::mobile_node::Phase;
use protocol::sa::CipherSuite;
use tests::sim::Access;

use super::{SECOND, down, home6, registered, up};

#[test]
fn after_a_move_packets_find_the_node_one_way_later_and_its_address_stays() {
    let mut world = registered(CipherSuite::Aes128Gcm);
    let home = home6(&world);
    assert!(world.bound_to().unwrap().is_ipv4());
    world.moves_to(Access::Lte);
    world.mobile_node_sends(&up(&world, b"at once"));
    world.runs_for(world.network.wifi.delay);
    assert_eq!(world.correspondent_received(), [up(&world, b"at once")], "the uplink does not wait for the acknowledgement");
    assert!(world.bound_to().unwrap().is_ipv6(), "the downlink moves with the Binding Update");
    world.correspondent_sends(&down(&world, b"there"));
    world.runs_for(SECOND);
    assert_eq!(world.mobile_node_received(), [down(&world, b"there")]);
    assert_eq!((home6(&world), world.phase()), (home, Some(Phase::Registered)));
}

#[test]
fn a_packet_on_its_way_to_the_old_care_of_address_still_arrives_while_that_network_lives() {
    let mut world = registered(CipherSuite::Aes128CbcSha);
    world.attaches_to(&[Access::Wifi, Access::Lte]);
    world.correspondent_sends(&down(&world, b"before"));
    world.attaches_to(&[Access::Lte]);
    world.runs_for(SECOND);
    assert_eq!(world.mobile_node_received(), [down(&world, b"before")]);
}
