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

fn care_of(address: &str) -> Option<CareOf> {
    Some(match address.parse().unwrap() {
        IpAddr::V4(ip) => CareOf::Ip4(ip),
        IpAddr::V6(ip) => CareOf::Ip6(ip),
    })
}

/// What is sent there comes back into the node's tunnel, for ever.
#[test]
fn a_home_address_of_the_nodes_own_is_neither_a_care_of_address_nor_a_source() {
    for own in ["2001:db8:100::7", "10.9.0.7", "::ffff:10.9.0.7"] {
        for ipv4_home in [None, update(1).ipv4_home] {
            let at = BindingUpdate { ipv4_home, ..update(1) };
            let from = SocketAddr::new(own.parse().unwrap(), 40_000);
            let within = BindingUpdate { care_of: care_of(own), ..at.clone() };
            for (update, from) in [(at, from), (within.clone(), (CARE_OF, 5000).into()), (within, from)] {
                let mut story = Story::new();
                let said = story.receives_from(update.clone(), from);
                assert_eq!((said.answers(), said.others.len()), (vec![(174, 1, 0)], 0), "{update:?} {from}");
                assert_eq!(story.ha.bindings().count(), 0);
            }
        }
    }
}

#[test]
fn nobody_is_bound_where_packets_go_to_another_node_whichever_of_the_two_comes_first() {
    for [first, second] in [["2001:db8:100::7", "2001:db8:100::9"], ["10.9.0.7", "10.9.0.9"]] {
        let mut story = Story::new();
        let at = |sequence, address| {
            (BindingUpdate { care_of: care_of(address), ..update(sequence) }, SocketAddr::new(address.parse().unwrap(), 40_000))
        };
        let (update_to, from) = at(1, second);
        assert_eq!(story.receives_from(update_to, from).answers(), [(0, 1, 150)], "nobody is bound there yet");
        let earlier = story.comes(another(SPI + 1));
        let (update_to, from) = at(1, first);
        assert_eq!(story.receives_from(update_to, from).answers(), [(174, 1, 0)], "{first}");
        assert_eq!(story.receives(update(2)).answers(), [(0, 2, 150)]);
        story.sa = earlier;
        let (update_to, from) = at(2, second);
        assert_eq!(story.receives_from(update_to, from).answers(), [(174, 2, 0)], "a refresh, now that {second} is bound");
    }
}

/// Behind a NAT it may be any private one.
#[test]
fn an_ipv4_care_of_address_that_another_node_has_at_home_is_taken_from_behind_a_nat() {
    let mut story = Story::new();
    story.receives(update(1));
    story.comes(another(SPI + 1));
    let said = story.receives(BindingUpdate { care_of: care_of("10.9.0.7"), ..update(1) });
    assert_eq!(said.answers(), [(0, 1, 150)]);
    let said = story.receives(BindingUpdate { care_of: care_of("2001:db8:100::7"), ..update(2) });
    assert_eq!(said.answers(), [(174, 2, 0)], "an IPv6 one is the other node's wherever it is said");
}

#[test]
fn nobody_is_bound_in_a_pool_whose_addresses_all_lead_into_tunnels() {
    let mut story = Story::new();
    story.ha.set_tunnelled(["2001:db8:100::/64", "10.9.0.0/24"].map(|pool| pool.parse().unwrap()).to_vec());
    for (pooled, sequence) in ["2001:db8:100::abcd", "10.9.0.200"].into_iter().zip(1..) {
        let from = SocketAddr::new(pooled.parse().unwrap(), 40_000);
        assert_eq!(story.receives_from(update(sequence), from).answers(), [(174, sequence, 0)], "{pooled}");
    }
    assert_eq!(story.receives(update(3)).answers(), [(0, 3, 150)]);
}

#[test]
fn a_path_that_another_node_is_bound_at_by_now_is_given_up_with_the_next_registration() {
    let mut story = Story::new();
    let there = SocketAddr::new([10, 9, 0, 9].into(), 40_000);
    story.receives_from(BindingUpdate { care_of: care_of("10.9.0.9"), ..update(1) }, there);
    let said = story.receives_from(update(2), ([192, 0, 2, 66], 1).into());
    assert!(said.paths().iter().any(|path| path.remote == there), "the last one that was proved: {said:?}");
    let earlier = story.comes(another(SPI + 1));
    story.receives(update(1));
    story.sa = earlier;
    let said = story.receives_from(update(3), ([192, 0, 2, 66], 1).into());
    assert_eq!(said.answers(), [(0, 3, 150)]);
    assert!(said.paths().iter().all(|path| path.remote != there), "{said:?}");
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

/// The RFC's own limit is three a second (section 12).
#[test]
fn binding_updates_are_taken_sixteen_at_once_and_then_five_a_second() {
    let mut story = Story::new();
    let mut sequence = 0;
    let mut answered = |story: &mut Story, seconds| {
        story.passes(seconds);
        let mut send = || {
            sequence += 1;
            story.receives(if sequence % 2 == 1 { update(sequence) } else { goodbye(sequence) }).answers().len()
        };
        (0..100).map(|_| send()).sum::<usize>()
    };
    assert_eq!([0, 0, 1, 2, 60].map(|seconds| answered(&mut story, seconds)), [16, 0, 5, 10, 16]);
    assert_eq!(story.counters.dropped(DropReason::SignallingTooOften), 500 - 47);
    let mut others = Story::new();
    assert_eq!(answered(&mut others, 0), 16, "each node has its own");
}

/// Where packets are not numbered anybody who has heard one can.
#[test]
fn whoever_repeats_an_old_binding_update_takes_none_of_the_nodes_own_away() {
    let mut story = Story::with(SecurityAssociation { profile: WireProfile::Draft04, ..association(SPI) });
    story.receives(update(5));
    for _ in 0..100 {
        assert_eq!(story.receives(update(5)).answers(), [(135, 5, 0)]);
    }
    assert_eq!(story.receives(update(6)).answers(), [(0, 6, 150)]);
}
