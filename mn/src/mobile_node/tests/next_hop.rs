//! The kernel says that the next hop does not answer, or answers again.

use net::netlink::Answers;
use protocol::tunnel::Command;

use super::make_before_break::{answering, led, response};
use super::*;
use crate::next_hop::Hint;

/// Of the next hop that `wifi` uses.
fn hint(answers: Answers) -> Hint {
    Hint { interface: wifi().interface, to_ipv6: false, answers }
}

/// Registered over `wifi`, with `lte` at hand.
fn at_two(sa: fn(u32) -> SecurityAssociation) -> Story {
    let mut story = Story::registered_with(sa);
    story.sees(&[wifi(), lte()]);
    assert!(story.actions().is_empty());
    story
}

/// Questions and Binding Updates among the actions, by the sockets that they go over.
fn said_on(actions: &[Action]) -> Vec<u8> {
    let socket = |action: &Action| {
        let Action::Command(Command::Signal { paths, .. }) = action else { return None };
        Some(paths.iter().next()?.socket.0)
    };
    actions.iter().filter_map(socket).collect()
}

/// The next hop is gone: a Binding Update has gone over `wifi`, and a question over the other one's socket, which is given.
fn gone(story: &mut Story) -> SocketId {
    story.node.handle_next_hop(hint(Answers::No), story.now);
    let actions = story.actions();
    let opened = actions.iter().find_map(|action| {
        let Action::OpenPath { socket, attachment } = action else { return None };
        (*attachment == lte()).then_some(*socket)
    });
    assert_eq!(said_on(&actions), [0], "{actions:?}");
    let socket = opened.expect("the other network is not asked");
    story.node.handle_path_opened(socket, true, story.now);
    assert_eq!(said_on(&story.actions()), [socket.0]);
    socket
}

/// The first Binding Update waits for 1 s as long as no round trip has been measured; here it took no time at all.
const FIRST_TIMEOUT: u64 = 50;

#[test]
fn when_the_next_hop_is_gone_the_other_network_is_used_as_soon_as_a_binding_update_goes_unanswered() {
    let mut story = at_two(answering);
    let socket = gone(&mut story);
    story.hears_on(socket, 1, response(0x8000_0000 | u32::from(socket.0)));
    assert!(led(&story.actions()).is_none() && story.node.phase() == Phase::Registered, "that alone is no proof");
    assert!(led(&story.runs(FIRST_TIMEOUT - 1)).is_none());
    let actions = story.runs(1);
    assert_eq!(led(&actions), Some(vec![socket.0]));
    assert_eq!(said_on(&actions), [socket.0]);
}

#[test]
fn an_answer_over_the_path_in_use_is_worth_more_than_what_the_kernel_says() {
    let mut story = at_two(answering);
    let socket = gone(&mut story);
    story.hears_on(socket, 1, response(0x8000_0000 | u32::from(socket.0)));
    story.hears_last();
    for _ in 0..20 {
        story.passes(2);
        story.node.handle_next_hop(hint(Answers::No), story.now);
        story.opens_what_is_asked();
        story.hears_last();
        let actions = story.runs(1_000);
        assert!(led(&actions).is_none());
    }
    assert_eq!(story.node.handover.current().map(|(_, attachment)| attachment), Some(&wifi()));
}

#[test]
fn where_there_is_no_other_network_the_node_says_soon_that_it_is_not_registered_and_comes_back_with_the_next_hop() {
    let mut story = Story::registered_with(answering);
    story.node.handle_next_hop(hint(Answers::No), story.now);
    assert_eq!(said_on(&story.actions()), [0]);
    story.runs(20_000);
    assert_eq!(story.node.phase(), Phase::Registering);
    let waits = story.node.poll_timeout().map(|(due, _)| due - story.now);
    assert!(waits > Some(Duration::from_secs(2)), "{waits:?}");
    story.node.handle_next_hop(hint(Answers::Yes), story.now);
    story.last_update();
    story.hears_last();
    assert_eq!(story.node.phase(), Phase::Registered);
}

#[test]
fn a_home_agent_that_answers_no_heartbeats_is_left_after_three_binding_updates_though_that_is_less_than_a_second() {
    let mut story = at_two(association);
    let start = story.now;
    story.node.handle_next_hop(hint(Answers::No), story.now);
    let mut actions = story.actions();
    while !actions.iter().any(|action| matches!(action, Action::OpenPath { .. })) {
        story.now = story.node.poll_timeout().unwrap().0;
        story.node.handle_timeout(story.now);
        actions = story.actions();
    }
    assert_eq!((story.node.registration.unanswered(), (story.now - start).as_millis()), (3, 350));
}

#[test]
fn a_next_hop_that_is_only_asked_is_a_reason_for_one_question_over_the_path_in_use() {
    let mut story = at_two(answering);
    story.node.handle_next_hop(hint(Answers::Asked), story.now);
    let actions = story.actions();
    assert_eq!(said_on(&actions), [0]);
    assert!(actions.iter().all(|action| story.heartbeat_or(action)), "{actions:?}");
    story.passes(5);
    story.node.handle_next_hop(hint(Answers::Asked), story.now);
    assert!(story.actions().is_empty(), "it is being asked");
}

#[test]
fn what_is_said_of_another_networks_next_hop_or_of_one_that_answers_changes_nothing() {
    let mut story = at_two(answering);
    for said in [
        Hint { interface: lte().interface, to_ipv6: true, answers: Answers::No },
        Hint { to_ipv6: true, ..hint(Answers::No) },
        hint(Answers::Yes),
    ] {
        story.node.handle_next_hop(said, story.now);
        assert!(story.actions().is_empty(), "{said:?}");
        story.passes(2);
    }
}

#[test]
fn a_storm_of_hints_is_a_binding_update_a_second_at_most() {
    let mut story = Story::registered_with(answering);
    let mut said = 0;
    for _ in 0..2_000 {
        story.node.handle_next_hop(hint(Answers::No), story.now);
        let actions = story.actions();
        said += said_on(&actions).len();
        if !actions.is_empty() {
            story.hears_last();
        }
        story.now += Duration::from_millis(5);
    }
    assert!((8..=11).contains(&said), "{said} in ten seconds");
}

impl Story {
    /// No Binding Update.
    fn heartbeat_or(&self, action: &Action) -> bool {
        let Action::Command(Command::Signal { payload, .. }) = action else { return true };
        let Ends { source, destination } = ends_at_mobile_node(&answering(1));
        let ends = Ends { source: destination, destination: source };
        matches!(MobilityMessage::parse(payload, ends), Ok(MobilityMessage::Heartbeat(_)))
    }
}
