//! Registering, refreshing, leaving; what the home agent asks for.

use protocol::wire::mobility::{BindingError, BindingErrorStatus};

use super::*;

#[test]
fn a_node_authenticates_first_and_then_binds_with_the_home_agents_address_of_its_own_family() {
    let mut story = Story::new();
    assert!(matches!(story.actions()[..], [Action::Bootstrap(_)]));
    assert_eq!(story.node.phase(), Phase::Bootstrapping);
    story.is_granted(1);
    assert_eq!(story.node.phase(), Phase::Detached);
    story.sees(&[wifi()]);
    story.opens_what_is_asked();
    assert_eq!(story.node.phase(), Phase::Registering);
    let (path, update) = story.updates().remove(0);
    assert_eq!(path.remote, ([203, 0, 113, 1], 7872).into());
    assert_eq!(update.care_of, Some(wifi().care_of.into()));
    assert!(update.acknowledge && update.home_registration && update.ipv4_home.is_some());
}

#[test]
fn an_acknowledged_binding_is_reported_and_refreshed_at_eighty_percent() {
    let mut story = Story::registered();
    assert_eq!(story.node.phase(), Phase::Registered);
    assert_eq!(story.node.registered().unwrap().bound.len(), 2);
    assert_eq!(story.runs_for(470), [Duration::from_secs(470)]);
    assert_eq!(story.node.phase(), Phase::Registered, "a refresh on its way puts nothing in doubt");
    assert!(!story.runs_for(1).is_empty());
    assert_eq!(story.node.phase(), Phase::Registering, "a home agent that does not answer does");
}

#[test]
fn a_binding_update_goes_twice_and_its_repetitions_four_times_until_the_attachment_is_acknowledged_and_once_from_then_on() {
    let mut story = Story::new();
    story.is_granted(1);
    story.sees(&[wifi()]);
    story.opens_what_is_asked();
    assert_eq!(story.copies(), [2], "a first registration");
    for attachment in [lte(), wifi()] {
        for _ in 0..3 {
            story.now = story.node.registration.due().unwrap() + Duration::from_secs(1);
            story.node.handle_timeout(story.now);
            assert_eq!(story.copies(), [4], "its repetition");
        }
        story.hears_last();
        story.passes(10);
        story.hears_refresh_request(1);
        assert_eq!(story.copies(), [1], "an answer to a Binding Refresh Request");
        story.now = story.node.registration.due().unwrap();
        story.node.handle_timeout(story.now);
        assert_eq!(story.copies(), [1], "its repetition");
        story.hears_last();
        story.passes(480);
        story.node.handle_timeout(story.now);
        assert_eq!(story.copies(), [1], "a refresh");
        story.hears_last();
        story.passes(10);
        story.sees(&[attachment]);
        story.opens_what_is_asked();
        assert_eq!(story.copies(), [2], "a move");
    }
}

#[test]
fn a_new_sa_is_registered_once_where_the_attachment_is_acknowledged_and_twice_where_it_is_not() {
    let mut story = Story::registered();
    story.is_granted(2);
    assert_eq!(story.copies(), [1]);
    story.sees(&[lte()]);
    story.opens_what_is_asked();
    story.actions();
    story.is_granted(3);
    assert_eq!(story.copies(), [2]);
}

#[test]
fn a_binding_that_the_home_agent_has_forgotten_is_made_anew_with_two_datagrams() {
    let mut story = Story::registered();
    let home_address = association(1).home.in_mobility_header();
    let error = BindingError { status: BindingErrorStatus::UNKNOWN_BINDING, home_address };
    story.hears_on(SocketId(0), 1, MobilityMessage::BindingError(error));
    assert_eq!(story.copies(), [2]);
}

#[test]
fn under_an_sa_that_is_not_numbered_no_binding_update_goes_more_than_once() {
    fn unnumbered(spi: u32) -> SecurityAssociation {
        SecurityAssociation { profile: protocol::profile::WireProfile::Draft04, ..association(spi) }
    }
    let mut story = Story::with(unnumbered);
    story.is_granted(1);
    story.sees(&[wifi()]);
    story.opens_what_is_asked();
    assert_eq!(story.copies(), [1]);
    story.now = story.node.registration.due().unwrap();
    story.node.handle_timeout(story.now);
    assert_eq!(story.copies(), [1], "its repetition");
}

#[test]
fn two_datagrams_are_one_binding_update_of_the_three_in_a_second() {
    let mut story = Story::registered();
    for (attachment, copies) in [(lte(), 1), (wifi(), 1), (lte(), 1), (wifi(), 0)] {
        story.sees(&[attachment]);
        story.opens_what_is_asked();
        assert_eq!(story.copies().len(), copies);
    }
}

#[test]
fn a_node_that_sends_and_hears_nothing_asks_whether_it_is_still_bound() {
    let mut story = Story::registered();
    for (second, received) in (1..10).zip([0, 1, 2, 3, 4, 4, 4, 4, 4]) {
        story.passes(1);
        story.node.handle_activity(second * 10, received, story.now);
        assert_eq!(story.updates().len(), usize::from(second == 7), "in second {second}");
    }
}

#[test]
fn binding_updates_that_nobody_answers_lead_to_a_new_mhauth_run() {
    let mut story = Story::registered();
    story.passes(470);
    let mut started = 0;
    for _ in 0..6 {
        story.node.handle_timeout(story.now);
        started += bootstraps(&story.actions());
        story.now = story.node.poll_timeout().unwrap().0;
    }
    assert_eq!(started, 1);
}

#[test]
fn a_refresh_request_is_answered_at_once_and_never_more_than_three_times_a_second() {
    let mut story = Story::registered();
    story.hears_refresh_request(1);
    assert_eq!(story.last_update().lifetime, Lifetime::from_units(150));
    let mut updates = Vec::new();
    for tenth in 0..50 {
        story.hears_refresh_request(1);
        story.node.handle_timeout(story.now);
        updates.extend(story.updates().iter().map(|_| tenth));
        story.now += Duration::from_millis(100);
    }
    let most = (0..40).map(|from| updates.iter().filter(|at| (from..from + 10).contains(*at)).count()).max();
    assert_eq!((most, updates.len()), (Some(3), 14), "{updates:?}");
}

#[test]
fn a_refresh_request_under_a_superseded_sa_is_answered_under_the_one_in_use() {
    let mut story = Story::registered();
    story.is_granted(2);
    story.actions();
    story.hears_refresh_request(1);
    let actions = story.actions();
    let [Action::Command(Command::Signal { spi, .. })] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!(*spi, association(2).spi);
    story.hears_refresh_request(3);
    assert!(story.actions().is_empty());
    assert_eq!(story.node.counters.dropped(DropReason::UnknownSpi), 1, "an SA that is not this node's");
}

#[test]
fn a_home_agent_that_has_forgotten_the_binding_gets_a_binding_update_and_other_errors_are_counted() {
    let mut story = Story::registered();
    let says = |story: &mut Story, status| {
        let home_address = association(1).home.in_mobility_header();
        story.hears_on(SocketId(0), 1, MobilityMessage::BindingError(BindingError { status, home_address }));
    };
    says(&mut story, BindingErrorStatus::UNKNOWN_TYPE);
    assert!(story.actions().is_empty());
    assert_eq!(story.node.counters.dropped(DropReason::UnexpectedMobilityHeader), 1);
    says(&mut story, BindingErrorStatus::UNKNOWN_BINDING);
    assert_eq!((story.updates().len(), story.node.phase()), (1, Phase::Registering));
    for _ in 0..10 {
        says(&mut story, BindingErrorStatus::UNKNOWN_BINDING);
    }
    assert!(story.actions().is_empty(), "the one on its way is repeated by its timer alone");
}

#[test]
fn a_node_that_leaves_de_registers_and_stops_with_or_without_an_answer() {
    for answer in [Some(0), Some(133), None] {
        let mut story = Story::registered();
        story.node.handle_down(story.now);
        let update = story.last_update();
        assert_eq!(update.lifetime, Lifetime::ZERO);
        if let Some(status) = answer {
            story.hears(1, status, update.sequence);
        }
        let mut finished = false;
        while !finished {
            finished = story.actions().iter().any(|action| matches!(action, Action::Finished));
            if let Some((due, _)) = story.node.poll_timeout().filter(|_| !finished) {
                assert_eq!(answer, None, "an answer ends it at once");
                story.now = due;
                story.node.handle_timeout(due);
            }
        }
    }
}

#[test]
fn a_node_that_leaves_waits_for_the_answer_to_its_de_registration_though_that_must_wait_itself() {
    let mut story = Story::registered();
    for _ in 0..3 {
        story.hears_refresh_request(1);
    }
    let registration = story.last_update().sequence;
    story.node.handle_down(story.now);
    story.hears(1, 0, registration);
    assert!(story.actions().is_empty(), "three within a second");
    story.passes(1);
    story.node.handle_timeout(story.now);
    assert_eq!(story.last_update().lifetime, Lifetime::ZERO);
}

#[test]
fn a_node_that_leaves_is_not_kept_by_refresh_requests() {
    let mut story = Story::registered();
    story.node.handle_down(story.now);
    story.actions();
    story.hears_refresh_request(1);
    assert!(story.actions().is_empty());
}
