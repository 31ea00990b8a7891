//! IPv4 home addresses (RFC 5555 sections 3.1.1 and 3.2.1).

use protocol::wire::mobility::Ipv4Status;

use super::*;

fn asks_for(prefix_len: u8, address: [u8; 4]) -> BindingUpdate {
    BindingUpdate { ipv4_home: Some(Ipv4Home { prefix_len, address: address.into() }), ..update(1) }
}

fn with_home(ip6: Option<&str>, ip4: Option<[u8; 4]>) -> Story {
    let home = HomeAddresses::new(ip6.map(|ip| ip.parse().unwrap()), ip4.map(Into::into)).unwrap();
    Story::with(SecurityAssociation { home, ..association(SPI) })
}

fn bound_home(said: &Said) -> HomeAddresses {
    match said.others[..] {
        [Command::Move { home, .. }] => home,
        _ => panic!("not bound: {said:?}"),
    }
}

#[test]
fn an_ipv4_home_address_is_bound_or_its_status_says_why_not_while_ipv6_is_bound_in_any_case() {
    const OWN: [u8; 4] = [10, 9, 0, 7];
    const ANY: [u8; 4] = [0; 4];
    let rows = [
        (Some(OWN), asks_for(32, ANY), Some((0, OWN))),
        (Some(OWN), asks_for(32, OWN), Some((0, OWN))),
        (Some(OWN), asks_for(0, OWN), Some((131, OWN))),
        (Some(OWN), asks_for(33, ANY), Some((131, ANY))),
        (Some(OWN), asks_for(31, OWN), Some((133, OWN))),
        (Some(OWN), asks_for(1, ANY), Some((133, ANY))),
        (None, asks_for(32, ANY), Some((132, ANY))),
        (None, asks_for(24, ANY), Some((133, ANY))),
        (Some(OWN), BindingUpdate { ipv4_home: None, ..update(1) }, None),
    ];
    for (ip4, update, expected) in rows {
        let said = with_home(Some("2001:db8:100::7"), ip4).receives(update.clone());
        let acknowledged = said.acknowledgements[0].ipv4_address;
        assert_eq!(acknowledged, expected.map(|(status, address)| (Ipv4Status(status), address.into())), "{ip4:?} {update:?}");
        let is_bound = expected.is_some_and(|(status, _)| status == 0);
        let expected = (Some("2001:db8:100::7".parse().unwrap()), is_bound.then_some(OWN.into()));
        assert_eq!((bound_home(&said).ip6(), bound_home(&said).ip4()), expected, "{update:?}");
        assert_eq!(said.acknowledgements[0].status.0, 0);
    }
}

#[test]
fn an_address_that_is_not_the_sas_own_is_spoofing_also_where_it_has_none_and_whatever_the_prefix() {
    for (ip4, prefix_len) in [(None, 32), (Some([10, 9, 0, 7]), 32), (Some([10, 9, 0, 7]), 0)] {
        let mut story = with_home(Some("2001:db8:100::7"), ip4);
        assert!(story.receives(asks_for(prefix_len, [10, 9, 0, 8])).is_nothing());
        assert_eq!(story.counters.dropped(DropReason::SpoofedHomeAddress), 1);
    }
}

#[test]
fn a_refresh_without_the_option_unbinds_ipv4_alone() {
    let mut story = Story::new();
    assert!(bound_home(&story.receives(update(1))).ip4().is_some());
    let said = story.receives(BindingUpdate { ipv4_home: None, ..update(2) });
    assert_eq!(bound_home(&said), HomeAddresses::new(Some("2001:db8:100::7".parse().unwrap()), None).unwrap());
}

#[test]
fn a_node_with_ipv4_alone_binds_under_its_mapped_address_and_ends_its_binding() {
    let mut story = with_home(None, Some([10, 9, 0, 7]));
    assert_eq!(story.sa.home.in_mobility_header(), "::ffff:10.9.0.7".parse::<Ipv6Addr>().unwrap());
    let said = story.receives(update(1));
    assert_eq!(said.answers(), [(0, 1, 150)]);
    assert_eq!(bound_home(&said), story.sa.home);
    let said = story.receives(goodbye(2));
    assert_eq!(said.answers(), [(0, 2, 0)]);
    assert!(matches!(said.others[..], [Command::Remove(home)] if home == story.sa.home));
}

#[test]
fn a_node_with_ipv4_alone_that_asks_for_nothing_or_gets_nothing_is_refused_with_128() {
    for update in [BindingUpdate { ipv4_home: None, ..update(1) }, asks_for(24, [0; 4]), asks_for(0, [0; 4])] {
        let said = with_home(None, Some([10, 9, 0, 7])).receives(update);
        assert_eq!((said.answers(), said.others.len()), (vec![(128, 1, 0)], 0));
    }
}
