//! Duplicate Address Detection before the first acknowledgement (RFC 6275 section 10.3.1).

use super::*;

fn on_home_link() -> Story {
    let mut story = Story::new();
    story.ha.set_home_link(vec!["2001:db8:100::/64".parse().unwrap(), "10.9.0.0/24".parse().unwrap()]);
    story
}

impl Story {
    /// What is to be looked for, exactly once.
    fn looks_for(&mut self) -> Detection {
        let detection = self.ha.poll_detection().expect("something is looked for");
        assert_eq!(self.ha.poll_detection(), None);
        detection
    }

    fn finds(&mut self, detection: &Detection, duplicates: &[IpAddr]) -> Said {
        self.ha.handle_detected(detection, duplicates, self.now, &mut rand::rng());
        self.said()
    }
}

#[test]
fn the_first_binding_update_waits_until_nobody_else_was_found_and_a_refresh_does_not() {
    let mut story = on_home_link();
    assert!(story.receives(update(5)).is_nothing());
    let detection = story.looks_for();
    assert_eq!(detection.addresses, story.sa.home.iter().map(|home| home.0).collect::<Vec<_>>());
    let said = story.finds(&detection, &[]);
    assert_eq!((said.answers(), said.others.len()), (vec![(0, 5, 150)], 1));
    assert_eq!(story.receives(update(6)).answers(), [(0, 6, 150)]);
    assert_eq!(story.ha.poll_detection(), None, "the binding keeps the address");
    assert!(story.finds(&detection, &[]).is_nothing(), "nothing waits");
}

#[test]
fn an_address_that_another_node_has_is_refused_with_134_and_looked_for_again_next_time() {
    let mut story = on_home_link();
    story.receives(update(5));
    let detection = story.looks_for();
    let said = story.finds(&detection, &detection.addresses[..1]);
    assert_eq!((said.answers(), said.others.len()), (vec![(134, 5, 0)], 0));
    assert_eq!(story.receives(update(5)).answers(), [(135, 5, 0)], "its number is used up");
    story.receives(update(6));
    let detection = story.looks_for();
    assert_eq!(story.finds(&detection, &[]).answers(), [(0, 6, 150)]);
}

#[test]
fn repetitions_are_looked_for_once_and_the_latest_is_answered() {
    let mut story = on_home_link();
    for sequence in [5, 7, 6] {
        assert!(story.receives(update(sequence)).is_nothing());
    }
    let detection = story.looks_for();
    assert_eq!(story.finds(&detection, &[]).answers(), [(0, 7, 150)]);
}

#[test]
fn a_node_that_says_goodbye_meanwhile_is_not_bound_afterwards() {
    let mut story = on_home_link();
    story.receives(update(5));
    let detection = story.looks_for();
    assert_eq!(story.receives(goodbye(6)).answers(), [(133, 6, 0)]);
    assert!(story.finds(&detection, &[]).is_nothing());
}

#[test]
fn an_address_that_is_added_to_a_binding_or_to_what_waits_is_looked_for_as_well() {
    let mut story = on_home_link();
    let without_ip4 = |sequence| BindingUpdate { ipv4_home: None, ..update(sequence) };
    story.receives(without_ip4(5));
    let first = story.looks_for();
    assert_eq!(first.addresses, [IpAddr::V6(story.sa.home.ip6().unwrap())]);
    story.receives(update(6));
    assert!(story.finds(&first, &[]).is_nothing(), "nobody has looked for the IPv4 address");
    let second = story.looks_for();
    assert_eq!(second.addresses.len(), 2);
    assert_eq!(story.finds(&second, &[]).answers(), [(0, 6, 150)]);

    story.receives(without_ip4(7));
    story.receives(update(8));
    let third = story.looks_for();
    assert_eq!(third.addresses, [IpAddr::V4(story.sa.home.ip4().unwrap())]);
    assert_eq!(story.finds(&third, &[]).answers(), [(0, 8, 150)]);
}

#[test]
fn addresses_that_are_on_no_home_link_are_bound_at_once() {
    let mut story = Story::new();
    story.ha.set_home_link(vec!["2001:db8:ffff::/64".parse().unwrap()]);
    assert_eq!(story.receives(update(5)).answers(), [(0, 5, 150)]);
    assert_eq!(story.ha.poll_detection(), None);
}

/// Each look is multicast and broadcast on the link.
#[test]
fn a_node_that_comes_and_goes_has_others_looked_for_no_oftener_than_its_binding_updates_are_taken() {
    let mut story = on_home_link();
    let mut looks = |seconds, first| {
        story.passes(seconds);
        for sequence in (first..first + 200).step_by(2) {
            story.receives(update(sequence));
            story.receives(goodbye(sequence + 1));
        }
        std::iter::from_fn(|| story.ha.poll_detection()).count()
    };
    assert_eq!([looks(0, 1), looks(1, 201)], [8, 3]);
}
