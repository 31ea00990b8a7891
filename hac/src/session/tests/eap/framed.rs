//! What a AAA server says beyond who it is: home addresses, and what accounting needs.

use std::net::Ipv6Addr;

use super::*;
use crate::store::SessionQuery;

const BOB: &str = "bob@example.org";

fn ip4(address: &str) -> Accept {
    Accept { framed_ip4: address.parse().ok(), ..accept(Some(NAI)) }
}

fn ip6(address: &str) -> Accept {
    Accept { framed_ip6: address.parse().ok(), ..accept(Some(NAI)) }
}

fn prefix6(prefix: &str) -> Accept {
    Accept { framed_prefix6: prefix.parse().ok(), ..accept(Some(NAI)) }
}

#[test]
fn the_node_is_granted_the_home_addresses_that_the_aaa_server_chose() {
    let mut world = world(EapServer::Radius);
    let pools = world.policy.pools;
    let (pool6, pool4) = (pools.ip6.unwrap(), pools.ip4.unwrap());
    let chosen6 = Ipv6Addr::from_bits(pool6.network().to_bits() | 0x77);
    let chosen4 = Ipv4Addr::from_bits(pool4.network().to_bits() | 0x17);
    let both = Accept { framed_ip4: Some(chosen4), framed_ip6: Some(chosen6), ..accept(Some(NAI)) };
    let home = world.accepted(NAI, both).granted().sa.home;
    assert_eq!((home.ip4(), home.ip6()), (Some(chosen4), Some(chosen6)));
    assert_eq!(world.accepted(NAI, accept(Some(NAI))).granted().sa.home, home, "they stay his");
}

#[test]
fn a_choice_that_cannot_be_followed_is_500_with_attribute_value_and_remedy_in_the_log() {
    for (accept, named) in [
        (ip4("10.250.0.9"), "Framed-IP-Address 10.250.0.9"),
        (ip6("2001:db8:ffff::9"), "Framed-IPv6-Address"),
        (prefix6("2001:db8:ffff::/64"), "Framed-IPv6-Prefix"),
    ] {
        let mut world = world(EapServer::Radius);
        let (run, lines) = fixture::logged(|| world.accepted(NAI, accept));
        assert_eq!(run.closed().0, Status::ServerError, "{named}");
        let is_said = |line: &String| line.contains("WARN") && line.contains(named) && line.contains("[home]");
        assert!(lines.len() == 1 && lines.iter().all(is_said), "{lines:?}");
        assert!(world.accepted(NAI, super::accept(Some(NAI))).granted().sa.home.ip6().is_some(), "nothing is left of it");
    }
}

#[test]
fn an_address_of_somebody_who_is_served_is_503_and_the_log_says_what_to_do() {
    let mut world = world(EapServer::Radius);
    let home = world.accepted(BOB, accept(Some(BOB))).granted().sa.home;
    let taken = Accept { framed_ip4: home.ip4(), ..accept(Some(NAI)) };
    let (run, lines) = fixture::logged(|| world.accepted(NAI, taken));
    let (status, _, failure) = run.closed();
    assert_eq!(status, Status::Unavailable);
    let Failure::Refused { retry_after: Some(_), authenticated: true, .. } = failure else { panic!("{failure:?}") };
    assert!(lines.len() == 1 && lines[0].contains("WARN") && lines[0].contains("choose another"), "{lines:?}");
}

#[test]
fn name_class_and_interval_are_kept_with_the_association() {
    let mut world = world(EapServer::Radius);
    let interim = Some(Duration::from_secs(600));
    let said = Accept { class: vec![b"gold".to_vec()], interim, ..accept(Some(NAI)) };
    let spi = world.accepted("anonymous@example.org", said).granted().sa.spi;
    let wall = world.wall;
    let of = |name| SessionQuery { user_name: Some(name), ..SessionQuery::default() };
    assert_eq!(world.store.authorised(&of(NAI), 10, wall).unwrap(), [spi]);
    assert_eq!(world.store.authorised(&of("anonymous@example.org"), 10, wall).unwrap(), []);
}

#[test]
fn a_key_is_no_word_of_a_aaa_server() {
    let mut world = World::new();
    world.granted(&MobileNode::alice());
    let of = SessionQuery { user_name: Some(NAI), ..SessionQuery::default() };
    assert_eq!(world.store.authorised(&of, 10, world.wall).unwrap(), []);
}
