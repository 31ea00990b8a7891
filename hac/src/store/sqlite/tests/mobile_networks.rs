//! Networks behind subscribers' nodes: whose they are, and under which associations.

use ipnet::Ipv6Net;

use super::*;

const ALICE: &str = "alice@example.org";
const BOB: &str = "bob@example.org";

fn net(text: &str) -> Ipv6Net {
    text.parse().unwrap()
}

fn adds(store: &mut SqliteStore, nai: &str, text: &str) -> Result<String> {
    store.add_prefix(nai, net(text), now()).map(|prefixes| prefixes.to_string())
}

#[test]
fn an_association_has_the_networks_that_were_there_when_it_was_made_and_home_agents_get_them_with_it() {
    let mut store = store_with(&[ALICE, BOB]);
    let before = provision(&mut store, ALICE);
    assert_eq!(adds(&mut store, "alice@EXAMPLE.org", "2001:db8:7::1/48").unwrap(), "2001:db8:7::/48");
    assert_eq!(adds(&mut store, ALICE, "2001:db8:6::/64").unwrap(), "2001:db8:6::/64,2001:db8:7::/48");
    let made = provision(&mut store, ALICE);
    let of = |sa: &protocol::sa::SecurityAssociation| sa.prefixes.to_string();
    assert_eq!((of(&before.sa), of(&made.sa).as_str()), (String::new(), "2001:db8:6::/64,2001:db8:7::/48"));
    let read: Vec<_> = snapshot(&mut store, 1).iter().map(|delivery| (delivery.sa.spi, of(&delivery.sa))).collect();
    assert!(read.contains(&(before.sa.spi, of(&before.sa))) && read.contains(&(made.sa.spi, of(&made.sa))), "{read:?}");
    assert_eq!(store.look_up(&to(2), made.sa.spi, now()).unwrap().unwrap().sa.prefixes, made.sa.prefixes);
    let shown = |store: &mut SqliteStore, nai| store.subscriber(nai, now()).unwrap().unwrap().prefixes.to_string();
    assert_eq!((shown(&mut store, ALICE).as_str(), shown(&mut store, BOB).as_str()), ("2001:db8:6::/64,2001:db8:7::/48", ""));

    assert_eq!(store.remove_prefix(ALICE, net("2001:db8:7::/48")).unwrap().to_string(), "2001:db8:6::/64");
    assert_eq!(of(&snapshot(&mut store, 1).iter().find(|read| read.sa.spi == made.sa.spi).unwrap().sa), of(&made.sa));
    assert_eq!(of(&provision(&mut store, ALICE).sa), "2001:db8:6::/64");
    assert!(matches!(store.remove_prefix(ALICE, net("2001:db8:7::/48")), Err(StoreError::NoPrefix { .. })));
    assert!(matches!(store.remove_prefix(BOB, net("2001:db8:6::/64")), Err(StoreError::NoPrefix { .. })));
}

#[test]
fn a_network_that_overlaps_anothers_is_refused_and_names_whose_it_is() {
    let mut store = store_with(&[ALICE, BOB]);
    adds(&mut store, ALICE, "2001:db8:7::/48").unwrap();
    for overlapping in ["2001:db8:7::/48", "2001:db8:7:1::/64", "2001:db8::/32"] {
        let refused = adds(&mut store, BOB, overlapping).unwrap_err();
        assert!(matches!(&refused, StoreError::PrefixTaken { holder, .. } if holder == ALICE), "{overlapping}: {refused}");
        assert!(matches!(adds(&mut store, ALICE, overlapping), Err(StoreError::Prefix(_))), "{overlapping}: and his own");
    }
    assert!(matches!(adds(&mut store, BOB, "fe80::/64"), Err(StoreError::Prefix(_))));
    assert!(matches!(adds(&mut store, "nobody@example.org", "2001:db8:9::/64"), Err(StoreError::Unknown { .. })));
    for number in 0..8 {
        adds(&mut store, BOB, &format!("2001:db9:{number}::/64")).unwrap();
    }
    assert!(matches!(adds(&mut store, BOB, "2001:db9:8::/64"), Err(StoreError::Prefix(_))), "a ninth");
    store.remove_subscriber(ALICE, now()).unwrap();
    store.remove_prefix(BOB, net("2001:db9::/64")).unwrap();
    assert!(adds(&mut store, BOB, "2001:db8:7:1::/64").is_ok(), "with the subscriber they are free");
}

/// A home agent would have two nodes for one network.
#[test]
fn a_network_is_anothers_only_when_no_live_association_has_it_any_more() {
    let mut store = store_with(&[ALICE, BOB]);
    adds(&mut store, ALICE, "2001:db8:7::/48").unwrap();
    let made = provision(&mut store, ALICE);
    store.remove_prefix(ALICE, net("2001:db8:7::/48")).unwrap();
    let refused = adds(&mut store, BOB, "2001:db8:7:1::/64").unwrap_err();
    assert!(matches!(&refused, StoreError::PrefixServed { holder, .. } if holder == ALICE), "{refused}");
    assert!(adds(&mut store, ALICE, "2001:db8:7:1::/64").is_ok(), "it is his own association");
    store.remove_prefix(ALICE, net("2001:db8:7:1::/64")).unwrap();
    let later = made.valid_until + Duration::from_secs(1);
    assert!(store.add_prefix(BOB, net("2001:db8:7:1::/64"), later).is_ok(), "it has run out");
    store.remove_prefix(BOB, net("2001:db8:7:1::/64")).unwrap();
    store.end(made.sa.spi).unwrap();
    assert!(adds(&mut store, BOB, "2001:db8:7:1::/64").is_ok(), "it was ended");
}

#[test]
fn who_is_of_the_draft_is_given_none_since_his_node_cannot_be_told() {
    let mut store = store_with(&[ALICE]);
    adds(&mut store, ALICE, "2001:db8:7::/48").unwrap();
    let (ha1, key) = (agent("ha1", 0), key(&mut store, ALICE));
    let order = Order { key, profile: WireProfile::Draft04, ..order(ALICE, &ha1) };
    assert!(store.provision(&order, now(), &mut rand::rng()).unwrap().sa.prefixes.is_empty());
}
