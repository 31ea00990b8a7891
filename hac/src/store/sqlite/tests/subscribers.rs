//! Changes of one subscriber by the operator.

use super::*;

const ALICE: &str = "alice@example.org";

#[test]
fn a_rotated_key_takes_the_old_ones_place_and_associations_go_on_unless_they_are_revoked() {
    let mut store = store_with(&[ALICE]);
    let spi = provision(&mut store, ALICE).sa.spi;
    let old = key(&mut store, ALICE);
    assert_eq!(store.set_psk("alice@EXAMPLE.org", &Secret::new(vec![7; 32]), false, now(), &mut rand::rng()).unwrap(), []);
    assert_eq!(psk(&mut store, ALICE).unwrap(), Some(vec![7; 32]));
    assert_eq!(snapshot(&mut store, 1).len(), 1);
    assert_eq!(store.set_psk(ALICE, &Secret::new(vec![8; 32]), true, now(), &mut rand::rng()).unwrap(), [spi]);
    assert!(snapshot(&mut store, 1).is_empty());
    assert_ne!(key(&mut store, ALICE), old);
    let nobody = store.set_psk("nobody@example.org", &Secret::new(vec![7; 32]), true, now(), &mut rand::rng());
    assert!(matches!(nobody, Err(StoreError::Unknown { .. })));
}

/// A run that has begun under the old key ends under it, but is given nothing any more.
#[test]
fn who_authenticated_with_a_key_that_is_no_longer_his_is_given_nothing() {
    type Change = fn(&mut SqliteStore);
    let changes: [(&str, Change); 4] = [
        ("rotated", |store| {
            store.set_psk(ALICE, &Secret::new(vec![9; 32]), false, now(), &mut rand::rng()).unwrap();
        }),
        ("removed", |store| drop(store.remove_subscriber(ALICE, now()).unwrap())),
        ("removed and added again", |store| {
            store.remove_subscriber(ALICE, now()).unwrap();
            add(store, ALICE, SubscriberPolicy::default()).unwrap();
        }),
        ("disabled", |store| drop(store.set_enabled(ALICE, false, now()).unwrap())),
    ];
    for (how, change) in changes {
        let mut store = store_with(&[ALICE]);
        let (ha1, key) = (agent("ha1", 0), key(&mut store, ALICE));
        change(&mut store);
        let late = store.provision(&Order { key, ..order(ALICE, &ha1) }, now(), &mut rand::rng());
        assert!(matches!(late, Err(StoreError::Superseded)), "{how}");
        assert_eq!(store.counts(now()).unwrap().live_sas, 0, "{how}");
    }
    let mut store = store_with(&[ALICE]);
    let (ha1, key) = (agent("ha1", 0), key(&mut store, ALICE));
    store.set_enabled(ALICE, false, now()).unwrap();
    store.set_enabled(ALICE, true, now()).unwrap();
    assert!(store.provision(&Order { key, ..order(ALICE, &ha1) }, now(), &mut rand::rng()).is_ok(), "the key is still his");
}

#[test]
fn a_changed_policy_holds_for_what_comes_and_a_change_from_an_outdated_one_is_refused() {
    let mut store = store_with(&[ALICE]);
    provision(&mut store, ALICE);
    let (none, first) =
        (SubscriberPolicy::default(), SubscriberPolicy { user_data: Some(UserData::Clear), ..Default::default() });
    let second = SubscriberPolicy { profile: Some(WireProfile::Draft04), ..first.clone() };
    store.set_policy("alice@EXAMPLE.org", &none, &first).unwrap();
    store.set_policy(ALICE, &first, &second).unwrap();
    assert!(matches!(store.set_policy(ALICE, &first, &none), Err(StoreError::PolicyChanged(_))));
    assert_eq!(policy(&mut store, ALICE).unwrap().as_ref(), Some(&second));
    assert_eq!(snapshot(&mut store, 1)[0].sa.profile, WireProfile::Rfc6618, "what is live keeps what it has");
    assert!(matches!(store.set_policy("nobody@example.org", &none, &first), Err(StoreError::Unknown { .. })));
}

#[test]
fn names_like_another_are_those_with_few_other_letters_and_the_same_user_elsewhere() {
    let mut store = store_with(&[ALICE, "alina@example.org", "bob@example.org", "alice@example.net", "zoe@far.example"]);
    let mut like = |nai: &str| store.names_like(nai).unwrap();
    assert_eq!(like("alise@example.org"), [ALICE, "alina@example.org", "alice@example.net"]);
    assert_eq!(like("zoe"), ["zoe@far.example"]);
    assert_eq!(like("ZOE@example.org"), ["zoe@far.example"], "the realm alone makes nobody alike");
    assert!(like("quentin@elsewhere.test").is_empty());
}
