//! A network that blocks UDP.

use std::net::SocketAddr;

use protocol::addr::HomeAgentAddresses;

use super::*;
use crate::fallback_policy::{FIRST_TRY, PATIENCE};

fn relay() -> SocketAddr {
    ([127, 0, 0, 1], 40_000).into()
}

/// The home agent of the second SA is another one.
fn elsewhere_second(spi: u32) -> SecurityAssociation {
    let sa = association(spi);
    let other = HomeAgentAddresses::new(Some("2001:db8:f::2".parse().unwrap()), None, 7872).unwrap();
    SecurityAssociation { home_agent: if spi == 2 { other } else { sa.home_agent }, ..sa }
}

/// Registered; then on a network where nothing answers over UDP.
fn silent(sa: fn(u32) -> SecurityAssociation) -> Story {
    let mut story = Story::registered_with(sa);
    story.node.offer_fallback(true);
    story.sees(&[lte()]);
    story.opens_what_is_asked();
    story
}

/// What is asked for within [`PATIENCE`], or so long.
fn asked(story: &mut Story, time: Duration) -> Vec<Action> {
    let (mut actions, end) = (story.actions(), story.now + time);
    while let Some((due, _)) = story.node.poll_timeout().filter(|(due, _)| *due <= end) {
        story.now = story.now.max(due);
        story.node.handle_timeout(story.now);
        actions.extend(story.actions());
    }
    story.now = end;
    actions
}

fn attempt(actions: &[Action]) -> SocketId {
    let opened = actions.iter().find_map(|action| {
        let Action::OpenFallback { attempt, attachment, home_agent } = action else { return None };
        assert_eq!((attachment, home_agent.is_ipv6()), (&lte(), true));
        Some(*attempt)
    });
    opened.expect("no fallback is opened")
}

/// The fallback is open and the home agent has answered over it.
fn fallen_back() -> (Story, SocketId) {
    fallen_back_with(association)
}

fn fallen_back_with(sa: fn(u32) -> SecurityAssociation) -> (Story, SocketId) {
    let mut story = silent(sa);
    let attempt = attempt(&asked(&mut story, PATIENCE));
    story.node.handle_fallback_opened(attempt, relay(), story.now);
    let (path, update) = story.updates().pop().unwrap();
    assert_eq!((path.socket, path.remote, story.node.phase()), (attempt, relay(), Phase::Registering));
    answers(&mut story, attempt, update.sequence, None);
    (story, attempt)
}

fn answers(story: &mut Story, socket: SocketId, sequence: u16, token: Option<PathToken>) {
    let answer = BindingAcknowledgement { path_check: token, ..acknowledgement(0, sequence) };
    story.hears_on(socket, 1, MobilityMessage::BindingAcknowledgement(answer));
}

/// The sockets that Binding Updates and questions go over.
fn sockets(actions: &[Action]) -> Vec<SocketId> {
    let socket = |action: &Action| {
        let Action::Command(Command::Signal { paths, .. }) = action else { return None };
        paths.iter().next().map(|path| path.socket)
    };
    actions.iter().filter_map(socket).collect()
}

fn opens(actions: &[Action]) -> bool {
    actions.iter().any(|action| matches!(action, Action::OpenFallback { .. }))
}

/// Where user data goes from now on.
fn steered(actions: &[Action]) -> Option<SocketAddr> {
    actions.iter().rev().find_map(|action| {
        let Action::Command(Command::Move { paths, .. }) = action else { return None };
        paths.iter().next().map(|path| path.remote)
    })
}

#[test]
fn where_udp_does_not_answer_packets_go_over_tls_once_that_stands() {
    let mut story = silent(association);
    let actions = asked(&mut story, PATIENCE);
    let attempt = attempt(&actions);
    assert_eq!(story.node.transport(), Transport::Udp, "UDP is tried on meanwhile");
    story.node.handle_fallback_opened(attempt, relay(), story.now);
    let actions = story.actions();
    assert_eq!((steered(&actions), story.node.transport()), (Some(relay()), Transport::Tls));
    let sequence = story.node.registration.sequence();
    answers(&mut story, attempt, sequence, None);
    assert_eq!(story.node.phase(), Phase::Registered);
}

#[test]
fn without_a_fallback_in_the_grant_udp_is_all_that_is_tried() {
    let mut story = silent(association);
    story.node.offer_fallback(false);
    assert!(!opens(&asked(&mut story, PATIENCE * 20)));
}

#[test]
fn udp_that_answers_while_tls_is_being_set_up_is_what_stays() {
    let mut story = silent(association);
    let attempt = attempt(&asked(&mut story, PATIENCE));
    let sequence = story.node.registration.sequence();
    answers(&mut story, SocketId(1), sequence, None);
    story.actions();
    let closed = asked(&mut story, Duration::ZERO);
    assert!(matches!(closed[..], [Action::CloseFallback(which)] if which == attempt), "{closed:?}");
    story.node.handle_fallback_opened(attempt, relay(), story.now);
    assert_eq!((story.node.phase(), story.node.transport()), (Phase::Registered, Transport::Udp));
    assert!(matches!(story.actions()[..], [Action::CloseFallback(_)]), "nobody wants it any more");
}

#[test]
fn a_try_of_udp_that_is_not_answered_is_repeated_over_tls() {
    let (mut story, attempt) = fallen_back();
    story.actions();
    let end = story.now + FIRST_TRY + Duration::from_secs(2);
    let mut sockets = Vec::new();
    while let Some((due, _)) = story.node.poll_timeout().filter(|(due, _)| *due <= end) {
        story.now = story.now.max(due);
        story.node.handle_timeout(story.now);
        for (path, update) in story.updates() {
            sockets.push(path.socket);
            if path.socket == attempt {
                answers(&mut story, attempt, update.sequence, None);
            }
        }
    }
    assert_eq!(sockets, [SocketId(1), attempt]);
    assert_eq!((story.node.phase(), story.node.transport()), (Phase::Registered, Transport::Tls));
}

#[test]
fn a_try_of_udp_that_is_answered_leads_back_with_the_token_and_tls_ends_a_little_later() {
    let (mut story, attempt) = fallen_back();
    story.actions();
    let tried = asked(&mut story, FIRST_TRY);
    assert_eq!(steered(&tried), None, "packets stay on TLS while UDP is tried");
    let token = PathToken([7; 8]);
    let sequence = story.node.registration.sequence();
    answers(&mut story, SocketId(1), sequence, Some(token));
    let actions = story.actions();
    assert!(steered(&actions).is_some_and(|remote| remote.port() == 7872), "{actions:?}");
    let proof = actions.iter().find_map(|action| story.update(action)).unwrap();
    assert_eq!((proof.0.socket, proof.1.path_check), (SocketId(1), Some(token)));
    answers(&mut story, SocketId(1), proof.1.sequence, None);
    let later = asked(&mut story, Duration::from_secs(3));
    assert!(later.iter().any(|action| matches!(action, Action::CloseFallback(which) if *which == attempt)), "{later:?}");
    assert_eq!((story.node.phase(), story.node.transport()), (Phase::Registered, Transport::Udp));
}

#[test]
fn a_connection_that_breaks_off_has_udp_asked_at_once_and_is_opened_again() {
    let (mut story, attempt) = fallen_back();
    story.actions();
    story.node.handle_fallback_closed(attempt, story.now);
    let actions = asked(&mut story, Duration::ZERO);
    assert!(actions.iter().any(|action| matches!(action, Action::CloseFallback(which) if *which == attempt)));
    assert!(actions.iter().filter_map(|action| story.update(action)).all(|(path, _)| path.socket == SocketId(1)));
    assert_ne!(self::attempt(&actions), attempt);
}

#[test]
fn a_connection_that_has_gone_silent_without_a_word_is_left_after_three_binding_updates_and_opened_again_beside_udp() {
    let (mut story, dead) = fallen_back();
    story.actions();
    story.passes(2);
    let start = story.now;
    story.node.send_binding_update(true, story.now);
    let actions = asked(&mut story, Duration::from_secs(2));
    let sockets = sockets(&actions);
    let over_it = sockets.iter().take_while(|socket| **socket == dead).count();
    assert!((3..=5).contains(&over_it) && sockets[over_it] == SocketId(1), "{sockets:?}");
    assert!(actions.iter().any(|action| matches!(action, Action::CloseFallback(which) if *which == dead)));
    let fresh = attempt(&actions);
    story.node.handle_fallback_opened(fresh, relay(), story.now);
    // There are no more than three Binding Updates a second.
    let actions = asked(&mut story, Duration::from_secs(1));
    let update = actions.iter().filter_map(|action| story.update(action)).rfind(|(path, _)| path.socket == fresh);
    answers(&mut story, fresh, update.unwrap().1.sequence, None);
    assert_eq!((story.node.phase(), story.node.transport()), (Phase::Registered, Transport::Tls));
    assert!(bootstraps(&actions) == 0 && story.now - start <= Duration::from_secs(3));
}

#[test]
fn a_connection_that_is_slow_but_brings_packets_is_not_left_though_its_answers_are_late() {
    let (mut story, slow) = fallen_back();
    story.actions();
    story.passes(2);
    story.node.send_binding_update(true, story.now);
    for _ in 0..10 {
        let actions = asked(&mut story, Duration::from_millis(500));
        assert!(sockets(&actions).iter().all(|socket| *socket == slow), "{actions:?}");
        (story.sent, story.received) = (story.sent + 1, story.received + 1);
        story.node.handle_activity(story.sent, story.received, story.now);
    }
    assert_eq!(story.node.transport(), Transport::Tls);
}

#[test]
fn a_home_agent_that_is_granted_anew_is_asked_over_udp_and_not_through_the_connection_to_the_one_before() {
    let (mut story, to_the_first) = fallen_back_with(elsewhere_second);
    story.actions();
    story.passes(2);
    story.is_granted(2);
    let actions = story.actions();
    assert_eq!((sockets(&actions), story.node.transport()), (vec![SocketId(1)], Transport::Udp), "{actions:?}");
    assert_eq!(steered(&actions), Some("[2001:db8:f::2]:7872".parse().unwrap()));
    let actions = asked(&mut story, PATIENCE);
    let home_agent = actions.iter().find_map(|action| {
        let Action::OpenFallback { attempt, home_agent, .. } = action else { return None };
        (*attempt != to_the_first).then_some(*home_agent)
    });
    assert_eq!(home_agent, Some("2001:db8:f::2".parse().unwrap()), "{actions:?}");
    let later = asked(&mut story, Duration::from_secs(3));
    assert!(later.iter().any(|action| matches!(action, Action::CloseFallback(which) if *which == to_the_first)), "{later:?}");
}

#[test]
fn a_renewal_at_the_same_home_agent_stays_on_the_connection() {
    let (mut story, attempt) = fallen_back();
    story.actions();
    story.passes(2);
    story.is_granted(2);
    assert_eq!((sockets(&story.actions()), story.node.transport()), (vec![attempt], Transport::Tls));
}

#[test]
fn after_a_sleep_the_connection_is_as_old_as_that_and_udp_comes_first_again() {
    let (mut story, before) = fallen_back();
    story.actions();
    story.passes(60);
    story.node.handle_resume(Duration::from_secs(60), vec![lte()], story.now);
    let actions = story.actions();
    assert_eq!((sockets(&actions), opens(&actions)), (vec![SocketId(1)], false));
    let actions = asked(&mut story, PATIENCE);
    assert_ne!(attempt(&actions), before);
}

#[test]
fn on_another_network_udp_comes_first_again() {
    let (mut story, attempt) = fallen_back();
    story.actions();
    story.passes(2);
    story.sees(&[wifi()]);
    story.opens_what_is_asked();
    assert_eq!(story.node.transport(), Transport::Udp);
    assert_eq!(story.updates().pop().map(|(path, _)| path.remote.port()), Some(7872));
    story.hears_last();
    let later = asked(&mut story, Duration::from_secs(3));
    assert!(later.iter().any(|action| matches!(action, Action::CloseFallback(which) if *which == attempt)), "{later:?}");
}

#[test]
fn a_node_that_leaves_says_goodbye_over_tls_and_opens_nothing() {
    let (mut story, attempt) = fallen_back();
    story.actions();
    story.passes(2);
    story.node.handle_down(story.now);
    let (path, update) = story.updates().pop().unwrap();
    assert_eq!((path.socket, update.lifetime), (attempt, Lifetime::ZERO));
    assert!(!opens(&asked(&mut story, Duration::from_secs(30))));
}
