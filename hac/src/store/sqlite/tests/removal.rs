//! What is left of a subscriber or a home agent that was removed: associations that have ended, and home addresses that nobody is
//! given while one of them might still be served.

use std::net::IpAddr;

use super::*;

/// Three addresses for subscribers.
const SMALL4: &str = "10.9.0.0/29";
const ALICE: &str = "alice@example.org";
const BOB: &str = "bob@example.org";

fn small4() -> Pools {
    Pools { ip6: None, ip4: Some(SMALL4.parse().unwrap()) }
}

/// The last octet of the IPv4 home address that `nai` is given.
fn given(store: &mut SqliteStore, nai: &str, at: SystemTime) -> Result<u8> {
    Ok(try_provision(store, nai, &agent("ha1", 0), small4(), at)?.sa.home.ip4().unwrap().octets()[3])
}

fn count(store: &SqliteStore, query: &str) -> i64 {
    store.connection.query_row(query, [], |row| row.get(0)).unwrap()
}

#[test]
fn a_removed_subscriber_is_unknown_and_his_associations_end_in_one_step() {
    let mut store = store_with(&[ALICE, BOB]);
    let spis: BTreeSet<Spi> = (0..3).map(|_| provision(&mut store, ALICE).sa.spi).collect();
    let of_bob = provision(&mut store, BOB).sa.spi;
    let before = store.revision().unwrap();
    let ended = store.remove_subscriber("alice@EXAMPLE.org", now()).unwrap();
    assert_eq!(ended.into_iter().collect::<BTreeSet<_>>(), spis);
    assert_eq!(store.subscriber(ALICE, now()).unwrap(), None);
    assert!(store.credentials(ALICE).unwrap().is_none());
    let changes = store.changes(&to(1), before, 10, now()).unwrap();
    let told: BTreeSet<Spi> =
        changes.iter().filter_map(|c| if let Change::Ended(spi, _) = c { Some(*spi) } else { None }).collect();
    assert_eq!(told, spis, "a connected home agent hears of each");
    assert_eq!(snapshot(&mut store, 1).iter().map(|delivery| delivery.sa.spi).collect::<Vec<_>>(), [of_bob]);
    assert_eq!(count(&store, "SELECT COUNT(*) FROM security_association WHERE keys IS NOT NULL"), 1, "keys are wiped");
    assert_eq!(count(&store, "SELECT COUNT(*) FROM home_address"), 2, "bob's");
    assert!(matches!(store.remove_subscriber(ALICE, now()), Err(StoreError::Unknown { .. })));
}

#[test]
fn a_name_may_be_added_again_at_once_with_another_key_policy_and_address() {
    let mut store = store_with(&[]);
    add(&mut store, ALICE, SubscriberPolicy { profile: Some(WireProfile::Draft04), ..SubscriberPolicy::default() }).unwrap();
    let (first, old) = (given(&mut store, ALICE, now()).unwrap(), key(&mut store, ALICE));
    store.remove_subscriber(ALICE, now()).unwrap();
    add(&mut store, ALICE, SubscriberPolicy::default()).unwrap();
    assert_eq!(policy(&mut store, ALICE).unwrap(), Some(SubscriberPolicy::default()));
    assert_ne!(key(&mut store, ALICE), old);
    assert_eq!((first, given(&mut store, ALICE, now()).unwrap()), (2, 3));
    assert_eq!(store.subscriber(ALICE, now()).unwrap().unwrap().home, ["10.9.0.3".parse::<IpAddr>().unwrap()]);
}

/// A home agent that has lost the HAC serves what it has until the validity end.
#[test]
fn home_addresses_are_held_until_the_last_association_that_names_them_is_past_its_end_and_the_quarantine() {
    let mut store = store_with(&[ALICE, BOB]);
    let quarantine = QUARANTINE.as_secs();
    assert_eq!(given(&mut store, ALICE, now()).unwrap(), 2);
    assert_eq!(given(&mut store, ALICE, after(3_600)).unwrap(), 2);
    store.remove_subscriber(ALICE, after(3_601)).unwrap();
    let last = 3_600 + LIFETIME.as_secs() + quarantine;
    assert_eq!(given(&mut store, BOB, after(last)).unwrap(), 3, "the last second");
    add(&mut store, "carol@example.org", SubscriberPolicy::default()).unwrap();
    store.remove_subscriber(BOB, after(last)).unwrap();
    add(&mut store, BOB, SubscriberPolicy::default()).unwrap();
    // Addresses are given upwards: that the first is free again shows when the end of the pool is reached.
    assert_eq!(given(&mut store, BOB, after(last + 1)).unwrap(), 4);
    for expected in [5, 6, 2] {
        let nai = format!("mn{expected}@example.org");
        add(&mut store, &nai, SubscriberPolicy::default()).unwrap();
        assert_eq!(given(&mut store, &nai, after(last + 1)).unwrap(), expected);
    }
    let full = given(&mut store, "carol@example.org", after(last + 1)).unwrap_err();
    assert!(matches!(full, StoreError::PoolExhausted(_)), "the held one is not given, and is no gap: {full}");
}

#[test]
fn an_address_that_several_associations_of_a_removed_subscriber_name_is_one_address() {
    let names = ["a@example.org", "b@example.org", "c@example.org", "d@example.org", "e@example.org"];
    let mut store = store_with(&names);
    for nai in names {
        given(&mut store, nai, now()).unwrap();
        given(&mut store, nai, now()).unwrap();
    }
    for nai in [names[0], names[2]] {
        store.remove_subscriber(nai, now()).unwrap();
    }
    add(&mut store, ALICE, SubscriberPolicy::default()).unwrap();
    assert!(matches!(given(&mut store, ALICE, now()), Err(StoreError::PoolExhausted(_))));
    let free = after(LIFETIME.as_secs() + QUARANTINE.as_secs() + 1);
    assert_eq!(given(&mut store, ALICE, free).unwrap(), 2);
}

#[test]
fn a_held_ip6_address_is_not_given_from_a_small_pool_either() {
    let mut store = store_with(&[ALICE, BOB]);
    let pool = Pools { ip6: Some("2001:db8::/126".parse().unwrap()), ip4: None };
    let given = |store: &mut SqliteStore, nai: &str, at| {
        try_provision(store, nai, &agent("ha1", 0), pool, at).map(|made| made.sa.home.ip6().unwrap().octets()[15])
    };
    assert_eq!(given(&mut store, ALICE, now()).unwrap(), 2);
    store.remove_subscriber(ALICE, now()).unwrap();
    assert_eq!(given(&mut store, BOB, now()).unwrap(), 3);
    add(&mut store, ALICE, SubscriberPolicy::default()).unwrap();
    assert!(matches!(given(&mut store, ALICE, now()), Err(StoreError::PoolExhausted(_))));
}

#[test]
fn the_spi_of_a_removed_subscriber_stays_in_quarantine() {
    let mut store = store_with(&[ALICE, BOB]);
    let spi = provision(&mut store, ALICE).sa.spi;
    store.remove_subscriber(ALICE, now()).unwrap();
    let row = format!("SELECT COUNT(*) FROM security_association WHERE spi = {} AND subscriber IS NULL", spi.get());
    let held = LIFETIME + QUARANTINE;
    try_provision(&mut store, BOB, &agent("ha1", 0), pools(), now() + held).unwrap();
    assert_eq!(count(&store, &row), 1);
    try_provision(&mut store, BOB, &agent("ha1", 0), pools(), now() + held + Duration::from_secs(1)).unwrap();
    assert_eq!(count(&store, &row), 0);
}

#[test]
fn a_removed_home_agent_is_not_recorded_and_nothing_of_it_is_live() {
    let mut store = store_with(&[ALICE, BOB]);
    store.add_home_agent(&agent("ha2", 1)).unwrap();
    provision(&mut store, ALICE);
    let elsewhere = try_provision(&mut store, BOB, &agent("ha2", 1), pools(), now()).unwrap().sa.spi;
    let before = store.revision().unwrap();
    assert_eq!(store.remove_home_agent("ha1", now()).unwrap(), 1);
    assert_eq!(store.home_agent("ha1").unwrap(), None);
    assert!(store.revision().unwrap() > before, "the feed looks again");
    assert_eq!(store.current_home_agent(ALICE, now()).unwrap(), None);
    let live: Vec<Spi> = all(&mut store, &Selection::default()).iter().map(|record| record.spi).collect();
    assert_eq!(live, [elsewhere]);
    assert!(matches!(store.remove_home_agent("ha1", now()), Err(StoreError::Unknown { what: "home agent", .. })));
    let late = try_provision(&mut store, ALICE, &agent("ha1", 0), pools(), now());
    assert!(matches!(late, Err(StoreError::HomeAgentGone)), "chosen before it was removed");
    store.add_home_agent(&agent("ha1", 0)).unwrap();
    assert!(snapshot(&mut store, 1).is_empty(), "what the old one had is not the new one's");
    let before = store.revision().unwrap();
    assert_eq!(store.remove_home_agent("ha1", now()).unwrap(), 0);
    assert!(store.revision().unwrap() > before, "the feed looks again though nothing has ended");
}
