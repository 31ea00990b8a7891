//! A home agent with IPv4 alone, from a network without it.

use std::net::SocketAddr;

use protocol::addr::HomeAgentAddresses;
use protocol::nat64::Nat64Prefix;

use super::*;
use crate::nat64::Prefixes;

/// As [`association`] has it, without the IPv6 address.
fn only_ip4(spi: u32) -> SecurityAssociation {
    let sa = association(spi);
    SecurityAssociation { home_agent: HomeAgentAddresses::new(None, sa.home_agent.ip4(), 7872).unwrap(), ..sa }
}

/// Of the network [`lte`].
fn known(network: &str) -> Prefixes {
    Prefixes::new([(lte().interface, prefix(network))])
}

fn prefix(network: &str) -> Nat64Prefix {
    Nat64Prefix::new(network.parse().unwrap(), 96).unwrap()
}

fn remote(network: &str) -> SocketAddr {
    SocketAddr::new(format!("{network}cb00:7101").parse().unwrap(), 7872)
}

#[test]
fn through_a_nat64_the_node_registers_with_its_ipv6_care_of_address_at_what_stands_for_the_home_agent() {
    let mut story = Story::with(only_ip4);
    story.actions();
    story.is_granted(1);
    story.sees(&[lte()]);
    story.opens_what_is_asked();
    assert_eq!((story.updates().len(), story.node.phase()), (0, Phase::Detached), "it does not lead there");
    story.node.handle_nat64(known("2001:db8:64::"), story.now);
    story.opens_what_is_asked();
    let (path, update) = story.updates().pop().unwrap();
    assert_eq!((path.remote, update.care_of), (remote("2001:db8:64::"), Some(lte().care_of.into())));
    story.hears(1, 0, update.sequence);
    assert_eq!((story.node.phase(), story.node.nat64_in_use()), (Phase::Registered, Some(prefix("2001:db8:64::"))));
    assert_eq!(story.node.registered_at(), Some(remote("2001:db8:64::").ip()));
}

#[test]
fn another_prefix_of_the_network_in_use_is_another_way_and_the_same_again_is_nothing() {
    let mut story = registered();
    story.node.handle_nat64(known("2001:db8:64::"), story.now);
    assert!(story.actions().is_empty());
    story.node.handle_nat64(known("2001:db8:65::"), story.now);
    let (path, _) = story.updates().pop().unwrap();
    assert_eq!(path.remote, remote("2001:db8:65::"));
    story.hears_last();
    story.node.handle_nat64(Prefixes::default(), story.now);
    assert_eq!(story.node.phase(), Phase::Detached, "the network does not lead there any more");
}

/// Registered through a NAT64.
fn registered() -> Story {
    let mut story = Story::with(only_ip4);
    story.node.handle_nat64(known("2001:db8:64::"), story.now);
    story.actions();
    story.is_granted(1);
    story.sees(&[lte()]);
    story.opens_what_is_asked();
    story.hears_last();
    story.passes(10);
    story
}

/// Whether it says that it has left.
fn finishes(story: &mut Story) -> bool {
    story.actions().iter().any(|action| matches!(action, Action::Finished))
}

#[test]
fn a_node_that_is_leaving_when_its_prefix_goes_has_left_and_wants_nothing_more() {
    let mut story = registered();
    story.node.handle_down(story.now);
    assert_eq!(story.last_update().lifetime, Lifetime::ZERO);
    story.node.handle_nat64(Prefixes::default(), story.now);
    story.hears(1, 135, 5);
    assert!(story.updates().is_empty(), "an answer to what went before, and no way to heed it");
    story.now = story.node.registration.due().unwrap();
    story.node.handle_timeout(story.now);
    assert!(finishes(&mut story));
    assert_eq!(story.node.registration.due(), None, "it would be due without end");
}

#[test]
fn a_node_without_a_way_to_its_home_agent_leaves_at_once() {
    let mut story = registered();
    story.node.nat64 = Prefixes::default();
    story.node.handle_down(story.now);
    assert!(finishes(&mut story));
}

#[test]
fn a_binding_update_that_has_no_way_to_go_is_not_due_for_ever() {
    let mut story = registered();
    story.node.nat64 = Prefixes::default();
    story.now = story.node.registration.due().unwrap();
    story.node.handle_timeout(story.now);
    assert_eq!((story.updates().len(), story.node.registration.due()), (0, None));
}

#[test]
fn a_home_agent_with_both_families_is_reached_natively() {
    let mut story = Story::registered();
    story.node.handle_nat64(known("2001:db8:64::"), story.now);
    assert!(story.actions().is_empty());
    story.sees(&[lte()]);
    story.opens_what_is_asked();
    let (path, _) = story.updates().pop().unwrap();
    assert_eq!((path.remote, story.node.nat64_in_use()), ("[2001:db8:f::1]:7872".parse().unwrap(), None));
}

#[test]
fn a_run_of_mhauth_that_failed_or_has_not_reached_the_hac_is_repeated_with_another_prefix() {
    let mut story = Story::with(only_ip4);
    story.sees(&[lte()]);
    assert_eq!(bootstraps(&story.actions()), 1);
    let run = story.run();
    story.node.handle_bootstrap_address(run, Some(lte().care_of.0));
    story.node.handle_nat64(known("2001:db8:63::"), story.now);
    assert!(story.actions().is_empty(), "one that goes on is let be");
    story.node.handle_bootstrap_failure(run, &"unreachable", None, story.now, &mut story.rng);
    assert_eq!(bootstraps(&story.actions()), 0);
    story.node.handle_nat64(known("2001:db8:64::"), story.now);
    assert_eq!(bootstraps(&story.actions()), 1);
    story.passes(2);
    let run = story.run();
    story.node.handle_nat64(known("2001:db8:65::"), story.now);
    let actions = story.actions();
    assert!(matches!(actions[..], [Action::AbandonBootstrap(old), Action::Bootstrap(_)] if old == run), "{actions:?}");
}
