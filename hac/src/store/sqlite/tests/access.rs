//! What AAA servers say of associations, and do to them.

use super::*;

const ALICE: &str = "alice@example.org";
const BOB: &str = "bob@example.org";

fn world() -> (SqliteStore, Spi, Spi) {
    let mut store = store_with(&[ALICE, BOB]);
    let [alice, bob] = [ALICE, BOB].map(|nai| authorised(&mut store, nai, &access(nai)));
    (store, alice, bob)
}

/// Live associations.
fn live(store: &mut SqliteStore, at: SystemTime) -> BTreeSet<Spi> {
    store.associations(&Selection::default(), false, None, 10, at).unwrap().iter().map(|record| record.spi).collect()
}

#[test]
fn an_association_is_found_by_whatever_names_it_and_by_nothing_that_contradicts() {
    let (mut store, alice, bob) = world();
    store.note_usage(&to(1), &[report(alice, 1, 5), report(bob, 1, 5)], now()).unwrap();
    let home = all(&mut store, &Selection { spi: Some(alice), ..Selection::default() })[0].home;
    let id =
        due(&mut store, now()).into_iter().map(|(id, _)| id).find(|id| id.starts_with(&format!("{:08x}-", alice.get()))).unwrap();
    let none = SessionQuery::default();
    let net = |prefix| Some(ipnet::Ipv6Net::new(home.ip6().unwrap(), prefix).unwrap());
    let mut both = [alice, bob];
    both.sort();
    for (of, found) in [
        (none, &[][..]),
        (SessionQuery { user_name: Some(ALICE), ..none }, &[alice]),
        (SessionQuery { user_name: Some("ALICE@example.org"), ..none }, &[]),
        (SessionQuery { session_id: Some(&id), ..none }, &[alice]),
        (SessionQuery { session_id: Some("x"), ..none }, &[]),
        (SessionQuery { home4: home.ip4(), ..none }, &[alice]),
        (SessionQuery { home6: net(128), ..none }, &[alice]),
        (SessionQuery { home6: net(64), ..none }, &both),
        (SessionQuery { home6: "2001:db8:101::/64".parse().ok(), ..none }, &[]),
        (SessionQuery { session_id: Some(&id), user_name: Some(ALICE), home4: home.ip4(), home6: net(64) }, &[alice]),
        (SessionQuery { session_id: Some(&id), user_name: Some(BOB), ..none }, &[]),
    ] {
        assert_eq!(store.authorised(&of, 10, now()).unwrap(), found, "{of:?}");
    }
    assert_eq!(store.authorised(&SessionQuery { home6: net(64), ..none }, 1, now()).unwrap().len(), 1);
    assert_eq!(store.authorised(&SessionQuery { user_name: Some(ALICE), ..none }, 10, now() + LIFETIME).unwrap(), []);
}

#[test]
fn what_no_aaa_server_has_authorised_is_not_found() {
    let mut store = store_with(&[ALICE]);
    let home4 = provision(&mut store, ALICE).sa.home.ip4();
    assert_eq!(store.authorised(&SessionQuery { home4, ..SessionQuery::default() }, 10, now()).unwrap(), []);
}

#[test]
fn a_session_that_has_ended_names_nothing() {
    let (mut store, alice, _) = world();
    store.note_usage(&to(1), &[report(alice, 1, 5)], now()).unwrap();
    let id = due(&mut store, now()).remove(0).0;
    let of = |id| SessionQuery { session_id: Some(id), ..SessionQuery::default() };
    assert_eq!(store.authorised(&of(&id), 10, now()).unwrap(), [alice]);
    let ended = SessionReport { ended: Some(SessionEnd::Deregistered), ..report(alice, 1, 6) };
    store.note_usage(&to(1), &[ended], now()).unwrap();
    assert_eq!(store.authorised(&of(&id), 10, now()).unwrap(), []);
}

#[test]
fn a_disconnected_association_ends_for_its_home_agent_and_its_session_knows_why() {
    let (mut store, alice, bob) = world();
    store.note_usage(&to(1), &[report(alice, 1, 5)], now()).unwrap();
    let before = store.revision().unwrap();
    store.disconnect(&[alice, alice], now()).unwrap();
    assert_eq!(live(&mut store, now()), [bob].into());
    let changes = store.changes(&to(1), before, 10, now()).unwrap();
    assert!(matches!(&changes[..], [Change::Ended(spi, _)] if *spi == alice), "{changes:?}");
    let last = SessionReport { ended: Some(SessionEnd::SaEnded), ..report(alice, 1, 7) };
    store.note_usage(&to(1), &[last], after(1)).unwrap();
    let (session, _) = store.accounting_due(None, 10, after(1)).unwrap().remove(0);
    assert_eq!((session.ended, session.seconds, session.reported), (Some(SessionCause::Disconnected), 7, after(1)));
}

#[test]
fn what_a_aaa_server_has_not_authorised_is_neither_disconnected_nor_changed() {
    let mut store = store_with(&[ALICE]);
    let spi = provision(&mut store, ALICE).sa.spi;
    store.disconnect(&[spi], now()).unwrap();
    store.reauthorise(spi, &AccessChange { ends: Some(after(1)), ..AccessChange::default() }, now()).unwrap();
    assert_eq!(store.end_due(after(2)).unwrap(), []);
    assert_eq!(live(&mut store, after(2)), [spi].into());
}

#[test]
fn a_time_that_a_aaa_server_sets_ends_the_association_once() {
    let (mut store, alice, bob) = world();
    let ends = |at| AccessChange { ends: Some(at), ..AccessChange::default() };
    store.note_usage(&to(1), &[report(alice, 1, 5)], now()).unwrap();
    store.reauthorise(alice, &ends(after(100)), now()).unwrap();
    store.reauthorise(bob, &ends(after(100)), now()).unwrap();
    store.reauthorise(bob, &ends(now() + LIFETIME), now()).unwrap();
    assert_eq!(store.end_due(after(99)).unwrap(), []);
    assert_eq!(store.end_due(after(100)).unwrap(), [alice]);
    assert_eq!(store.end_due(after(100)).unwrap(), []);
    assert_eq!(live(&mut store, after(100)), [bob].into(), "what lies behind the validity end is none");
    store.end_stale_sessions(after(100)).unwrap();
    assert_eq!(store.end_stale_sessions(after(160)).unwrap(), 1);
    assert_eq!(store.accounting_due(None, 10, after(160)).unwrap()[0].0.ended, Some(SessionCause::Expired));
}

#[test]
fn class_and_interval_are_replaced_where_they_are_given_for_the_session_that_goes_on_and_the_next() {
    let (mut store, alice, _) = world();
    store.note_usage(&to(1), &[report(alice, 1, 5)], now()).unwrap();
    let class = vec![vec![7; 3]];
    store.reauthorise(alice, &AccessChange { class: Some(class.clone()), ..AccessChange::default() }, now()).unwrap();
    let interim = Some(Duration::from_secs(120));
    store.reauthorise(alice, &AccessChange { interim, ..AccessChange::default() }, now()).unwrap();
    store.note_usage(&to(1), &[report(alice, 2, 1)], after(10)).unwrap();
    let sessions = store.accounting_due(None, 10, after(10)).unwrap();
    let changed = Access { class, interim, ..access(ALICE) };
    assert_eq!(sessions.into_iter().map(|(session, _)| session.access).collect::<Vec<_>>(), [changed.clone(), changed]);
}
