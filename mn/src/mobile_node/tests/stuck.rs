//! A network that lets nothing through, and then does.

use super::*;

/// A registered node whose Binding Updates nobody answers any more, deep in its pauses.
fn stuck() -> Story {
    let mut story = Story::registered();
    story.node.handle_resume(Duration::from_secs(3600), vec![wifi()], story.now);
    story.runs_for(300);
    story.actions();
    assert!(story.node.is_stuck());
    story
}

#[test]
fn only_a_node_with_a_network_that_does_not_get_through_is_stuck() {
    let mut story = Story::new();
    assert!(!story.node.is_stuck(), "there is no network");
    story.sees(&[wifi()]);
    assert!(story.node.is_stuck(), "there are no keys");
    assert!(!Story::registered().node.is_stuck());
    let mut story = stuck();
    story.sees(&[]);
    assert!(!story.node.is_stuck(), "the network is gone");
}

#[test]
fn after_a_login_a_binding_update_goes_at_once_whatever_pause_was_left() {
    let mut story = stuck();
    let (due, _) = story.node.poll_timeout().unwrap();
    assert!(due > story.now + Duration::from_secs(1), "a pause is left");
    story.node.handle_way_open(story.now);
    assert_eq!(story.updates().len(), 1);
}

#[test]
fn after_a_login_a_run_of_mhauth_starts_at_once_but_for_one_that_has_just_begun() {
    let mut story = Story::new();
    story.sees(&[wifi()]);
    let first = story.run();
    story.actions();
    story.node.handle_way_open(story.now);
    assert_eq!(story.node.bootstrap.running(), Some(first), "it has just begun");
    story.passes(3);
    story.node.handle_way_open(story.now);
    let [Action::AbandonBootstrap(abandoned), Action::Bootstrap(next)] = story.actions()[..] else { panic!("no run") };
    assert!(abandoned == first && next != first);
    for _ in 0..8 {
        let run = story.run();
        story.node.handle_bootstrap_failure(run, &"no answer", None, story.now, &mut story.rng);
    }
    story.passes(1);
    story.node.handle_timeout(story.now);
    assert_eq!(bootstraps(&story.actions()), 0, "a pause is left");
    story.node.handle_way_open(story.now);
    assert_eq!(bootstraps(&story.actions()), 1, "a pause is over");
}

#[test]
fn a_node_that_leaves_or_is_registered_does_nothing_more() {
    let mut story = Story::registered();
    story.node.handle_way_open(story.now);
    assert_eq!(story.actions().len(), 0);
    let mut story = stuck();
    story.node.handle_down(story.now);
    story.actions();
    story.node.handle_way_open(story.now);
    assert_eq!(bootstraps(&story.actions()), 0);
}
