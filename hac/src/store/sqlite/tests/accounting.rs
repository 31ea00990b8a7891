//! What accounting servers are to be told, and when.

use super::*;
use crate::store::sqlite::accounting;

const ALICE: &str = "alice@example.org";
const BOB: &str = "bob@example.org";

fn world() -> (SqliteStore, Spi, Spi) {
    let mut store = store_with(&[ALICE, BOB]);
    let [alice, bob] = [ALICE, BOB].map(|nai| authorised(&mut store, nai, &access(nai)));
    (store, alice, bob)
}

fn id(spi: Spi) -> String {
    format!("{:08x}-{:x}-1", spi.get(), unix_seconds(now()))
}

fn ends(spi: Spi, age: u64) -> SessionReport {
    SessionReport { ended: Some(SessionEnd::Deregistered), ..report(spi, 1, age) }
}

#[test]
fn a_session_is_told_from_start_to_stop_and_then_forgotten() {
    let (mut store, spi, _) = world();
    let mut reports = |report, at| store.note_usage(&to(1), &[report], at).unwrap();
    reports(report(spi, 1, 0), now());
    let mut store = store;
    assert_eq!(due(&mut store, now()), [(id(spi), Told::Start)]);
    assert_eq!(due(&mut store, after(5)), [(id(spi), Told::Start)], "until it is acknowledged");
    store.accounting_told(&id(spi), Told::Start, after(5)).unwrap();
    assert_eq!(due(&mut store, after(5)), []);
    store.note_usage(&to(1), &[report(spi, 1, 300)], after(300)).unwrap();
    assert_eq!(due(&mut store, after(604)), []);
    assert_eq!(due(&mut store, after(605)), [(id(spi), Told::Interim)]);
    store.accounting_told(&id(spi), Told::Interim, after(606)).unwrap();
    assert_eq!(due(&mut store, after(9_999)), [], "there is nothing newer to tell");
    store.note_usage(&to(1), &[ends(spi, 700)], after(700)).unwrap();
    assert_eq!(due(&mut store, after(700)), [(id(spi), Told::Stop)]);
    store.accounting_told(&id(spi), Told::Stop, after(701)).unwrap();
    store.accounting_told(&id(spi), Told::Stop, after(702)).unwrap();
    assert_eq!(due(&mut store, after(9_999)), []);
    store.note_usage(&to(1), &[ends(spi, 700)], after(710)).unwrap();
    assert_eq!(due(&mut store, after(9_999)), [], "said again, it is no new session");
    store.note_usage(&to(1), &[report(spi, 2, 1)], after(720)).unwrap();
    assert_eq!(due(&mut store, after(720)).len(), 1, "another binding is");
}

#[test]
fn a_session_that_was_over_before_anybody_heard_has_a_start_and_a_stop() {
    let (mut store, spi, _) = world();
    store.note_usage(&to(1), &[ends(spi, 3)], now()).unwrap();
    for told in [Told::Start, Told::Stop] {
        assert_eq!(due(&mut store, after(1)), [(id(spi), told)]);
        store.accounting_told(&id(spi), told, after(1)).unwrap();
    }
    assert_eq!(due(&mut store, after(9_999)), []);
}

#[test]
fn the_hacs_own_interval_comes_before_the_aaa_servers_and_stands_in_for_one() {
    let mut store = store_with(&[ALICE, BOB]);
    let alice = authorised(&mut store, ALICE, &access(ALICE));
    let bob = authorised(&mut store, BOB, &Access { interim: None, ..access(BOB) });
    for (at, told) in [(0, Some(Told::Start)), (1, None)] {
        store.note_usage(&to(1), &[report(alice, 1, at), report(bob, 1, at)], after(at)).unwrap();
        for id in [alice, bob].map(id) {
            told.map_or(Ok(()), |told| store.accounting_told(&id, told, after(at))).unwrap();
        }
    }
    let mut due = |interim: Option<u64>, at| {
        let due = store.accounting_due(interim.map(Duration::from_secs), 10, after(at)).unwrap();
        due.into_iter().map(|(session, told)| (session.spi, told)).collect::<Vec<_>>()
    };
    assert_eq!((due(None, 599), due(None, 600)), (vec![], vec![(alice, Told::Interim)]));
    assert_eq!(due(Some(60), 59), []);
    assert_eq!(due(Some(60), 60).len(), 2);
    assert_eq!(due(Some(900), 899), []);
}

#[test]
fn what_has_been_due_longest_comes_first_whatever_it_is() {
    let (mut store, alice, bob) = world();
    store.note_usage(&to(1), &[report(alice, 1, 0)], now()).unwrap();
    store.accounting_told(&id(alice), Told::Start, now()).unwrap();
    store.note_usage(&to(1), &[report(bob, 1, 0)], after(10)).unwrap();
    store.note_usage(&to(1), &[ends(alice, 20)], after(20)).unwrap();
    assert_eq!(due(&mut store, after(20)), [(id(bob), Told::Start), (id(alice), Told::Stop)]);
    let first = store.accounting_due(None, 1, after(20)).unwrap();
    assert_eq!(first.iter().map(|(session, _)| session.spi).collect::<Vec<_>>(), [bob]);
    store.accounting_told(&id(bob), Told::Start, after(30)).unwrap();
    store.note_usage(&to(1), &[report(bob, 1, 500)], after(500)).unwrap();
    assert_eq!(due(&mut store, after(700)), [(id(alice), Told::Stop), (id(bob), Told::Interim)]);
}

#[test]
fn what_waits_for_an_accounting_server_is_counted() {
    let (mut store, alice, bob) = world();
    let waiting = |store: &mut SqliteStore| store.counts(now()).unwrap().waiting_sessions;
    assert_eq!(waiting(&mut store), 0);
    store.note_usage(&to(1), &[report(alice, 1, 0), report(bob, 1, 0)], now()).unwrap();
    assert_eq!(waiting(&mut store), 2);
    store.accounting_told(&id(alice), Told::Start, now()).unwrap();
    store.note_usage(&to(1), &[ends(bob, 5)], now()).unwrap();
    assert_eq!(waiting(&mut store), 1, "a session that has ended untold counts once");
    store.accounting_told(&id(bob), Told::Start, now()).unwrap();
    assert_eq!(waiting(&mut store), 1);
    store.accounting_told(&id(bob), Told::Stop, now()).unwrap();
    assert_eq!(waiting(&mut store), 0);
}

/// Who looks each second must not go through a million sessions that are not due.
#[test]
fn what_is_due_is_found_by_an_index_that_has_nothing_else_and_in_its_order() {
    let store = store_with(&[]);
    for interim in [None, Some(Duration::from_secs(60))] {
        for (told, query) in accounting::queries(interim) {
            let mut query = store.connection.prepare(&format!("EXPLAIN QUERY PLAN {query}")).unwrap();
            let steps = query.query_map([0, 0], |row| row.get::<_, String>(3)).unwrap();
            let steps: Vec<String> = steps.collect::<rusqlite::Result<_>>().unwrap();
            let index = match (told, interim) {
                (Told::Start, _) => "session_start",
                (Told::Stop, _) => "session_stop",
                (Told::Interim, None) => "session_interim",
                (Told::Interim, Some(_)) => "session_told",
            };
            assert!(steps.len() == 1 && steps[0].starts_with("SEARCH") && steps[0].contains(index), "{told:?}: {steps:?}");
        }
    }
}
