use super::*;

const OURS: HardwareAddress = [2, 0, 0, 0, 0, 1];
const END: LinkEnd = LinkEnd { hardware: OURS, ip6: Some(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1)) };
const HOME6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0xabcd, 0xef05);
const HOME4: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 5);

/// The message of an IPv6 packet changed, with a right checksum again.
fn changed(packet: &LinkPacket, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut octets = packet.octets.clone();
    change(&mut octets);
    octets[42..44].fill(0);
    let [source, destination] = [8, 24].map(|at| Ipv6Addr::from(*octets[at..].first_chunk::<16>().unwrap()));
    let sum = checksum::with_pseudo_header(source, destination, ICMPV6, &octets[40..]);
    octets[42..44].copy_from_slice(&sum.to_be_bytes());
    octets
}

/// RFC 6275 section 10.4.1: R and S clear, O set, the target's link-layer address there, to all nodes.
#[test]
fn an_unsolicited_advertisement_overrides_and_has_each_field_as_the_rfc_says() {
    let packet = announcement(HOME6.into(), END).unwrap();
    assert_eq!((packet.ethertype, packet.to), (IPV6, [0x33, 0x33, 0, 0, 0, 1]));
    let octets = &packet.octets;
    assert_eq!(octets[..8], [0x60, 0, 0, 0, 0, 32, 58, 255]);
    assert_eq!((&octets[8..24], &octets[24..40]), (&END.ip6.unwrap().octets()[..], &ALL_NODES.octets()[..]));
    assert_eq!((octets[40], octets[41], octets[44]), (136, 0, 0x20));
    assert_eq!((&octets[48..64], &octets[64..]), (&HOME6.octets()[..], &[2, 1, 2, 0, 0, 0, 0, 1][..]));
    assert!(checksum::is_right(END.ip6.unwrap(), ALL_NODES, 58, &octets[40..]));
    assert_eq!(announcement(HOME6.into(), LinkEnd { ip6: None, ..END }), None);
}

/// RFC 4862 section 5.4.2: from the unspecified address to the solicited-node group, without an option.
#[test]
fn a_probe_asks_the_group_of_the_address_without_saying_who_asks() {
    let packet = probe(HOME6.into(), OURS);
    assert_eq!((packet.ethertype, packet.to), (IPV6, [0x33, 0x33, 0xff, 0xcd, 0xef, 5]));
    assert_eq!((&packet.octets[8..24], packet.octets[40], packet.octets.len()), (&[0; 16][..], 135, 64));
    let packet = probe(HOME4.into(), OURS);
    assert_eq!((packet.ethertype, packet.to), (ARP, BROADCAST));
    let expected = "0001080006040001 020000000001 00000000 000000000000 0a090005".replace(' ', "");
    assert_eq!(hex::encode(&packet.octets), expected);
}

#[test]
fn an_arp_announcement_names_the_address_as_sender_and_target() {
    let packet = announcement(HOME4.into(), END).unwrap();
    let expected = "0001080006040001 020000000001 0a090005 000000000000 0a090005".replace(' ', "");
    assert_eq!(hex::encode(&packet.octets), expected);
}

#[test]
fn who_advertises_an_address_or_detects_duplicates_of_it_claims_it_and_who_asks_for_it_does_not() {
    let (said, asked) = (announcement(HOME6.into(), END).unwrap(), probe(HOME6.into(), OURS));
    assert_eq!(claimed_in_ipv6(&said.octets), Some(HOME6));
    assert_eq!(claimed_in_ipv6(&asked.octets), Some(HOME6));
    let resolution = changed(&asked, |octets| octets[8..24].copy_from_slice(&END.ip6.unwrap().octets()));
    assert_eq!(claimed_in_ipv6(&resolution), None, "address resolution");
    let padded = [&said.octets[..], &[0; 20]].concat();
    assert_eq!(claimed_in_ipv6(&padded), Some(HOME6), "Ethernet pads what is short");
}

#[test]
fn what_a_router_has_passed_on_or_is_no_whole_neighbour_message_claims_nothing() {
    let packet = announcement(HOME6.into(), END).unwrap();
    let bad: [fn(&mut [u8]); 6] = [
        |octets| octets[7] = 254,
        |octets| octets[6] = 17,
        |octets| octets[0] = 0x45,
        |octets| octets[41] = 1,
        |octets| octets[40] = 134,
        |octets| octets[48] = 0xff,
    ];
    for (index, change) in bad.into_iter().enumerate() {
        assert_eq!(claimed_in_ipv6(&changed(&packet, change)), None, "{index}");
    }
    let mut wrong_sum = packet.octets.clone();
    wrong_sum[42] ^= 1;
    assert_eq!(claimed_in_ipv6(&wrong_sum), None);
    for len in 0..packet.octets.len() {
        assert_eq!(claimed_in_ipv6(&packet.octets[..len]), None, "{len}");
    }
}

#[test]
fn an_arp_packet_claims_its_senders_address_a_probe_its_target_and_ones_own_nothing() {
    let theirs = [2, 0, 0, 0, 0, 9];
    let said = announcement(HOME4.into(), LinkEnd { hardware: theirs, ip6: None }).unwrap();
    let asked = probe(HOME4.into(), theirs);
    for packet in [&said, &asked] {
        assert_eq!(claimed_in_arp(&packet.octets, OURS), Some(HOME4));
        assert_eq!(claimed_in_arp(&packet.octets, theirs), None);
        for len in 0..packet.octets.len() {
            assert_eq!(claimed_in_arp(&packet.octets[..len], OURS), None, "{len}");
        }
    }
    let resolution = arp(theirs, Ipv4Addr::new(10, 9, 0, 77), HOME4);
    assert_eq!(claimed_in_arp(&resolution.octets, OURS), Some(Ipv4Addr::new(10, 9, 0, 77)), "whoever asks has what it asks from");
    for (at, octet) in [(1, 6), (3, 1), (4, 8), (5, 16), (7, 3)] {
        let mut other = said.octets.clone();
        other[at] = octet;
        assert_eq!(claimed_in_arp(&other, OURS), None, "{at}");
    }
}
