//! Moving from one attachment to another.

use super::*;

#[test]
fn when_the_attachment_goes_the_uplink_moves_before_the_home_agent_has_answered() {
    let mut story = Story::registered();
    story.sees(&[wifi(), lte()]);
    assert!(story.actions().is_empty(), "the attachment in use is still usable");
    story.sees(&[lte()]);
    let asked = story.actions();
    let [Action::OpenPath { socket, .. }] = asked[..] else { panic!("{asked:?}") };
    story.node.handle_path_opened(socket, true, story.now);
    let actions = story.actions();
    let [
        Action::Command(Command::Move { paths, .. }),
        Action::Command(Command::Signal { paths: signalled, .. }),
        Action::Command(Command::Resend { paths: resent, .. }),
    ] = &actions[..]
    else {
        panic!("{actions:?}")
    };
    let path = signalled.iter().next().unwrap();
    assert_eq!((paths.iter().next(), resent.iter().next()), (Some(path), Some(path)));
    assert_eq!((path.socket, path.remote.is_ipv6()), (SocketId(1), true));
    story.node.handle_timeout(story.now + Duration::from_secs(3));
    assert!(story.actions().iter().any(|action| matches!(action, Action::ClosePath(SocketId(0)))));
}

#[test]
fn a_fourth_move_within_a_second_takes_the_uplink_along_and_its_binding_update_waits() {
    let mut story = Story::registered();
    let mut before = 0;
    for attachment in [lte(), wifi(), lte()] {
        story.sees(&[attachment]);
        story.opens_what_is_asked();
        before = story.last_update().sequence;
    }
    story.sees(&[wifi()]);
    story.opens_what_is_asked();
    let actions = story.actions();
    let [Action::Command(Command::Move { .. }), Action::Command(Command::Resend { .. })] = actions[..] else {
        panic!("{actions:?}")
    };
    story.hears(1, 0, before);
    assert_eq!(story.node.phase(), Phase::Registering, "that was the answer to an address that is gone");
    story.now += Duration::from_secs(1);
    story.node.handle_timeout(story.now);
    assert_eq!(story.last_update().care_of, Some(wifi().care_of.into()));
}

#[test]
fn a_socket_that_cannot_be_opened_is_tried_again_without_any_event() {
    let mut story = Story::registered();
    story.sees(&[lte()]);
    let asked = story.actions();
    let [Action::OpenPath { socket, .. }] = asked[..] else { panic!("{asked:?}") };
    story.node.handle_path_opened(socket, false, story.now);
    assert!(story.actions().is_empty(), "not in a loop");
    story.node.handle_activity(0, 0, story.now);
    story.opens_what_is_asked();
    assert_eq!(story.last_update().care_of, Some(lte().care_of.into()));
    story.node.handle_activity(0, 0, story.now);
    assert!(story.actions().is_empty(), "what is in use is not opened again");
}

#[test]
fn a_node_without_any_attachment_waits_silently_and_binds_when_one_appears() {
    let mut story = Story::registered();
    story.sees(&[]);
    assert_eq!(story.node.phase(), Phase::Detached);
    story.hears_refresh_request(1);
    assert!(story.runs_for(600).is_empty());
    story.sees(&[lte()]);
    story.opens_what_is_asked();
    assert_eq!(story.last_update().care_of, Some(lte().care_of.into()));
}

#[test]
fn a_new_home_agent_without_an_address_of_the_family_in_use_makes_the_node_move() {
    fn sa(spi: u32) -> SecurityAssociation {
        let only_ip6 = protocol::addr::HomeAgentAddresses::new(Some("2001:db8:f::1".parse().unwrap()), None, 7872).unwrap();
        let both = association(spi).home_agent;
        SecurityAssociation { home_agent: if spi == 1 { both } else { only_ip6 }, ..association(spi) }
    }
    let mut story = Story::registered_with(sa);
    story.sees(&[wifi(), lte()]);
    story.is_granted(2);
    story.opens_what_is_asked();
    assert_eq!(story.last_update().care_of, Some(lte().care_of.into()));
    story.sees(&[wifi()]);
    assert_eq!(story.node.phase(), Phase::Detached);
}
