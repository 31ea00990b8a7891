//! Home addresses that a AAA server chose.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;

const ALICE: &str = "alice@example.org";
const BOB: &str = "bob@example.org";

fn try_framed(store: &mut SqliteStore, nai: &str, pools: Pools, framed: Framed, at: SystemTime) -> Result<Provisioned> {
    let ha1 = agent("ha1", 0);
    let order = Order { pools, framed, key: key(store, nai), ..order(nai, &ha1) };
    store.provision(&order, at, &mut rand::rng())
}

fn ip4(last: u8) -> Framed {
    Framed { ip4: Some(Ipv4Addr::new(10, 9, 0, last)), ip6: None }
}

fn address6(address: &str) -> Framed {
    Framed { ip4: None, ip6: Some(FramedIp6::Address(address.parse().unwrap())) }
}

fn prefix6(prefix: &str) -> Framed {
    Framed { ip4: None, ip6: Some(FramedIp6::Prefix(prefix.parse().unwrap())) }
}

/// The last octet of the IPv4 home address that `nai` is given with the choice of it.
fn given4(store: &mut SqliteStore, nai: &str, framed: Framed, at: SystemTime) -> Result<u8> {
    Ok(try_framed(store, nai, pools(), framed, at)?.sa.home.ip4().unwrap().octets()[3])
}

fn given6(store: &mut SqliteStore, nai: &str, framed: Framed) -> Result<Ipv6Addr> {
    Ok(try_framed(store, nai, pools(), framed, now())?.sa.home.ip6().unwrap())
}

#[test]
fn what_a_aaa_server_chose_is_given_and_stays_when_it_chooses_no_more() {
    let mut store = store_with(&[ALICE]);
    let before = provision(&mut store, ALICE).sa.home;
    let chosen = Framed { ip4: "10.9.0.77".parse().ok(), ..address6("2001:db8:100::77") };
    let home = try_framed(&mut store, ALICE, pools(), chosen, now()).unwrap().sa.home;
    assert_eq!((home.ip4(), home.ip6()), (chosen.ip4, "2001:db8:100::77".parse().ok()));
    assert_ne!(before, home);
    assert_eq!(provision(&mut store, ALICE).sa.home, home);
}

#[test]
fn a_choice_of_one_family_leaves_the_other_to_the_pool() {
    let mut store = store_with(&[ALICE]);
    let before = provision(&mut store, ALICE).sa.home;
    let home = try_framed(&mut store, ALICE, pools(), ip4(9), now()).unwrap().sa.home;
    assert_eq!((home.ip4(), home.ip6()), ("10.9.0.9".parse().ok(), before.ip6()));
}

#[test]
fn a_prefix_narrows_the_pool_and_an_address_that_lies_in_it_stays() {
    let mut store = store_with(&[ALICE, BOB]);
    let first = given6(&mut store, ALICE, prefix6("2001:db8:100::abcd:0:0/96")).unwrap();
    assert_eq!(first.segments()[..6], [0x2001, 0xdb8, 0x100, 0, 0, 0xabcd]);
    for same in ["2001:db8:100::abcd:0:0/96", "2001:db8:100::/80", "2001:db8:100::/64"] {
        assert_eq!(given6(&mut store, ALICE, prefix6(same)).unwrap(), first, "{same}");
    }
    let other = given6(&mut store, ALICE, prefix6("2001:db8:100::1:0/126")).unwrap();
    assert_eq!(other, "2001:db8:100::1:0".parse::<Ipv6Addr>().unwrap(), "host 0 of a part is an address like another");
    let next = given6(&mut store, BOB, prefix6("2001:db8:100::1:0/126")).unwrap();
    assert_eq!(next, "2001:db8:100::1:1".parse::<Ipv6Addr>().unwrap());
    let exact = given6(&mut store, BOB, prefix6("2001:db8:100::5/128")).unwrap();
    assert_eq!(exact, "2001:db8:100::5".parse::<Ipv6Addr>().unwrap());
}

#[test]
fn the_first_addresses_of_the_pool_are_not_in_its_first_part_either() {
    let mut store = store_with(&[ALICE, BOB]);
    assert_eq!(given6(&mut store, ALICE, prefix6("2001:db8:100::/126")).unwrap().octets()[15], 2);
    assert_eq!(given6(&mut store, BOB, prefix6("2001:db8:100::/126")).unwrap().octets()[15], 3);
    for (part, of) in [("2001:db8:100::/127", ALICE), ("2001:db8:100::/126", "carol@example.org")] {
        let _ = add(&mut store, of, SubscriberPolicy::default());
        let refused = given6(&mut store, of, prefix6(part)).unwrap_err();
        assert!(matches!(refused, StoreError::HomeAddressTaken { .. }), "{refused}");
    }
}

#[test]
fn what_lies_in_no_pool_or_belongs_to_nobody_is_refused_and_nothing_is_provisioned() {
    let mut store = store_with(&[ALICE]);
    let only6 = Pools { ip4: None, ..pools() };
    let only4 = Pools { ip6: None, ..pools() };
    let outside4 = Framed { ip4: "10.8.0.9".parse().ok(), ip6: None };
    let before = store.revision().unwrap();
    for (pools, framed, named) in [
        (pools(), outside4, "10.8.0.9"),
        (pools(), ip4(0), "10.9.0.0"),
        (pools(), ip4(1), "10.9.0.1"),
        (pools(), ip4(255), "10.9.0.255"),
        (pools(), address6("2001:db8:100:1::9"), "2001:db8:100:1::9"),
        (pools(), address6("2001:db8:100::"), "2001:db8:100::"),
        (pools(), address6("2001:db8:100::1"), "2001:db8:100::1"),
        (pools(), prefix6("2001:db8:100::1/128"), "2001:db8:100::1/128"),
        (pools(), prefix6("2001:db8:101::/64"), "2001:db8:101::/64"),
        (pools(), prefix6("2001:db8:100::/63"), "2001:db8:100::/63"),
        (only6, ip4(9), "10.9.0.9"),
        (only4, address6("2001:db8:100::9"), "2001:db8:100::9"),
        (only4, prefix6("2001:db8:100::/64"), "2001:db8:100::/64"),
    ] {
        let refused = try_framed(&mut store, ALICE, pools, framed, now()).unwrap_err();
        assert!(matches!(refused, StoreError::Unfit { .. }), "{refused}");
        assert!(refused.to_string().contains(named), "{refused}");
    }
    assert_eq!(store.revision().unwrap(), before);
    assert!(store.subscriber(ALICE, now()).unwrap().unwrap().home.is_empty());
}

#[test]
fn who_merely_has_an_address_gives_way_and_is_given_another() {
    let mut store = store_with(&[ALICE, BOB]);
    assert_eq!(given4(&mut store, ALICE, ip4(9), now()).unwrap(), 9);
    let free = after(LIFETIME.as_secs() + QUARANTINE.as_secs() + 1);
    assert_eq!(given4(&mut store, BOB, ip4(9), free).unwrap(), 9);
    assert!(store.subscriber(ALICE, free).unwrap().unwrap().home.iter().all(|home| home.is_ipv6()));
    assert_eq!(given4(&mut store, ALICE, Framed::default(), free).unwrap(), 10);
}

/// A home agent that has lost the HAC serves what it has until the validity end.
#[test]
fn an_address_under_which_another_is_or_may_be_served_is_refused_until_his_last_association_is_forgotten() {
    let mut store = store_with(&[ALICE, BOB]);
    let made = try_framed(&mut store, ALICE, pools(), ip4(9), now()).unwrap();
    let held = LIFETIME.as_secs() + QUARANTINE.as_secs();
    let refused = |store: &mut SqliteStore, at| {
        let refused = given4(store, BOB, ip4(9), at).unwrap_err();
        assert!(matches!(refused, StoreError::HomeAddressTaken { .. }), "{refused}");
        assert!(refused.to_string().contains("Framed-IP-Address 10.9.0.9"), "{refused}");
    };
    refused(&mut store, now());
    store.end(made.sa.spi).unwrap().unwrap();
    refused(&mut store, now());
    assert_eq!(given4(&mut store, ALICE, ip4(9), now()).unwrap(), 9, "his own");
    store.remove_subscriber(ALICE, now()).unwrap();
    refused(&mut store, after(held));
    assert_eq!(given4(&mut store, BOB, ip4(9), after(held + 1)).unwrap(), 9);
}

#[test]
fn an_address_that_a_subscriber_has_no_more_is_given_to_nobody_while_an_association_names_it() {
    let names: Vec<String> = (0..5).map(|number| format!("mn{number}@example.org")).collect();
    let mut store = store_with(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let pools = Pools { ip6: None, ip4: Some("10.9.0.0/29".parse().unwrap()) };
    let mut given = |number: usize, framed, at| {
        try_framed(&mut store, &names[number], pools, framed, at).map(|made| made.sa.home.ip4().unwrap().octets()[3])
    };
    assert_eq!(given(0, ip4(2), now()).unwrap(), 2);
    assert_eq!(given(0, ip4(6), now()).unwrap(), 6);
    let none = Framed::default();
    assert_eq!([1, 2, 3].map(|number| given(number, none, now()).unwrap()), [3, 4, 5]);
    assert!(matches!(given(4, none, now()), Err(StoreError::PoolExhausted(_))), "2 may still be served");
    assert!(matches!(given(4, ip4(2), now()), Err(StoreError::HomeAddressTaken { .. })));
    assert_eq!(given(0, ip4(2), now()).unwrap(), 2, "who had it may come back to it");
    assert_eq!(given(0, ip4(6), now()).unwrap(), 6);
    let free = after(LIFETIME.as_secs() + QUARANTINE.as_secs() + 1);
    assert_eq!(given(4, none, free).unwrap(), 2);
}

#[test]
fn a_million_associations_are_not_looked_through_for_an_address() {
    let store = store_with(&[]);
    for (relation, plan) in [("= ?2", "home4=?"), ("BETWEEN ?2 AND ?3", "home4>? AND home4<?")] {
        let query = format!("EXPLAIN QUERY PLAN {}", crate::store::sqlite::home_address::named::<4>(relation));
        let mut query = store.connection.prepare(&query).unwrap();
        let parameters = vec![1; query.parameter_count()];
        let steps = query.query_map(rusqlite::params_from_iter(parameters), |row| row.get::<_, String>(3)).unwrap();
        let steps: Vec<String> = steps.collect::<rusqlite::Result<_>>().unwrap();
        assert!(steps.len() == 1 && steps[0].contains("COVERING INDEX") && steps[0].contains(plan), "{steps:?}");
    }
}
