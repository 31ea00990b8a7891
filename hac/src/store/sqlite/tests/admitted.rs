//! Subscribers whom a AAA server has authenticated.

use super::*;

const BOB: &str = "bob@example.org";

fn admit(store: &mut SqliteStore, nai: &str) -> Option<Credentials> {
    store.admit(nai, now(), &mut rand::rng()).unwrap()
}

fn names(store: &mut SqliteStore) -> Vec<String> {
    store.subscribers(now()).unwrap().into_iter().map(|subscriber| subscriber.nai).collect()
}

#[test]
fn one_whom_nobody_recorded_is_recorded_once_under_his_canonical_name_with_a_key_that_nobody_is_told() {
    let mut store = store_with(&[]);
    let first = admit(&mut store, "bob@EXAMPLE.org").unwrap();
    let again = admit(&mut store, BOB).unwrap();
    assert_eq!((names(&mut store), first.key), (vec![BOB.to_owned()], again.key));
    assert_eq!((first.psk.len(), first.policy), (32, SubscriberPolicy::default()));
    let other = admit(&mut store, "carl@example.org").unwrap();
    assert!(other.psk != first.psk && other.key != first.key, "each key is drawn");
    assert_eq!(names(&mut store).len(), 2);
}

#[test]
fn one_who_is_recorded_keeps_key_policy_and_home_addresses() {
    let mut store = store_with(&[]);
    let own = SubscriberPolicy { user_data: Some(UserData::Clear), ..SubscriberPolicy::default() };
    add(&mut store, BOB, own.clone()).unwrap();
    let home = provision(&mut store, BOB).sa.home;
    let admitted = admit(&mut store, BOB).unwrap();
    assert_eq!((admitted.psk.expose(), admitted.policy), (&[9; 32][..], own));
    assert_eq!(admitted.key, key(&mut store, BOB));
    assert_eq!(provision(&mut store, BOB).sa.home, home);
}

#[test]
fn one_who_is_disabled_is_not_admitted_and_one_who_was_removed_is_recorded_anew() {
    let mut store = store_with(&[]);
    let first = admit(&mut store, BOB).unwrap();
    store.set_enabled(BOB, false, now()).unwrap();
    assert!(admit(&mut store, BOB).is_none());
    assert_eq!(names(&mut store), [BOB]);
    store.set_enabled(BOB, true, now()).unwrap();
    assert_eq!(admit(&mut store, BOB).unwrap().key, first.key);
    store.remove_subscriber(BOB, now()).unwrap();
    assert_ne!(admit(&mut store, BOB).unwrap().key, first.key);
}

#[test]
fn the_operator_gives_one_who_was_admitted_a_key_and_a_policy_of_his_own() {
    let mut store = store_with(&[]);
    admit(&mut store, BOB);
    store.set_psk(BOB, &Secret::new(vec![7; 32]), false, now(), &mut rand::rng()).unwrap();
    let own = SubscriberPolicy { user_data: Some(UserData::Clear), ..SubscriberPolicy::default() };
    store.set_policy(BOB, &SubscriberPolicy::default(), &own).unwrap();
    let admitted = admit(&mut store, BOB).unwrap();
    assert_eq!((admitted.psk.expose(), admitted.policy), (&[7; 32][..], own));
}
