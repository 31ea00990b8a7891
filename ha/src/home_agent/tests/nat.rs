//! NATs: detection, path check, and mappings that change.

use protocol::tunnel::{Allowance, Path};
use protocol::wire::mobility::{HighestReceived, PathToken, Status};

use super::*;
use crate::unproved::UNPROVED;

/// The NAT's outside, where CARE_OF seems to be.
fn outside(port: u16) -> SocketAddr {
    ([192, 0, 2, 66], port).into()
}

fn giving_back(token: Option<PathToken>, sequence: u16) -> BindingUpdate {
    BindingUpdate { path_check: token, ..update(sequence) }
}

fn token(said: &Said) -> Option<PathToken> {
    said.acknowledgements[0].path_check
}

fn refresh(said: &Said) -> Option<u32> {
    said.acknowledgements[0].nat.map(|nat| nat.refresh_seconds)
}

fn proved(remote: SocketAddr) -> Path {
    Path::proved(SocketId(0), remote)
}

fn unproved(remote: SocketAddr) -> Path {
    Path { allowance: Allowance::octets(UNPROVED), ..proved(remote) }
}

fn assert_paths(said: &Said, expected: &[Path]) {
    assert_eq!(said.paths().iter().cloned().collect::<Vec<_>>(), expected);
}

/// Whether both count down the same octets.
fn is_same(one: &Allowance, other: &Allowance) -> bool {
    matches!((one, other), (Allowance::Octets(one), Allowance::Octets(other)) if one.is_same(other))
}

#[test]
fn without_a_nat_the_refresh_time_is_all_ones_and_there_is_no_token() {
    let said = Story::new().receives(update(1));
    assert_eq!((refresh(&said), token(&said)), (Some(u32::MAX), None));
    assert_paths(&said, &[proved((CARE_OF, 5000).into())]);
    let mapped = SocketAddr::new(IpAddr::V6(std::net::Ipv4Addr::from(CARE_OF).to_ipv6_mapped()), 5000);
    let said = Story::new().receives_from(update(1), mapped);
    assert_eq!((refresh(&said), token(&said)), (Some(u32::MAX), None), "a mapped source is the IPv4 address");
}

/// RFC 5555 section 4.1: the outer source says where packets go, and the care-of address is the node's own.
#[test]
fn an_ipv6_care_of_address_behind_an_ipv4_source_is_behind_a_nat64_and_bound_as_behind_any_nat() {
    let care_of = std::net::Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 2);
    let of_ip6 = |sequence| BindingUpdate { care_of: Some(CareOf::Ip6(care_of)), ..update(sequence) };
    let mut story = Story::new();
    let said = story.receives_from(of_ip6(1), outside(1));
    assert_eq!((said.acknowledgements[0].status, refresh(&said)), (Status::ACCEPTED, Some(110)));
    assert_paths(&said, &[unproved(outside(1))]);
    let said = story.receives_from(BindingUpdate { path_check: token(&said), ..of_ip6(2) }, outside(1));
    assert_eq!((refresh(&said), token(&said)), (Some(110), None));
    assert_paths(&said, &[proved(outside(1))]);
    let native = SocketAddr::new(care_of.into(), 5000);
    let said = story.receives_from(of_ip6(3), native);
    assert_eq!((refresh(&said), token(&said)), (Some(u32::MAX), None), "the same address without it");
    assert_paths(&said, &[proved(native)]);
}

#[test]
fn behind_a_nat_the_node_is_bound_with_an_allowance_until_it_gives_the_token_back() {
    let mut story = Story::new();
    let said = story.receives_from(update(1), outside(1));
    assert_eq!(refresh(&said), Some(110));
    assert_paths(&said, &[unproved(outside(1))]);
    let said = story.receives_from(giving_back(token(&said), 2), outside(1));
    assert_eq!((refresh(&said), token(&said)), (Some(110), None));
    assert_paths(&said, &[proved(outside(1))]);
    let said = story.receives_from(update(3), outside(1));
    assert_eq!(token(&said), None, "proved is proved");
}

#[test]
fn a_nat_between_families_is_a_nat() {
    let from = "[2001:db8:64::c633:6407]:5000".parse().unwrap();
    let said = Story::new().receives_from(update(1), from);
    assert_eq!(refresh(&said), Some(110));
    assert!(token(&said).is_some());
}

#[test]
fn a_repetition_without_the_token_gets_the_same_one_and_no_other_token_proves() {
    let mut story = Story::new();
    let first = token(&story.receives_from(update(1), outside(1)));
    let said = story.receives_from(update(2), outside(1));
    assert_eq!(token(&said), first);
    assert_paths(&said, &[unproved(outside(1))]);
    let said = story.receives_from(giving_back(Some(PathToken([0; 8])), 3), outside(1));
    assert_eq!(token(&said), first);
}

#[test]
fn a_token_proves_only_where_it_was_sent_to() {
    let mut story = Story::new();
    let first = token(&story.receives_from(update(1), outside(1)));
    let said = story.receives_from(giving_back(first, 2), outside(2));
    assert!(token(&said).is_some_and(|second| Some(second) != first));
    assert_paths(&said, &[unproved(outside(2))]);
}

#[test]
fn the_last_proved_path_is_used_as_well_over_several_moves_and_needs_no_proof_on_return() {
    let mut story = Story::new();
    let at_home = proved((CARE_OF, 5000).into());
    story.receives(update(1));
    assert_paths(&story.receives_from(update(2), outside(1)), &[unproved(outside(1)), at_home.clone()]);
    let said = story.receives_from(update(3), outside(2));
    assert_paths(&said, &[unproved(outside(2)), at_home]);
    assert_paths(&story.receives_from(giving_back(token(&said), 4), outside(2)), &[proved(outside(2))]);
    let said = story.receives_from(update(5), outside(3));
    assert_paths(&said, &[unproved(outside(3)), proved(outside(2))]);
    let said = story.receives_from(update(6), outside(2));
    assert_paths(&said, &[proved(outside(2))]);
    assert_eq!(token(&said), None);
}

#[test]
fn a_node_that_does_not_know_the_token_is_proved_by_its_next_packet_from_there() {
    let mut story = Story::new();
    story.receives_from(update(1), outside(1));
    let number_of_update = story.number;
    assert!(story.sees_number(number_of_update - 1, outside(1)).is_nothing(), "it was sent before the Binding Update");
    assert_paths(&story.sees(outside(1)), &[proved(outside(1))]);
    assert!(story.ha.bindings().all(|binding| binding.latest.is_proved()));
    assert!(story.sees(outside(1)).is_nothing(), "once is enough");
}

#[test]
fn a_node_that_knows_the_token_proves_a_path_with_nothing_else() {
    let mut story = Story::new();
    let said = story.receives_from(update(1), outside(1));
    story.receives_from(giving_back(token(&said), 2), outside(1));
    let said = story.receives_from(update(3), outside(2));
    assert!(story.sees(outside(2)).is_nothing());
    assert!(!story.ha.bindings().any(|binding| binding.latest.is_proved()));
    assert_paths(&story.receives_from(giving_back(token(&said), 4), outside(2)), &[proved(outside(2))]);
}

/// What a node knows it knows under each SA. A node without a NAT gives no token back, and shows it by the other option of ours.
#[test]
fn who_has_shown_one_of_our_options_is_proved_by_no_copied_packet_under_a_later_sa_either() {
    let with_token: fn(&mut Story) = |story| {
        let said = story.receives_from(update(1), outside(1));
        story.receives_from(giving_back(token(&said), 2), outside(1));
    };
    let behind_a_break: fn(&mut Story) = |story| {
        story.receives(BindingUpdate { received: Some(HighestReceived(7)), ..update(2) });
    };
    let from_the_first_on: fn(&mut Story) = |story| {
        story.receives(giving_back(Some(PathToken::NONE), 1));
        let said = story.receives_from(giving_back(Some(PathToken::NONE), 2), outside(2));
        assert!(token(&said).is_some() && story.sees(outside(2)).is_nothing());
    };
    for shows in [with_token, behind_a_break, from_the_first_on] {
        let mut story = Story::new();
        shows(&mut story);
        story.passes(1);
        for (spi, there) in [(SPI + 1, outside(8)), (SPI + 2, outside(9))] {
            story.gets_new_sa(spi);
            let said = story.receives_from(update(1), there);
            assert_eq!(said.paths().iter().next(), Some(&unproved(there)));
            assert!(story.sees(there).is_nothing(), "somebody may have copied both");
            assert_paths(&story.receives_from(giving_back(token(&said), 2), there), &[proved(there)]);
        }
    }
}

#[test]
fn a_second_binding_update_proves_nothing_under_a_later_sa_of_a_node_that_knows_the_token() {
    let clear = SecurityAssociation { user_data: UserData::Clear, ..association(SPI) };
    let mut story = Story::with(clear);
    let said = story.receives_from(update(1), outside(1));
    story.receives_from(giving_back(token(&said), 2), outside(1));
    story.passes(1);
    story.gets_new_sa(SPI + 1);
    story.receives_from(update(1), outside(2));
    assert!(token(&story.receives_from(update(2), outside(2))).is_some());
}

/// Neither user data in the clear nor an unnumbered packet can prove anything.
#[test]
fn where_data_is_not_authentic_a_second_binding_update_proves_for_a_node_that_does_not_know_the_token() {
    let clear = SecurityAssociation { user_data: UserData::Clear, ..association(SPI) };
    let unnumbered = SecurityAssociation { profile: WireProfile::Draft04, ..association(SPI) };
    for sa in [clear, unnumbered] {
        let mut story = Story::with(sa);
        let said = story.receives_from(update(1), outside(1));
        assert_paths(&said, &[unproved(outside(1))]);
        assert_paths(&story.receives_from(update(2), outside(1)), &[proved(outside(1))]);

        let said = story.receives_from(update(3), outside(2));
        story.receives_from(giving_back(token(&said), 4), outside(2));
        story.receives_from(update(5), outside(3));
        assert!(token(&story.receives_from(update(6), outside(3))).is_some(), "it has shown that it knows the token");
    }
}

#[test]
fn a_node_that_leaves_and_comes_back_has_to_prove_its_path_again() {
    let mut story = Story::new();
    let said = story.receives_from(update(1), outside(1));
    story.receives_from(giving_back(token(&said), 2), outside(1));
    story.receives_from(goodbye(3), outside(1));
    assert!(token(&story.receives_from(update(4), outside(1))).is_some());
}

#[test]
fn a_proved_path_stays_proved_under_a_new_sa() {
    let mut story = Story::new();
    let said = story.receives_from(update(1), outside(1));
    story.receives_from(giving_back(token(&said), 2), outside(1));
    story.passes(1);
    story.gets_new_sa(SPI + 1);
    assert_paths(&story.receives_from(update(1), outside(1)), &[proved(outside(1))]);
}

#[test]
fn a_node_seen_elsewhere_is_asked_for_a_binding_update_there_once_a_second_and_gets_a_little_there_too() {
    let mut story = Story::new();
    story.receives(update(1));
    let said = story.sees(outside(1));
    assert_paths(&said, &[proved((CARE_OF, 5000).into()), unproved(outside(1))]);
    assert_eq!(said.requests, [outside(1)]);
    assert!(story.sees(outside(1)).is_nothing());
    story.passes(1);
    assert_eq!(story.sees(outside(2)).requests, [outside(2)]);
    let said = story.receives_from(update(2), outside(2));
    assert_eq!(said.paths().iter().next().unwrap().remote, outside(2), "the Binding Update that answers moves the downlink");
}

#[test]
fn a_binding_update_with_the_token_of_the_request_proves_the_place_that_the_request_went_to_and_no_other() {
    let mut story = Story::new();
    story.receives(update(1));
    let said = story.sees(outside(1));
    let moved = story.receives_from(giving_back(said.tokens[0], 2), outside(2));
    assert!(token(&moved).is_some_and(|other| Some(other) != said.tokens[0]));

    let said = story.passes_and_sees(1, outside(1));
    assert!(said.tokens[0].is_some());
    let moved = story.receives_from(giving_back(said.tokens[0], 3), outside(1));
    assert_paths(&moved, &[proved(outside(1))]);
    assert_eq!(token(&moved), None);
}

#[test]
fn a_node_that_does_not_give_the_token_of_the_request_back_gets_the_same_one_in_its_acknowledgement() {
    let mut story = Story::new();
    story.receives(update(1));
    let said = story.sees(outside(1));
    let moved = story.receives_from(update(2), outside(1));
    assert_eq!(token(&moved), said.tokens[0]);
    assert_paths(&moved, &[unproved(outside(1)), proved((CARE_OF, 5000).into())]);
}

/// Of places that others name one after the other: all have the same octets to go.
#[test]
fn places_that_never_prove_themselves_share_one_allowance_and_what_a_proved_one_got_is_given_back() {
    let mut story = Story::new();
    story.receives(update(1));
    let first = story.receives_from(update(2), outside(1)).paths().iter().next().unwrap().allowance.clone();
    let second = story.receives_from(update(3), outside(2)).paths().iter().next().unwrap().allowance.clone();
    let said = story.passes_and_sees(1, outside(3));
    let third = said.paths().iter().last().unwrap().allowance.clone();
    assert!(is_same(&first, &second) && is_same(&second, &third));
    story.receives_from(giving_back(said.tokens[0], 4), outside(3));
    let said = story.receives_from(update(5), outside(4));
    let later = said.paths().iter().next().unwrap().allowance.clone();
    assert!(is_same(&third, &later), "it went to the second place as well, so nobody knows who got how much");
    story.receives_from(giving_back(token(&said), 6), outside(4));
    let last = story.receives_from(update(7), outside(5)).paths().iter().next().unwrap().allowance.clone();
    assert!(!is_same(&later, &last), "nothing went anywhere else meanwhile");
}

#[test]
fn a_new_sa_brings_no_new_allowance() {
    let mut story = Story::new();
    story.receives(update(1));
    let first = story.receives_from(update(2), outside(1)).paths().iter().next().unwrap().allowance.clone();
    story.passes(1);
    story.gets_new_sa(SPI + 1);
    let said = story.receives_from(update(1), outside(2));
    assert!(is_same(&first, &said.paths().iter().next().unwrap().allowance));
}

#[test]
fn sightings_that_are_old_or_under_another_spi_or_from_where_no_node_can_be_are_ignored() {
    let mut story = Story::new();
    story.sees(outside(1));
    story.receives(update(1));
    let number = story.number;
    assert!(story.sees_number(number, outside(1)).is_nothing());
    for ip in [[203, 0, 113, 1], [127, 0, 0, 1], [224, 0, 0, 1], [0, 0, 0, 0]] {
        assert!(story.sees((ip, 5000).into()).is_nothing(), "{ip:?}");
    }
    for own in ["10.9.0.7", "2001:db8:100::7"] {
        assert!(story.sees(SocketAddr::new(own.parse().unwrap(), 5000)).is_nothing(), "its own {own} leads back into its tunnel");
    }
    let old = story.sa.spi;
    story.passes(1);
    story.gets_new_sa(SPI + 1);
    assert!(story.sees(outside(1)).is_nothing(), "the binding is not under it yet");
    story.receives(update(1));
    story.sa.spi = old;
    assert!(story.sees(outside(1)).is_nothing(), "the binding is not under it any more");
}

#[test]
fn without_a_binding_a_sighting_means_nothing() {
    assert!(Story::new().sees(outside(1)).is_nothing());
}

/// What goes there would be sealed again for the other node, and might come back from it.
#[test]
fn a_node_that_is_seen_where_another_is_bound_is_not_asked_there_and_gets_nothing_there() {
    let mut story = Story::new();
    story.receives(update(1));
    story.comes(another(SPI + 1));
    story.receives(update(1));
    for first in ["10.9.0.7", "2001:db8:100::7"] {
        assert!(story.sees(SocketAddr::new(first.parse().unwrap(), 5000)).is_nothing(), "{first}");
    }
    assert_eq!(story.sees(outside(1)).requests, [outside(1)]);
}
