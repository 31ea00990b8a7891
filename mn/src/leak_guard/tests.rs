//! The guard's table in a kernel: what it lets through, what it refuses, and that it stays.

use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use fixture::{in_new_network_namespace_async, shell};

use super::*;
use crate::config::Guard;

/// Another link, up, with these addresses of this host and a neighbour.
fn linked(name: &str, addresses: &[&str], neighbour: &str) {
    shell(&format!(
        "set -e; ip link add {name} type veth peer name {name}-far; ip link set {name} up; ip link set {name}-far up"
    ));
    for address in addresses {
        shell(&format!("ip -6 address add {address} dev {name} nodad"));
    }
    shell(&format!("ip -6 neigh add {neighbour} lladdr 02:00:00:00:00:77 dev {name}"));
}

/// A node on `wifi` with a private and a public address, and a host at the other end that has every address.
fn attached() {
    shell(
        "set -e; ip link set lo up
         ip link add wifi type veth peer name far; ip link set wifi up; ip link set far up
         ip address add 192.168.1.2/24 dev wifi; ip address add 198.51.100.2/24 dev wifi
         ip -6 address add 2001:db8:1::2/64 dev wifi nodad
         ip route add default via 198.51.100.1; ip -6 route add default via 2001:db8:1::1
         ip neigh add 192.168.1.1 lladdr 02:00:00:00:00:01 dev wifi; ip neigh add 198.51.100.1 lladdr 02:00:00:00:00:01 dev wifi
         ip -6 neigh add 2001:db8:1::1 lladdr 02:00:00:00:00:01 dev wifi",
    );
}

fn local() -> Vec<LocalNetwork> {
    vec![LocalNetwork { prefix: "192.168.1.0/24".parse().unwrap(), interface: "wifi".to_owned() }]
}

async fn guard(guard: Guard, tunnel: Tunnel) -> LeakGuard {
    let mut guard = LeakGuard::new(guard, tunnel);
    guard.put_up().await.unwrap();
    guard.set_local(local()).await.unwrap();
    guard
}

/// Whether a datagram from here leaves.
fn leaves(to: &str) -> bool {
    let to: SocketAddr = to.parse().unwrap();
    let socket = UdpSocket::bind(if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }).unwrap();
    socket.send_to(b"x", to).is_ok()
}

fn full() -> Tunnel {
    Tunnel::default()
}

#[test]
fn everything_is_refused_but_private_networks_on_the_link_and_what_is_excepted() {
    in_new_network_namespace_async(|| async {
        attached();
        let tunnel = Tunnel { except: vec!["203.0.113.128/25".parse().unwrap()], ..full() };
        let _guard = guard(Guard::default(), tunnel).await;
        for (to, expected) in [
            ("203.0.113.5:9", false),
            ("198.51.100.1:9", false),
            ("[2001:db8:77::5]:9", false),
            ("[2001:db8:1::1]:9", false),
            ("192.168.1.1:9", true),
            ("192.168.1.1:53", false),
            ("192.168.1.1:853", false),
            ("192.168.2.1:9", false),
            ("203.0.113.129:53", true),
            ("127.0.0.1:9", true),
        ] {
            assert_eq!(leaves(to), expected, "{to}\n{}", shell("nft list ruleset"));
        }
        let seen = Reader::new(&Guard::default(), full().table).read().await;
        assert_eq!((seen.mode.as_str(), seen.standing, seen.rejected, seen.rejected_dns), ("on", true, 7, 2));
    });
}

#[test]
fn who_is_refused_learns_it_at_once() {
    in_new_network_namespace_async(|| async {
        attached();
        let _guard = guard(Guard::default(), full()).await;
        for to in ["203.0.113.5:80", "[2001:db8:77::5]:80"] {
            let begun = std::time::Instant::now();
            let refused = TcpStream::connect_timeout(&to.parse().unwrap(), Duration::from_secs(5)).unwrap_err();
            assert!(begun.elapsed() < Duration::from_secs(1), "{to}: {refused}");
        }
    });
}

#[test]
fn a_split_tunnel_holds_what_it_names_and_nothing_else_and_what_it_names_is_never_local() {
    in_new_network_namespace_async(|| async {
        attached();
        let routes = ["192.168.1.128/25", "203.0.113.0/24", "2001:db8:77::/48"].map(|route| route.parse().unwrap()).to_vec();
        let _guard = guard(Guard::default(), Tunnel { routes, ..full() }).await;
        for (to, expected) in [
            ("203.0.113.5:9", false),
            ("192.168.1.129:9", false),
            ("[2001:db8:77::5]:53", false),
            ("198.51.100.1:53", true),
            ("192.168.1.1:53", true),
            ("[2001:db8:78::5]:9", true),
        ] {
            assert_eq!(leaves(to), expected, "{to}");
        }
    });
}

#[test]
fn each_option_closes_or_opens_what_it_says() {
    in_new_network_namespace_async(|| async {
        attached();
        for (options, to, expected) in [
            (Guard { local_dns: true, ..Guard::default() }, "192.168.1.1:53", true),
            (Guard { local_dns: true, ..Guard::default() }, "198.51.100.1:53", false),
            (Guard { local_network: false, ..Guard::default() }, "192.168.1.1:9", false),
            (Guard { mode: GuardMode::Inbound, ..Guard::default() }, "203.0.113.5:9", true),
            (Guard { mode: GuardMode::Off, ..Guard::default() }, "203.0.113.5:9", true),
        ] {
            let mut guard = guard(options.clone(), full()).await;
            guard.set_homes(vec!["10.9.0.7".parse().unwrap(), "2001:db8:100::7".parse().unwrap()]).await.unwrap();
            assert_eq!(leaves(to), expected, "{options:?} {to}");
            assert_eq!(shell("nft list ruleset").is_empty(), options.mode == GuardMode::Off);
        }
    });
}

#[test]
fn a_table_that_somebody_took_away_or_changed_is_put_back_and_its_own_changes_are_none() {
    in_new_network_namespace_async(|| async {
        attached();
        let mut guard = guard(Guard::default(), full()).await;
        guard.set_homes(vec!["10.9.0.7".parse().unwrap()]).await.unwrap();
        let whole = shell("nft -s list ruleset");
        assert!(!guard.reassert().await.unwrap(), "nothing is missing");
        for taken in ["nft flush ruleset", "nft flush table inet haltsec-7872", "nft add rule inet haltsec-7872 local accept"] {
            shell(taken);
            assert!(guard.reassert().await.unwrap(), "{taken}");
            assert_eq!(shell("nft -s list ruleset"), whole, "{taken}");
            assert!(!guard.reassert().await.unwrap());
        }
        // What is changed while it is gone comes with the whole.
        shell("nft flush ruleset");
        guard.set_local(Vec::new()).await.unwrap();
        assert!(!leaves("192.168.1.1:9") && shell("nft list ruleset").contains("10.9.0.7"));
        shell("nft add table inet somebody");
        assert!(guard.take_down().await.unwrap() && !guard.take_down().await.unwrap());
        assert_eq!(shell("nft list ruleset"), "table inet somebody {\n}\n");
    });
}

#[test]
fn a_flush_between_a_change_and_the_look_at_it_is_undone_by_the_next_look() {
    in_new_network_namespace_async(|| async {
        attached();
        let mut guard = guard(Guard::default(), full()).await;
        let whole = shell("nft -s list ruleset");
        for later in ["reassert", "change"] {
            shell("nft flush ruleset");
            guard.remember().await.unwrap();
            assert!(guard.is_up(), "it is to stand");
            if later == "reassert" {
                assert!(guard.reassert().await.unwrap() && !guard.reassert().await.unwrap());
            } else {
                guard.set_homes(vec!["10.9.0.7".parse().unwrap()]).await.unwrap();
            }
            assert!(!leaves("203.0.113.5:9"), "{later}");
            assert!(later == "change" || shell("nft -s list ruleset") == whole);
        }
        guard.take_down().await.unwrap();
        assert!(!guard.is_up() && !guard.reassert().await.unwrap() && shell("nft list ruleset").is_empty());
    });
}

#[test]
fn what_an_earlier_run_left_is_replaced_or_with_the_guard_off_taken_away() {
    in_new_network_namespace_async(|| async {
        attached();
        let mut killed = guard(Guard::default(), full()).await;
        killed.set_homes(vec!["10.9.0.7".parse().unwrap()]).await.unwrap();
        let next = LeakGuard::new(Guard::default(), full());
        drop(killed);
        assert!(!leaves("203.0.113.5:9"), "it stays though nobody holds it");
        let mut next = next;
        next.put_up().await.unwrap();
        assert!(!leaves("203.0.113.5:9") && !shell("nft list ruleset").contains("10.9.0.7"));
        LeakGuard::new(Guard { mode: GuardMode::Off, ..Guard::default() }, full()).put_up().await.unwrap();
        assert!(leaves("203.0.113.5:9"));
    });
}

#[test]
fn what_is_of_a_network_behind_the_host_stays_there_or_goes_through_the_tunnel() {
    in_new_network_namespace_async(|| async {
        attached();
        linked("lan", &["2001:db8:7::1/64"], "2001:db8:7::5");
        let mut guard = LeakGuard::new(Guard::default(), full()).with_lan(Some("lan".to_owned()));
        guard.put_up().await.unwrap();
        guard.set_local(local()).await.unwrap();
        assert!(!leaves("[2001:db8:7::5]:9"), "nothing is known of a network yet");
        guard.set_networks("2001:db8:7::/64".parse().unwrap()).await.unwrap();
        assert!(leaves("[2001:db8:7::5]:9"));
        let from_there = UdpSocket::bind("[2001:db8:7::1]:0").unwrap();
        assert!(from_there.send_to(b"x", "[2001:db8:7::5]:9").is_ok());
        for to in ["[2001:db8:1::1]:9", "[2001:db8:77::5]:9"] {
            assert!(from_there.send_to(b"x", to).is_err() && !leaves(to), "{to}");
        }
        // Neighbour discovery there has a source of the network.
        shell(
            "nft list chain inet haltsec-7872 networks | grep -q 'oifname \"lan\" ip6 daddr { 2001:db8:7::/64, fe80::/10, ff02::/16 } accept'",
        );
        shell("nft list chain inet haltsec-7872 networks | grep -q 'iifname \"lan\" meta nfproto ipv6 goto refuse'");
        shell("nft list chain inet haltsec-7872 homes | grep -q 'iifname != \"lan\" ip6 daddr 2001:db8:7::/64'");
        assert!(!guard.reassert().await.unwrap(), "it is as it was put up");
        guard.set_networks("".parse().unwrap()).await.unwrap();
        assert!(!leaves("[2001:db8:7::5]:9"));
    });
}

#[test]
fn on_the_home_link_the_home_network_passes_and_nothing_else_and_away_they_do_not() {
    in_new_network_namespace_async(|| async {
        attached();
        linked("home", &["2001:db8:100::7/128", "2001:db8:100::abcd/64"], "2001:db8:100::77");
        let mut guard = guard(Guard::default(), full()).await;
        guard.set_homes(vec!["2001:db8:100::7".parse().unwrap()]).await.unwrap();
        let leaves_from = |from: &str, to: &str| {
            let socket = UdpSocket::bind(format!("[{from}]:0")).unwrap();
            socket.send_to(b"x", to.parse::<SocketAddr>().unwrap()).is_ok()
        };
        let (home, guest, host) = ("2001:db8:100::7", "2001:db8:100::abcd", "[2001:db8:100::77]:53");
        assert!(!leaves_from(home, host));
        guard.set_home_link(Some(("home".to_owned(), vec!["2001:db8:100::/64".parse().unwrap()]))).await.unwrap();
        assert!(leaves_from(home, host) && leaves_from(guest, host) && !leaves_from("2001:db8:1::2", host));
        assert!(!leaves_from(home, "[2001:db8:1::1]:9"), "another link is not home");
        let chain = |name| shell(&format!("nft list chain inet haltsec-7872 {name}"));
        assert!(
            chain("homes").contains("iifname @home-link return") && chain("guests-at-home").contains("oifname @home-link accept")
        );
        assert!(!guard.reassert().await.unwrap(), "it is as it was put up");
        shell("nft flush ruleset");
        assert!(guard.reassert().await.unwrap() && leaves_from(home, host));
        guard.set_home_link(None).await.unwrap();
        assert!(!leaves_from(home, host) && !chain("homes").contains("return"));
    });
}

#[test]
fn what_the_home_link_opens_closes_by_itself_when_nobody_says_that_the_node_is_home_still() {
    in_new_network_namespace_async(|| async {
        attached();
        linked("home", &["2001:db8:100::7/64"], "2001:db8:100::77");
        let mut guard = LeakGuard::new(Guard::default(), full());
        guard.rules.home_link_lasts = Duration::from_secs(2);
        guard.put_up().await.unwrap();
        guard.set_home_link(Some(("home".to_owned(), vec!["2001:db8:100::/64".parse().unwrap()]))).await.unwrap();
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_millis(1200)).await;
            assert!(leaves("[2001:db8:100::77]:9"));
            assert!(!guard.reassert().await.unwrap(), "that time goes by changes nothing");
            guard.renew_home_link().await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(2200)).await;
        assert!(!leaves("[2001:db8:100::77]:9"), "{}", shell("nft list ruleset"));
    });
}
