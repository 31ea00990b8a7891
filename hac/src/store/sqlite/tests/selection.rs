//! Associations as the operator lists and ends them.

use super::*;

const NAMES: [&str; 5] = ["a@example.org", "b@example.org", "c@example.org", "d@example.org", "e@example.org"];

/// An association of each name; those of the last two are at another home agent.
fn five() -> (SqliteStore, Vec<Spi>) {
    let mut store = store_with(&NAMES);
    store.add_home_agent(&agent("ha2", 0)).unwrap();
    let homes = ["ha1", "ha1", "ha1", "ha2", "ha2"];
    let spi = |(nai, name): (&&str, &&str)| try_provision(&mut store, nai, &agent(name, 0), pools(), now()).unwrap().sa.spi;
    let spis = NAMES.iter().zip(&homes).map(spi).collect();
    (store, spis)
}

fn spis(records: &[AssociationRecord]) -> BTreeSet<Spi> {
    records.iter().map(|record| record.spi).collect()
}

fn at(home_agent: &str) -> Selection<'_> {
    Selection { home_agent: Some(home_agent), ..Selection::default() }
}

fn of(nai: &str) -> Selection<'_> {
    Selection { subscriber: Some(nai), ..Selection::default() }
}

#[test]
fn a_record_says_everything_but_the_keys() {
    let (mut store, made) = five();
    store.look_up(&to(1), made[1], now()).unwrap().unwrap();
    store.look_up(&to(2), made[1], now()).unwrap().unwrap();
    let records = all(&mut store, &of("b@Example.org"));
    let [record] = &records[..] else { panic!("one: {records:?}") };
    assert_eq!((record.spi, record.subscriber.as_deref(), record.home_agent.as_deref()), (made[1], Some(NAMES[1]), Some("ha1")));
    assert_eq!((record.created, record.valid_until), (now(), now() + LIFETIME));
    assert_eq!(
        (record.suite, record.profile, record.user_data),
        (CipherSuite::Aes128Gcm, WireProfile::Rfc6618, UserData::Protected)
    );
    assert_eq!((record.home.ip4(), record.lease, record.state), ("10.9.0.3".parse().ok(), Some(1), AssociationState::Live));
    assert_eq!(all(&mut store, &of(NAMES[0]))[0].lease, None, "not delivered to anybody yet");
}

#[test]
fn a_selection_takes_what_fits_everything_that_it_names() {
    let (mut store, made) = five();
    let first = Selection { spi: Some(made[0]), ..Selection::default() };
    for (selection, expected) in [
        (Selection::default(), &made[..]),
        (of(NAMES[0]), &made[..1]),
        (of("nobody@example.org"), &[]),
        (at("ha1"), &made[..3]),
        (at("ha2"), &made[3..]),
        (at("ha3"), &[]),
        (first, &made[..1]),
        (Selection { home_agent: Some("ha1"), ..first }, &made[..1]),
        (Selection { home_agent: Some("ha2"), ..first }, &[]),
        (Selection { subscriber: Some(NAMES[3]), ..at("ha2") }, &made[3..4]),
    ] {
        assert_eq!(spis(&all(&mut store, &selection)), expected.iter().copied().collect(), "{selection:?}");
    }
}

#[test]
fn pages_follow_one_another_by_spi_and_leave_nothing_out() {
    let (mut store, made) = five();
    let mut sorted = made.clone();
    sorted.sort();
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.associations(&Selection::default(), false, after, 2, now()).unwrap();
        assert!(page.len() <= 2);
        after = page.last().map(|record| record.spi);
        if page.is_empty() {
            break;
        }
        found.extend(page.into_iter().map(|record| record.spi));
    }
    assert_eq!(found, sorted);
}

#[test]
fn ended_and_expired_ones_are_listed_on_demand_and_said_to_be_so() {
    let (mut store, made) = five();
    store.end(made[0]).unwrap().unwrap();
    store.remove_subscriber(NAMES[1], now()).unwrap();
    store.remove_home_agent("ha2", now()).unwrap();
    assert_eq!(spis(&all(&mut store, &Selection::default())), BTreeSet::from([made[2]]));
    let states = |store: &mut SqliteStore, at| {
        let records = store.associations(&Selection::default(), true, None, 10, at).unwrap();
        let of = |spi: Spi| records.iter().find(|record| record.spi == spi).unwrap().clone();
        made.iter().map(|spi| (of(*spi).state, of(*spi).subscriber, of(*spi).home_agent)).collect::<Vec<_>>()
    };
    use AssociationState::{Ended, Expired, Live};
    let some = |name: &str| Some(name.to_owned());
    let expected = |third| {
        vec![
            (Ended, some(NAMES[0]), some("ha1")),
            (Ended, None, some("ha1")),
            (third, some(NAMES[2]), some("ha1")),
            (Ended, some(NAMES[3]), None),
            (Ended, some(NAMES[4]), None),
        ]
    };
    assert_eq!(states(&mut store, now()), expected(Live));
    assert_eq!(states(&mut store, now() + LIFETIME), expected(Expired));
}

#[test]
fn each_selection_ends_its_own_and_says_how_many_were_live() {
    for (selection, expected) in [(of(NAMES[0]), 1), (at("ha1"), 3), (Selection::default(), 5), (of("nobody@example.org"), 0)] {
        let (mut store, made) = five();
        let before = store.revision().unwrap();
        let (mut ended, mut after) = (0, None);
        loop {
            let page = store.end_page(&selection, before, after, 2, now()).unwrap();
            assert!(page.ended <= 2);
            ended += page.ended;
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        let left = made.len() as u64 - expected;
        assert_eq!((ended, store.counts(now()).unwrap().live_sas), (expected, left), "{selection:?}");
        assert_eq!(store.revision().unwrap().0 - before.0, expected, "each has a place in the log");
    }
}

#[test]
fn what_was_provisioned_after_the_command_began_is_left_alone_and_what_has_run_out_loses_its_keys_uncounted() {
    let (mut store, made) = five();
    let began = store.revision().unwrap();
    let newer = provision(&mut store, NAMES[0]).sa.spi;
    assert_eq!(store.end_page(&Selection::default(), began, None, 10, now() + LIFETIME).unwrap().ended, 0);
    assert_eq!(spis(&all(&mut store, &Selection::default())), BTreeSet::from([newer]));
    let sealed = "SELECT COUNT(*) FROM security_association WHERE keys IS NOT NULL";
    assert_eq!(store.connection.query_row(sealed, [], |row| row.get::<_, i64>(0)).unwrap(), 1, "{made:?}");
}
