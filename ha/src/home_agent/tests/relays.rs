//! Nodes whose datagrams come over TLS.

use super::*;

/// Where a relay is, where its connection comes from, and the node's own address of UDP.
const RELAY: ([u8; 4], u16) = ([127, 0, 0, 1], 40_000);
const REMOTE: ([u8; 4], u16) = (CARE_OF, 51_000);
const DIRECT: ([u8; 4], u16) = (CARE_OF, 5000);

fn opened() -> Story {
    let mut story = Story::new();
    story.ha.handle_relay_opened(RELAY.into(), REMOTE.into());
    story
}

/// Remote and what may be sent there.
fn paths(said: &Said) -> Vec<(SocketAddr, bool)> {
    said.paths().iter().map(|path| (path.remote, path.allowance == protocol::tunnel::Allowance::Unlimited)).collect()
}

fn bound(story: &mut Story) -> Vec<(SocketAddr, Ipv6Addr)> {
    std::iter::from_fn(|| story.ha.poll_relay_bound()).collect()
}

#[test]
fn a_node_is_bound_at_its_relay_without_a_proof_and_shown_where_its_connection_comes_from() {
    let mut story = opened();
    let said = story.receives_from(update(1), RELAY.into());
    assert_eq!((said.answers(), paths(&said)), (vec![(0, 1, 150)], vec![(RELAY.into(), true)]));
    let refresh = said.acknowledgements[0].nat.map(|nat| nat.refresh_seconds);
    assert_eq!((said.acknowledgements[0].path_check, refresh), (None, Some(u32::MAX)), "there is no NAT");
    let binding = story.ha.bindings().next().unwrap().clone();
    assert_eq!((binding.latest.seen_from(), binding.latest.has_nat(), binding.latest.is_proved()), (REMOTE.into(), false, true));
    let home = story.sa.home.in_mobility_header();
    assert_eq!(bound(&mut story), [(RELAY.into(), home)]);
    story.receives_from(update(2), RELAY.into());
    assert_eq!(bound(&mut story), [], "it is known already");
}

#[test]
fn a_connection_from_another_address_than_the_care_of_address_is_behind_a_nat_and_proved_all_the_same() {
    let mut story = Story::new();
    story.ha.handle_relay_opened(RELAY.into(), ([192, 0, 2, 9], 1).into());
    let said = story.receives_from(update(1), RELAY.into());
    assert!(said.acknowledgements[0].nat.is_some() && said.acknowledgements[0].path_check.is_none());
    assert_eq!(paths(&said), [(RELAY.into(), true)]);
}

#[test]
fn every_other_address_on_loopback_is_refused_and_so_is_a_relay_that_has_ended() {
    let mut story = opened();
    let others = [([127, 0, 0, 1], 40_001), ([127, 0, 0, 2], 40_000)].map(SocketAddr::from);
    for (from, sequence) in others.into_iter().chain(["[::1]:40000".parse().unwrap()]).zip(1..) {
        assert_eq!(story.receives_from(update(sequence), from).answers(), [(174, sequence, 0)], "{from}");
    }
    story.ha.handle_relay_closed(RELAY.into());
    assert_eq!(story.receives_from(update(9), RELAY.into()).answers(), [(174, 9, 0)]);
    assert_eq!(bound(&mut story), []);
}

#[test]
fn a_relay_whose_connection_comes_from_where_no_node_can_be_is_refused() {
    for remote in [([127, 0, 0, 1], 1), ([203, 0, 113, 1], 1)] {
        let mut story = Story::new();
        story.ha.handle_relay_opened(RELAY.into(), remote.into());
        assert_eq!(story.receives_from(update(1), RELAY.into()).answers(), [(174, 1, 0)], "{remote:?}");
    }
}

#[test]
fn a_node_that_goes_back_to_udp_is_sent_to_on_both_until_it_has_given_the_token_back() {
    let mut story = opened();
    story.receives_from(update(1), RELAY.into());
    let both = story.receives_from(update(2), DIRECT.into());
    assert_eq!(paths(&both), [(DIRECT.into(), false), (RELAY.into(), true)]);
    let token = both.acknowledgements[0].path_check.unwrap();
    let again = story.receives_from(update(3), DIRECT.into());
    assert_eq!(paths(&again).len(), 2, "a second one proves nothing: the node may hear nothing there");
    let proved = story.receives_from(BindingUpdate { path_check: Some(token), ..update(4) }, DIRECT.into());
    assert_eq!(paths(&proved), [(DIRECT.into(), true)]);
}

#[test]
fn a_node_that_udp_does_not_answer_is_back_at_its_relay_with_the_next_binding_update() {
    let mut story = opened();
    story.receives_from(update(1), RELAY.into());
    story.receives_from(update(2), DIRECT.into());
    let back = story.receives_from(update(3), RELAY.into());
    assert_eq!((paths(&back), back.acknowledgements[0].path_check), (vec![(RELAY.into(), true)], None));
}

#[test]
fn nothing_is_sent_to_a_relay_that_has_ended_and_the_binding_stands() {
    let mut story = opened();
    story.receives_from(update(1), RELAY.into());
    story.ha.handle_relay_closed(RELAY.into());
    let said = story.said();
    assert!(said.paths().iter().all(|path| path.allowance == protocol::tunnel::Allowance::octets(0)), "{said:?}");
    assert_eq!(story.ha.bindings().count(), 1);
    let elsewhere = story.receives_from(update(2), DIRECT.into());
    assert_eq!(paths(&elsewhere), [(DIRECT.into(), false)], "and not to the relay's address");
}

#[test]
fn a_relay_that_ends_while_udp_is_being_proved_leaves_udp_alone() {
    let mut story = opened();
    story.receives_from(update(1), RELAY.into());
    story.receives_from(update(2), DIRECT.into());
    story.ha.handle_relay_closed(RELAY.into());
    assert_eq!(paths(&story.said()), [(DIRECT.into(), false)]);
    story.ha.handle_relay_closed(RELAY.into());
    assert!(story.said().is_nothing(), "it has ended once");
}

#[test]
fn a_session_is_told_of_where_the_connection_comes_from() {
    let mut story = opened();
    let hour = Some(Duration::from_secs(3600));
    story.ha.sessions_mut().begin_subscription(hour, story.now);
    story.receives_from(update(1), RELAY.into());
    story.passes(1);
    let told = story.ha.sessions_mut().take(story.now);
    assert_eq!(told.iter().map(|report| report.care_of).collect::<Vec<_>>(), [REMOTE.into()]);
}

/// X at the relay, and then Y by the same connection, who speaks from then on.
fn shared() -> (Story, SecurityAssociation) {
    let mut story = opened();
    story.receives_from(update(1), RELAY.into());
    let first = story.comes(another(SPI + 1));
    (story, first)
}

/// Where a node's packets go and may go from now on.
fn moves_of(said: &Said, node: &SecurityAssociation) -> Vec<(SocketAddr, bool)> {
    let of_node =
        |command| if let &Command::Move { home, ref paths, .. } = command { (home == node.home).then_some(paths) } else { None };
    let last = said.others.iter().rev().find_map(of_node);
    let may_go = |path: &protocol::tunnel::Path| path.allowance != protocol::tunnel::Allowance::octets(0);
    last.into_iter().flat_map(|paths| paths.iter()).map(|path| (path.remote, may_go(path))).collect()
}

#[test]
fn a_relay_that_another_node_registers_by_carries_nothing_of_the_first_one_any_more() {
    let (mut story, first) = shared();
    let said = story.receives_from(update(1), RELAY.into());
    assert_eq!(said.answers(), [(0, 1, 150)]);
    assert_eq!(moves_of(&said, &first), [(RELAY.into(), false)], "{said:?}");
    assert_eq!(moves_of(&said, &story.sa), [(RELAY.into(), true)]);
    let again = story.receives_from(update(2), RELAY.into());
    assert_eq!(moves_of(&again, &first), [], "it has been said");
    let second = std::mem::replace(&mut story.sa, first);
    let back = story.receives_from(update(2), RELAY.into());
    assert_eq!(moves_of(&back, &story.sa), [(RELAY.into(), true)]);
    assert_eq!(moves_of(&back, &second), [(RELAY.into(), false)], "a connection is one node's");
    story.ha.handle_relay_closed(RELAY.into());
    let said = story.said();
    assert_eq!((moves_of(&said, &story.sa), said.others.len()), (vec![(RELAY.into(), false)], 1), "{said:?}");
}

#[test]
fn the_first_ones_other_path_stays_when_another_node_takes_its_relay() {
    let (mut story, second) = shared();
    let second = std::mem::replace(&mut story.sa, second);
    let both = story.receives_from(update(2), DIRECT.into());
    assert_eq!(paths(&both), [(DIRECT.into(), false), (RELAY.into(), true)]);
    let first = std::mem::replace(&mut story.sa, second);
    let said = story.receives_from(update(1), RELAY.into());
    assert_eq!(moves_of(&said, &first), [(DIRECT.into(), true)], "{said:?}");
}

#[test]
fn a_node_that_is_seen_at_another_ones_relay_proves_nothing_there_and_gets_nothing_there() {
    let (mut story, first) = shared();
    story.receives_from(update(1), RELAY.into());
    let second = std::mem::replace(&mut story.sa, first);
    assert!(story.sees(RELAY.into()).is_nothing(), "it was bound there, and is not any more");
    story.receives_from(update(2), DIRECT.into());
    story.passes(1);
    assert!(story.sees(RELAY.into()).is_nothing());
    story.ha.handle_relay_closed(RELAY.into());
    story.said();
    story.sa = second;
    assert!(story.sees(RELAY.into()).is_nothing(), "what was on its way proves nothing when the relay has ended");
}

#[test]
fn a_node_that_is_seen_at_its_own_relay_gets_nothing_there_when_that_has_ended() {
    let mut story = opened();
    story.receives_from(update(1), RELAY.into());
    let token = story.receives_from(update(2), DIRECT.into()).acknowledgements[0].path_check;
    story.receives_from(BindingUpdate { path_check: token, ..update(3) }, DIRECT.into());
    let seen = story.sees(RELAY.into());
    assert_eq!((paths(&seen), &seen.requests[..]), (vec![(DIRECT.into(), true), (RELAY.into(), false)], &[RELAY.into()][..]));
    story.ha.handle_relay_closed(RELAY.into());
    assert_eq!(paths(&story.said()), [(DIRECT.into(), true)]);
}
