//! Runs of MHAuth whose network goes away, and answers of runs that nobody waits for any more.

use super::*;

/// A registered node on the Wi-Fi that renews its SA from there.
fn renewing() -> (Story, Run) {
    let mut story = Story::registered();
    story.node.handle_renew(story.now);
    let [Action::Bootstrap(run)] = story.actions()[..] else { panic!("no run") };
    story.node.handle_bootstrap_address(run, Some(wifi().care_of.0));
    (story, run)
}

#[test]
fn a_run_whose_network_goes_is_abandoned_for_another_once_the_downlink_has_moved() {
    let (mut story, run) = renewing();
    let ((), lines) = ::fixture::logged(|| story.sees(&[lte()]));
    let actions = story.actions();
    let [Action::OpenPath { .. }, Action::AbandonBootstrap(abandoned), Action::Bootstrap(next)] = actions[..] else {
        panic!("{actions:?}")
    };
    assert!(abandoned == run && next != run);
    assert!(lines.len() == 1 && lines[0].starts_with("INFO"), "{lines:?}");
}

#[test]
fn what_an_abandoned_run_says_late_is_not_heard() {
    let (mut story, run) = renewing();
    story.sees(&[lte()]);
    story.actions();
    let (now, before) = (story.now, story.node.security_association().unwrap().sa.spi);
    let install = Install::new(association(2), now + Duration::from_secs(86_400), 0);
    let ((), lines) = ::fixture::logged(|| {
        story.node.handle_grant(run, Arc::new(install), now, &mut story.rng);
        story.node.handle_bootstrap_failure(run, &"too late", Some(Duration::from_secs(1000)), now, &mut story.rng);
    });
    assert_eq!((lines.len(), story.actions().len(), story.node.renewals()), (0, 0, 0));
    assert_eq!(story.node.security_association().unwrap().sa.spi, before);
    story.is_granted(3);
    assert_eq!(story.node.renewals(), 1, "the run in progress is still waited for");
}

#[test]
fn without_any_network_the_next_run_starts_when_one_appears() {
    let (mut story, run) = renewing();
    story.sees(&[]);
    assert!(matches!(story.actions()[..], [Action::AbandonBootstrap(abandoned)] if abandoned == run));
    story.runs_for(100);
    assert_eq!(bootstraps(&story.actions()), 0);
    story.sees(&[lte()]);
    assert_eq!(bootstraps(&story.actions()), 1);
}

#[test]
fn a_node_that_could_not_reach_the_hac_tries_at_once_when_a_network_appears() {
    let mut story = Story::new();
    story.actions();
    for _ in 0..8 {
        let run = story.run();
        story.node.handle_bootstrap_failure(run, &"no route", None, story.now, &mut story.rng);
    }
    story.actions();
    story.sees(&[wifi()]);
    assert_eq!(bootstraps(&story.actions()), 1);
}

#[test]
fn a_node_that_leaves_starts_no_other_run() {
    let (mut story, run) = renewing();
    story.node.handle_down(story.now);
    story.actions();
    story.sees(&[lte()]);
    assert!(matches!(story.actions()[..], [Action::AbandonBootstrap(abandoned)] if abandoned == run));
}

#[test]
fn an_attachment_that_was_named_before_the_home_agent_was_known_is_left_for_a_better_one() {
    let mut story = Story::new();
    story.sees(&[wifi()]);
    story.is_granted(1);
    story.opens_what_is_asked();
    story.actions();
    story.sees(&[wifi(), Attachment { metric: 1, ..lte() }]);
    story.opens_what_is_asked();
    assert_eq!(story.last_update().care_of, Some(lte().care_of.into()));
    story.hears_last();
    story.sees(&[wifi(), lte()]);
    assert!(story.actions().is_empty(), "what the home agent has acknowledged is kept");
}
