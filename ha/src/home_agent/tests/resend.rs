//! What a node has missed in a break, and where it is sent again.

use protocol::tunnel::{Allowance, KEPT_FOR, Path};
use protocol::wire::mobility::HighestReceived;

use super::*;
use crate::unproved::UNPROVED;

fn behind_a_break(sequence: u16, highest: u32) -> BindingUpdate {
    BindingUpdate { received: Some(HighestReceived(highest)), ..update(sequence) }
}

/// Where to, above which number and since when.
fn resent(said: &Said) -> Option<(Path, Option<u32>, Instant)> {
    said.others.iter().find_map(|command| {
        let Command::Resend { paths, above, since, .. } = command else { return None };
        Some((paths.iter().next().unwrap().clone(), *above, *since))
    })
}

#[test]
fn a_node_that_says_how_far_it_has_heard_gets_what_is_behind_that_where_it_is_now_and_nowhere_else() {
    let mut story = Story::new();
    assert_eq!(resent(&story.receives(update(1))), None);
    story.passes(10);
    let said = story.receives(behind_a_break(2, 100));
    let (path, above, since) = resent(&said).unwrap();
    assert_eq!((path.remote, path.is_proved()), ((CARE_OF, 5000).into(), true));
    assert_eq!((above, since), (Some(84), story.now - KEPT_FOR), "packets overtake each other");
    assert!(matches!(said.others[..], [Command::Move { .. }, Command::Resend { .. }]), "new packets go there as well, behind it");
    assert_eq!(resent(&story.receives(behind_a_break(3, 15))).unwrap().1, None, "from the first on");
}

#[test]
fn behind_a_nat_it_gets_no_more_than_any_place_that_is_not_proved_and_the_rest_once_it_is() {
    let (mut story, outside) = (Story::new(), SocketAddr::from(([192, 0, 2, 99], 4321)));
    story.receives(update(1));
    let said = story.receives_from(behind_a_break(2, 100), outside);
    let (path, ..) = resent(&said).unwrap();
    assert_eq!((path.remote, path.allowance), (outside, Allowance::octets(UNPROVED)), "not to where it was either");
    let spared = |said: &Said| {
        said.others.iter().find_map(|command| if let Command::Resend { spared, .. } = command { Some(*spared) } else { None })
    };
    assert_eq!(spared(&said), Some(UNPROVED / 2));
    assert_eq!(spared(&story.receives_from(behind_a_break(3, 100), outside)), Some(UNPROVED / 2), "however often it asks");
    let token = said.acknowledgements[0].path_check;
    let said = story.receives_from(BindingUpdate { path_check: token, ..behind_a_break(4, 100) }, outside);
    let (path, ..) = resent(&said).unwrap();
    assert_eq!((path.remote, path.is_proved()), (outside, true));
}

#[test]
fn what_is_refused_what_ends_and_what_has_no_numbers_gets_nothing_again() {
    let mut story = Story::new();
    story.receives(update(5));
    assert_eq!(resent(&story.receives(behind_a_break(5, 100))), None, "an old sequence number");
    let leaves = BindingUpdate { lifetime: Lifetime::ZERO, ..behind_a_break(6, 100) };
    assert_eq!(resent(&story.receives(leaves)), None);
}
