//! What is accepted and what is refused (RFC 6275 sections 9.5.1 and 10.3.1).

use super::*;

#[test]
fn a_good_binding_update_moves_the_downlink_first_and_is_then_acknowledged() {
    let mut story = Story::new();
    let said = story.receives(update(5));
    assert_eq!(said.answers(), [(0, 5, 150)], "600 s is the longest lifetime");
    let [Command::Move { home, paths, encapsulation, .. }] = &said.others[..] else { panic!("{said:?}") };
    assert_eq!(home.ip4(), Some([10, 9, 0, 7].into()), "0.0.0.0 stands for the SA's own");
    assert_eq!(paths.iter().next().unwrap().remote, (CARE_OF, 5000).into());
    assert_eq!(*encapsulation, Encapsulation::ProtectedUdp);
}

#[test]
fn a_binding_update_without_the_acknowledge_bit_is_answered_all_the_same() {
    let mut story = Story::new();
    let said = story.receives(BindingUpdate { acknowledge: false, ..update(5) });
    assert_eq!((said.answers(), said.others.len()), (vec![(0, 5, 150)], 1));
}

#[test]
fn under_an_sa_whose_mip6_sas_is_0_user_data_goes_in_the_clear() {
    let mut story = Story::with(SecurityAssociation { user_data: UserData::Clear, ..association(SPI) });
    let said = story.receives(update(1));
    assert!(matches!(said.others[..], [Command::Move { encapsulation: Encapsulation::ClearUdp, .. }]), "{said:?}");
}

#[test]
fn an_old_sequence_number_is_answered_with_the_last_one_and_moves_nothing() {
    let mut story = Story::new();
    story.receives(update(5));
    for old in [5, 4, 32_773] {
        let said = story.receives(update(old));
        assert_eq!((said.answers(), said.others.len()), (vec![(135, 5, 0)], 0), "{old}");
    }
}

#[test]
fn the_last_sequence_number_outlives_the_binding_also_where_packets_are_not_numbered() {
    for profile in WireProfile::ALL {
        let mut story = Story::with(SecurityAssociation { profile, user_data: UserData::Clear, ..association(SPI) });
        story.receives(update(5));
        let said = story.receives(goodbye(6));
        assert_eq!(said.answers(), [(0, 6, 0)]);
        assert!(matches!(said.others[..], [Command::Remove(_)]));
        assert_eq!(story.receives(update(6)).answers(), [(135, 6, 0)], "{profile}");
    }
}

#[test]
fn lifetime_zero_without_a_binding_is_answered_with_133() {
    assert_eq!(Story::new().receives(goodbye(1)).answers(), [(133, 1, 0)]);
}

#[test]
fn updates_without_h_or_a_care_of_address_or_for_a_foreign_ipv4_home_are_dropped_and_counted() {
    let foreign = Ipv4Home { prefix_len: 32, address: [10, 9, 0, 8].into() };
    let rows = [
        (BindingUpdate { home_registration: false, ..update(1) }, DropReason::MalformedSignalling),
        (BindingUpdate { care_of: None, ..update(1) }, DropReason::MalformedSignalling),
        (BindingUpdate { ipv4_home: Some(foreign), ..update(1) }, DropReason::SpoofedHomeAddress),
    ];
    for (update, reason) in rows {
        let mut story = Story::new();
        assert!(story.receives(update).is_nothing(), "{reason}");
        assert_eq!(story.counters.dropped(reason), 1, "{reason}");
    }
}

#[test]
fn a_care_of_address_or_a_source_where_no_node_can_be_is_refused_with_174() {
    let good: SocketAddr = (CARE_OF, 5000).into();
    for bad in ["203.0.113.1", "224.0.0.1", "127.0.0.1", "0.0.0.0", "::ffff:203.0.113.1", "::1", "::", "ff02::1"] {
        let bad: IpAddr = bad.parse().unwrap();
        let care_of = match bad {
            IpAddr::V4(ip) => CareOf::Ip4(ip),
            IpAddr::V6(ip) => CareOf::Ip6(ip),
        };
        for (care_of, from) in [(Some(care_of), good), (update(1).care_of, SocketAddr::new(bad, 5000))] {
            let said = Story::new().receives_from(BindingUpdate { care_of, ..update(1) }, from);
            assert_eq!((said.answers(), said.others.len()), (vec![(174, 1, 0)], 0), "{care_of:?} {from}");
        }
    }
}

#[test]
fn a_spoofed_home_address_option_is_dropped() {
    let mut story = Story::new();
    let sa = association(SPI);
    let ends = Ends { source: sa.home.in_mobility_header(), destination: sa.home_agent.in_mobility_header() };
    let header = MobilityMessage::BindingUpdate(update(1)).emit(ends);
    let payload = signalling::behind_home_address_option("2001:db8:100::8".parse().unwrap(), &header);
    assert!(story.receives_payload(sa.spi, 0, payload, (CARE_OF, 5000).into()).is_nothing());
    assert_eq!(story.counters.dropped(DropReason::SpoofedHomeAddress), 1);
}

#[test]
fn a_binding_ends_when_its_lifetime_does_and_a_refresh_prolongs_it() {
    let mut story = Story::new();
    story.receives(update(1));
    story.passes(500);
    story.receives(update(2));
    assert!(story.passes(150).is_nothing(), "firing early does nothing");
    assert_eq!(story.ha.poll_timeout().unwrap().1, TimerName("binding ends"));
    // The SA's validity is over by then too: its timer is a minute later.
    assert!(matches!(story.passes(350).others[..], [Command::Remove(_)]));
    assert_eq!(story.ha.bindings().count(), 0);
}

#[test]
fn an_sa_is_told_when_a_node_has_registered_under_it_and_not_with_each_refresh_or_move() {
    let mut story = Story::new();
    assert!(story.registered().is_empty());
    story.receives(update(1));
    assert_eq!(story.registered(), [SPI]);
    story.receives(update(2));
    story.receives_from(update(3), ([192, 0, 2, 9], 4711).into());
    story.sees(([192, 0, 2, 10], 4711).into());
    assert!(story.registered().is_empty());
    story.gets_new_sa(0x2345);
    assert!(story.registered().is_empty(), "it has been delivered, and nobody uses it");
    story.receives(update(4));
    assert_eq!(story.registered(), [0x2345]);
}

#[test]
fn an_sa_is_told_again_when_a_node_comes_back_under_it_after_its_binding_has_ended() {
    let mut story = Story::new();
    story.receives(update(1));
    story.receives(goodbye(2));
    assert_eq!(story.registered(), [SPI]);
    story.receives(update(3));
    assert_eq!(story.registered(), [SPI]);
    story.passes(600);
    story.receives(update(4));
    assert_eq!(story.registered(), [SPI]);
}

#[test]
fn what_a_binding_update_did_not_bind_is_not_told() {
    let mut story = Story::new();
    story.receives_from(update(1), ([203, 0, 113, 1], 5000).into());
    story.receives(goodbye(2));
    story.receives_under(Spi::new(SPI).unwrap(), 1, update(3), (CARE_OF, 5000).into());
    assert!(story.registered().is_empty());
}
