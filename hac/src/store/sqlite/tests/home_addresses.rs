//! Home addresses out of the pools.

use super::*;

#[test]
fn home_addresses_are_sticky_and_leave_the_home_agents_address_alone() {
    let mut store = store_with(&["alice@example.org", "bob@example.org"]);
    let alice = provision(&mut store, "alice@example.org").sa.home;
    let bob = provision(&mut store, "bob@example.org").sa.home;
    assert_eq!(provision(&mut store, "alice@example.org").sa.home, alice);
    assert_eq!(alice.ip4(), Some("10.9.0.2".parse().unwrap()));
    assert_eq!(bob.ip4(), Some("10.9.0.3".parse().unwrap()));
    assert_ne!(alice.ip6(), bob.ip6());
    assert!(pools().ip6.unwrap().contains(&alice.ip6().unwrap()));
}

#[test]
fn an_exhausted_pool_says_so_and_provisions_nothing() {
    let mut store = store_with(&["alice@example.org", "bob@example.org"]);
    let pool4 = Pools { ip6: None, ip4: Some("10.9.0.0/30".parse().unwrap()) };
    try_provision(&mut store, "alice@example.org", &agent("ha1", 0), pool4, now()).unwrap();
    let revision = store.revision().unwrap();
    let refused = try_provision(&mut store, "bob@example.org", &agent("ha1", 0), pool4, now()).unwrap_err();
    assert!(matches!(refused, StoreError::PoolExhausted(_)), "{refused}");
    assert_eq!(store.revision().unwrap(), revision);
    let pool6 = Pools { ip6: Some("2001:db8::/127".parse().unwrap()), ip4: None };
    let refused = try_provision(&mut store, "bob@example.org", &agent("ha1", 0), pool6, now()).unwrap_err();
    assert!(matches!(refused, StoreError::PoolExhausted(_)), "{refused}");
}

#[test]
fn a_small_ip6_pool_is_given_out_to_its_last_address() {
    let names: Vec<String> = (0..14).map(|number| format!("mn{number}@example.org")).collect();
    let mut store = store_with(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let pool = Pools { ip6: Some("2001:db8::/124".parse().unwrap()), ip4: None };
    let mut given = BTreeSet::new();
    for nai in &names {
        given.insert(try_provision(&mut store, nai, &agent("ha1", 0), pool, now()).unwrap().sa.home.ip6().unwrap());
    }
    assert_eq!(given.len(), 14);
    assert_eq!(given.first().unwrap().octets()[15], 2, "the network and the home agent keep 0 and 1");
}

#[test]
fn a_gap_in_a_pool_is_found_when_its_end_is_reached() {
    let names: Vec<String> = (0..5).map(|number| format!("mn{number}@example.org")).collect();
    let mut store = store_with(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let pool4 = Pools { ip6: None, ip4: Some("10.9.0.8/29".parse().unwrap()) };
    let given = |store: &mut SqliteStore, number: usize| {
        try_provision(store, &names[number], &agent("ha1", 0), pool4, now()).unwrap().sa.home.ip4().unwrap().octets()[3]
    };
    assert_eq!([0, 1, 2, 3].map(|number| given(&mut store, number)), [10, 11, 12, 13]);
    store.connection.execute("DELETE FROM home_address WHERE address = x'0a09000b'", []).unwrap();
    assert_eq!(given(&mut store, 4), 14);
    assert_eq!(given(&mut store, 1), 11);
}

#[test]
fn a_pool_of_one_family_gives_home_addresses_of_that_family_alone() {
    let mut store = store_with(&["alice@example.org", "bob@example.org"]);
    let only6 = Pools { ip4: None, ..pools() };
    let only4 = Pools { ip6: None, ..pools() };
    let alice = try_provision(&mut store, "alice@example.org", &agent("ha1", 0), only6, now()).unwrap().sa.home;
    let bob = try_provision(&mut store, "bob@example.org", &agent("ha1", 0), only4, now()).unwrap().sa.home;
    assert!(alice.ip6().is_some() && alice.ip4().is_none(), "{alice:?}");
    assert!(bob.ip4().is_some() && bob.ip6().is_none(), "{bob:?}");
    let fed: BTreeSet<_> = snapshot(&mut store, 1).iter().map(|delivery| delivery.sa.home).collect();
    assert_eq!(fed, BTreeSet::from([alice, bob]));
    let listed: Vec<_> = store.subscribers(now()).unwrap().into_iter().map(|row| row.home.len()).collect();
    assert_eq!(listed, [1, 1]);
}

#[test]
fn a_pool_that_is_taken_away_is_no_longer_given_from_and_comes_back_with_the_same_address() {
    let mut store = store_with(&["alice@example.org"]);
    let both = provision(&mut store, "alice@example.org").sa.home;
    let only4 = Pools { ip6: None, ..pools() };
    let without6 = try_provision(&mut store, "alice@example.org", &agent("ha1", 0), only4, now()).unwrap().sa.home;
    assert_eq!((without6.ip6(), without6.ip4()), (None, both.ip4()));
    assert_eq!(provision(&mut store, "alice@example.org").sa.home, both);
}
