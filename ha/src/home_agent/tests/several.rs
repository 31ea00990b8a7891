//! Several care-of addresses at once (RFC 5648): each row with what sections 5 and 6 say of it.

use protocol::tunnel::Allowance;
use protocol::wire::mobility::{BindingId, BindingIdentifier};

use super::*;

const OTHER: [u8; 4] = [192, 0, 2, 9];

fn here() -> SocketAddr {
    (CARE_OF, 5000).into()
}

fn there() -> SocketAddr {
    (OTHER, 6000).into()
}

fn id(number: u16) -> BindingId {
    BindingId::new(number).unwrap()
}

fn numbered(sequence: u16, number: u16, care_of: [u8; 4]) -> BindingUpdate {
    let care_of = CareOf::Ip4(care_of.into());
    let identifiers = BindingIdentifiers::One(BindingIdentifier::to(id(number), care_of));
    BindingUpdate { care_of: Some(care_of), identifiers, ..update(sequence) }
}

fn overwriting(update: BindingUpdate) -> BindingUpdate {
    BindingUpdate { overwrite: true, ..update }
}

/// Without a care-of address, as a refresh or a de-registration may be (section 5.1).
fn short(sequence: u16, number: u16) -> BindingUpdate {
    let identifiers = BindingIdentifiers::One(BindingIdentifier::of(id(number)));
    BindingUpdate { care_of: None, identifiers, ..update(sequence) }
}

fn remotes(said: &Said) -> Vec<SocketAddr> {
    said.paths().iter().map(|path| path.remote).collect()
}

fn status(said: &Said) -> (u8, Option<u16>) {
    let answer = &said.acknowledgements[0];
    (answer.status.0, answer.identifier.map(|identifier| identifier.id.get()))
}

/// Bound here as 1 and there as 2.
fn bound_twice() -> Story {
    let mut story = Story::new();
    story.receives(overwriting(numbered(1, 1, CARE_OF)));
    assert_eq!(remotes(&story.receives_from(numbered(2, 2, OTHER), there())), [there(), here()]);
    story
}

#[test]
fn packets_go_to_both_care_of_addresses_the_latest_first_and_each_answer_names_its_own() {
    let mut story = Story::new();
    assert_eq!(status(&story.receives(numbered(1, 1, CARE_OF))), (0, Some(1)));
    let said = story.receives_from(numbered(2, 2, OTHER), there());
    assert_eq!((status(&said), remotes(&said)), ((0, Some(2)), vec![there(), here()]));
    let said = story.receives(numbered(3, 1, CARE_OF));
    assert_eq!((status(&said), remotes(&said)), ((0, Some(1)), vec![here(), there()]), "a refresh of the other");
    assert_eq!(story.receives(update(3)).answers(), [(135, 3, 0)], "they have one sequence");
}

#[test]
fn a_binding_update_with_the_o_flag_or_without_a_number_replaces_all() {
    let said = bound_twice().receives_from(overwriting(numbered(3, 2, OTHER)), there());
    assert_eq!((status(&said), remotes(&said)), ((0, Some(2)), vec![there()]));
    let said = bound_twice().receives(update(3));
    assert_eq!((status(&said), remotes(&said)), ((0, None), vec![here()]));
}

#[test]
fn a_number_beside_a_binding_that_has_none_is_refused_unless_it_replaces_it() {
    let mut story = Story::new();
    story.receives(update(1));
    let said = story.receives_from(numbered(2, 2, OTHER), there());
    assert_eq!((status(&said), said.others.len()), ((165, Some(2)), 0));
    assert_eq!(remotes(&story.receives_from(overwriting(numbered(3, 2, OTHER)), there())), [there()]);
}

#[test]
fn the_same_number_moves_and_an_address_may_be_left_out_once_it_is_known() {
    let mut story = bound_twice();
    let third: SocketAddr = ([192, 0, 2, 10], 7000).into();
    assert_eq!(remotes(&story.receives_from(numbered(3, 2, [192, 0, 2, 10]), third)), [third, here()]);
    assert_eq!(remotes(&story.receives_from(short(4, 2), third)), [third, here()]);
    assert_eq!(status(&story.receives_from(short(5, 3), third)), (167, Some(3)));
}

#[test]
fn one_number_ends_alone_and_the_last_one_ends_the_binding() {
    let mut story = bound_twice();
    let ends = |sequence, number| BindingUpdate { lifetime: Lifetime::ZERO, ..short(sequence, number) };
    assert_eq!(status(&story.receives_from(ends(3, 7), there())), (133, Some(7)));
    let said = story.receives_from(ends(4, 2), there());
    assert_eq!((status(&said), remotes(&said)), ((0, Some(2)), vec![here()]));
    let said = story.receives(ends(5, 1));
    assert_eq!(status(&said), (0, Some(1)));
    assert!(matches!(said.others[..], [Command::Remove(_)]));
    let said = bound_twice().receives(goodbye(3));
    assert!(matches!(said.others[..], [Command::Remove(_)]), "without a number all of them end");
}

#[test]
fn one_that_is_not_refreshed_ends_alone() {
    let mut story = bound_twice();
    story.passes(100);
    story.receives(numbered(3, 1, CARE_OF));
    let said = story.passes(501);
    assert_eq!(remotes(&said), [here()]);
    let said = story.passes(100);
    assert!(matches!(said.others[..], [Command::Remove(_)]));
}

#[test]
fn what_is_malformed_bulk_or_at_home_is_refused_and_moves_nothing() {
    let identified = |identifiers| BindingUpdate { identifiers, ..numbered(3, 2, OTHER) };
    let at_home = BindingIdentifier { home: true, ..BindingIdentifier::to(id(2), CareOf::Ip4(OTHER.into())) };
    let said = bound_twice().receives(identified(BindingIdentifiers::One(at_home)));
    assert_eq!((status(&said), said.others.len()), ((169, Some(2)), 0));
    // Written by hand: nothing of ours emits them.
    for (option, expected) in [([35, 3, 0, 2, 0, 0], 164), ([35, 4, 0, 0, 0, 0], 164), ([35, 4, 0, 2, 0, 0], 168)] {
        let mut story = bound_twice();
        let said = story.receives_with_option(numbered(3, 1, CARE_OF), &option);
        assert_eq!((status(&said), said.others.len()), ((expected, None), 0), "{option:?}");
    }
}

#[test]
fn there_is_room_for_four_and_what_was_registered_longest_ago_goes_first() {
    let mut story = Story::new();
    let at = |number: u16| SocketAddr::from(([192, 0, 2, number as u8], 5000));
    let all: Vec<_> =
        (1..=6).map(|number| story.receives_from(numbered(number, number, [192, 0, 2, number as u8]), at(number))).collect();
    assert_eq!(remotes(&all[3]), [4, 3, 2, 1].map(at));
    assert_eq!(remotes(&all[5]), [6, 5, 4, 3].map(at));
}

#[test]
fn behind_a_nat_each_proves_itself_and_the_other_needs_nothing() {
    let mut story = Story::new();
    story.receives(numbered(1, 1, CARE_OF));
    let outside: SocketAddr = ([198, 51, 100, 66], 1).into();
    let said = story.receives_from(numbered(2, 2, OTHER), outside);
    let paths: Vec<_> = said.paths().iter().map(|path| (path.remote, path.allowance.clone())).collect();
    assert_eq!(paths, [(outside, Allowance::octets(crate::unproved::UNPROVED)), (here(), Allowance::Unlimited)]);
    let path_check = said.acknowledgements[0].path_check;
    assert!(path_check.is_some());
    let said = story.receives_from(BindingUpdate { path_check, ..numbered(3, 2, OTHER) }, outside);
    assert!(said.paths().iter().all(protocol::tunnel::Path::is_proved));
    let said = story.receives_from(overwriting(numbered(4, 2, OTHER)), outside);
    assert_eq!((remotes(&said), said.acknowledgements[0].path_check), (vec![outside], None), "what is proved stays proved");
}

/// A copied Binding Update has taken one care-of address elsewhere while the other moves behind a NAT: both draw on one budget, and nobody
/// knows what of it went to the node.
#[test]
fn what_one_care_of_address_got_is_not_given_back_while_another_is_not_proved_either() {
    let (copied, outside): (SocketAddr, SocketAddr) = (([198, 51, 100, 66], 1).into(), ([198, 51, 100, 67], 1).into());
    let allowance = |said: &Said, remote| {
        let path = said.paths().iter().find(|path| path.remote == remote).unwrap();
        let Allowance::Octets(left) = path.allowance.clone() else { panic!("{remote} is proved") };
        left
    };
    let mut story = bound_twice();
    story.receives_from(numbered(3, 1, CARE_OF), copied);
    let said = story.receives_from(numbered(4, 2, OTHER), outside);
    let first = allowance(&said, copied);
    assert!(first.is_same(&allowance(&said, outside)));
    let path_check = said.acknowledgements[0].path_check;
    let said = story.receives_from(BindingUpdate { path_check, ..numbered(5, 2, OTHER) }, outside);
    assert!(said.paths().iter().any(|path| path.remote == outside && path.is_proved()));
    assert!(first.is_same(&allowance(&said, copied)), "what it gets comes out of the same");
    let next = ([198, 51, 100, 68], 1).into();
    let said = story.receives_from(numbered(6, 2, OTHER), next);
    assert!(first.is_same(&allowance(&said, copied)) && first.is_same(&allowance(&said, next)));
}

#[test]
fn data_from_any_of_them_is_where_the_node_is_bound() {
    let mut story = bound_twice();
    assert!(story.sees(here()).is_nothing() && story.sees(there()).is_nothing());
    assert_eq!(story.sees(([192, 0, 2, 77], 1).into()).requests.len(), 1);
}

#[test]
fn under_a_new_sa_the_others_are_registered_anew() {
    let mut story = bound_twice();
    story.gets_new_sa(SPI + 1);
    assert_eq!(remotes(&story.receives_from(numbered(1, 2, OTHER), there())), [there()]);
}
