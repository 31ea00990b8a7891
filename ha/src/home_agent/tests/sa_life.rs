//! An SA's life: leases, its end, and the one that comes after it.

use super::*;

#[test]
fn an_sa_whose_packets_are_not_numbered_is_logged_as_a_warning_once_and_no_other() {
    let (mut story, lines) = fixture::logged(Story::new);
    assert_eq!(lines.len(), 0);
    let unnumbered = SecurityAssociation { profile: WireProfile::Draft04, ..association(SPI + 1) };
    let install = Arc::new(Install::new(unnumbered, story.now + GRACE, 0));
    let ((), lines) = fixture::logged(|| (0..2).for_each(|_| story.ha.handle_sa(install.clone(), story.now)));
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert!(line.contains("WARN") && line.contains("no replay protection"), "{line}");
}

fn here() -> SocketAddr {
    (CARE_OF, 5000).into()
}

#[test]
fn under_a_lease_above_zero_an_update_is_answered_with_176_alone_once_a_second() {
    let mut story = Story::new();
    let spi = story.sa.spi;
    let said = story.receives_under(spi, 1, update(1), here());
    assert_eq!((said.answers(), said.others.len()), (vec![(176, 1, 0)], 0));
    assert!(story.receives_under(spi, 1, update(2), here()).is_nothing());
    story.passes(1);
    assert_eq!(story.receives_under(spi, 1, update(3), here()).answers(), [(176, 3, 0)]);
}

#[test]
fn a_binding_never_outlives_its_sa_and_past_its_validity_176_is_all_that_is_said() {
    let mut story = Story::new();
    story.passes(900);
    assert_eq!(story.receives(update(1)).answers(), [(0, 1, 25)]);
    assert!(matches!(story.passes(100).others[..], [Command::Remove(_)]));
    let said = story.receives(update(2));
    assert_eq!((said.answers(), said.others.len()), (vec![(176, 2, 0)], 0));
    story.passes(59);
    assert_eq!(story.receives(update(3)).answers(), [(176, 3, 0)]);
    assert!(matches!(story.passes(1).others[..], [Command::Uninstall(_)]));
    assert!(story.receives(update(4)).is_nothing(), "an ended SA is answered by nothing");
}

#[test]
fn an_update_under_a_new_sa_moves_the_downlink_to_it_and_retires_the_old_one_after_a_minute() {
    let mut story = Story::new();
    story.receives(update(1));
    let unknown = Spi::new(0x9999).unwrap();
    assert!(story.receives_under(unknown, 0, update(1), here()).is_nothing(), "an unknown SPI does nothing");
    story.passes(1);
    story.gets_new_sa(SPI + 1);
    let said = story.receives(update(1));
    assert_eq!(said.answers(), [(0, 1, 150)]);
    assert!(matches!(said.others[..], [Command::Move { sending, .. }] if sending == Spi::new(SPI + 1).unwrap()));
    assert!(story.passes(59).is_nothing());
    assert!(matches!(story.passes(1).others[..], [Command::Uninstall(spi)] if spi == Spi::new(SPI).unwrap()));
    assert_eq!(story.ha.bindings().count(), 1);
}

#[test]
fn a_late_update_under_the_old_sa_moves_and_ends_nothing_and_is_answered_with_176_alone() {
    let mut story = Story::new();
    let old = story.sa.spi;
    story.receives(update(1));
    story.passes(1);
    story.gets_new_sa(SPI + 1);
    story.receives(update(3));
    for late in [update(2), goodbye(2)] {
        let said = story.receives_under(old, 0, late, ([192, 0, 2, 9], 5000).into());
        assert_eq!((said.answers(), said.others.len()), (vec![(176, 2, 0)], 0));
    }
    let binding = story.ha.bindings().next().unwrap();
    assert_eq!((binding.spi, binding.latest.remote), (story.sa.spi, here()));
    // Nor does it bind a node that has said goodbye under its new SA.
    story.receives(goodbye(4));
    assert_eq!(story.receives_under(old, 0, update(3), here()).answers(), [(176, 3, 0)]);
    assert_eq!(story.ha.bindings().count(), 0);
}

#[test]
fn an_older_sa_that_was_never_bound_does_not_take_the_binding_from_a_newer_one() {
    let mut story = Story::new();
    let old = story.sa.spi;
    story.passes(1);
    story.gets_new_sa(SPI + 1);
    story.receives(update(1));
    assert_eq!(story.receives_under(old, 0, update(1), here()).answers(), [(176, 1, 0)]);
    assert_eq!(story.ha.bindings().next().unwrap().spi, story.sa.spi);
}

#[test]
fn of_two_sas_that_came_at_once_the_one_that_is_used_later_is_the_newer() {
    let mut story = Story::new();
    story.receives(update(1));
    story.gets_new_sa(SPI - 1);
    assert_eq!(story.receives(update(1)).answers(), [(0, 1, 150)]);
}

#[test]
fn a_revoked_sa_takes_its_binding_along_and_is_answered_by_nothing() {
    let mut story = Story::new();
    story.receives(update(1));
    story.ha.handle_sa_end(story.sa.spi, story.now);
    assert!(matches!(story.said().others[..], [Command::Remove(_), Command::Uninstall(_)]));
    assert!(story.receives(update(2)).is_nothing());
    assert_eq!(story.ha.poll_timeout(), None);
}
