use std::net::IpAddr;

use fixture::{block_on, enter_new_network_namespace, in_new_network_namespace_async, shell};
use ipnet::IpNet;

use super::*;
use crate::offloads::Offloads;
use crate::tun::Tun;

const TABLE: u32 = 7872;
const PROTOCOL: u8 = 78;

/// Runs `body` in a namespace where the device `mn0` is up and has an address of each family.
fn with_a_device<S: FnOnce(Netlink, u32) -> F, F: Future<Output = ()>>(body: S) {
    if !enter_new_network_namespace::<S>() {
        return;
    }
    block_on(async {
        let tun = Tun::create("mn0", 1400, Offloads::NONE).unwrap();
        let netlink = Netlink::connect().unwrap();
        let index = netlink.link_index("mn0").await.unwrap();
        assert_eq!(index, tun.index());
        netlink.set_link_up(netlink.link_index("lo").await.unwrap(), None).await.unwrap();
        netlink.set_link_up(index, Some(1300)).await.unwrap();
        for address in ["10.9.0.2/32", "2001:db8:100::2/128"] {
            assert_eq!(netlink.add_address(index, net(address)).await.unwrap(), Change::Made);
        }
        // The kernel's own route to it comes later, which would be a change that a test looks for.
        netlink.await_address(ip("2001:db8:100::2")).await.unwrap();
        body(netlink, index).await;
    });
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn a_link_is_found_by_name_and_shows_its_state() {
    with_a_device(|netlink, index| async move {
        let links = netlink.links().await.unwrap();
        let link = links.iter().find(|link| link.index == index).unwrap();
        assert_eq!((link.name.as_str(), link.up, link.carrier, link.loopback, link.mtu), ("mn0", true, true, false, 1300));
        assert!(links.iter().any(|link| link.loopback && link.name == "lo"));
        let error = netlink.link_index("nowhere0").await.unwrap_err();
        assert_eq!(error.errno(), Some(libc::ENODEV));
        assert!(error.to_string().contains("nowhere0"), "{error}");
    });
}

#[test]
fn addresses_are_usable_at_once_and_are_added_and_deleted_any_number_of_times() {
    with_a_device(|netlink, index| async move {
        for text in ["10.9.0.2/32", "2001:db8:100::2/128"] {
            assert_eq!(netlink.add_address(index, net(text)).await.unwrap(), Change::AlreadySo);
            let all = netlink.addresses().await.unwrap();
            let address = all.iter().find(|address| address.address == net(text)).unwrap();
            assert_eq!((address.interface, address.scope), (index, Scope::Global));
            assert!(!address.tentative && !address.deprecated && !address.dad_failed && address.permanent);
            assert_eq!(netlink.delete_address(index, net(text)).await.unwrap(), Change::Made);
            assert_eq!(netlink.delete_address(index, net(text)).await.unwrap(), Change::AlreadySo);
            assert!(netlink.addresses().await.unwrap().iter().all(|address| address.address != net(text)));
        }
        assert_eq!(netlink.delete_address(4711, net("10.9.0.2/32")).await.unwrap(), Change::AlreadySo);
        assert_eq!(netlink.add_address(4711, net("10.9.0.2/32")).await.unwrap_err().errno(), Some(libc::ENODEV));
        let all = netlink.addresses().await.unwrap();
        assert!(all.iter().any(|address| address.address.addr() == ip("::1") && address.scope == Scope::Host));
    });
}

#[test]
fn an_address_that_the_kernel_makes_for_the_sake_of_privacy_is_told_from_its_public_one() {
    with_a_device(|netlink, index| async move {
        std::fs::write("/proc/sys/net/ipv6/conf/mn0/use_tempaddr", "2").unwrap();
        fixture::shell("ip address add 2001:db8:7::5/64 dev mn0 mngtmpaddr && ip address add 192.0.2.7/24 dev mn0");
        fixture::shell("ip address add 192.0.2.8/24 dev mn0");
        let all = netlink.addresses().await.unwrap();
        let made = |temporary| {
            let of = all.iter().filter(|address| address.interface == index && address.temporary == temporary);
            of.map(|address| address.address.to_string()).collect::<Vec<_>>()
        };
        let temporary = made(true);
        assert!(temporary.len() == 1 && temporary[0].starts_with("2001:db8:7:"), "{temporary:?}");
        let public = made(false);
        assert!(["2001:db8:7::5/64", "192.0.2.8/24"].iter().all(|one| public.iter().any(|other| other == one)), "{public:?}");
    });
}

#[test]
fn what_the_kernel_delivers_to_this_host_is_listed_and_multicast_is_not() {
    with_a_device(|netlink, index| async move {
        netlink.add_address(index, net("192.0.2.1/24")).await.unwrap();
        std::fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").unwrap();
        netlink.add_address(index, net("2001:db8:77::1/64")).await.unwrap();
        netlink.await_address(ip("2001:db8:77::1")).await.unwrap();
        let own = netlink.own_destinations().await.unwrap();
        // RFC 4291 section 2.6.1: a router has the Subnet-Router anycast address of each of its links.
        for delivered in
            ["10.9.0.2/32", "192.0.2.1/32", "192.0.2.255/32", "127.0.0.0/8", "2001:db8:77::1/128", "2001:db8:77::/128"]
        {
            assert!(own.contains(&net(delivered)), "{delivered}: {own:?}");
        }
        assert!(own.iter().all(|net| !net.addr().is_multicast() && !net.contains(&ip("192.0.2.2"))), "{own:?}");
    });
}

#[test]
fn routes_are_added_replaced_listed_and_deleted() {
    with_a_device(|netlink, index| async move {
        let filter = RouteFilter { table: Some(TABLE), protocol: None };
        assert_eq!(netlink.routes(filter).await.unwrap(), []);
        for (destination, source) in
            [("192.0.2.0/24", "10.9.0.2"), ("2001:db8:77::/48", "2001:db8:100::2"), ("::/0", "2001:db8:100::2")]
        {
            let route = Route::unicast(net(destination), index, TABLE, PROTOCOL).with_source(ip(source)).with_metric(50);
            assert_eq!(netlink.add_route(&route).await.unwrap(), Change::Made);
            assert_eq!(netlink.add_route(&route).await.unwrap(), Change::AlreadySo);
            assert_eq!(netlink.routes(filter).await.unwrap(), std::slice::from_ref(&route));
            let other = RouteFilter { table: None, protocol: Some(PROTOCOL) };
            assert_eq!(netlink.routes(other).await.unwrap(), std::slice::from_ref(&route));
            netlink.replace_route(&Route { source: None, ..route.clone() }).await.unwrap();
            assert_eq!(netlink.routes(filter).await.unwrap(), [Route { source: None, ..route.clone() }]);
            assert_eq!(netlink.delete_route(&route).await.unwrap(), Change::Made);
            assert_eq!(netlink.delete_route(&route).await.unwrap(), Change::AlreadySo);
            assert_eq!(netlink.routes(filter).await.unwrap(), []);
        }
    });
}

/// As the kernel makes one of two equal default routes of IPv6 that a manager of networks has from two routers.
#[test]
fn a_route_by_several_routers_is_listed_once_for_each() {
    with_a_device(|netlink, index| async move {
        for (everything, routers) in [("0.0.0.0/0", ["192.0.2.1", "192.0.2.2"]), ("::/0", ["2001:db8:77::1", "2001:db8:77::2"])] {
            let hops = routers.map(|router| format!("nexthop via {router} dev mn0 onlink")).join(" ");
            shell(&format!("ip route add {everything} table {TABLE} proto {PROTOCOL} metric 50 {hops}"));
            let one = |router| Route::unicast(net(everything), index, TABLE, PROTOCOL).with_metric(50).with_gateway(ip(router));
            let filter = RouteFilter { table: Some(TABLE), protocol: None };
            assert_eq!(netlink.routes(filter).await.unwrap(), routers.map(one));
            assert_eq!(ListReader::open().unwrap().routes(filter).unwrap(), routers.map(one));
            netlink.delete_routes(filter).await.unwrap();
            assert_eq!(netlink.routes(filter).await.unwrap(), []);
        }
    });
}

#[test]
fn a_look_up_follows_the_mark_and_the_rules() {
    with_a_device(|netlink, index| async move {
        let away = netlink.link_index("lo").await.unwrap();
        for (family, everything, destination, source) in
            [(Family::V4, "0.0.0.0/0", "192.0.2.1", "10.9.0.2"), (Family::V6, "::/0", "2001:db8:77::1", "2001:db8:100::2")]
        {
            let destination = ip(destination);
            assert_eq!(netlink.route_to(destination, None).await.unwrap(), None);
            let route = Route::unicast(net(everything), index, TABLE, PROTOCOL).with_source(ip(source));
            netlink.add_route(&route).await.unwrap();
            assert_eq!(netlink.route_to(destination, None).await.unwrap(), None, "no rule leads to the table");

            let rule = Rule::new(family, TABLE, TABLE).only(Selector::NotMarked(7872));
            assert_eq!(netlink.add_rule(&rule).await.unwrap(), Change::Made);
            assert_eq!(netlink.add_rule(&rule).await.unwrap(), Change::AlreadySo);
            let hop = NextHop { interface: index, source: Some(ip(source)), gateway: None };
            assert_eq!(netlink.route_to(destination, None).await.unwrap(), Some(hop));
            assert_eq!(netlink.route_to(destination, Some(7872)).await.unwrap(), None, "marked packets stay out");

            netlink.add_route(&Route::unreachable(net(everything), MAIN_TABLE, PROTOCOL)).await.unwrap();
            assert_eq!(netlink.route_to(destination, Some(7872)).await.unwrap(), None, "unreachable is no way");
            assert_ne!(away, index);
            assert_eq!(netlink.delete_rule(&rule).await.unwrap(), Change::Made);
            assert_eq!(netlink.delete_rule(&rule).await.unwrap(), Change::AlreadySo);
        }
    });
}

/// Every kind of rule, and how iproute2 shows it.
fn rules_of(family: Family) -> Vec<(Rule, String)> {
    let (home, shown_home) = match family {
        Family::V4 => (ip("10.9.0.2"), "10.9.0.2"),
        Family::V6 => (ip("2001:db8:100::2"), "2001:db8:100::2"),
    };
    let rule = |packets| Rule::new(family, TABLE, TABLE).only(packets);
    let mut rules = vec![
        (Rule::new(family, TABLE + 1, 0).with_action(RuleAction::Nop), "7873:\tfrom all nop".to_owned()),
        (Rule::new(family, TABLE, MAIN_TABLE).suppressing(0), "7872:\tfrom all lookup main suppress_prefixlength 0".to_owned()),
        (
            rule(Selector::Marked(7872)).with_action(RuleAction::Goto(TABLE + 1)),
            "7872:\tfrom all fwmark 0x1ec0 goto 7873".to_owned(),
        ),
        (rule(Selector::NotMarked(9)), "7872:\tnot from all fwmark 0x9 lookup 7872".to_owned()),
        (rule(Selector::From(home)), format!("7872:\tfrom {shown_home} lookup 7872")),
        (rule(Selector::Forwarded), "7872:\tnot from all iif lo lookup 7872".to_owned()),
        (
            rule(Selector::FromDevice(DeviceName::new("mn0").unwrap())).suppressing(0),
            "7872:\tfrom all iif mn0 lookup 7872 suppress_prefixlength 0".to_owned(),
        ),
    ];
    match family {
        Family::V4 => rules.push((rule(Selector::From(ip("0.0.0.0"))), "7872:\tfrom 0.0.0.0 lookup 7872".to_owned())),
        Family::V6 => {
            let other = ip("2001:db8:100::3");
            rules.push((rule(Selector::FromOrUnset(other)), "7872:\tfrom 2001:db8:100::3 lookup 7872".to_owned()));
        }
    }
    rules
}

#[test]
fn a_rule_is_read_back_as_it_was_written_and_as_iproute2_shows_it() {
    with_a_device(|netlink, _| async move {
        for family in Family::BOTH {
            for (rule, _) in rules_of(family) {
                assert_eq!(netlink.add_rule(&rule).await.unwrap(), Change::Made, "{rule:?}");
                assert_eq!(netlink.add_rule(&rule).await.unwrap(), Change::AlreadySo, "{rule:?}");
            }
            let shown = shell(if family == Family::V4 { "ip -4 rule" } else { "ip -6 rule" });
            let mut all = netlink.rules(Some(TABLE)).await.unwrap();
            all.extend(netlink.rules(Some(TABLE + 1)).await.unwrap());
            for (rule, words) in rules_of(family) {
                assert!(all.contains(&rule), "{rule:?} is not in {all:?}");
                assert!(shown.lines().any(|line| line.trim_end() == words), "{words} is not in\n{shown}");
            }
            for (rule, _) in rules_of(family) {
                assert_eq!(netlink.delete_rule(&rule).await.unwrap(), Change::Made, "{rule:?}");
                assert_eq!(netlink.delete_rule(&rule).await.unwrap(), Change::AlreadySo, "{rule:?}");
            }
        }
    });
}

#[test]
fn clean_up_takes_everything_of_ours_and_nothing_else() {
    with_a_device(|netlink, index| async move {
        for family in Family::BOTH {
            // What a stranger has beside it.
            netlink.add_rule(&Rule::new(family, TABLE + 1, 9999)).await.unwrap();
        }
        let before = shell("ip -4 rule; ip -6 rule; ip -4 route show table all; ip -6 route show table all");
        let mut rules = 0;
        for family in Family::BOTH {
            for (rule, _) in rules_of(family) {
                netlink.add_rule(&rule).await.unwrap();
                rules += 1;
            }
            netlink.add_rule(&Rule::new(family, 9000, TABLE)).await.unwrap();
        }
        shell("ip rule add to 192.0.2.7 uidrange 5-6 priority 7872 lookup main");
        for everything in ["0.0.0.0/0", "::/0", "192.0.2.0/24", "2001:db8:77::/48"] {
            netlink.add_route(&Route::unicast(net(everything), index, TABLE, PROTOCOL)).await.unwrap();
            netlink.add_route(&Route::unreachable(net(everything), TABLE, PROTOCOL).with_metric(4000)).await.unwrap();
        }
        assert_eq!(netlink.clean_up(TABLE, TABLE).await.unwrap(), CleanUp { rules: rules + 3, routes: 8 });
        assert_eq!(shell("ip -4 rule; ip -6 rule; ip -4 route show table all; ip -6 route show table all"), before);
        assert_eq!(netlink.clean_up(TABLE, TABLE).await.unwrap(), CleanUp::default());
        for (table, priority) in [(254, TABLE), (TABLE, 0), (0, TABLE), (TABLE, 32_766)] {
            assert!(matches!(netlink.clean_up(table, priority).await, Err(NetlinkError::Reserved { .. })));
        }
        assert_eq!(netlink.delete_routes(RouteFilter::default()).await.unwrap(), 0, "everything is nobody's to delete");
    });
}

#[test]
fn a_monitor_tells_of_links_addresses_and_routes_of_both_families() {
    with_a_device(|netlink, index| async move {
        let mut monitor = Monitor::open().unwrap();
        for (address, destination) in [("10.9.0.3/32", "192.0.2.0/24"), ("2001:db8:100::3/128", "2001:db8:77::/48")] {
            netlink.add_address(index, net(address)).await.unwrap();
            expect(&mut monitor, |event| matches!(event, Event::Address(new) if new.address == net(address))).await;
            let route = Route::unicast(net(destination), index, TABLE, PROTOCOL);
            netlink.add_route(&route).await.unwrap();
            expect(&mut monitor, |event| matches!(event, Event::Route(new) if new.destination == net(destination))).await;
            netlink.delete_route(&route).await.unwrap();
            expect(&mut monitor, |event| matches!(event, Event::RouteGone(old) if old.destination == net(destination))).await;
            netlink.delete_address(index, net(address)).await.unwrap();
            expect(&mut monitor, |event| matches!(event, Event::AddressGone(old) if old.address == net(address))).await;
        }
        let other = Tun::create("mn1", 1400, Offloads::NONE).unwrap();
        expect(&mut monitor, |event| matches!(event, Event::Link(link) if link.name == "mn1" && !link.up)).await;
        netlink.set_link_up(other.index(), None).await.unwrap();
        expect(&mut monitor, |event| matches!(event, Event::Link(link) if link.name == "mn1" && link.up)).await;
        drop(other);
        expect(&mut monitor, |event| matches!(event, Event::LinkGone(link) if link.name == "mn1")).await;
    });
}

#[test]
fn a_monitor_that_was_not_read_in_time_asks_for_a_resynchronisation() {
    with_a_device(|netlink, index| async move {
        let mut monitor = Monitor::open().unwrap();
        for _ in 0..2_000 {
            netlink.add_address(index, net("10.9.0.3/32")).await.unwrap();
            netlink.delete_address(index, net("10.9.0.3/32")).await.unwrap();
        }
        expect(&mut monitor, |event| *event == Event::Resync).await;
        netlink.add_address(index, net("10.9.0.4/32")).await.unwrap();
        expect(&mut monitor, |event| matches!(event, Event::Address(new) if new.address == net("10.9.0.4/32"))).await;
    });
}

#[test]
fn a_request_after_its_runtime_has_ended_is_an_error() {
    let netlink = block_on(async {
        let netlink = Netlink::connect().unwrap();
        netlink.links().await.unwrap();
        netlink
    });
    let error = block_on(netlink.links()).unwrap_err();
    assert!(matches!(error, NetlinkError::NoAnswer { .. }), "{error}");
}

async fn expect(monitor: &mut Monitor, wanted: impl Fn(&Event) -> bool) {
    let search = async {
        loop {
            let event = monitor.next().await.unwrap();
            if wanted(&event) {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), search).await.expect("the event comes");
}

#[test]
fn a_route_that_throws_leaves_packets_to_the_next_rule() {
    with_a_device(|netlink, index| async move {
        for (family, everything, part, inside, outside) in [
            (Family::V4, "0.0.0.0/0", "192.0.2.0/24", "192.0.2.1", "198.51.100.1"),
            (Family::V6, "::/0", "2001:db8:77::/48", "2001:db8:77::1", "2001:db8:78::1"),
        ] {
            let throw = Route::throw(net(part), TABLE, PROTOCOL);
            netlink.replace_route(&Route::unicast(net(everything), index, TABLE, PROTOCOL)).await.unwrap();
            netlink.replace_route(&throw).await.unwrap();
            netlink.add_rule(&Rule::new(family, TABLE, TABLE)).await.unwrap();
            assert_eq!(netlink.route_to(ip(inside), None).await.unwrap(), None);
            assert_eq!(netlink.route_to(ip(outside), None).await.unwrap().map(|hop| hop.interface), Some(index));
            let listed = netlink.routes(RouteFilter { table: Some(TABLE), protocol: None }).await.unwrap();
            let found = listed.iter().find(|route| route.destination == net(part)).unwrap();
            assert_eq!(found.kind, RouteKind::Throw);
            assert_eq!(netlink.delete_route(&throw).await.unwrap(), Change::Made);
        }
    });
}

#[test]
fn a_monitor_with_rules_hears_of_a_rule_and_one_of_the_ruleset_of_a_table() {
    in_new_network_namespace_async(|| async {
        let (mut rules, mut ruleset) = (Monitor::open_with_rules().unwrap(), RulesetMonitor::open().unwrap());
        shell("ip rule add lookup 7872 priority 7872");
        let heard = tokio::time::timeout(Duration::from_secs(5), rules.next()).await.expect("a rule is told of");
        assert_eq!(heard.unwrap(), Event::Rules);
        shell("nft add table inet somebody");
        tokio::time::timeout(Duration::from_secs(5), ruleset.changed()).await.expect("a table is told of").unwrap();
    });
}

#[test]
fn what_is_read_where_it_is_wanted_is_what_is_listed() {
    with_a_device(|netlink, index| async move {
        let mut reader = ListReader::open().unwrap();
        for count in 1..=300 {
            let destination = net(&format!("2001:db8:{count:x}::/48"));
            netlink.add_route(&Route::unicast(destination, index, TABLE, PROTOCOL)).await.unwrap();
        }
        let filters =
            [RouteFilter { table: Some(TABLE), protocol: None }, RouteFilter { table: Some(MAIN_TABLE), protocol: None }];
        for filter in filters {
            assert_eq!(reader.routes(filter).unwrap(), netlink.routes(filter).await.unwrap());
        }
        assert_eq!(reader.routes(filters[0]).unwrap().len(), 300);
        let nothing = RouteFilter { table: Some(TABLE + 1), protocol: None };
        assert_eq!(reader.routes(nothing).unwrap(), [], "there is no such table");
        assert_eq!(reader.links().unwrap(), netlink.links().await.unwrap());
        assert_eq!(reader.addresses().unwrap(), netlink.addresses().await.unwrap());
    });
}

#[test]
fn changes_that_wait_are_taken_together() {
    with_a_device(|netlink, index| async move {
        let mut monitor = Monitor::open().unwrap();
        for address in ["10.9.0.3/32", "10.9.0.4/32"] {
            netlink.add_address(index, net(address)).await.unwrap();
        }
        assert_eq!(monitor.changed().await.unwrap(), Changed { links: false });
        assert!(futures_util::FutureExt::now_or_never(monitor.next()).is_none());
        netlink.set_link_up(index, Some(1290)).await.unwrap();
        netlink.add_address(index, net("10.9.0.5/32")).await.unwrap();
        assert_eq!(monitor.changed().await.unwrap(), Changed { links: true });
    });
}
