//! Sessions as home agents report them.

use super::*;

const ALICE: &str = "alice@example.org";

fn world() -> (SqliteStore, Spi) {
    let mut store = store_with(&[ALICE]);
    let spi = authorised(&mut store, ALICE, &access(ALICE));
    (store, spi)
}

/// Every session of which accounting has to hear.
fn sessions(store: &mut SqliteStore, at: SystemTime) -> Vec<SessionRecord> {
    let mut sessions: Vec<_> = store.accounting_due(None, 100, at).unwrap().into_iter().map(|(session, _)| session).collect();
    sessions.sort_by(|a, b| a.id.cmp(&b.id));
    sessions
}

fn id(spi: Spi, number: u32) -> String {
    format!("{:08x}-{:x}-{number}", spi.get(), unix_seconds(now()))
}

#[test]
fn a_session_is_recorded_as_it_is_reported_with_what_the_aaa_server_said() {
    let (mut store, spi) = world();
    let home = all(&mut store, &Selection::default())[0].home;
    store.note_usage(&to(1), &[report(spi, 1, 30)], after(30)).unwrap();
    let moved = SessionReport { care_of: "[2001:db8::9]:7872".parse().unwrap(), ..report(spi, 1, 90) };
    store.note_usage(&to(1), std::slice::from_ref(&moved), after(91)).unwrap();
    let expected = SessionRecord {
        id: id(spi, 1),
        spi,
        access: access(ALICE),
        home,
        home_agent: "ha1".to_owned(),
        care_of: moved.care_of,
        began: now(),
        seconds: 90,
        traffic: moved.traffic,
        ended: None,
        reported: after(91),
    };
    assert_eq!(sessions(&mut store, after(91)), [expected]);
    assert_eq!(all(&mut store, &Selection::default())[0].session, Some(id(spi, 1)));
}

#[test]
fn the_bindings_under_one_association_are_counted_over_the_processes_of_home_agents() {
    let (mut store, spi) = world();
    let ended = |number| SessionReport { ended: Some(SessionEnd::Deregistered), ..report(spi, number, 5) };
    store.note_usage(&to(1), &[ended(1), report(spi, 2, 1)], now()).unwrap();
    store.look_up(&to(2), spi, now()).unwrap().unwrap();
    store.note_usage(&to(2), &[report(spi, 1, 2)], after(9)).unwrap();
    let causes: Vec<_> = sessions(&mut store, after(9)).into_iter().map(|session| (session.id, session.ended)).collect();
    let expected = [
        (id(spi, 1), Some(SessionCause::Deregistered)),
        (id(spi, 2), Some(SessionCause::HomeAgentRestarted)),
        (id(spi, 3), None),
    ];
    assert_eq!(causes, expected);
}

#[test]
fn a_new_process_ends_the_sessions_of_the_old_one_at_this_home_agent_alone_and_before_it_has_any() {
    for (old, new) in [(1, 2), (2, 1)] {
        let mut store = store_with(&[ALICE]);
        store.add_home_agent(&agent("ha2", 0)).unwrap();
        let spi = undelivered(&mut store, ALICE, &access(ALICE));
        let at_other = Recipient { home_agent: "ha2", ..to(9) };
        for to in [to(old), at_other] {
            store.look_up(&to, spi, now()).unwrap().unwrap();
            store.note_usage(&to, &[report(spi, 1, 5)], now()).unwrap();
        }
        store.note_usage(&to(new), &[], after(5)).unwrap();
        let ended: Vec<_> =
            sessions(&mut store, after(5)).into_iter().map(|session| (session.home_agent, session.ended)).collect();
        assert_eq!(ended, [("ha1".to_owned(), Some(SessionCause::HomeAgentRestarted)), ("ha2".to_owned(), None)]);
    }
}

#[test]
fn what_a_process_that_is_gone_says_late_ends_nothing_of_the_one_that_took_its_place() {
    for (old, new) in [(1, 2), (2, 1)] {
        let mut store = store_with(&[ALICE]);
        let spi = undelivered(&mut store, ALICE, &access(ALICE));
        for instance in [old, new] {
            store.look_up(&to(instance), spi, now()).unwrap().unwrap();
        }
        store.note_usage(&to(old), &[report(spi, 1, 5)], now()).unwrap();
        store.note_usage(&to(new), &[report(spi, 1, 5)], after(5)).unwrap();
        store.note_usage(&to(old), &[report(spi, 1, 6)], after(6)).unwrap();
        let ended: Vec<_> = sessions(&mut store, after(6)).into_iter().map(|session| session.ended).collect();
        assert_eq!(ended, [Some(SessionCause::HomeAgentRestarted), None]);
    }
}

#[test]
fn what_ends_a_session_is_kept_and_a_later_report_changes_nothing() {
    let causes = [
        (SessionEnd::Deregistered, SessionCause::Deregistered),
        (SessionEnd::BindingExpired, SessionCause::BindingExpired),
        (SessionEnd::Superseded, SessionCause::Superseded),
        (SessionEnd::SaExpired, SessionCause::Expired),
    ];
    for (end, cause) in causes {
        let (mut store, spi) = world();
        store.note_usage(&to(1), &[SessionReport { ended: Some(end), ..report(spi, 1, 5) }], now()).unwrap();
        store.note_usage(&to(1), &[report(spi, 1, 50)], after(9)).unwrap();
        let session = sessions(&mut store, after(9)).remove(0);
        assert_eq!((session.ended, session.seconds, session.reported), (Some(cause), 5, now()));
        assert_eq!(all(&mut store, &Selection::default())[0].session, None);
    }
}

#[test]
fn where_the_hac_has_ended_an_association_it_knows_why() {
    let (mut store, spi) = world();
    let last = SessionReport { ended: Some(SessionEnd::SaEnded), ..report(spi, 1, 5) };
    store.end(spi).unwrap().unwrap();
    store.note_usage(&to(1), std::slice::from_ref(&last), now()).unwrap();
    assert_eq!(sessions(&mut store, now())[0].ended, Some(SessionCause::Revoked));

    let (mut store, spi) = world();
    store.remove_home_agent("ha1", now()).unwrap();
    store.note_usage(&to(1), &[SessionReport { spi, ..last }], now()).unwrap();
    assert_eq!(sessions(&mut store, now())[0].ended, Some(SessionCause::HomeAgentGone));
}

#[test]
fn what_is_not_the_reporters_or_no_aaa_servers_is_not_recorded() {
    let mut store = store_with(&[ALICE, "bob@example.org"]);
    let unauthorised = provision(&mut store, ALICE).sa.spi;
    store.look_up(&to(1), unauthorised, now()).unwrap().unwrap();
    let spi = authorised(&mut store, "bob@example.org", &access("bob@example.org"));
    let elsewhere = Recipient { group: HaGroup::new(1).unwrap(), ..to(1) };
    store.note_usage(&to(1), &[report(unauthorised, 1, 5)], now()).unwrap();
    store.note_usage(&to(2), &[report(spi, 1, 5)], now()).unwrap();
    store.note_usage(&elsewhere, &[report(spi, 1, 5)], now()).unwrap();
    assert_eq!(sessions(&mut store, now()), []);
    store.note_usage(&to(1), &[report(spi, 1, 5)], now()).unwrap();
    assert_eq!(sessions(&mut store, now()).len(), 1);
}

#[test]
fn a_session_whose_association_is_over_ends_a_minute_later_with_what_is_known_of_it() {
    let (mut store, spi) = world();
    store.note_usage(&to(1), &[report(spi, 1, 5)], after(5)).unwrap();
    let end = LIFETIME.as_secs();
    assert_eq!(store.end_stale_sessions(after(end + 59)).unwrap(), 0);
    assert_eq!(store.end_stale_sessions(after(end + 60)).unwrap(), 1);
    assert_eq!(store.end_stale_sessions(after(end + 60)).unwrap(), 0);
    let session = sessions(&mut store, after(end + 60)).remove(0);
    assert_eq!((session.ended, session.seconds), (Some(SessionCause::Expired), 5));
    assert_eq!((session.traffic, session.reported), (report(spi, 1, 5).traffic, after(end + 60)));
}

#[test]
fn the_minute_after_an_association_was_ended_begins_when_somebody_looks() {
    for is_removed in [false, true] {
        let (mut store, spi) = world();
        store.note_usage(&to(1), &[report(spi, 1, 5)], after(5)).unwrap();
        match is_removed {
            true => drop(store.remove_home_agent("ha1", now()).unwrap()),
            false => drop(store.end(spi).unwrap().unwrap()),
        }
        assert_eq!(store.end_stale_sessions(after(100)).unwrap(), 0);
        assert_eq!(store.end_stale_sessions(after(159)).unwrap(), 0);
        assert_eq!(store.end_stale_sessions(after(160)).unwrap(), 1);
        let cause = if is_removed { SessionCause::HomeAgentGone } else { SessionCause::Revoked };
        assert_eq!(sessions(&mut store, after(160))[0].ended, Some(cause));
    }
}

#[test]
fn a_session_outlives_its_association_and_an_spi_that_is_given_anew_is_another_session() {
    let (mut store, spi) = world();
    store.note_usage(&to(1), &[report(spi, 1, 5)], after(5)).unwrap();
    let later = after(LIFETIME.as_secs() + QUARANTINE.as_secs() + 1);
    let count = |store: &SqliteStore, table| {
        let query = format!("SELECT COUNT(*) FROM {table}");
        store.connection.query_row(&query, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let free = [spi.number()];
    assert_eq!(count(&store, "access"), 1);
    try_provision(&mut store, ALICE, &agent("ha1", 0), pools(), later).unwrap();
    assert_eq!((count(&store, "access"), count(&store, "session")), (0, 1));
    store.connection.execute("DELETE FROM security_association", []).unwrap();
    fill_block(&store, spi.block(), &free);
    store.connection.execute("UPDATE security_association SET valid_until = ?1", [unix_seconds(later)]).unwrap();
    let ha1 = agent("ha1", 0);
    let order = Order { key: key(&mut store, ALICE), access: Some(&access(ALICE)), ..order(ALICE, &ha1) };
    assert_eq!(store.provision(&order, later, &mut rand::rng()).unwrap().sa.spi, spi);
    store.look_up(&to(1), spi, later).unwrap().unwrap();
    store.note_usage(&to(1), &[report(spi, 1, 0)], later).unwrap();
    let ids: BTreeSet<String> = sessions(&mut store, later).into_iter().map(|session| session.id).collect();
    assert_eq!(ids, [id(spi, 1), format!("{:08x}-{:x}-1", spi.get(), unix_seconds(later))].into());
}

#[test]
fn sessions_that_no_accounting_server_hears_of_are_given_up_after_a_week_and_those_that_go_on_are_not() {
    let (mut store, spi) = world();
    let ended = SessionReport { ended: Some(SessionEnd::Deregistered), ..report(spi, 1, 5) };
    store.note_usage(&to(1), &[ended, report(spi, 2, 1)], now()).unwrap();
    let week = ENDED_SESSION_WAITS.as_secs();
    store.connection.execute("UPDATE session SET over = ?1", [unix_seconds(after(2 * week))]).unwrap();
    let left = |store: &mut SqliteStore, at| {
        store.end_stale_sessions(at).unwrap();
        sessions(store, at).into_iter().map(|session| session.id).collect::<Vec<_>>()
    };
    assert_eq!(left(&mut store, after(week)), [id(spi, 1), id(spi, 2)]);
    assert_eq!(left(&mut store, after(week + 1)), [id(spi, 2)]);
}

#[test]
fn nothing_is_lost_with_the_hacs_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hac.db");
    let mut store = SqliteStore::create(&path, kek(1), &mut rand::rng()).unwrap();
    store.add_home_agent(&agent("ha1", 0)).unwrap();
    add(&mut store, ALICE, SubscriberPolicy::default()).unwrap();
    let spi = authorised(&mut store, ALICE, &access(ALICE));
    store.note_usage(&to(1), &[report(spi, 1, 5)], now()).unwrap();
    store.accounting_told(&id(spi, 1), Told::Start, now()).unwrap();
    drop(store);
    let mut store = SqliteStore::open(&path, kek(1)).unwrap();
    assert_eq!(due(&mut store, after(600)), []);
    store.note_usage(&to(1), &[report(spi, 1, 600)], after(600)).unwrap();
    assert_eq!(due(&mut store, after(600)), [(id(spi, 1), Told::Interim)]);
    assert_eq!(store.authorised(&SessionQuery { user_name: Some(ALICE), ..SessionQuery::default() }, 9, now()).unwrap(), [spi]);
}
