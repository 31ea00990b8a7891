//! What a home agent's process is told of the associations that name another one of its group.

use super::*;

/// A second home agent of the group of `ha1`.
fn to_other(instance: u8) -> Recipient<'static> {
    Recipient { home_agent: "ha2", ..to(instance) }
}

fn named(deliveries: &[Delivery]) -> Vec<(Spi, u32)> {
    deliveries.iter().map(|delivery| (delivery.sa.spi, delivery.lease)).collect()
}

/// Alice's and Bob's associations name `ha1`, which has them; `ha2` has looked Alice's up.
fn looked_up() -> (SqliteStore, Spi, Spi) {
    let mut store = store_with(&["alice@example.org", "bob@example.org"]);
    store.add_home_agent(&agent("ha2", 0)).unwrap();
    let [alice, bob] = ["alice@example.org", "bob@example.org"].map(|nai| provision(&mut store, nai).sa.spi);
    assert_eq!(snapshot(&mut store, 1).len(), 2);
    assert_eq!(store.snapshot_page(&to_other(2), None, 10, now()).unwrap().deliveries.len(), 0);
    assert_eq!(store.look_up(&to_other(2), alice, now()).unwrap().unwrap().lease, 1);
    (store, alice, bob)
}

#[test]
fn the_snapshots_of_a_process_name_what_it_has_looked_up_and_those_of_the_next_process_do_not() {
    let (mut store, alice, bob) = looked_up();
    let mut snapshot = |to| named(&store.snapshot_page(&to, None, 10, now()).unwrap().deliveries);
    assert_eq!((snapshot(to_other(2)), snapshot(to_other(3))), (vec![(alice, 1)], vec![]));
    let mut both = vec![(alice, 0), (bob, 0)];
    both.sort();
    assert_eq!(snapshot(to(1)), both);
    let elsewhere = Recipient { group: HaGroup::new(1).unwrap(), ..to_other(2) };
    assert_eq!(snapshot(elsewhere), vec![], "another group");
}

#[test]
fn the_end_of_an_association_is_told_to_who_has_looked_it_up_and_to_no_other() {
    let (mut store, alice, bob) = looked_up();
    let before = store.revision().unwrap();
    let ends = [alice, bob].map(|spi| (spi, store.end(spi).unwrap().unwrap()));
    let mut changes = |to| {
        let changes = store.changes(&to, before, 10, now()).unwrap();
        let ended =
            changes.iter().map(|change| if let Change::Ended(spi, at) = change { (*spi, *at) } else { panic!("{change:?}") });
        ended.collect::<Vec<_>>()
    };
    assert_eq!(changes(to_other(2)), ends[..1]);
    assert_eq!((changes(to(1)), changes(to_other(3))), (ends.to_vec(), vec![]));
    assert!(store.snapshot_page(&to_other(2), None, 10, now()).unwrap().deliveries.is_empty());
}

#[test]
fn a_group_has_the_blocks_in_which_spis_are_given_out() {
    let mut store = store_with(&["alice@example.org"]);
    let blocks =
        |store: &mut SqliteStore, group| store.spi_blocks(HaGroup::new(group).unwrap()).unwrap().iter().collect::<Vec<_>>();
    assert_eq!(blocks(&mut store, 0), []);
    let first = provision(&mut store, "alice@example.org").sa.spi.block();
    let second = HaGroup::new(0).unwrap().blocks().nth(1).unwrap();
    assert_eq!(blocks(&mut store, 0), [first]);
    fill_block(&store, second, &[]);
    assert_eq!((blocks(&mut store, 0), blocks(&mut store, 1)), (vec![first, second], vec![]));
}
