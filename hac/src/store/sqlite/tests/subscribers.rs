//! Subscribers: keys, own policies, and what the operator changes.

use rusqlite::StatementStatus;

use super::*;
use crate::store::sqlite::subscriber::CREDENTIALS;

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

#[test]
fn a_disabled_subscriber_has_no_key_and_no_associations() {
    let mut store = store_with(&["alice@example.org"]);
    let spi = provision(&mut store, "alice@example.org").sa.spi;
    assert_eq!(store.set_enabled("alice@example.org", false, now()).unwrap(), [spi]);
    assert_eq!(psk(&mut store, "alice@example.org").unwrap(), None);
    assert!(snapshot(&mut store, 1).is_empty());
    assert!(matches!(
        try_provision(&mut store, "alice@example.org", &agent("ha1", 0), pools(), now()),
        Err(StoreError::Superseded)
    ));
    assert!(matches!(store.set_enabled("nobody@example.org", false, now()), Err(StoreError::Unknown { .. })));
}

#[test]
fn a_name_is_taken_once() {
    let mut store = store_with(&["alice@example.org"]);
    let new = NewSubscriber { nai: "alice@Example.Org", psk: &Secret::new(vec![1; 32]), policy: SubscriberPolicy::default() };
    let again = store.add_subscriber(&new, now(), &mut rand::rng());
    assert!(matches!(again, Err(StoreError::Exists { .. })));
    assert!(matches!(store.add_home_agent(&agent("ha1", 3)), Err(StoreError::Exists { .. })));
    assert_eq!(psk(&mut store, "alice@example.org").unwrap(), Some(vec![9; 32]));
}

#[test]
fn a_subscribers_own_policy_comes_back_as_it_was_given_and_each_part_may_be_missing() {
    let mut store = store_with(&["alice@example.org"]);
    let policies = [
        SubscriberPolicy { profile: Some(WireProfile::Draft04), suites: None, user_data: None },
        SubscriberPolicy { suites: Some(vec![CipherSuite::NullSha, CipherSuite::Aes128Gcm]), ..SubscriberPolicy::default() },
        SubscriberPolicy { user_data: Some(UserData::Clear), ..SubscriberPolicy::default() },
        SubscriberPolicy {
            profile: Some(WireProfile::Rfc6618),
            suites: Some(vec![CipherSuite::Aes128CbcSha]),
            user_data: Some(UserData::Protected),
        },
    ];
    for (number, policy) in policies.iter().enumerate() {
        let nai = format!("mn{number}@example.org");
        add(&mut store, &nai, policy.clone()).unwrap();
        assert_eq!(self::policy(&mut store, &nai.replace("example", "Example")).unwrap().as_ref(), Some(policy));
    }
    assert_eq!(policy(&mut store, "alice@example.org").unwrap(), Some(SubscriberPolicy::default()));
    let listed: Vec<_> = store.subscribers(now()).unwrap().into_iter().map(|row| row.policy).collect();
    assert_eq!(listed, [&[SubscriberPolicy::default()][..], &policies].concat());
}

#[test]
fn an_unknown_and_a_disabled_subscriber_have_no_policy_of_their_own() {
    let mut store = store_with(&[]);
    add(&mut store, "carol@example.org", SubscriberPolicy { profile: Some(WireProfile::Draft04), ..Default::default() }).unwrap();
    store.set_enabled("carol@example.org", false, now()).unwrap();
    for nai in ["carol@example.org", "nobody@example.org"] {
        assert_eq!(policy(&mut store, nai).unwrap(), None, "{nai}");
    }
}

#[test]
fn a_policy_that_this_build_cannot_read_is_said_and_not_guessed() {
    let mut store = store_with(&["alice@example.org"]);
    for wrong in ["profile = 'draft-05'", "suites = 'ROT13'", "suites = ''"] {
        store.connection.execute(&format!("UPDATE subscriber SET {wrong}"), []).unwrap();
        assert!(matches!(policy(&mut store, "alice@example.org"), Err(StoreError::Damaged(_))), "{wrong}");
    }
}

/// Steps of SQLite's machine for one look-up, behind a first one that fills its caches.
fn steps(store: &mut SqliteStore, nai: &str) -> i32 {
    store.credentials(nai).unwrap();
    store.connection.prepare_cached(CREDENTIALS).unwrap().reset_status(StatementStatus::VmStep);
    store.credentials(nai).unwrap();
    store.connection.prepare_cached(CREDENTIALS).unwrap().get_status(StatementStatus::VmStep)
}

/// How long the HAC takes is seen by whoever claims a name.
#[test]
fn a_name_that_is_unknown_or_disabled_costs_the_look_up_of_one_that_is_enabled() {
    let names: Vec<_> = (0..50).map(|number| format!("mn{number}@example.org")).collect();
    let mut store = store_with(&names.iter().map(String::as_str).collect::<Vec<_>>());
    store.set_enabled(&names[7], false, now()).unwrap();
    store.remove_subscriber(&names[49], now()).unwrap();
    store.remove_subscriber(&names[20], now()).unwrap();
    let enabled = steps(&mut store, &names[6]);
    for name in [names[7].as_str(), &names[20], "aaa@example.org", "zzz@example.org"] {
        let taken = steps(&mut store, name);
        assert!(enabled > 15 && enabled.abs_diff(taken) <= 1, "{name}: {taken} steps instead of {enabled}");
        assert!(store.credentials(name).unwrap().is_none());
    }
}

/// Those whose rows stand in for it may not even be readable.
#[test]
fn an_unknown_name_stays_unknown_whoever_stands_in_for_it() {
    let mut store = store_with(&[ALICE, "bob@example.org"]);
    let damage = "UPDATE subscriber SET psk = x'00', profile = 'none of ours'";
    store.connection.execute(damage, []).unwrap();
    for number in 0..20 {
        assert!(store.credentials(&format!("mn{number}@example.org")).unwrap().is_none());
    }
    assert!(matches!(store.credentials(ALICE), Err(StoreError::Sealed(_))));
}
