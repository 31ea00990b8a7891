//! A whole home agent process in a network namespace of its own: feed, workers, TUN device, routes and control socket, with
//! a mobile node made of the same tunnel halves at the other end of a UDP socket.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on ends")]

mod dismissal;
mod hac;
mod home_link;
mod host_services;
mod look_up;
mod mobile_node;
mod namespace;
mod nat;
mod registration;
mod renewal;
mod sessions;
mod world;

use feed::Change;
use fixture::shell;
use hac::HacEvent;
use mobile_node::{HOME6, MobileNode};
use namespace::{Correspondent, in_new_network_namespace};
use world::World;

#[test]
fn a_node_binds_and_its_packets_come_and_go_until_its_sa_is_revoked() {
    in_new_network_namespace(|| async {
        let mut world = World::start().await;
        world.expect(HacEvent::Acknowledged(1)).await;

        // The acknowledgement means that both halves have the SA: no retry is needed.
        let mut node = MobileNode::new(&hac::association(1));
        assert_eq!(node.binds(1), 0);
        let replied = node.pings_home_agent();
        assert!(replied, "the echo reply comes back through the tunnel: {}", world.asks("status").await);
        let _correspondent = Correspondent::new();
        assert!(node.pings(Correspondent::IP6), "so does that of a correspondent node");

        let bindings = world.asks("bindings").await;
        assert_eq!(bindings["count"], 1);
        assert_eq!(bindings["bindings"][0]["home"][0], HOME6);
        let status = world.asks("status").await;
        assert_eq!((&status["feed"]["connected"], &status["feed"]["revision"]), (&true.into(), &1.into()));
        assert_eq!(status["received"]["packets"], 3);
        let routes = shell("ip -6 route show proto 78; ip -4 route show proto 78");
        for route in ["2001:db8:100::/64 dev ha0", "10.9.0.0/24 dev ha0", "2001:db8:100::5 dev ha0", "10.9.0.5 dev ha0"] {
            assert!(routes.contains(route), "{routes}");
        }

        world.hac.send(2, Change::End(hac::association(1).sa.spi)).await;
        world.expect(HacEvent::Acknowledged(2)).await;
        assert!(!node.pings_home_agent(), "nothing is opened under a revoked SA");
        assert_eq!(world.asks("bindings").await["count"], 0);
        assert_eq!(world.asks("status").await["drops"]["unknown-spi"], 1);
        assert!(!shell("ip -6 route show proto 78").contains("2001:db8:100::5"), "the binding's route goes with it");

        world.stop().await;
        assert!(!shell("ip link").contains("ha0"), "the device goes with the process");
    });
}

#[test]
fn an_authenticated_node_cannot_send_as_another_nor_reach_the_home_agents_own_services() {
    in_new_network_namespace(|| async {
        let mut world = World::start().await;
        world.expect(HacEvent::Acknowledged(1)).await;
        let mut node = MobileNode::new(&hac::association(1));
        assert_eq!(node.binds(1), 0);

        let ip = |text: &str| text.parse().unwrap();
        node.forges(&mobile_node::echo(ip("2001:db8:100::6"), ip("2001:db8:100::1"), 128, 1));
        let mut to_a_service = mobile_node::echo(ip(HOME6), ip("2001:db8:100::1"), 128, 2);
        to_a_service[6] = 6;
        node.forges(&to_a_service);
        assert!(node.pings_home_agent(), "its own packets still pass");

        let status = world.asks("status").await;
        let drops = &status["drops"];
        assert_eq!((&drops["foreign-home-address"], &drops["for-home-agent"]), (&1.into(), &1.into()), "{status}");
        world.stop().await;
    });
}

#[test]
fn a_home_agent_that_loses_its_hac_serves_on_and_subscribes_again_as_the_same_process() {
    in_new_network_namespace(|| async {
        let mut world = World::start().await;
        let HacEvent::Subscribed { instance, known_revision: 0 } = world.next_event().await else { panic!("no subscription") };
        world.expect(HacEvent::Acknowledged(1)).await;
        let mut node = MobileNode::new(&hac::association(1));
        assert_eq!(node.binds(1), 0);

        world.hac.stop().await;
        assert!(node.pings_home_agent());
        world.until_feed_is_gone().await;

        world.restart_hac().await;
        world.expect(HacEvent::Subscribed { instance, known_revision: 1 }).await;
        world.expect(HacEvent::Acknowledged(1)).await;
        assert!(node.pings_home_agent(), "the second delivery has not touched counters and replay window");
        world.hac.send(2, Change::Install(Box::new(hac::association(2)))).await;
        world.expect(HacEvent::Acknowledged(2)).await;
        assert_eq!(world.asks("status").await["security_associations"]["held"], 2);
        world.stop().await;
    });
}

#[test]
fn a_packet_to_a_home_address_that_is_not_bound_is_answered_with_address_unreachable() {
    in_new_network_namespace(|| async {
        let mut world = World::start().await;
        world.expect(HacEvent::Acknowledged(1)).await;
        let correspondent = Correspondent::new();
        let answer = correspondent.shell("ping -6 -c 1 -W 3 2001:db8:100::99");
        assert!(answer.contains("From 2001:db8:100::1 icmp_seq=1 Destination unreachable: Address unreachable"), "{answer}");
        let answer = correspondent.shell("ping -4 -c 1 -W 3 10.9.0.99");
        assert!(answer.contains("From 10.9.0.1 icmp_seq=1 Destination Host Unreachable"), "{answer}");
        assert_eq!(world.asks("status").await["drops"]["no-tunnel"], 2);
        world.stop().await;
    });
}
