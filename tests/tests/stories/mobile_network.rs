//! Networks behind a mobile router (RFC 3963): hosts there talk through its tunnel, wherever the router is.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use protocol::features::Features;
use protocol::sa::CipherSuite;
use protocol::tunnel::DropReason;
use tests::sim::packet::{CORRESPONDENT6, udp};
use tests::sim::{Access, Options, World};

use super::{Traffic, registered_with};

/// A host behind the node.
const GUEST: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 7, 0, 0, 0, 0, 5));
/// A host in nobody's network.
const STRANGER: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 8, 0, 0, 0, 0, 5));

fn router(suite: CipherSuite) -> World {
    let features = Features::MCOA;
    registered_with(Options { features, prefixes: &["2001:db8:7::/64"], ..Options::new(suite) })
}

fn traffic_of_guest(world: &World) -> Traffic {
    let mut traffic = Traffic::new(world, Duration::from_millis(5));
    traffic.home = GUEST;
    traffic
}

fn assert_nothing_lost(traffic: &Traffic) {
    traffic.assert_each_at_most_once();
    assert_eq!(traffic.received.each_ref().map(Vec::len), [traffic.number as usize; 2], "packets of {} each way", traffic.number);
}

#[test]
fn a_host_behind_the_node_loses_nothing_in_a_hundred_moves_and_a_renewal() {
    for suite in [CipherSuite::Aes128Gcm, CipherSuite::Aes128CbcSha, CipherSuite::NullSha] {
        let mut world = router(suite);
        let mut traffic = traffic_of_guest(&world);
        for (number, access) in [Access::Lte, Access::Wifi].into_iter().cycle().take(100).enumerate() {
            world.gets_better(access);
            traffic.flows_for(&mut world, Duration::from_millis(500));
            world.attaches_to(&[access]);
            traffic.flows_for(&mut world, Duration::from_millis(500));
            if number == 50 {
                world.mobile_node_renews();
                traffic.flows_for(&mut world, Duration::from_secs(2));
            }
        }
        traffic.settles(&mut world);
        assert_nothing_lost(&traffic);
    }
}

#[test]
fn nobody_elses_packets_go_through_and_a_network_is_withdrawn_with_the_binding() {
    let mut world = router(CipherSuite::Aes128Gcm);
    for source in [STRANGER, GUEST] {
        world.mobile_node_sends(&udp(source, CORRESPONDENT6.into(), b"up"));
        world.correspondent_sends(&udp(CORRESPONDENT6.into(), source, b"down"));
    }
    world.runs_for(Duration::from_secs(1));
    assert_eq!((world.correspondent_received().len(), world.mobile_node_received().len()), (1, 1), "the guest's alone");
    assert_eq!((world.mobile_node_dropped(DropReason::NoTunnel), world.home_agent_dropped(DropReason::NoTunnel)), (1, 1));
    world.mobile_node_leaves();
    world.runs_for(Duration::from_secs(1));
    assert_eq!(world.bound_to(), None);
    world.correspondent_sends(&udp(CORRESPONDENT6.into(), GUEST, b"down"));
    world.runs_for(Duration::from_secs(1));
    assert_eq!((world.mobile_node_received().len(), world.home_agent_dropped(DropReason::NoTunnel)), (0, 2));
}
