//! PType 0 (RFC 6618 section 6.4), and associations whose packets are not numbered (profile draft-04 with a NULL suite).

use super::*;

/// The home agent's address and port, as the HAC told them.
const HOME_AGENT: (Ipv6Addr, u16) = (Ipv6Addr::new(0x2001, 0xdb8, 0xf, 0, 0, 0, 0, 1), 7872);

fn clear_association() -> SecurityAssociation {
    SecurityAssociation { user_data: UserData::Clear, ..association(CipherSuite::Aes128Gcm) }
}

fn unnumbered_association() -> SecurityAssociation {
    let sa = association(CipherSuite::NullSha);
    SecurityAssociation { profile: WireProfile::Draft04, user_data: UserData::Clear, ..sa }
}

fn bind_as(encapsulation: Encapsulation, port: u16) -> Command {
    let Command::Move { home, paths, sending, .. } = bind(port) else { unreachable!() };
    Command::Move { home, paths, encapsulation, sending }
}

fn bound(sa: &SecurityAssociation) -> Pair {
    let mut pair = Pair::with(sa, 0);
    pair.mn.apply(&bind_as(Encapsulation::ClearUdp, 7872), &mut pair.rng);
    pair.ha.apply(&bind_as(Encapsulation::ClearUdp, 5000), &mut pair.rng);
    pair
}

#[test]
fn a_packet_in_the_clear_stands_behind_eight_zero_octets_and_crosses_both_ways() {
    let mut pair = bound(&clear_association());
    let packet = ipv6(HOME, CORRESPONDENT, 100);
    let datagrams = pair.mn_sends(&packet);
    assert_eq!(datagrams, [[&[0; 8][..], &packet].concat()]);
    assert_eq!(pair.ha_receives(&datagrams).0, [Ok(packet)]);
    let packet = ipv6(CORRESPONDENT, HOME, 100);
    let (datagrams, _) = send(&mut pair.ha, pair.now, &mut pair.rng, &packet);
    assert_eq!(receive_from(&mut pair.mn, pair.now, HOME_AGENT.into(), &datagrams).0, [Ok(packet)]);
}

#[test]
fn in_the_clear_the_home_agent_takes_from_the_latest_binding_updates_source_alone() {
    let mut pair = bound(&clear_association());
    let datagrams = pair.mn_sends(&ipv6(HOME, CORRESPONDENT, 20));
    for from in [([198, 51, 100, 7], 5001), ([198, 51, 100, 8], 5000)] {
        assert_eq!(pair.ha_receives_from(from.into(), &datagrams).0, [Err(DropReason::PlaintextRefused)], "{from:?}");
    }
    let foreign = [vec![0; 8], ipv6(CORRESPONDENT, HOME, 20)].concat();
    assert_eq!(pair.ha_receives(&[foreign]).0, [Err(DropReason::PlaintextRefused)], "not the node's home address");
    pair.ha.apply(&Command::Remove(home()), &mut pair.rng);
    assert_eq!(pair.ha_receives(&datagrams).0, [Err(DropReason::PlaintextRefused)], "no binding");
}

#[test]
fn in_the_clear_a_mobile_node_takes_from_its_home_agents_address_and_port_alone() {
    let mut pair = bound(&clear_association());
    let (datagrams, _) = send(&mut pair.ha, pair.now, &mut pair.rng, &ipv6(CORRESPONDENT, HOME, 20));
    let (ip, port) = HOME_AGENT;
    for from in [SocketAddr::from((ip, port + 1)), SocketAddr::from((CORRESPONDENT, port))] {
        let received = receive_from(&mut pair.mn, pair.now, from, &datagrams).0;
        assert_eq!(received, [Err(DropReason::PlaintextRefused)], "{from}");
    }
}

/// A node without IPv4 reaches a home agent without IPv6 by what a NAT64 has for it.
#[test]
fn in_the_clear_a_mobile_node_takes_from_where_its_own_packets_go_if_the_home_agent_has_no_address_of_that_family() {
    let translated: SocketAddr = ("2001:db8:64::cb00:7101".parse::<Ipv6Addr>().unwrap(), 7872).into();
    for (ip6, is_taken) in [(None, true), (Some(HOME_AGENT.0), false)] {
        let home_agent = HomeAgentAddresses::new(ip6, Some([203, 0, 113, 1].into()), 7872).unwrap();
        let mut pair = bound(&SecurityAssociation { home_agent, ..clear_association() });
        let Command::Move { home, sending, .. } = bind(7872) else { unreachable!() };
        let paths = Paths::one(Path::proved(SocketId(0), translated));
        pair.mn.apply(&Command::Move { home, paths, encapsulation: Encapsulation::ClearUdp, sending }, &mut pair.rng);
        let packet = ipv6(CORRESPONDENT, HOME, 20);
        let (datagrams, _) = send(&mut pair.ha, pair.now, &mut pair.rng, &packet);
        let expected = if is_taken { Ok(packet) } else { Err(DropReason::PlaintextRefused) };
        assert_eq!(receive_from(&mut pair.mn, pair.now, translated, &datagrams).0, [expected]);
        let elsewhere = SocketAddr::new("2001:db8:65::cb00:7101".parse().unwrap(), 7872);
        assert_eq!(receive_from(&mut pair.mn, pair.now, elsewhere, &datagrams).0, [Err(DropReason::PlaintextRefused)]);
    }
}

#[test]
fn under_an_association_that_protects_user_data_nothing_goes_in_the_clear() {
    let mut pair = bound(&association(CipherSuite::Aes128Gcm));
    let datagrams = pair.mn_sends(&ipv6(HOME, CORRESPONDENT, 20));
    assert_eq!(pair.ha_receives(&datagrams).0, [Err(DropReason::PlaintextRefused)]);
}

#[test]
fn ptype_0_with_an_spi_or_a_sequence_number_is_refused() {
    let mut pair = bound(&clear_association());
    let datagram = pair.mn_sends(&ipv6(HOME, CORRESPONDENT, 20)).remove(0);
    for octet in 1..8 {
        let mut wrong = datagram.clone();
        wrong[octet] = 1;
        assert_eq!(pair.ha_receives(&[wrong]).0, [Err(DropReason::PlaintextRefused)], "octet {octet}");
    }
}

#[test]
fn the_home_agent_takes_protected_packets_too_where_user_data_may_be_in_the_clear() {
    let mut pair = bound(&clear_association());
    pair.mn.apply(&bind_as(Encapsulation::ProtectedUdp, 7872), &mut pair.rng);
    let packet = ipv6(HOME, CORRESPONDENT, 20);
    let datagrams = pair.mn_sends(&packet);
    assert_eq!(datagrams[0][0] >> 4, 1);
    assert_eq!(pair.ha_receives_from(([203, 0, 113, 9], 9).into(), &datagrams).0, [Ok(packet)], "from wherever it is");
}

#[test]
fn where_packets_are_not_numbered_signalling_has_number_zero_and_user_data_goes_in_the_clear_alone() {
    let mut pair = bound(&unnumbered_association());
    let path = Path::proved(SocketId(0), ([198, 51, 100, 1], 7872).into());
    let signal =
        Command::Signal { spi: spi(), paths: Paths::one(path.clone()), next_header: signalling::MOBILITY, payload: vec![1; 16] };
    let datagrams = [pair.mn_commands(&signal), pair.mn_commands(&signal)].concat();
    assert!(datagrams.iter().all(|datagram| datagram[4..8] == [0; 4]));
    assert_eq!(pair.ha_receives(&datagrams).1.len(), 2, "control looks at the Binding Updates' own numbers");
    let packet = ipv6(HOME, CORRESPONDENT, 20);
    let datagrams = pair.mn_sends(&packet);
    assert_eq!(pair.ha_receives(&datagrams).0, [Ok(packet.clone())]);
    pair.mn.apply(&bind_as(Encapsulation::ProtectedUdp, 7872), &mut pair.rng);
    assert!(pair.mn_sends(&packet).is_empty());
    assert!(pair.mn_commands(&Command::Keepalive { spi: spi(), path }).is_empty(), "a dummy could be played back");
    assert_eq!(pair.mn.counters.dropped(DropReason::UnnumberedData), 2);
}

#[test]
fn ptype_1_under_an_association_without_numbers_is_refused() {
    let mut pair = bound(&unnumbered_association());
    let mut numbered = Pair::bound(CipherSuite::NullSha);
    let datagrams = numbered.mn_sends(&ipv6(HOME, CORRESPONDENT, 20));
    assert_eq!(pair.ha_receives(&datagrams).0, [Err(DropReason::UnnumberedData)]);
}
