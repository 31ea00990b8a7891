//! Routes and rules in a kernel of their own: what is led where, and what is taken back.

use fixture::{in_new_network_namespace_async, shell};

use super::*;

#[test]
fn only_families_that_are_bound_are_led_into_the_tunnel() {
    in_new_network_namespace_async(|| async {
        let tun = net::tun::Tun::create("mn0", 1400, net::offloads::Offloads::NONE).unwrap();
        let netlink = Netlink::connect().unwrap();
        let tunnel = Tunnel::default();
        let (table, filter) = (tunnel.table, net::netlink::RouteFilter { table: Some(tunnel.table), protocol: None });
        let mut routes = Routes::new(netlink.clone(), tunnel);
        let home = HomeAddresses::new(Some("2001:db8:100::7".parse().unwrap()), Some([10, 9, 0, 7].into())).unwrap();
        routes.configure(tun.index(), 1400, &home, None).await.unwrap();
        let all: Vec<HomeAddress> = home.iter().collect();
        let (only_ip6, only_ip4) = (&all[..1], &all[1..]);
        for bound in [only_ip6, &all, only_ip4, &[], &all, only_ip6] {
            routes.lead_to(tun.index(), bound).await.unwrap();
            let families: Vec<Family> = bound.iter().map(|home| family_of(home.0)).collect();
            let led = netlink.routes(filter).await.unwrap();
            let is_right = led.iter().all(|route| families.contains(&family_of(route.destination.addr())));
            // One that leads in, and one that throws out what is on every link.
            assert!(led.len() == 2 * families.len() && is_right, "{led:?}");
            let rules = netlink.rules(Some(table)).await.unwrap();
            let expected: usize = families.iter().map(|family| if *family == Family::V4 { 5 } else { 4 }).sum();
            assert!(rules.len() == expected && rules.iter().all(|rule| families.contains(&rule.family)), "{rules:?}");
            assert_eq!(netlink.rules(Some(table + 1)).await.unwrap().len(), families.len());
        }
    });
}

#[test]
fn the_kernel_is_asked_for_nothing_while_what_is_led_into_the_tunnel_stays_the_same() {
    in_new_network_namespace_async(|| async {
        let tun = net::tun::Tun::create("mn0", 1400, net::offloads::Offloads::NONE).unwrap();
        let netlink = Netlink::connect().unwrap();
        let table = Tunnel::default().table;
        let mut routes = Routes::new(netlink.clone(), Tunnel::default());
        let home = |last| HomeAddresses::new(None, Some([10, 9, 0, last].into())).unwrap();
        let bound = |last| home(last).iter().collect::<Vec<_>>();
        routes.configure(tun.index(), 1400, &home(7), None).await.unwrap();
        routes.lead_to(tun.index(), &bound(7)).await.unwrap();
        netlink.clean_up(table, table).await.unwrap();
        routes.lead_to(tun.index(), &bound(7)).await.unwrap();
        assert_eq!(netlink.rules(Some(table)).await.unwrap().len(), 0, "what somebody else took away shows that nothing is done");
        routes.configure(tun.index(), 1400, &home(8), Some(&home(7))).await.unwrap();
        routes.lead_to(tun.index(), &bound(8)).await.unwrap();
        let rules = netlink.rules(Some(table)).await.unwrap();
        assert!(rules.len() == 5 && rules.iter().any(|rule| rule.packets == Selector::From([10, 9, 0, 8].into())), "{rules:?}");
        assert_eq!(routes.reassert().await.unwrap(), [""; 0], "nobody else took anything away");
        // Away and back before anything was led: the kernel has dropped the routes of the address that was gone.
        routes.configure(tun.index(), 1400, &home(9), Some(&home(8))).await.unwrap();
        routes.configure(tun.index(), 1400, &home(8), Some(&home(9))).await.unwrap();
        routes.lead_to(tun.index(), &bound(8)).await.unwrap();
        let filter = net::netlink::RouteFilter { table: Some(table), protocol: None };
        assert_eq!(netlink.routes(filter).await.unwrap().len(), 2);
    });
}

const HOME4: &str = "10.9.0.7";
const HOME6: &str = "2001:db8:100::7";

/// A node that is attached to `wifi` with a default route, filters strictly by reverse path, forwards for `guests`, and is led
/// into the tunnel.
async fn registered() -> (net::tun::Tun, Routes) {
    shell(
        "set -e; ip link set lo up
         for device in wifi guests; do
             ip link add $device type veth peer name $device-far; ip link set $device up; ip link set $device-far up
         done
         ip address add 198.51.100.2/24 dev wifi; ip address add 2001:db8:1::2/64 dev wifi nodad
         ip address add 172.17.0.1/24 dev guests; ip address add 2001:db8:17::1/64 dev guests nodad
         ip route add default via 198.51.100.1; ip route add default via 2001:db8:1::1
         for device in all default wifi guests; do echo 1 > /proc/sys/net/ipv4/conf/$device/rp_filter; done
         echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding",
    );
    let tun = net::tun::Tun::create("mn0", 1400, net::offloads::Offloads::NONE).unwrap();
    let tunnel = Tunnel { except: vec!["192.0.2.128/25".parse().unwrap()], ..Tunnel::default() };
    let mut routes = Routes::new(Netlink::connect().unwrap(), tunnel);
    let home = HomeAddresses::new(Some(HOME6.parse().unwrap()), Some(HOME4.parse().unwrap())).unwrap();
    routes.configure(tun.index(), 1400, &home, None).await.unwrap();
    routes.lead_to(tun.index(), &home.iter().collect::<Vec<_>>()).await.unwrap();
    routes.set_local(vec!["172.17.0.0/24".parse().unwrap()]).await.unwrap();
    (tun, routes)
}

/// What the kernel does with a packet to an address far away, described to `ip route get`; and its device.
const LOOK_UPS: [(&str, &str); 19] = [
    ("203.0.113.5", "dev mn0 table 7872 src 10.9.0.7"),
    ("203.0.113.5 from 10.9.0.7", "dev mn0 table 7872"),
    ("203.0.113.5 from 198.51.100.2", "via 198.51.100.1 dev wifi"),
    ("203.0.113.5 mark 7872", "via 198.51.100.1 dev wifi src 198.51.100.2"),
    ("203.0.113.5 mark 7873", "dev mn0 table 7872 src 10.9.0.7"),
    ("203.0.113.5 from 172.17.0.9 iif guests", "dev mn0 table 7872"),
    ("198.51.100.9", "dev mn0 table 7872 src 10.9.0.7"),
    ("172.17.0.9", "dev guests src 172.17.0.1"),
    ("172.17.0.9 from 10.9.0.7", "dev guests"),
    ("192.0.2.129", "via 198.51.100.1 dev wifi"),
    ("172.17.0.9 from 203.0.113.5 iif mn0", "dev guests"),
    ("2001:db8:77::5", "dev mn0 table 7872 proto 78 src 2001:db8:100::7"),
    ("2001:db8:77::5 from 2001:db8:100::7", "dev mn0 table 7872"),
    ("2001:db8:77::5 from 2001:db8:1::2", "via 2001:db8:1::1 dev wifi"),
    ("2001:db8:77::5 mark 7872", "via 2001:db8:1::1 dev wifi src 2001:db8:1::2"),
    ("2001:db8:77::5 mark 7873", "dev mn0 table 7872 proto 78 src 2001:db8:100::7"),
    ("2001:db8:77::5 from 2001:db8:17::9 iif guests", "dev mn0 table 7872"),
    ("2001:db8:1::9", "dev mn0 table 7872 proto 78 src 2001:db8:100::7"),
    ("2001:db8:17::9 from 2001:db8:77::5 iif mn0", "dev guests"),
];

#[test]
fn the_source_of_a_packet_decides_whether_it_goes_into_the_tunnel() {
    in_new_network_namespace_async(|| async {
        let (_tun, routes) = registered().await;
        for (packet, expected) in LOOK_UPS {
            let found = shell(&format!("ip route get {packet}"));
            assert!(found.contains(expected), "{packet}: {found}");
        }
        routes.clean_up().await.unwrap();
        let found = shell("ip route get 203.0.113.5; ip route get 2001:db8:77::5");
        assert!(!found.contains("mn0") && shell("ip rule; ip -6 rule").lines().count() == 5, "{found}");
    });
}

/// What a DHCP server or a router that wants to read along hands out (CVE-2024-3661, TunnelCrack).
const ROGUE: [&str; 7] = [
    "0.0.0.0/1 via 198.51.100.1",
    "128.0.0.0/1 via 198.51.100.1",
    "203.0.113.5/32 via 198.51.100.1",
    "172.16.0.0/12 dev wifi scope link",
    "2000::/3 via 2001:db8:1::1",
    "2001:db8:77::/64 dev wifi",
    "2001:db8:77::5/128 via 2001:db8:1::1",
];

#[test]
fn no_route_of_the_main_table_beats_the_tunnel_however_specific_it_is() {
    in_new_network_namespace_async(|| async {
        let (_tun, mut routes) = registered().await;
        for route in ROGUE {
            shell(&format!("ip route add {route}"));
        }
        for packet in ["203.0.113.5", "172.20.0.1", "2001:db8:77::5", "203.0.113.5 from 172.17.0.9 iif guests"] {
            let found = shell(&format!("ip route get {packet}"));
            assert!(found.contains("dev mn0 table 7872"), "{packet}: {found}");
        }
        // The network goes, and with it what was local.
        routes.set_local(Vec::new()).await.unwrap();
        assert!(shell("ip route get 172.17.0.9").contains("dev mn0"));
    });
}

#[test]
fn a_local_network_within_a_route_that_the_configuration_names_is_none() {
    in_new_network_namespace_async(|| async {
        let tunnel = Tunnel { routes: vec!["10.0.0.0/8".parse().unwrap()], ..Tunnel::default() };
        let mut routes = Routes::new(Netlink::connect().unwrap(), tunnel);
        routes.set_local(vec!["10.1.0.0/16".parse().unwrap(), "192.168.1.0/24".parse().unwrap()]).await.unwrap();
        let past: Vec<String> = routes.past().iter().map(ToString::to_string).collect();
        assert_eq!(past, ["169.254.0.0/16", "192.168.1.0/24", "fe80::/10"]);
    });
}

#[test]
fn what_somebody_else_took_away_is_put_back_and_named() {
    in_new_network_namespace_async(|| async {
        let (_tun, routes) = registered().await;
        assert_eq!(routes.reassert().await.unwrap(), <[String; 0]>::default());
        let whole = || shell("ip rule; ip -6 rule; ip route show table 7872; ip -6 route show table 7872; ip address show mn0");
        let before = whole();
        for (taken, named) in [
            ("ip rule flush; ip rule add lookup main priority 32766; ip rule add lookup default priority 32767", "rules (V4)"),
            ("ip -6 rule del from all iif mn0", "1 of 5 rules (V6)"),
            ("ip route flush table 7872", "route to 0.0.0.0/0"),
            ("ip -6 route del default table 7872", "route to ::/0"),
            ("ip route del throw 172.17.0.0/24 table 7872", "route to 172.17.0.0/24"),
            ("ip address del 10.9.0.7/32 dev mn0", "address 10.9.0.7"),
            ("ip link set mn0 down", "device mn0 (down)"),
        ] {
            shell(taken);
            assert_ne!(whole(), before, "{taken}");
            let gone = routes.reassert().await.unwrap().join(", ");
            assert!(gone.contains(named), "{taken}: {gone}");
            assert_eq!(routes.reassert().await.unwrap(), <[String; 0]>::default(), "{taken}");
            for (packet, expected) in LOOK_UPS {
                let found = shell(&format!("ip route get {packet}"));
                assert!(found.contains(expected), "{taken}: {packet}: {found}");
            }
        }
    });
}

#[test]
fn strict_reverse_path_filtering_takes_what_comes_to_the_care_of_address_and_out_of_the_tunnel() {
    in_new_network_namespace_async(|| async {
        let (_tun, _routes) = registered().await;
        shell("echo 1 > /proc/sys/net/ipv4/conf/mn0/rp_filter");
        for (packet, device) in [("198.51.100.2", "wifi"), (HOME4, "mn0")] {
            let taken = shell(&format!("ip route get {packet} from 203.0.113.5 iif {device}"));
            assert!(taken.starts_with(&format!("local {packet} ")), "{taken}");
        }
        for (packet, device) in [("198.51.100.2", "mn0"), (HOME4, "wifi")] {
            let refused = shell(&format!("ip route get {packet} from 203.0.113.5 iif {device} 2>&1 || true"));
            assert!(refused.starts_with("RTNETLINK answers"), "the filter filters: {refused}");
        }
    });
}

/// RFC 3963: what comes out of the tunnel for a network behind the host, and what the host says to it, goes there and not back.
#[test]
fn a_network_behind_the_host_is_reached_past_the_tunnel_as_long_as_it_is_forwarded() {
    in_new_network_namespace_async(|| async {
        let (_tun, mut routes) = registered().await;
        shell("ip -6 address add 2001:db8:7::1/64 dev guests nodad");
        let goes_to = |device: &str| {
            shell(&format!("ip -6 route get 2001:db8:7::5 | grep -q 'dev {device} '"));
            shell("ip -6 route get 2001:db8:7::5 from 2001:db8:9::9 iif mn0 | grep -q 'dev guests '");
            shell("ip -6 route get 2001:db8:9::9 from 2001:db8:7::5 iif guests | grep -q 'dev mn0 '");
        };
        goes_to("mn0");
        for _ in 0..2 {
            routes.set_networks(vec!["2001:db8:7::/64".parse().unwrap()]).await.unwrap();
            goes_to("guests");
        }
        assert_eq!(routes.reassert().await.unwrap(), [""; 0]);
        routes.set_networks(Vec::new()).await.unwrap();
        goes_to("mn0");
    });
}

fn home_link(interface: u32) -> crate::home_link::HomeLink {
    let care_of = protocol::addr::CareOfAddress("2001:db8:100::abcd".parse().unwrap());
    let name = "guests".to_owned();
    crate::home_link::HomeLink {
        attachment: crate::movement::Attachment { interface, name, care_of, metric: 100, deprecated: false },
        home: HomeAddresses::new(Some(HOME6.parse().unwrap()), Some(HOME4.parse().unwrap())).unwrap(),
        prefixes: ["2001:db8:100::/64", "10.9.0.0/24"].map(|prefix| prefix.parse().unwrap()).to_vec(),
        gateways: ["2001:db8:100::1", "10.9.0.1"].map(|gateway| gateway.parse().unwrap()).to_vec(),
    }
}

/// At home; and what is left of it when the link goes and when the node leaves.
#[test]
fn on_the_home_link_packets_go_there_and_into_the_tunnel_as_soon_as_it_is_gone() {
    in_new_network_namespace_async(|| async {
        let (tun, mut routes) = registered().await;
        shell("ip address add 2001:db8:100::abcd/64 dev guests nodad && ip address add 10.9.0.78/24 dev guests");
        let link = home_link(net::link_names::index_of("guests").unwrap());
        let goes = |packet: &str, expected: &str| {
            let found = shell(&format!("ip route get {packet}"));
            assert!(found.contains(expected), "{packet}: {found}");
        };
        assert!(routes.take_home(&link, true).await.unwrap(), "nobody else has it");
        goes("203.0.113.5", "dev mn0 table 7872");
        routes.lead_home(tun.index(), &link).await.unwrap();
        goes("203.0.113.5", "via 10.9.0.1 dev guests table 7872 src 10.9.0.7");
        goes("2001:db8:77::5 from 2001:db8:100::7", "via 2001:db8:100::1 dev guests table 7872");
        goes("2001:db8:100::77 from 2001:db8:100::7", "dev guests table 7872");
        goes("10.9.0.77", "dev guests table 7872 src 10.9.0.7");
        assert_eq!(routes.reassert().await.unwrap(), [""; 0]);
        shell("ip address del 2001:db8:100::7/128 dev guests");
        assert_eq!(routes.reassert().await.unwrap().len(), 1);
        shell("ip link set guests down");
        for packet in ["203.0.113.5", "2001:db8:77::5 from 2001:db8:100::7"] {
            goes(packet, "dev mn0 table 7872");
        }
        routes.leave_home().await.unwrap();
        shell("ip link set guests up");
        goes("2001:db8:77::5 from 2001:db8:100::7", "dev mn0 table 7872");
        let addresses = shell("ip -6 address show dev guests");
        assert!(!addresses.contains("2001:db8:100::7/128"), "{addresses}");
    });
}

#[test]
fn a_home_address_that_a_killed_run_has_left_is_taken_away() {
    in_new_network_namespace_async(|| async {
        let (_tun, mut routes) = registered().await;
        let link = home_link(net::link_names::index_of("guests").unwrap());
        routes.take_home(&link, false).await.unwrap();
        Routes::new(Netlink::connect().unwrap(), Tunnel::default()).clean_up().await.unwrap();
        assert!(!shell("ip -6 address show dev guests").contains("2001:db8:100::7"));
    });
}
