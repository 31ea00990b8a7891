//! What the host of a home agent offers on its other addresses, such as that of the home link.

use std::io::ErrorKind;
use std::net::{SocketAddrV6, UdpSocket};
use std::time::Duration;

use fixture::shell;
use serde_json::Value;

use crate::hac::{self, HacEvent};
use crate::mobile_node::MobileNode;
use crate::namespace::in_new_network_namespace;
use crate::world::World;

const HOME_LINK: &str = "2001:db8:cc::1";
const LATER: &str = "2001:db8:cc::9";

async fn with_a_home_link(lines: &str) -> (World, MobileNode) {
    shell(&format!("ip addr add {HOME_LINK}/128 dev lo"));
    let mut world = World::start_with_tunnel(lines).await;
    world.expect(HacEvent::Acknowledged(1)).await;
    let mut node = MobileNode::new(&hac::association(1));
    assert_eq!(node.binds(1), 0);
    (world, node)
}

struct Service(UdpSocket);

impl Service {
    fn on(address: &str) -> Self {
        let socket = UdpSocket::bind((address, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        Self(socket)
    }

    fn address(&self) -> SocketAddrV6 {
        self.0.local_addr().unwrap().to_string().parse().unwrap()
    }

    fn hears(&self) -> bool {
        self.0.recv(&mut [0; 64]).is_ok()
    }

    /// Whether nothing has come until now.
    fn has_heard_nothing(&self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        self.0.recv(&mut [0; 64]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }
}

fn held_back(status: &Value) -> u64 {
    status["drops"]["for-home-agent"].as_u64().unwrap_or_default()
}

#[test]
fn a_service_on_the_home_link_is_not_reached_through_the_tunnel_and_echo_is() {
    in_new_network_namespace(|| async {
        let (world, mut node) = with_a_home_link("").await;
        let service = Service::on(HOME_LINK);
        node.sends_datagram(service.address());
        world.until(|status| held_back(status) == 1).await;
        assert!(node.pings(HOME_LINK), "the echo reply comes from behind the datagram");
        assert!(service.has_heard_nothing());
        world.stop().await;
    });
}

#[test]
fn an_address_that_the_host_gets_later_is_closed_as_well() {
    in_new_network_namespace(|| async {
        let (world, mut node) = with_a_home_link("").await;
        shell(&format!("ip addr add {LATER}/128 dev lo nodad"));
        let service = Service::on(LATER);
        while held_back(&world.asks("status").await) == 0 {
            node.sends_datagram(service.address());
            assert!(node.pings(HOME_LINK), "it has been handled before the next look");
        }
        while !service.has_heard_nothing() {}
        node.sends_datagram(service.address());
        world.until(|status| held_back(status) == 2).await;
        assert!(node.pings(LATER) && service.has_heard_nothing());
        world.stop().await;
    });
}

#[test]
fn the_hosts_services_are_reached_where_the_configuration_opens_them() {
    in_new_network_namespace(|| async {
        let (world, mut node) = with_a_home_link("host-services = true").await;
        let service = Service::on(HOME_LINK);
        node.sends_datagram(service.address());
        assert!(service.hears());
        assert_eq!(held_back(&world.asks("status").await), 0);
        world.stop().await;
    });
}
