//! A new SA in the place of the old one: 176, the end of the sequence numbers, the operator's wish.

use protocol::addr::HomeAddresses;

use super::*;

/// A node with a Binding Update on its way under SA 1; gives its sequence number.
fn asking() -> (Story, u16) {
    let mut story = Story::registered();
    story.hears_refresh_request(1);
    let sequence = story.last_update().sequence;
    (story, sequence)
}

/// Every row of 0 and 176 up to four answers long: any order, repeated or lost.
fn rows() -> Vec<Vec<u8>> {
    let mut rows = vec![Vec::new()];
    for length in 1..=4 {
        for bits in 0..1_u32 << length {
            rows.push((0..length).map(|bit| if bits >> bit & 1 == 0 { 0 } else { 176 }).collect());
        }
    }
    rows
}

#[test]
fn of_0_and_176_in_any_order_repeated_or_lost_0_settles_the_binding_and_176_starts_mhauth_once() {
    for row in rows() {
        let (mut story, sequence) = asking();
        let mut actions = Vec::new();
        for status in &row {
            story.hears(1, *status, sequence);
            actions.extend(story.actions());
        }
        assert_eq!(bootstraps(&actions), usize::from(row.contains(&176)), "{row:?}");
        let registered = actions.iter().filter(|action| matches!(action, Action::Registered(_))).count();
        assert_eq!(registered, usize::from(row.contains(&0)), "{row:?}");
        assert_eq!(story.node.registration.is_settled(), row.contains(&0), "{row:?}");
        assert_eq!(story.node.phase(), Phase::Registered, "{row:?}: 176 takes nothing away");
        assert!(actions.iter().all(|action| !matches!(action, Action::Command(_))), "{row:?}: {actions:?}");
    }
}

#[test]
fn what_comes_under_the_old_sa_after_the_new_grant_changes_nothing_wherever_the_grant_falls() {
    for row in rows() {
        for granted_after in 0..=row.len() {
            let (mut story, sequence) = asking();
            let (before, after) = row.split_at(granted_after);
            before.iter().for_each(|status| story.hears(1, *status, sequence));
            story.actions();
            story.is_granted(2);
            let update = story.last_update();
            assert_eq!(update.sequence, sequence + 1);
            after.iter().for_each(|status| story.hears(1, *status, sequence));
            assert!(story.actions().is_empty(), "{row:?} after {granted_after}");
            assert_eq!(story.node.phase(), Phase::Registering, "{row:?} after {granted_after}");
            story.hears(2, 0, update.sequence);
            assert!(matches!(story.actions()[..], [Action::Registered(_)]));
            // A whole minute of them: neither an MHAuth run nor a Binding Update.
            for _ in 0..60 {
                story.passes(1);
                after.iter().for_each(|status| story.hears(1, *status, sequence));
            }
            assert!(story.actions().is_empty(), "{row:?} after {granted_after}");
        }
    }
}

#[test]
fn while_mhauth_runs_every_binding_update_under_the_old_sa_gets_both_answers_and_the_binding_lives_on() {
    let (mut story, mut sequence) = asking();
    let mut actions = Vec::new();
    for _ in 0..5 {
        story.hears(1, 0, sequence);
        story.hears(1, 176, sequence);
        story.passes(10);
        story.hears_refresh_request(1);
        actions.extend(story.actions());
        sequence += 1;
    }
    assert_eq!(bootstraps(&actions), 1, "one run at a time");
    story.hears(1, 0, sequence);
    assert_eq!(story.node.phase(), Phase::Registered);
}

#[test]
fn the_new_sa_is_used_at_once_and_the_old_one_opens_for_a_minute_after_the_new_registration() {
    let (mut story, sequence) = asking();
    story.hears(1, 176, sequence);
    assert!(matches!(story.actions()[..], [Action::Bootstrap(_)]));
    story.is_granted(2);
    let actions = story.actions();
    let [
        Action::Command(Command::Install(_)),
        Action::Command(Command::Move { sending, .. }),
        Action::Command(Command::Signal { spi, .. }),
    ] = &actions[..]
    else {
        panic!("{actions:?}")
    };
    assert_eq!((sending, spi), (&association(2).spi, &association(2).spi));
    let (_, update) = story.update(&actions[2]).unwrap();
    let is_uninstalled = |actions: &[Action]| {
        actions.iter().any(|action| matches!(action, Action::Command(Command::Uninstall(spi)) if *spi == association(1).spi))
    };
    story.passes(300);
    story.node.handle_timeout(story.now);
    let actions = story.actions();
    assert!(!is_uninstalled(&actions), "the downlink may still come under it");
    let sequence = story.update(actions.last().unwrap()).unwrap().1.sequence;
    assert_eq!(sequence, update.sequence + 1);
    story.hears(2, 0, sequence);
    for (seconds, is_over) in [(59, false), (1, true)] {
        story.passes(seconds);
        story.node.handle_timeout(story.now);
        assert_eq!(is_uninstalled(&story.actions()), is_over);
    }
    assert_eq!(story.node.renewals(), 1);
}

#[test]
fn a_home_agent_that_says_176_without_end_gets_fewer_and_fewer_mhauth_runs() {
    let mut story = Story::registered();
    let (start, mut spi, mut runs) = (story.now, 1, Vec::new());
    while story.now - start < Duration::from_secs(3600) {
        story.node.handle_timeout(story.now);
        let actions = story.actions();
        if bootstraps(&actions) > 0 {
            runs.push((story.now - start).as_secs());
            spi += 1;
            story.is_granted(spi);
        }
        if let Some((_, update)) = actions.iter().chain(&story.actions()).filter_map(|action| story.update(action)).next_back() {
            story.hears(spi, 0, update.sequence);
        }
        let sequence = story.node.registration.send(true, (story.sa)(spi).spi, story.now);
        if let Some(sequence) = sequence {
            story.hears(spi, 176, sequence);
        }
        story.passes(1);
    }
    let pauses: Vec<_> = runs.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.iter().all(|pause| *pause >= 2) && runs.len() < 25, "{runs:?}");
    assert!(pauses.is_sorted() && pauses.last() >= Some(&300), "{pauses:?}");
}

#[test]
fn an_sa_without_sequence_numbers_left_is_replaced_at_once() {
    let mut story = Story::registered();
    story.node.handle_activity(1, 1, story.now);
    assert!(story.actions().is_empty());
    story.node.counters.count_drop(DropReason::SaExhausted);
    story.node.handle_activity(1, 1, story.now);
    assert!(matches!(story.actions()[..], [Action::Bootstrap(_)]));
    story.node.handle_activity(1, 1, story.now);
    assert!(story.actions().is_empty(), "one run at a time");
}

#[test]
fn the_operator_gets_a_new_sa_at_once_and_as_often_as_wanted() {
    let mut story = Story::registered();
    for spi in 2..5 {
        story.node.handle_renew(story.now);
        assert!(matches!(story.actions()[..], [Action::Bootstrap(_)]));
        story.node.handle_renew(story.now);
        assert!(story.actions().is_empty(), "one run at a time");
        story.is_granted(spi);
        story.actions();
    }
    story.node.handle_down(story.now);
    story.actions();
    story.node.handle_renew(story.now);
    assert!(story.actions().is_empty(), "a node that leaves needs none");
}

#[test]
fn an_answer_to_a_binding_update_of_the_old_sa_counts_while_the_first_under_the_new_one_must_wait() {
    let (mut story, _) = asking();
    for _ in 0..2 {
        story.hears_refresh_request(1);
    }
    let sequence = story.last_update().sequence;
    story.is_granted(2);
    assert!(story.updates().is_empty(), "three within a second");
    story.hears(1, 176, sequence);
    assert!(story.actions().is_empty(), "heeded already");
    story.hears(1, 0, sequence);
    assert!(matches!(story.actions()[..], [Action::Registered(_)]));
    assert_eq!(story.node.phase(), Phase::Registering, "under the new SA nothing stands yet");
    story.passes(1);
    story.node.handle_timeout(story.now);
    let actions = story.actions();
    assert!(matches!(&actions[..], [Action::Command(Command::Signal { spi, .. })] if *spi == association(2).spi), "{actions:?}");
}

#[test]
fn an_sa_that_ends_without_a_successor_is_uninstalled_and_a_late_one_is_used_at_once() {
    let mut story = Story::registered();
    story.passes(86_400 - 11);
    story.node.handle_timeout(story.now);
    assert!(!story.actions().iter().any(is_uninstall), "a second before its end");
    story.passes(1);
    story.node.handle_timeout(story.now);
    let actions = story.actions();
    assert!(actions.iter().any(is_uninstall));
    assert!(actions.iter().any(|action| matches!(action, Action::Command(Command::Remove(_)))));
    assert_ne!(story.node.phase(), Phase::Registered);
    story.is_granted(2);
    let actions = story.actions();
    assert!(
        actions
            .iter()
            .any(|action| matches!(action, Action::Command(Command::Move { sending, .. }) if *sending == association(2).spi))
    );
}

fn is_uninstall(action: &Action) -> bool {
    matches!(action, Action::Command(Command::Uninstall(spi)) if *spi == association(1).spi)
}

/// As a AAA server may have it. The device has the new addresses by then.
#[test]
fn a_new_sa_with_other_home_addresses_takes_the_tunnel_of_the_old_ones_away_and_one_with_the_same_does_not() {
    let same: fn(u32) -> SecurityAssociation = association;
    let other: fn(u32) -> SecurityAssociation = |spi| SecurityAssociation {
        home: HomeAddresses::new("2001:db8:100::99".parse().ok(), association(spi).home.ip4()).unwrap(),
        ..association(spi)
    };
    for (next, is_other) in [(same, false), (other, true)] {
        let mut story = Story::registered();
        let old = association(1).home;
        story.sa = next;
        story.is_granted(2);
        let actions = story.actions();
        let gone = actions.iter().position(|action| matches!(action, Action::Command(Command::Remove(home)) if *home == old));
        let moved = actions.iter().position(|action| matches!(action, Action::Command(Command::Move { .. })));
        assert_eq!(gone.is_some(), is_other, "{actions:?}");
        assert!(moved.is_some() && gone < moved, "{actions:?}");
    }
}
