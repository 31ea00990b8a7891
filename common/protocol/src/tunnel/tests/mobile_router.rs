//! Networks behind a mobile router (RFC 3963 sections 5.5 and 6.5): their packets go through its tunnel, and nobody else's do.

use super::*;

/// In a network of the node.
const INSIDE: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 7, 1, 0, 0, 0, 5);
/// In nobody's.
const OUTSIDE: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 8, 0, 0, 0, 0, 5);
const NETWORK: &str = "2001:db8:7::/48";

fn networks(home: HomeAddresses, prefixes: &str) -> Command {
    Command::Prefixes { home, prefixes: prefixes.parse().unwrap() }
}

fn routing(suite: CipherSuite) -> Pair {
    let mut pair = Pair::bound(suite);
    pair.mn.apply(&networks(home(), NETWORK), &mut pair.rng);
    pair.ha.apply(&networks(home(), NETWORK), &mut pair.rng);
    pair
}

#[test]
fn packets_of_a_network_behind_the_node_go_both_ways_in_each_suite() {
    for suite in CipherSuite::ALL {
        let mut pair = routing(suite);
        for payload in [0, 20, 299] {
            let packet = ipv6(INSIDE, CORRESPONDENT, payload);
            let datagrams = pair.mn_sends(&packet);
            assert_eq!(pair.ha_receives(&datagrams).0, [Ok(packet)], "{suite} {payload}");
            let packet = ipv6(CORRESPONDENT, INSIDE, payload);
            let (datagrams, _) = send(&mut pair.ha, pair.now, &mut pair.rng, &packet);
            assert_eq!(receive(&mut pair.mn, pair.now, &datagrams).0, [Ok(packet)], "{suite} {payload}");
        }
        let own = ipv6(HOME, CORRESPONDENT, 20);
        let datagrams = pair.mn_sends(&own);
        assert_eq!(pair.ha_receives(&datagrams).0, [Ok(own)], "the node's own go as before");
    }
}

/// Section 4.1: as long as the node is a host, nothing is forwarded.
#[test]
fn a_host_has_no_network_whatever_its_other_end_believes() {
    let mut pair = routing(CipherSuite::Aes128Gcm);
    pair.ha.apply(&networks(home(), ""), &mut pair.rng);
    let datagrams = pair.mn_sends(&ipv6(INSIDE, CORRESPONDENT, 20));
    assert_eq!(pair.ha_receives(&datagrams).0, [Err(DropReason::ForeignHomeAddress)]);
    assert_eq!(pair.ha.counters.dropped(DropReason::ForeignHomeAddress), 1);
    let (datagrams, _) = send(&mut pair.ha, pair.now, &mut pair.rng, &ipv6(CORRESPONDENT, INSIDE, 20));
    assert_eq!((datagrams.len(), pair.ha.counters.dropped(DropReason::NoTunnel)), (0, 1));

    let mut pair = routing(CipherSuite::Aes128Gcm);
    pair.mn.apply(&networks(home(), ""), &mut pair.rng);
    let (datagrams, _) = send(&mut pair.ha, pair.now, &mut pair.rng, &ipv6(CORRESPONDENT, INSIDE, 20));
    assert_eq!(receive(&mut pair.mn, pair.now, &datagrams).0, [Err(DropReason::ForeignHomeAddress)]);
}

#[test]
fn a_source_outside_the_nodes_networks_is_refused_and_so_is_one_in_anothers() {
    let mut pair = routing(CipherSuite::Aes128Gcm);
    let other = HomeAddresses::new(Some("2001:db8:100::8".parse().unwrap()), None).unwrap();
    let Command::Move { paths, encapsulation, sending, .. } = bind(6000) else { unreachable!() };
    pair.ha.apply(&Command::Move { home: other, paths, encapsulation, sending }, &mut pair.rng);
    pair.ha.apply(&networks(other, "2001:db8:8::/64"), &mut pair.rng);
    // A mobile router that lies: its own table names what is not its own.
    pair.mn.apply(&networks(home(), "2001:db8:8::/64,2001:db8:6::/64"), &mut pair.rng);
    for source in [OUTSIDE, Ipv6Addr::new(0x2001, 0xdb8, 6, 0, 0, 0, 0, 1)] {
        let datagrams = pair.mn_sends(&ipv6(source, CORRESPONDENT, 20));
        assert_eq!(pair.ha_receives(&datagrams).0, [Err(DropReason::ForeignHomeAddress)], "{source}");
    }
}

#[test]
fn with_the_binding_the_networks_are_gone() {
    let mut pair = routing(CipherSuite::Aes128Gcm);
    let datagrams = pair.mn_sends(&ipv6(INSIDE, CORRESPONDENT, 20));
    pair.ha.apply(&Command::Remove(home()), &mut pair.rng);
    assert_eq!(pair.ha_receives(&datagrams).0, [Err(DropReason::ForeignHomeAddress)]);
    let (datagrams, replies) = send(&mut pair.ha, pair.now, &mut pair.rng, &ipv6(CORRESPONDENT, INSIDE, 20));
    assert_eq!((datagrams.len(), &replies[0][40..42]), (0, &[1, 3][..]));
}

/// RFC 6618 section 6.4, PType 0.
#[test]
fn where_user_data_goes_in_the_clear_that_of_the_networks_does_too() {
    let sa = SecurityAssociation { user_data: UserData::Clear, ..association(CipherSuite::Aes128Gcm) };
    let mut pair = Pair::with(&sa, 0);
    let clear = |port| {
        let Command::Move { home, paths, sending, .. } = bind(port) else { unreachable!() };
        Command::Move { home, paths, encapsulation: Encapsulation::ClearUdp, sending }
    };
    for (end, port) in [(&mut pair.mn, 7872), (&mut pair.ha, 5000)] {
        end.apply(&clear(port), &mut pair.rng);
        end.apply(&networks(home(), NETWORK), &mut pair.rng);
    }
    let packet = ipv6(INSIDE, CORRESPONDENT, 20);
    let datagrams = pair.mn_sends(&packet);
    assert_eq!(pair.ha_receives(&datagrams).0, [Ok(packet)]);
    let datagrams = pair.mn_sends(&ipv6(HOME, CORRESPONDENT, 20));
    let mut lie = datagrams[0].clone();
    lie[8 + 8..8 + 24].copy_from_slice(&OUTSIDE.octets());
    assert_eq!(pair.ha_receives(&[lie]).0, [Err(DropReason::PlaintextRefused)]);
}
