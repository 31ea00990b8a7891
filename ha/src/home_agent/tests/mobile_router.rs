//! Nodes that register as mobile routers (RFC 3963 section 6).

use protocol::prefixes::MobileNetworkPrefixes;

use super::*;

const OWN: &str = "2001:db8:7::/48,2001:db8:8::/64";

fn prefixes(text: &str) -> MobileNetworkPrefixes {
    text.parse().unwrap()
}

fn router(sequence: u16) -> BindingUpdate {
    BindingUpdate { mobile_router: MobileRouter::Implicit, ..update(sequence) }
}

fn explicit(sequence: u16, asked: &str) -> BindingUpdate {
    BindingUpdate { mobile_router: MobileRouter::Explicit(prefixes(asked)), ..update(sequence) }
}

fn with(own: &str) -> Story {
    Story::with(SecurityAssociation { prefixes: prefixes(own), ..association(SPI) })
}

impl Said {
    /// The networks that the halves are told of, in order; an empty text for none.
    fn networks(&self) -> Vec<String> {
        let told =
            |command: &Command| if let Command::Prefixes { prefixes, .. } = command { Some(prefixes.to_string()) } else { None };
        self.others.iter().filter_map(told).collect()
    }
}

#[test]
fn in_implicit_mode_everything_that_the_hac_knows_is_forwarded_behind_the_move_of_the_downlink() {
    let mut story = with(OWN);
    let said = story.receives(router(1));
    assert_eq!(said.answers(), [(0, 1, 150)]);
    assert!(said.acknowledgements[0].mobile_router);
    assert!(matches!(&said.others[..], [Command::Move { .. }, Command::Prefixes { .. }]), "{said:?}");
    assert_eq!(said.networks(), [OWN]);
    let said = story.receives(router(2));
    assert!(said.acknowledgements[0].mobile_router && said.networks().is_empty(), "a refresh changes nothing: {said:?}");
}

#[test]
fn in_explicit_mode_what_is_asked_for_is_forwarded_and_what_is_asked_for_no_more_is_not() {
    let mut story = with(OWN);
    for (sequence, asked) in [(1, "2001:db8:8::/64"), (2, "2001:db8:7:1::/64"), (3, OWN)] {
        let said = story.receives(explicit(sequence, asked));
        assert_eq!((said.answers(), said.networks()), (vec![(0, sequence, 150)], vec![asked.to_owned()]));
        assert!(said.acknowledgements[0].mobile_router);
    }
    assert_eq!(story.receives(router(4)).networks(), Vec::<String>::new(), "the same by the other mode");
}

/// Section 6.2: nothing of a Binding Update that asks for too much is done.
#[test]
fn what_cannot_be_forwarded_is_refused_by_its_status_and_binds_nothing() {
    let flagless = BindingUpdate { home_registration: false, ..router(1) };
    for (own, update, status) in [
        (OWN, explicit(1, "2001:db8:9::/64"), 142),
        (OWN, explicit(1, "2001:db8:8::/64,2001:db8:9::/64"), 142),
        (OWN, explicit(1, "2001:db8::/32"), 142),
        ("", explicit(1, "2001:db8:7::/48"), 142),
        ("", router(1), 143),
        (OWN, BindingUpdate { mobile_router: MobileRouter::Invalid, ..router(1) }, 141),
        (OWN, flagless, 140),
    ] {
        let mut story = with(own);
        let said = if update.mobile_router == MobileRouter::Invalid {
            // A prefix that is longer than an address, as nothing of ours writes it.
            let option = [&[1, 2, 0, 0, 6, 18, 0, 129][..], &[0; 16]].concat();
            story.receives_with_option(router(1), &option)
        } else {
            story.receives(update)
        };
        assert_eq!((said.answers(), said.others.len()), (vec![(status, 1, 0)], 0), "{own} {status}");
        assert!(!said.acknowledgements[0].mobile_router);
        assert_eq!(story.ha.bindings().count(), 0);
    }
}

#[test]
fn a_binding_stays_a_routers_or_a_hosts_until_it_ends_or_comes_under_another_sa() {
    let mut story = with(OWN);
    story.receives(router(1));
    assert_eq!(story.receives(update(2)).answers(), [(139, 2, 0)]);
    assert_eq!(story.receives(goodbye(3)).answers(), [(0, 3, 0)], "its flag is not looked at");
    assert_eq!(story.receives(update(4)).answers(), [(0, 4, 150)]);
    assert_eq!(story.receives(router(5)).answers(), [(139, 5, 0)]);
    story.gets_new_sa(SPI + 1);
    let said = story.receives(router(6));
    assert_eq!((said.answers(), said.networks()), (vec![(0, 6, 150)], vec![OWN.to_owned()]));
    story.gets_new_sa(SPI + 2);
    let said = story.receives(update(7));
    assert_eq!((said.answers(), said.networks()), (vec![(0, 7, 150)], vec![String::new()]), "a host from now on");
}

#[test]
fn with_the_binding_its_networks_are_withdrawn_however_it_ends() {
    type End = fn(&mut Story) -> Said;
    let ends: [(&str, End); 3] = [
        ("de-registered", |story| story.receives(goodbye(2))),
        ("run out", |story| story.passes(601)),
        ("revoked", |story| {
            story.ha.handle_sa_end(Spi::new(SPI).unwrap(), story.now);
            story.said()
        }),
    ];
    for (how, end) in ends {
        let mut story = with(OWN);
        story.receives(router(1));
        let said = end(&mut story);
        assert!(said.others.iter().any(|command| matches!(command, Command::Remove(_))), "{how}: {said:?}");
        assert_eq!(story.ha.bindings().count(), 0, "{how}");
    }
}

/// The HAC gives no network to two, so an SA that came later says whose it is.
#[test]
fn a_network_that_is_another_nodes_by_a_newer_sa_ends_the_older_binding() {
    let mut story = with(OWN);
    story.receives(router(1));
    let other = SecurityAssociation { prefixes: prefixes("2001:db8:7:1::/64"), ..another(SPI + 1) };
    let home = other.home;
    let first = story.comes(other);
    let said = story.receives(router(1));
    assert_eq!(said.answers(), [(0, 1, 150)]);
    assert!(
        matches!(&said.others[..], [Command::Remove(ended), Command::Move { .. }, Command::Prefixes { .. }] if *ended == first.home)
    );
    assert_eq!(story.ha.bindings().map(|binding| binding.home).collect::<Vec<_>>(), [home]);
    story.sa = first;
    let said = story.receives(router(2));
    assert_eq!((said.answers(), said.others.len()), (vec![(176, 2, 0)], 0), "he gets a new SA, which has what is his now");
}

#[test]
fn neither_a_router_nor_another_node_is_bound_within_a_network_that_leads_to_a_router() {
    let inside: SocketAddr = "[2001:db8:7::42]:40000".parse().unwrap();
    let within = |update| BindingUpdate { care_of: Some(CareOf::Ip6("2001:db8:7::42".parse().unwrap())), ..update };
    let mut story = with(OWN);
    assert_eq!(story.receives_from(within(router(1)), inside).answers(), [(174, 1, 0)], "its own");
    assert_eq!(story.receives(within(router(2))).answers(), [(174, 2, 0)]);
    assert_eq!(story.receives(explicit(3, "2001:db8:8::/64")).answers(), [(0, 3, 150)]);
    story.comes(another(SPI + 1));
    assert_eq!(story.receives_from(within(update(1)), inside).answers(), [(0, 1, 150)], "nobody is bound with it");
    let other = "[2001:db8:8::42]:40000".parse().unwrap();
    assert_eq!(story.receives_from(update(2), other).answers(), [(174, 2, 0)]);
    assert!(story.sees(other).is_nothing());
}
