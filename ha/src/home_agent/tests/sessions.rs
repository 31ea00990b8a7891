//! What ends a session, as the HAC is told of it.

use feed::{SessionEnd, SessionReport};

use super::*;

/// Longer than it takes until the figures of an ended session are read.
const SETTLED: u64 = 1;

fn reporting() -> Story {
    let mut story = Story::new();
    story.ha.sessions_mut().begin_subscription(Some(Duration::from_secs(1_000_000)), story.now);
    story
}

fn reports(story: &mut Story) -> Vec<SessionReport> {
    story.ha.sessions_mut().take(story.now)
}

/// SPI, number and end of each report, a second later.
fn told(story: &mut Story) -> Vec<(u32, u32, Option<SessionEnd>)> {
    story.passes(SETTLED);
    reports(story).iter().map(|report| (report.spi.get(), report.number, report.ended)).collect()
}

#[test]
fn a_session_begins_with_a_binding_goes_on_with_its_refreshes_and_moves_and_ends_when_the_node_says_goodbye() {
    let mut story = reporting();
    story.receives(update(1));
    assert_eq!(told(&mut story), [(SPI, 1, None)]);
    story.receives(update(2));
    story.receives_from(update(3), ([192, 0, 2, 9], 4711).into());
    assert!(told(&mut story).is_empty());
    story.receives(goodbye(4));
    story.passes(SETTLED);
    let [report] = reports(&mut story)[..] else { panic!("one report") };
    assert_eq!((report.ended, report.age), (Some(SessionEnd::Deregistered), Duration::from_secs(2)));
    assert_eq!(report.care_of, ([192, 0, 2, 9], 4711).into(), "of the last Binding Update that bound it");
    story.receives(update(5));
    assert_eq!(told(&mut story), [(SPI, 2, None)]);
}

#[test]
fn a_binding_update_that_is_refused_begins_and_ends_nothing() {
    let mut story = reporting();
    story.receives(update(2));
    told(&mut story);
    for refused in [update(1), goodbye(1), update(2)] {
        story.receives_from(refused, ([192, 0, 2, 9], 4711).into());
    }
    assert!(told(&mut story).is_empty());
    let lease_1 = story.sa.spi;
    story.receives_under(lease_1, 1, update(3), (CARE_OF, 5000).into());
    assert!(told(&mut story).is_empty());
}

#[test]
fn a_session_ends_when_the_binding_runs_out_and_with_the_sa_where_that_is_why() {
    let mut story = reporting();
    story.receives(update(1));
    told(&mut story);
    story.passes(600);
    assert_eq!(told(&mut story), [(SPI, 1, Some(SessionEnd::BindingExpired))]);
    // 1,000 seconds are the SA's: the next binding lasts as long as that.
    story.receives(update(2));
    assert_eq!(told(&mut story), [(SPI, 2, None)]);
    story.passes(400);
    assert_eq!(told(&mut story), [(SPI, 2, Some(SessionEnd::SaExpired))]);
    story.passes(60);
    assert!(told(&mut story).is_empty() && story.ha.security_associations().count() == 0);
}

#[test]
fn a_binding_under_a_newer_sa_ends_the_session_of_the_older_and_begins_one_of_its_own() {
    let mut story = reporting();
    story.receives(update(1));
    told(&mut story);
    story.gets_new_sa(SPI + 1);
    assert!(told(&mut story).is_empty());
    story.receives(update(2));
    let mut both = told(&mut story);
    both.sort_by_key(|(spi, ..)| *spi);
    assert_eq!(both, [(SPI, 1, Some(SessionEnd::Superseded)), (SPI + 1, 1, None)]);
    story.passes(60);
    assert!(told(&mut story).is_empty(), "the end of the old SA ends nothing more");
}

#[test]
fn an_sa_that_the_hac_ends_takes_its_session_along_and_one_without_a_session_nothing() {
    let mut story = reporting();
    story.receives(update(1));
    told(&mut story);
    story.ha.handle_sa_end(story.sa.spi, story.now);
    assert_eq!(told(&mut story), [(SPI, 1, Some(SessionEnd::SaEnded))]);
    story.gets_new_sa(SPI + 1);
    story.ha.handle_sa_end(story.sa.spi, story.now);
    assert!(told(&mut story).is_empty());
}
