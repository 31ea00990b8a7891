//! A home link that is real: hosts on it reach nodes that are away (RFC 6275 sections 10.3.1 and 10.4.1, RFC 5555 section 4.5).

use std::time::Duration;

use fixture::shell;

use crate::hac::{self, HacEvent};
use crate::mobile_node::{HOME4, HOME6, MobileNode};
use crate::namespace::{Neighbour, in_new_network_namespace};
use crate::world::World;

const OURS: &str = "02:00:00:00:00:01";
const BEFORE: &str = "02:00:00:00:00:99";

/// A host on the home link, and a home agent that has heard of the node.
async fn start() -> (Neighbour, World) {
    let neighbour = Neighbour::new();
    // As an operator may, who cannot wait a second.
    shell("echo 300 >/proc/sys/net/ipv6/neigh/home/retrans_time_ms");
    let mut world = World::start_on_home_link().await;
    world.expect(HacEvent::Acknowledged(1)).await;
    (neighbour, world)
}

#[test]
fn hosts_on_the_home_link_reach_a_node_as_long_as_it_is_bound() {
    in_new_network_namespace(|| async {
        let (host, world) = start().await;
        for home in [HOME6, HOME4] {
            host.shell(&format!("ip neighbour replace {home} dev eth0 lladdr {BEFORE} nud reachable"));
        }
        let mut node = MobileNode::new(&hac::association(1));
        assert_eq!(node.binds(1), 0);
        for home in [HOME6, HOME4] {
            let until = format!("for i in $(seq 100); do ip neighbour show {home} | grep {OURS} && break; sleep 0.02; done");
            assert!(host.shell(&until).contains(OURS), "the home agent has announced {home} over what was known");
        }
        assert!(node.is_pinged(|| host.pings(HOME6)), "{}", world.asks("status").await);
        host.shell("ip neighbour flush dev eth0");
        assert!(node.is_pinged(|| host.pings(HOME6)), "it answers who asks");
        std::thread::scope(|scope| {
            scope.spawn(|| host.pings(HOME4));
            assert!(node.receives_packet().is_some(), "and so it does for the IPv4 address");
        });
        let duplicate = host.shell(&format!(
            "ip address add {HOME6}/64 dev eth0; for i in $(seq 100); do ip address show dev eth0 | grep dadfailed && break; sleep 0.02; done; \
             ip address del {HOME6}/64 dev eth0"
        ));
        assert!(duplicate.contains("dadfailed"), "nobody else takes it");
        let status = world.asks("status").await;
        assert_eq!((&status["home_link"]["interface"], &status["home_link"]["answered_for"]), (&"home".into(), &2.into()));

        assert_eq!(node.says_goodbye(2), 0);
        let left =
            shell("ip -4 neighbour show proxy; ip -6 neighbour show proxy; ip route show dev ha0; ip -6 route show dev ha0");
        assert!(!left.contains(HOME6) && !left.contains(HOME4), "gone before the node hears it: {left}");
        host.shell("ip neighbour flush dev eth0");
        assert!(!host.pings(HOME6), "nobody has it");
        world.stop().await;
    });
}

#[test]
fn a_home_address_that_a_host_on_the_link_has_is_refused_with_134_until_the_host_has_it_no_more() {
    in_new_network_namespace(|| async {
        let (host, world) = start().await;
        let mut node = MobileNode::new(&hac::association(1));
        host.shell(&format!("ip address add {HOME6}/64 dev eth0 nodad"));
        // The kernel takes it into use in a moment.
        shell(&format!("ping -6 -c 50 -i 0.1 -W 1 {HOME6} | grep -m 1 'bytes from'"));
        assert_eq!(node.binds(1), 134);
        host.shell(&format!("ip address del {HOME6}/64 dev eth0; ip address add {HOME4}/24 dev eth0"));
        assert_eq!(node.binds(2), 134);
        assert_eq!(world.asks("bindings").await["count"], 0);
        host.shell(&format!("ip address del {HOME4}/24 dev eth0"));
        shell(&format!("ip address add {HOME6}/64 dev home nodad"));
        let mut sequence = 3;
        // The home agent hears of its host's addresses from the kernel, in a moment.
        while node.binds(sequence) == 0 {
            assert_eq!(node.says_goodbye(sequence + 1), 0);
            sequence += 2;
        }
        shell(&format!("ip address del {HOME6}/64 dev home"));
        while node.binds(sequence + 1) == 134 {
            sequence += 1;
            // No faster than Binding Updates are taken.
            std::thread::sleep(Duration::from_millis(200));
        }
        assert_eq!(node.binds(sequence + 2), 0, "a binding keeps the address: nobody is asked");
        world.stop().await;
    });
}

#[test]
fn what_an_earlier_process_has_left_is_deleted_and_all_is_as_before_at_the_end() {
    in_new_network_namespace(|| async {
        let settings = "cat /proc/sys/net/ipv6/conf/all/proxy_ndp /proc/sys/net/ipv6/neigh/home/proxy_delay /proc/sys/net/ipv4/neigh/home/proxy_delay";
        let host = Neighbour::new();
        shell("ip neighbour add proxy 2001:db8:100::7 dev home protocol 78 && ip neighbour add proxy 2001:db8:100::8 dev home");
        let before = shell(settings);
        let mut world = World::start_on_home_link().await;
        world.expect(HacEvent::Acknowledged(1)).await;
        let proxies = shell("ip -6 neighbour show proxy");
        assert!(!proxies.contains("100::7") && proxies.contains("100::8"), "{proxies}");
        let mut node = MobileNode::new(&hac::association(1));
        shell("echo 0 >/proc/sys/net/ipv6/conf/home/dad_transmits");
        assert_eq!(node.binds(1), 0);
        assert_eq!(shell(settings).split_whitespace().collect::<Vec<_>>(), ["1", "0", "0"]);
        world.stop().await;
        assert_eq!(shell(settings), before);
        assert!(!shell("ip -6 neighbour show proxy; ip -4 neighbour show proxy").contains("protocol 78"));
        drop(host);
    });
}

#[test]
fn a_link_without_any_pool_on_it_ends_the_home_agent_with_what_to_do() {
    in_new_network_namespace(|| async {
        let host = Neighbour::new();
        shell("ip address flush dev home scope global && ip address add 192.0.2.129/25 dev home");
        let error = World::start_on_home_link().await.fails().await.to_string();
        assert!(
            error.contains("home-link: no pool (") && error.contains("is within a prefix of home (192.0.2.128/25)"),
            "{error}"
        );
        drop(host);
    });
}
