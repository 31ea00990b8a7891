//! Nodes behind a NAT: their Binding Updates come from another address than the one in them.

use std::net::UdpSocket;

use protocol::wire::mobility::{BindingRefreshRequest, MobilityMessage};

use crate::hac::{self, HacEvent};
use crate::mobile_node::{HOME6, MobileNode};
use crate::namespace::in_new_network_namespace;
use crate::world::World;

/// What goes to a path that is not proved.
const ALLOWANCE: usize = 60 << 10;
/// IPv4 and UDP headers are counted as IPv6 ones.
const HEADERS: usize = 48;
const HOME_AGENT_INSIDE: &str = "2001:db8:100::1";

#[test]
fn a_node_behind_a_nat_gives_the_token_back_and_its_path_is_proved() {
    in_new_network_namespace(|| async {
        let (world, mut node) = ready().await;
        let first = node.binds_behind_nat(1, None);
        assert_eq!((first.status.0, first.nat.map(|nat| nat.refresh_seconds)), (0, Some(110)));
        let binding = world.binding().await;
        assert_eq!((&binding["nat"], &binding["proved"]), (&true.into(), &false.into()));
        let status = world.asks("status").await;
        assert_eq!((&status["bindings_behind_nat"], &status["bindings_unproved"]), (&1.into(), &1.into()));

        let second = node.binds_behind_nat(2, first.path_check);
        assert!(first.path_check.is_some() && second.path_check.is_none());
        assert_eq!(world.binding().await["proved"], true);
        assert!(node.pings_home_agent());
        let downlink = downlink();
        assert_eq!(octets_until_silence(&downlink, &mut node, 100).0, 100, "there is no limit any more");
        world.stop().await;
    });
}

#[test]
fn a_node_that_never_proves_its_path_gets_64_kib_and_everything_once_it_has() {
    in_new_network_namespace(|| async {
        let (world, mut node) = ready().await;
        let token = node.binds_behind_nat(1, None).path_check;
        let downlink = downlink();
        let (packets, octets) = octets_until_silence(&downlink, &mut node, 100);
        let octets = octets + packets * HEADERS;
        assert!((ALLOWANCE - 2_000..=ALLOWANCE).contains(&octets), "{packets} packets, {octets} octets");
        // A Binding Update without the token does not give a new allowance.
        assert_eq!(node.binds_behind_nat(2, None).path_check, token);
        assert_eq!(octets_until_silence(&downlink, &mut node, 1), (0, 0));
        let status = world.asks("status").await;
        assert_eq!(status["drops"]["allowance-used-up"], 2, "{status}");

        assert_eq!(node.binds_behind_nat(3, token).path_check, None);
        assert_eq!(octets_until_silence(&downlink, &mut node, 10).0, 10);
        world.stop().await;
    });
}

#[test]
fn a_node_that_a_nat_maps_anew_is_asked_for_a_binding_update_there() {
    in_new_network_namespace(|| async {
        let (world, mut node) = ready().await;
        let first = node.binds_behind_nat(1, None);
        node.binds_behind_nat(2, first.path_check);
        let before = world.binding().await;

        let old = node.is_mapped_anew();
        node.sends_echo_request();
        let MobilityMessage::BindingRefreshRequest(BindingRefreshRequest { path_check }) = node.receives_message() else {
            panic!("no Binding Refresh Request")
        };
        assert_eq!(world.binding().await["remote"], before["remote"], "data moves nothing");
        assert!(old.recv(&mut [0; 2_000]).is_ok(), "the echo reply goes where the node is bound");
        // The request has come, so the home agent sends there by now.
        node.sends_echo_request();
        assert!(node.hears_latest_reply(), "and what comes next where it was seen too");

        let moved = node.binds_behind_nat(3, path_check);
        assert!(path_check.is_some() && moved.path_check.is_none(), "the token proves the place");
        assert_eq!(world.binding().await["proved"], true);
        assert_ne!(world.binding().await["remote"], before["remote"], "the Binding Update moves the downlink");
        assert!(node.pings_home_agent());
        world.stop().await;
    });
}

async fn ready() -> (World, MobileNode) {
    let mut world = World::start().await;
    world.expect(HacEvent::Acknowledged(1)).await;
    (world, MobileNode::new(&hac::association(1)))
}

fn downlink() -> UdpSocket {
    UdpSocket::bind((HOME_AGENT_INSIDE, 0)).unwrap()
}

/// Sends up to `most` packets to the node, one after the other while they arrive; gives how many did, and their octets on the
/// way. The node says nothing meanwhile.
fn octets_until_silence(downlink: &UdpSocket, node: &mut MobileNode, most: usize) -> (usize, usize) {
    let mut arrived = (0, 0);
    for _ in 0..most {
        downlink.send_to(&[0; 1_200], (HOME6, 9)).unwrap();
        let Some(octets) = node.receives_packet() else { break };
        arrived = (arrived.0 + 1, arrived.1 + octets);
    }
    arrived
}
