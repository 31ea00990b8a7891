//! The node as a mobile router (RFC 3963 section 5).

use protocol::prefixes::MobileNetworkPrefixes;
use protocol::wire::mobility::MobileRouter;

use super::*;
use crate::config;

const NETWORK: &str = "2001:db8:7::/48";

fn with_network(spi: u32) -> SecurityAssociation {
    SecurityAssociation { prefixes: NETWORK.parse().unwrap(), ..association(spi) }
}

/// A node with a network behind it that has been granted its first SA and is attached.
fn router(sa: fn(u32) -> SecurityAssociation) -> Story {
    let mut story = Story::with(sa);
    story.node.be_router(config::MobileRouter { lan: "eth1".to_owned() });
    story.actions();
    story.is_granted(1);
    story.sees(&[wifi()]);
    story.opens_what_is_asked();
    story
}

fn accepts(sequence: u16, mobile_router: bool) -> BindingAcknowledgement {
    BindingAcknowledgement { mobile_router, ..acknowledgement(0, sequence) }
}

/// The networks that the tunnel is told of, and those of the registration.
fn told(actions: &[Action]) -> (Vec<String>, Vec<String>) {
    let (mut tunnel, mut registered) = (Vec::new(), Vec::new());
    for action in actions {
        if let Action::Command(Command::Prefixes { prefixes, .. }) = action {
            tunnel.push(prefixes.to_string());
        } else if let Action::Registered(now) = action {
            registered.push(now.prefixes.to_string());
        }
    }
    (tunnel, registered)
}

fn once(text: &str) -> (Vec<String>, Vec<String>) {
    (vec![text.to_owned()], vec![text.to_owned()])
}

#[test]
fn every_binding_update_says_that_it_is_a_routers_and_the_network_is_used_once_that_is_acknowledged() {
    let mut story = router(with_network);
    let update = story.last_update();
    assert_eq!(update.mobile_router, MobileRouter::Implicit);
    story.hears_answer(1, accepts(update.sequence, true));
    assert_eq!(told(&story.actions()), once(NETWORK));
    story.hears_refresh_request(1);
    let update = story.last_update();
    assert_eq!(update.mobile_router, MobileRouter::Implicit, "refreshed as what it is");
    story.hears_answer(1, accepts(update.sequence, true));
    assert_eq!(told(&story.actions()), once(NETWORK));
}

/// Section 5.3: the home agent supports no mobile routers.
#[test]
fn a_home_agent_that_says_nothing_of_routers_has_a_host() {
    let mut story = router(with_network);
    let sequence = story.last_update().sequence;
    story.hears_answer(1, accepts(sequence, false));
    assert_eq!(told(&story.actions()), once(""));
    story.hears_refresh_request(1);
    assert_eq!(story.last_update().mobile_router, MobileRouter::No);
}

/// Section 5.4.1.
#[test]
fn who_is_refused_for_the_network_registers_without_it_until_there_is_another_sa() {
    for status in [139, 140, 141, 142, 143] {
        let mut story = router(with_network);
        let sequence = story.last_update().sequence;
        story.hears_answer(1, acknowledgement(status, sequence));
        let actions = story.actions();
        assert!(!actions.iter().any(|action| matches!(action, Action::Refused(_))), "{status}");
        let plain = actions.iter().filter_map(|action| story.update(action)).next_back().expect("asked again at once").1;
        assert_eq!(plain.mobile_router, MobileRouter::No, "{status}");
        story.hears_answer(1, accepts(plain.sequence, false));
        assert_eq!(told(&story.actions()), once(""), "{status}");
        story.is_granted(2);
        assert_eq!(story.last_update().mobile_router, MobileRouter::Implicit, "{status}: it is asked anew");
    }
}

#[test]
fn another_refusal_is_repeated_as_it_was() {
    let mut story = router(with_network);
    let sequence = story.last_update().sequence;
    story.hears_answer(1, acknowledgement(130, sequence));
    assert!(story.actions().iter().any(|action| matches!(action, Action::Refused(Status(130)))));
}

#[test]
fn who_has_no_network_is_a_host_whatever_the_hac_or_the_configuration_says() {
    let mut granted_none = router(association);
    assert_eq!(granted_none.last_update().mobile_router, MobileRouter::No);
    let mut not_configured = Story::registered_with(with_network);
    not_configured.hears_refresh_request(1);
    let update = not_configured.last_update();
    assert_eq!(update.mobile_router, MobileRouter::No);
    not_configured.hears_answer(1, accepts(update.sequence, true));
    let actions = not_configured.actions();
    assert!(!actions.iter().any(|action| matches!(action, Action::Command(Command::Prefixes { .. }))));
    assert_eq!(told(&actions).1, [MobileNetworkPrefixes::default().to_string()]);
}
