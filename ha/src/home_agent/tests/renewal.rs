//! New security associations in the place of old ones (RFC 6618 section 8.2, status 176).

use super::*;

fn here() -> SocketAddr {
    (CARE_OF, 5000).into()
}

fn bound() -> Story {
    let mut story = Story::new();
    story.receives(update(1));
    story
}

fn wears_out(story: &mut Story) -> Said {
    story.hears(Event::WearingOut(story.sa.spi))
}

#[test]
fn an_sa_that_wears_out_has_its_node_asked_until_a_binding_update_comes() {
    let mut story = bound();
    assert_eq!(wears_out(&mut story).requests, [here()]);
    assert!(wears_out(&mut story).is_nothing(), "the other direction says the same");
    let requests: Vec<usize> = [1, 1, 1, 1, 3, 8, 16, 32, 32].map(|seconds| story.passes(seconds).requests.len()).into();
    assert_eq!(requests, [1, 0, 1, 0, 1, 1, 1, 1, 1], "after 1, 3, 7, 15, 31, 63 and 95 s");
    assert_eq!(story.receives(update(2)).answers(), [(0, 2, 150), (176, 2, 0)], "accepted, and a new SA is wanted");
    assert!(story.passes(31).requests.is_empty());
    assert_eq!(story.receives(update(3)).answers()[1], (176, 3, 0), "every later one gets both again");
}

#[test]
fn a_node_that_has_not_heard_176_is_asked_every_32_seconds_until_it_has_registered_anew() {
    let mut story = bound();
    wears_out(&mut story);
    story.receives(update(2));
    let requests: Vec<usize> = [31, 1, 31, 1].map(|seconds| story.passes(seconds).requests.len()).into();
    assert_eq!(requests, [0, 1, 0, 1]);
    story.gets_new_sa(SPI + 1);
    story.receives(update(3));
    assert!(story.passes(59).requests.is_empty());
}

#[test]
fn one_that_is_not_good_gets_its_refusal_alone_and_a_leaving_node_is_not_sent_for_a_new_sa() {
    let mut story = bound();
    wears_out(&mut story);
    assert_eq!(story.receives(update(1)).answers(), [(135, 1, 0)]);
    assert_eq!(story.passes(1).requests, [here()], "that was no answer");
    assert_eq!(story.receives(goodbye(2)).answers(), [(0, 2, 0)]);
    assert!(story.passes(60).is_nothing(), "nobody is there to be asked");
}

#[test]
fn a_node_that_is_not_bound_is_not_asked_but_its_next_binding_update_gets_both() {
    let mut story = Story::new();
    assert!(wears_out(&mut story).is_nothing());
    assert_eq!(story.receives(update(1)).answers(), [(0, 1, 150), (176, 1, 0)]);
}

#[test]
fn a_node_that_is_bound_under_another_sa_is_not_asked() {
    let mut story = bound();
    story.gets_new_sa(SPI + 1);
    assert!(wears_out(&mut story).is_nothing());
    assert_eq!(story.receives(update(2)).answers(), [(0, 2, 150), (176, 2, 0)]);
}

#[test]
fn requests_go_to_where_the_node_is_bound_by_then() {
    let mut story = bound();
    wears_out(&mut story);
    // A Binding Update puts the next one off, so a new wish shows it.
    story.receives_from(update(2), ([192, 0, 2, 66], 7).into());
    let spi = story.sa.spi;
    assert_eq!(story.ha.ask_for_new_sa(Which::One(spi), story.now).bound, 1);
    assert_eq!(story.said().requests, [([192, 0, 2, 66], 7).into()]);
}

#[test]
fn the_new_sa_ends_the_requests_under_the_old_one() {
    let mut story = bound();
    wears_out(&mut story);
    story.gets_new_sa(SPI + 1);
    story.receives(update(2));
    assert!(story.passes(59).requests.is_empty());
}

#[test]
fn under_a_later_lease_wear_is_no_news() {
    let mut story = Story::new();
    let sa = association(SPI + 1);
    story.install(sa.clone(), 1);
    assert!(story.hears(Event::WearingOut(sa.spi)).is_nothing());
    assert!(story.passes(60).is_nothing());
    assert_eq!(story.ha.ask_for_new_sa(Which::One(sa.spi), story.now).wanted, 0);
    assert!(story.hears(Event::WearingOut(Spi::new(0x9999).unwrap())).is_nothing(), "an unknown SPI");
}

#[test]
fn all_nodes_are_asked_one_after_the_other() {
    let mut story = bound();
    for number in 1..=100_u16 {
        let home = HomeAddresses::new(None, Some([10, 9, 1, number as u8].into())).unwrap();
        let sa = SecurityAssociation { home, ..association(SPI + u32::from(number)) };
        story.install(sa.clone(), 0);
        story.sa = sa;
        if number % 2 == 0 {
            story.receives(update(1));
        }
    }
    let asked = story.ha.ask_for_new_sa(Which::All, story.now);
    assert_eq!(asked, Asked { wanted: 101, bound: 51, takes: Duration::from_millis(500) });
    let mut at_once = 0;
    while story.ha.poll_command().is_some() {
        at_once += 1;
    }
    assert_eq!(at_once, 1);
    story.ha.handle_timeout(story.now + asked.takes);
    let mut later = 0;
    while story.ha.poll_command().is_some() {
        later += 1;
    }
    assert_eq!(later, 50);
    assert_eq!(story.receives(update(2)).answers()[1], (176, 2, 0));
    assert!(story.ha.security_associations().all(|sa| sa.is_renewal_wanted));
}

#[test]
fn a_suite_that_wears_out_by_octets_is_renewed_once_a_minute_and_the_others_at_once() {
    for suite in CipherSuite::ALL {
        let mut story = Story::with(SecurityAssociation { suite, ..association(SPI) });
        story.receives(update(1));
        story.passes(5);
        let at_once = wears_out(&mut story).requests.len();
        assert_eq!(story.receives(update(2)).answers().len(), 1 + at_once, "{suite}: before it is wanted there is no 176");
        let in_time = story.passes(54).requests.len();
        let after_a_minute = story.passes(1).requests.len();
        // The others were told with 176 after 5 s and are asked once more.
        let expected = if suite.octet_limits().is_some() { (0, 0, 1) } else { (1, 1, 0) };
        assert_eq!((at_once, in_time, after_a_minute), expected, "{suite}");
    }
}

/// As a AAA server may have it: the HAC gives what it chose with the next authentication.
#[test]
fn a_new_sa_with_another_ipv6_home_address_and_the_same_ipv4_one_is_not_hurt_by_the_end_of_the_old_one() {
    let mut story = bound();
    let old = story.sa.clone();
    story.sa.home = HomeAddresses::new("2001:db8:100::99".parse().ok(), old.home.ip4()).unwrap();
    story.gets_new_sa(SPI + 1);
    let (new, said) = (story.sa.home, story.receives(update(1)));
    let order: Vec<_> = said.others.iter().collect();
    assert!(
        matches!(order[..], [Command::Remove(gone), Command::Move { home, .. }] if *gone == old.home && *home == new),
        "{order:?}"
    );
    assert_eq!(story.ha.bindings().map(|binding| binding.home).collect::<Vec<_>>(), [new]);

    story.sa = old.clone();
    assert_eq!(story.receives(update(2)).answers(), [(176, 2, 0)], "what was sent before does not come back");
    let said = story.passes(61);
    assert!(matches!(said.others[..], [Command::Uninstall(spi)] if spi == old.spi), "{said:?}");
    assert_eq!(story.ha.bindings().count(), 1);
}

#[test]
fn a_new_sa_with_other_home_addresses_leaves_the_old_binding_to_its_end() {
    let mut story = bound();
    let old = story.sa.clone();
    story.sa.home = HomeAddresses::new("2001:db8:100::99".parse().ok(), Some([10, 9, 0, 99].into())).unwrap();
    story.gets_new_sa(SPI + 1);
    let new = story.sa.home;
    assert!(matches!(story.receives(update(1)).others[..], [Command::Move { home, .. }] if home == new));
    story.ha.handle_sa_end(old.spi, story.now);
    let ended = story.said().others;
    assert!(matches!(ended[..], [Command::Remove(gone), Command::Uninstall(_)] if gone == old.home), "{ended:?}");
    assert_eq!(story.ha.bindings().map(|binding| binding.home).collect::<Vec<_>>(), [new]);
}
