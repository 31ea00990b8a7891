//! What an operator hears of the node.

use super::*;

/// The lines that are logged while the node lives through `does`.
fn heard(story: &mut Story, does: impl FnOnce(&mut Story)) -> Vec<String> {
    ::fixture::logged(|| does(story)).1
}

fn assert_lines(lines: &[String], expected: &[(&str, &str)]) {
    let is_right = |(line, (level, words)): (&String, &(&str, &str))| line.starts_with(level) && line.contains(words);
    assert!(lines.len() == expected.len() && lines.iter().zip(expected).all(is_right), "{lines:#?} are not {expected:#?}");
}

#[test]
fn a_first_registration_is_told_and_what_only_repeats_it_is_not() {
    let mut story = Story::new();
    let lines = heard(&mut story, |story| {
        story.is_granted(1);
        story.sees(&[wifi()]);
        story.opens_what_is_asked();
        let sequence = story.last_update().sequence;
        story.hears(1, 0, sequence);
    });
    assert_lines(&lines, &[("INFO", "authenticated"), ("INFO", "registered at the home agent")]);
    let refreshed = heard(&mut story, |story| {
        for _ in 0..3 {
            story.passes(10);
            story.hears_refresh_request(1);
            let sequence = story.last_update().sequence;
            story.hears(1, 0, sequence);
        }
    });
    assert_lines(&refreshed, &[]);
    let sa = association(1);
    let secrets = [hex::encode(sa.mn_to_ha.integrity()), sa.home.in_mobility_header().to_string()];
    assert!(lines.iter().all(|line| !secrets.iter().any(|secret| line.contains(secret))), "{lines:?}");
}

#[test]
fn a_failed_run_of_mhauth_is_a_warning_with_its_reason() {
    let mut story = Story::new();
    let lines = heard(&mut story, |story| {
        let run = story.run();
        story.node.handle_bootstrap_failure(run, &"the HAC is not there", None, story.now, &mut story.rng);
    });
    assert_lines(&lines, &[("WARN", "the HAC is not there")]);
}

#[test]
fn a_home_agent_that_does_not_answer_is_a_warning_once_an_outage_and_its_return_is_told() {
    let mut story = Story::registered();
    for _ in 0..2 {
        story.hears_refresh_request(1);
        let lines = heard(&mut story, |story| _ = story.runs_for(600));
        assert_lines(&lines, &[("WARN", "the home agent does not answer")]);
        story.node.handle_timeout(story.now);
        story.hears_refresh_request(1);
        let sequence = story.last_update().sequence;
        assert_lines(&heard(&mut story, |story| story.hears(1, 0, sequence)), &[("INFO", "registered at the home agent")]);
        story.actions();
        story.passes(10);
    }
}

#[test]
fn a_home_agent_that_refuses_is_a_warning_for_each_status_and_not_one_that_does_not_answer() {
    let mut story = Story::registered();
    story.hears_refresh_request(1);
    let lines = heard(&mut story, |story| {
        for status in [130, 130, 130, 129, 129, 129, 129, 129] {
            let sequence = story.last_update().sequence;
            story.hears(1, status, sequence);
            // No more than three a second.
            story.now = story.node.registration.due().unwrap() + Duration::from_secs(1);
            story.node.handle_timeout(story.now);
        }
    });
    assert_lines(&lines, &[("WARN", "refused the binding"), ("WARN", "refused the binding")]);
    assert!(lines[0].contains("130") && lines[1].contains("129"), "{lines:?}");
}

#[test]
fn the_loss_of_the_last_network_is_told_once() {
    let mut story = Story::registered();
    let lines = heard(&mut story, |story| {
        story.sees(&[]);
        story.sees(&[]);
        story.node.handle_activity(0, 0, story.now);
    });
    assert_lines(&lines, &[("INFO", "no usable network")]);
}

#[test]
fn an_ipv4_home_address_that_is_not_bound_is_a_warning_once() {
    let mut story = Story::registered();
    let lines = heard(&mut story, |story| {
        for _ in 0..3 {
            story.passes(10);
            story.hears_refresh_request(1);
            let sequence = story.last_update().sequence;
            story.hears_answer(1, BindingAcknowledgement { ipv4_address: None, ..acknowledgement(0, sequence) });
        }
    });
    assert_lines(&lines, &[("WARN", "IPv4 home address")]);
}
