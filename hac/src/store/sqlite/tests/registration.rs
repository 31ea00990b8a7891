//! The association that a mobile node has registered under, and what gives way to a new one.

use super::*;

const NAI: &str = "alice@example.org";

fn registers(store: &mut SqliteStore, spi: Spi) {
    store.note_registered(&to(1), &[spi], now()).unwrap();
}

/// So many more runs of MHAuth.
fn runs(store: &mut SqliteStore, count: usize) -> Vec<Spi> {
    (0..count).map(|_| provision(store, NAI).sa.spi).collect()
}

fn live(store: &mut SqliteStore) -> BTreeSet<Spi> {
    all(store, &Selection::default()).iter().map(|record| record.spi).collect()
}

fn registered(store: &mut SqliteStore) -> BTreeSet<Spi> {
    store
        .associations(&Selection::default(), true, None, 1000, now())
        .unwrap()
        .iter()
        .filter(|record| record.is_registered)
        .map(|record| record.spi)
        .collect()
}

#[test]
fn whatever_is_provisioned_the_association_that_the_node_has_registered_under_stays_and_there_are_never_more_than_four() {
    let mut store = store_with(&[NAI]);
    let in_use = runs(&mut store, 2)[1];
    registers(&mut store, in_use);
    for _ in 0..9 {
        let newest = runs(&mut store, 3);
        assert_eq!(live(&mut store), [&[in_use], &newest[..]].concat().into_iter().collect());
        assert_eq!(registered(&mut store), [in_use].into());
    }
}

#[test]
fn once_the_node_has_registered_under_a_newer_association_the_older_gives_way_again() {
    let mut store = store_with(&[NAI]);
    let spis = runs(&mut store, 4);
    registers(&mut store, spis[0]);
    registers(&mut store, spis[2]);
    assert_eq!(registered(&mut store), [spis[2]].into());
    let newest = runs(&mut store, 2);
    assert_eq!(live(&mut store), [spis[2], spis[3], newest[0], newest[1]].into());
}

#[test]
fn what_a_home_agent_tells_late_of_an_older_association_does_not_expose_the_newer_one() {
    let mut store = store_with(&[NAI]);
    let spis = runs(&mut store, 2);
    registers(&mut store, spis[1]);
    registers(&mut store, spis[0]);
    let newest = runs(&mut store, 4);
    assert_eq!(live(&mut store), [spis[0], spis[1], newest[2], newest[3]].into());
}

#[test]
fn where_the_node_has_registered_under_all_four_the_oldest_gives_way() {
    let mut store = store_with(&[NAI]);
    let spis = runs(&mut store, 4);
    spis.iter().rev().for_each(|spi| registers(&mut store, *spi));
    assert_eq!(registered(&mut store), spis.iter().copied().collect());
    let newest = runs(&mut store, 1);
    assert_eq!(live(&mut store), [&spis[1..], &newest[..]].concat().into_iter().collect());
}

#[test]
fn of_another_subscribers_associations_nothing_is_noted() {
    let mut store = store_with(&[NAI, "bob@example.org"]);
    let bob = provision(&mut store, "bob@example.org").sa.spi;
    registers(&mut store, bob);
    let alice = runs(&mut store, 1)[0];
    registers(&mut store, alice);
    assert_eq!(registered(&mut store), [alice, bob].into());
}

#[test]
fn what_is_not_live_or_of_another_group_or_unknown_is_not_noted() {
    let mut store = store_with(&[NAI]);
    let spis = runs(&mut store, 2);
    let elsewhere = Recipient { group: HaGroup::new(1).unwrap(), ..to(1) };
    store.note_registered(&elsewhere, &spis, now()).unwrap();
    store.note_registered(&to(1), &spis, now() + LIFETIME).unwrap();
    let unknown = spis[0].block().spi(spis[0].number() ^ spis[1].number() ^ 1).filter(|spi| !spis.contains(spi));
    store.note_registered(&to(1), unknown.as_slice(), now()).unwrap();
    store.end(spis[0]).unwrap().unwrap();
    registers(&mut store, spis[0]);
    assert_eq!(registered(&mut store), BTreeSet::new());
    registers(&mut store, spis[1]);
    assert_eq!(registered(&mut store), [spis[1]].into());
    store.end(spis[1]).unwrap().unwrap();
    assert_eq!(registered(&mut store), BTreeSet::new(), "what has ended is not in use");
}

#[test]
fn a_registration_moves_no_revision_and_one_that_is_noted_already_writes_nothing() {
    let mut store = store_with(&[NAI]);
    let spis = runs(&mut store, 2);
    let before = store.revision().unwrap();
    store.note_registered(&to(1), &spis, now()).unwrap();
    assert_eq!((store.revision().unwrap(), store.changes(&to(1), before, 10, now()).unwrap().len()), (before, 0));
    let written = store.connection.total_changes();
    store.note_registered(&to(1), &[spis[1]], now()).unwrap();
    assert_eq!(store.connection.total_changes(), written);
    assert_eq!(registered(&mut store), [spis[1]].into());
}
