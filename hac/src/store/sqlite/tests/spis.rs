//! Which SPI a subscriber is given that has one already, and which where nothing fits.

use super::*;

const ALICE: &str = "alice@example.org";

fn given(store: &mut SqliteStore, home_agent: &HomeAgent, at: SystemTime) -> Spi {
    try_provision(store, ALICE, home_agent, pools(), at).unwrap().sa.spi
}

/// Gives an association another SPI of its block, of this class.
fn change_class(store: &SqliteStore, spi: Spi, class: u16) -> Spi {
    let other = spi.block().spi(class).unwrap();
    let update = "UPDATE security_association SET spi = ?2 WHERE spi = ?1";
    assert_eq!(store.connection.execute(update, (spi.get(), other.get())).unwrap(), 1);
    other
}

/// The numbers of a block that are in this class.
fn numbers_of(class: u8) -> Vec<u16> {
    let block = HaGroup::new(1).unwrap().blocks().next().unwrap();
    (0..SpiBlock::LEN).filter(|number| block.spi(*number).unwrap().class() == class).collect()
}

#[test]
fn a_renewal_keeps_the_class_also_where_it_ends_the_one_before_it() {
    let mut store = store_with(&[ALICE]);
    let spis: Vec<Spi> = (0..12).map(|hour| given(&mut store, &agent("ha1", 0), after(hour * 3_600))).collect();
    assert_eq!(spis.iter().collect::<BTreeSet<_>>().len(), 12);
    assert!(spis.iter().all(|spi| spi.class() == spis[0].class()), "{spis:?}");
}

#[test]
fn the_newest_live_one_says_the_class_and_where_none_is_live_the_newest_in_quarantine() {
    let mut store = store_with(&[ALICE]);
    let ha1 = agent("ha1", 0);
    let first = given(&mut store, &ha1, now());
    let first = change_class(&store, first, 5);
    let second = given(&mut store, &ha1, after(1));
    let second = change_class(&store, second, 9);
    store.end(second).unwrap();
    let third = given(&mut store, &ha1, after(2));
    assert_eq!(third.class(), 5, "the second is newer and has ended");
    let third = change_class(&store, third, 33);
    store.end(third).unwrap();
    store.end(first).unwrap();
    assert_eq!(given(&mut store, &ha1, after(3)).class(), 33, "the first has ended later and is older");

    let last = given(&mut store, &ha1, after(4));
    change_class(&store, last, 60);
    let expired = after(4) + LIFETIME;
    assert_eq!(given(&mut store, &ha1, expired).class(), 60, "expired, and in quarantine");
}

#[test]
fn what_a_subscriber_has_in_another_group_does_not_say_the_class() {
    let mut store = store_with(&[ALICE]);
    let (ha1, ha2) = (agent("ha1", 0), agent("ha2", 1));
    store.add_home_agent(&ha2).unwrap();
    let here = given(&mut store, &ha1, now());
    let there = given(&mut store, &ha2, after(1));
    change_class(&store, here, 5);
    change_class(&store, there, 9);
    assert_eq!(given(&mut store, &ha1, after(2)).class(), 5);
    assert_eq!(given(&mut store, &ha2, after(3)).class(), 9);
}

#[test]
fn where_a_class_is_used_up_the_next_block_is_used_and_then_any_number() {
    let mut store = store_with(&[ALICE]);
    let blocks: Vec<SpiBlock> = HaGroup::new(0).unwrap().blocks().take(2).collect();
    let (seven, eight) = (numbers_of(7), numbers_of(8));
    assert_eq!((seven.len(), seven[1]), (64, 71));
    fill_block(&store, blocks[0], &[7]);
    assert_eq!(provision(&mut store, ALICE).sa.spi, blocks[0].spi(7).unwrap());
    for number in &eight {
        let free = "DELETE FROM security_association WHERE spi = ?1";
        store.connection.execute(free, [blocks[0].spi(*number).unwrap().get()]).unwrap();
    }
    fill_block(&store, blocks[1], &[[71].as_slice(), &eight].concat());
    assert_eq!(provision(&mut store, ALICE).sa.spi, blocks[1].spi(71).unwrap());

    let any = provision(&mut store, ALICE).sa.spi;
    assert_eq!((any.block(), any.class()), (blocks[0], 8), "the third block has numbers of the class, and is not opened for it");
}

#[test]
fn first_ones_are_spread_over_the_classes() {
    let names: Vec<String> = (0..200).map(|number| format!("mn{number}@example.org")).collect();
    let mut store = store_with(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let classes: BTreeSet<u8> = names.iter().map(|nai| provision(&mut store, nai).sa.spi.class()).collect();
    assert!(classes.len() > 50, "200 draws leave about three of 64 classes out: {classes:?}");
}
