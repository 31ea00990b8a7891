//! Seeds of the data path's targets: one good datagram, payload or packet of each kind, and each with one thing changed.

use std::net::{Ipv4Addr, Ipv6Addr};

use protocol::sa::{CipherSuite, Role};
use protocol::time::Lifetime;
use protocol::tunnel::Verdict;
use protocol::wire::mobility::{
    BindingAcknowledgement, BindingError, BindingErrorStatus, BindingId, BindingIdentifier, BindingIdentifiers,
    BindingRefreshRequest, BindingUpdate, CareOf, Ends, Heartbeat, HeartbeatKind, HighestReceived, Ipv4Home, Ipv4Status,
    MobileRouter, MobilityMessage, NatDetection, PathMtu, PathToken, Status,
};
use protocol::wire::signalling;
use tests::fuzz::clear::{self, ELSEWHERE};
use tests::fuzz::exit_point::{self, MOBILE_NODE, SEALED};
use tests::fuzz::pieces::join as input;

use crate::Seed;

const CORRESPONDENT: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 9, 0, 0, 0, 0, 9);
const CORRESPONDENT4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);
const HOME: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 2);
const HOME4: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
const HOME_AGENT: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xf, 0, 0, 0, 0, 1);
const ENDS: Ends = Ends { source: HOME, destination: HOME_AGENT };

/// Target and seeds.
pub(crate) fn all() -> Vec<(&'static str, Vec<Seed>)> {
    let signalling = [binding_updates(), acknowledgements(), other_messages(), refused_payloads()].concat();
    vec![
        ("exit_point", [from_mobile_nodes(), from_home_agents(), refused_datagrams()].concat()),
        ("signalling", signalling),
        ("inner_packet", packets()),
        ("ptype_0", clear_packets()),
    ]
}

/// Under each suite a packet of each family and a Binding Update: to be sealed by the target, and sealed here.
fn from_mobile_nodes() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for suite in CipherSuite::ALL {
        let number = exit_point::number(suite);
        let plain = good_datagrams(suite, Role::HomeAgent);
        seeds.push((format!("sealed_{suite}"), input(number | SEALED, &plain)));
        let genuine: Vec<_> = plain.iter().map(|plain| exit_point::sealed(suite, Role::HomeAgent, plain)).collect();
        seeds.push((format!("genuine_{suite}"), input(number, &genuine)));
    }
    seeds
}

fn from_home_agents() -> Vec<Seed> {
    let seed = |suite: CipherSuite| {
        let first = exit_point::number(suite) | SEALED | MOBILE_NODE;
        (format!("to_mn_{suite}"), input(first, good_datagrams(suite, Role::MobileNode)))
    };
    CipherSuite::ALL.map(seed).to_vec()
}

fn good_datagrams(suite: CipherSuite, to: Role) -> Vec<Vec<u8>> {
    let home = exit_point::home(suite);
    let (home6, home4) = (home.ip6().unwrap(), home.ip4().unwrap());
    let packets = match to {
        Role::HomeAgent => [ipv6(home6, CORRESPONDENT, 17, &[7; 9]), ipv4(home4, CORRESPONDENT4, 17, &[7; 9])],
        Role::MobileNode => [ipv6(CORRESPONDENT, home6, 17, &[7; 9]), ipv4(CORRESPONDENT4, home4, 17, &[7; 9])],
    };
    let update = signalling::behind_home_address_option(HOME, &emit(&update()));
    vec![
        plain(suite, 1, 0, 41, &packets[0]),
        plain(suite, 1, 1, 4, &packets[1]),
        plain(suite, 8, 2, signalling::DESTINATION_OPTIONS, &update),
        plain(suite, 1, 3, 59, &[]),
    ]
}

fn refused_datagrams() -> Vec<Seed> {
    let suite = CipherSuite::Aes128Gcm;
    let own = ipv6(HOME, CORRESPONDENT, 17, &[7; 9]);
    let foreign = ipv6(Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 3), CORRESPONDENT, 17, &[]);
    let mut bad_padding = plain(suite, 1, 0, 41, &own);
    let pad_length = bad_padding.len() - 2;
    bad_padding[pad_length] = 0xff;
    let mut unassigned = plain(suite, 1, 0, 41, &own);
    unassigned[0] = 0x20;
    let twice = [plain(suite, 1, 5, 41, &own), plain(suite, 1, 5, 41, &own)];
    let window = [u32::MAX, 0, u32::MAX - 4032, u32::MAX - 4031].map(|number| plain(suite, 1, number, 41, &own));
    // To the home agent itself; the port that would be allowed stands behind the packet.
    let portless = [ipv4(exit_point::home(suite).ip4().unwrap(), [10, 9, 0, 1].into(), 6, &[]), vec![0x30, 0, 0, 53]].concat();
    let sealed: [(&str, &[Vec<u8>]); 10] = [
        ("port_behind_the_packet", &[plain(suite, 1, 0, 4, &portless)]),
        ("foreign_source", &[plain(suite, 1, 0, 41, &foreign)]),
        ("link_local", &[plain(suite, 1, 0, 41, &ipv6(HOME, Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1), 17, &[]))]),
        ("other_next_header", &[plain(suite, 1, 0, 4, &own)]),
        ("cut_packet", &[plain(suite, 1, 0, 41, &own[..44])]),
        ("octets_behind_the_packet", &[plain(suite, 1, 0, 41, &[own.clone(), vec![0; 30]].concat())]),
        ("bad_padding", &[bad_padding]),
        ("unassigned_ptype", &[unassigned]),
        ("replayed", &twice),
        ("window", &window),
    ];
    let mut clear = vec![0; 8];
    clear.extend(own);
    // Long enough for a Binding Update, in the block of the SPIs that are known.
    let mut look_up = vec![0x5a; 120];
    look_up[..8].copy_from_slice(&[0x81, 0x23, 0x45, 0x67, 0, 0, 0, 0]);
    let unsealed: [(&str, &[Vec<u8>]); 4] = [
        ("look_up", &[look_up.clone(), look_up]),
        ("clear", &[clear]),
        ("unknown_spi", &[vec![0x11, 0, 0, 0, 0, 0, 0, 0, 0], vec![0x80, 0, 0, 0, 0, 0, 0, 0]]),
        ("short", &[vec![0x11; 7], vec![], vec![0x11, 0x23, 0x45, 2, 0, 0, 0, 0]]),
    ];
    let sealed = sealed.map(|(name, datagrams)| (name.to_owned(), input(SEALED, datagrams)));
    let unsealed = unsealed.map(|(name, datagrams)| (name.to_owned(), input(0, datagrams)));
    [sealed.to_vec(), unsealed.to_vec()].concat()
}

/// PType and sequence number, payload, padding, Pad Length, Next Header: what the target seals.
fn plain(suite: CipherSuite, ptype: u8, sequence: u32, next_header: u8, payload: &[u8]) -> Vec<u8> {
    let padding = (payload.len() + 2).next_multiple_of(suite.block_len()) - payload.len() - 2;
    let mut plain = vec![ptype << 4, 0, 0, 0];
    plain.extend(sequence.to_be_bytes());
    plain.extend(payload);
    plain.extend((1..=padding).map(|octet| octet as u8));
    plain.extend([padding as u8, next_header]);
    plain
}

fn update() -> BindingUpdate {
    BindingUpdate {
        sequence: 1,
        acknowledge: true,
        home_registration: true,
        lifetime: Lifetime::from_units(150),
        care_of: Some(CareOf::Ip4([198, 51, 100, 7].into())),
        ipv4_home: Some(Ipv4Home { prefix_len: 32, address: [0, 0, 0, 0].into() }),
        path_check: None,
        received: None,
        identifiers: BindingIdentifiers::None,
        overwrite: false,
        mobile_router: MobileRouter::No,
    }
}

fn emit(update: &BindingUpdate) -> Vec<u8> {
    MobilityMessage::BindingUpdate(update.clone()).emit(ENDS)
}

/// A PType 8 payload that starts with a Destination Options header, behind that header's number.
fn with_home_address(header: &[u8]) -> Vec<u8> {
    payload(signalling::DESTINATION_OPTIONS, &signalling::behind_home_address_option(HOME, header))
}

fn payload(next_header: u8, octets: &[u8]) -> Vec<u8> {
    [&[next_header], octets].concat()
}

fn binding_updates() -> Vec<Seed> {
    let ip6 = BindingUpdate { care_of: Some(CareOf::Ip6("2001:db8:2::abcd".parse().unwrap())), ipv4_home: None, ..update() };
    let away = BindingUpdate { lifetime: Lifetime::ZERO, acknowledge: false, ..update() };
    let no_option = BindingUpdate { care_of: None, ipv4_home: None, ..update() };
    // An option of an unknown type, then one that is cut.
    let mut options = emit(&no_option);
    options.extend([99, 2, 0, 0, 99, 9, 0, 0]);
    options[1] += 1;
    let checked = BindingUpdate { path_check: Some(PathToken([7; 8])), ..update() };
    let broken = BindingUpdate { received: Some(HighestReceived(41)), ..checked.clone() };
    let [one, other] = [1, 2].map(|id| BindingIdentifier::to(BindingId::new(id).unwrap(), CareOf::Ip4([198, 51, 100, 7].into())));
    let identified =
        BindingUpdate { care_of: one.care_of, identifiers: BindingIdentifiers::One(one), overwrite: true, ..update() };
    // A bulk registration, and an option of a length that it never has.
    let mut bulk = emit(&identified);
    bulk.extend([0, 0, 35, 4, 0, 2, 0, 0]);
    bulk[1] += 1;
    let mut malformed = emit(&BindingUpdate { identifiers: BindingIdentifiers::One(other), ..update() });
    malformed.extend([0, 0, 35, 3, 0, 2, 0, 0]);
    malformed[1] += 1;
    let router = BindingUpdate { mobile_router: MobileRouter::Implicit, ..update() };
    let prefixes = "2001:db8:7::/48,2001:db8:8:1::/64".parse().unwrap();
    let networks = BindingUpdate { mobile_router: MobileRouter::Explicit(prefixes), ..update() };
    // A prefix that is longer than an address.
    let mut no_prefix = emit(&networks);
    let length = no_prefix.windows(4).position(|window| window == [6, 18, 0, 48]).unwrap() + 3;
    no_prefix[length] = 129;
    let rows: [(&str, Vec<u8>); 15] = [
        ("update_behind_a_break", with_home_address(&emit(&broken))),
        ("update_mobile_router", with_home_address(&emit(&router))),
        ("update_mobile_networks", with_home_address(&emit(&networks))),
        ("update_no_prefix", with_home_address(&no_prefix)),
        ("update_binding_identifier", with_home_address(&emit(&identified))),
        ("update_bulk", with_home_address(&bulk)),
        ("update_malformed_identifier", with_home_address(&malformed)),
        ("update_path_check", with_home_address(&emit(&checked))),
        ("update_ip4", with_home_address(&emit(&update()))),
        ("update_ip6", with_home_address(&emit(&ip6))),
        ("update_away", with_home_address(&emit(&away))),
        ("update_no_option", with_home_address(&emit(&no_option))),
        ("update_cut_option", with_home_address(&options)),
        ("update_bare", payload(signalling::MOBILITY, &emit(&update()))),
        ("update_wrong_checksum", with_home_address(&[&emit(&update())[..4], &[0, 0], &emit(&update())[6..]].concat())),
    ];
    rows.map(|(name, octets)| (name.to_owned(), octets)).to_vec()
}

fn acknowledgements() -> Vec<Seed> {
    let accepted = BindingAcknowledgement {
        ipv4_address: Some((Ipv4Status::BOUND, HOME4)),
        ..BindingAcknowledgement::new(Status::ACCEPTED, 1, Lifetime::from_units(150))
    };
    let reinit = BindingAcknowledgement { status: Status(176), lifetime: Lifetime::ZERO, ipv4_address: None, ..accepted.clone() };
    let behind_nat = BindingAcknowledgement {
        nat: Some(NatDetection { refresh_seconds: 110 }),
        path_check: Some(PathToken([7; 8])),
        ..accepted.clone()
    };
    let identified =
        BindingAcknowledgement { identifier: Some(BindingIdentifier::of(BindingId::new(1).unwrap())), ..accepted.clone() };
    let router = BindingAcknowledgement { mobile_router: true, ..accepted.clone() };
    let octets = |message: &BindingAcknowledgement| {
        let header = MobilityMessage::BindingAcknowledgement(message.clone()).emit(ENDS);
        payload(signalling::ROUTING, &signalling::behind_routing_header(HOME, &header))
    };
    let rows = [
        ("ack_ip4", &accepted),
        ("ack_176", &reinit),
        ("ack_nat", &behind_nat),
        ("ack_binding_identifier", &identified),
        ("ack_mobile_router", &router),
    ];
    rows.map(|(name, message)| (name.to_owned(), octets(message))).to_vec()
}

fn other_messages() -> Vec<Seed> {
    let error = BindingError { status: BindingErrorStatus::UNKNOWN_BINDING, home_address: HOME };
    let path_check = Some(PathToken(*b"12345678"));
    let heartbeat = |kind, len, path_mtu| MobilityMessage::Heartbeat(Heartbeat { kind, sequence: 0x0102_0304, path_mtu, len });
    let rows = [
        ("heartbeat_request", heartbeat(HeartbeatKind::Request, 24, Some(PathMtu(1_418)))),
        ("heartbeat_full", heartbeat(HeartbeatKind::Request, 1_416, None)),
        ("heartbeat_response", heartbeat(HeartbeatKind::Response, 296, None)),
        ("heartbeat_unsolicited", heartbeat(HeartbeatKind::UnsolicitedResponse, 16, None)),
        ("refresh_request", MobilityMessage::BindingRefreshRequest(BindingRefreshRequest::default())),
        ("refresh_request_token", MobilityMessage::BindingRefreshRequest(BindingRefreshRequest { path_check })),
        ("binding_error", MobilityMessage::BindingError(error)),
    ];
    rows.map(|(name, message)| (name.to_owned(), payload(signalling::MOBILITY, &message.emit(ENDS)))).to_vec()
}

fn refused_payloads() -> Vec<Seed> {
    let update = emit(&update());
    let once = signalling::behind_home_address_option(HOME, &update);
    let mut twice = signalling::behind_home_address_option(HOME, &once);
    twice[0] = signalling::DESTINATION_OPTIONS;
    let mut both = signalling::behind_home_address_option(HOME, &signalling::behind_routing_header(HOME, &update));
    both[0] = signalling::ROUTING;
    let mut type_0 = signalling::behind_routing_header(HOME, &update);
    type_0[2] = 0;
    let mut unknown_type = update.clone();
    unknown_type[2] = 200;
    let mut other_length = update.clone();
    other_length[1] = 255;
    let rows: [(&str, Vec<u8>); 7] = [
        ("two_home_addresses", payload(signalling::DESTINATION_OPTIONS, &twice)),
        ("both_extensions", payload(signalling::DESTINATION_OPTIONS, &both)),
        ("routing_type_0", payload(signalling::ROUTING, &type_0)),
        ("cut_extension", payload(signalling::DESTINATION_OPTIONS, &once[..23])),
        ("tcp", payload(6, &once)),
        ("unknown_type", with_home_address(&unknown_type)),
        ("other_length", with_home_address(&other_length)),
    ];
    rows.map(|(name, octets)| (name.to_owned(), octets)).to_vec()
}

/// The first octet, and whether the packet behind eight zero octets is taken.
fn clear_rows() -> Vec<(&'static str, Vec<u8>, bool)> {
    let home = exit_point::home(CipherSuite::NullSha);
    let (home6, home4) = (home.ip6().unwrap(), home.ip4().unwrap());
    let datagram = |first: u8, packet: &[u8]| [&[first], &[0; 8][..], packet].concat();
    let up = ipv6(home6, CORRESPONDENT, 17, &[7; 9]);
    let mut with_spi = datagram(0, &up);
    with_spi[4] = 9;
    vec![
        ("up6", datagram(0, &up), true),
        ("up4", datagram(0, &ipv4(home4, CORRESPONDENT4, 17, &[7; 9])), true),
        ("down6", datagram(MOBILE_NODE, &ipv6(CORRESPONDENT, home6, 17, &[7; 9])), true),
        ("octets_behind", [datagram(0, &up), vec![1; 5]].concat(), true),
        ("elsewhere", datagram(ELSEWHERE, &up), false),
        ("elsewhere_down", datagram(MOBILE_NODE | ELSEWHERE, &ipv6(CORRESPONDENT, home6, 17, &[7; 9])), false),
        ("foreign", datagram(0, &ipv6(CORRESPONDENT, home6, 17, &[7; 9])), false),
        ("ssh_to_home_agent", datagram(0, &ipv4(home4, [10, 9, 0, 1].into(), 6, &[0x30, 0, 0, 22])), false),
        ("with_spi", with_spi, false),
        ("no_packet", datagram(0, &[]), false),
    ]
}

fn clear_packets() -> Vec<Seed> {
    clear_rows().into_iter().map(|(name, octets, _)| (name.to_owned(), octets)).collect()
}

#[test]
fn seeds_in_the_clear_are_taken_or_not_as_their_names_say() {
    for (name, octets, taken) in clear_rows() {
        let verdict = clear::verdict(&octets).unwrap();
        assert_eq!(matches!(verdict, Verdict::Deliver(_)), taken, "{name}: {verdict:?}");
    }
}

fn packets() -> Vec<Seed> {
    let mut fragment = ipv4(CORRESPONDENT4, HOME4, 17, &[7; 8]);
    fragment[7] = 1;
    let mut options = ipv4(CORRESPONDENT4, HOME4, 1, &[0; 12]);
    options[0] = 0x47;
    let mut too_long = ipv6(CORRESPONDENT, HOME, 17, &[7; 8]);
    too_long[5] = 200;
    let own = (Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 1), Ipv4Addr::new(10, 9, 0, 1));
    let rows: [(&str, Vec<u8>); 18] = [
        ("udp6", ipv6(CORRESPONDENT, HOME, 17, &[7; 30])),
        ("udp4", ipv4(CORRESPONDENT4, HOME4, 17, &[7; 30])),
        ("long6", ipv6(CORRESPONDENT, HOME, 6, &[7; 1400])),
        ("long4", ipv4(CORRESPONDENT4, HOME4, 6, &[7; 1400])),
        ("echo6", ipv6(CORRESPONDENT, HOME, 58, &[128, 0, 0, 0])),
        ("echo4", ipv4(CORRESPONDENT4, HOME4, 1, &[8, 0, 0, 0])),
        ("error6", ipv6(CORRESPONDENT, HOME, 58, &[1, 3, 0, 0])),
        ("error4", ipv4(CORRESPONDENT4, HOME4, 1, &[3, 1, 0, 0])),
        ("multicast_source", ipv6("ff0e::1".parse().unwrap(), HOME, 17, &[])),
        ("multicast_destination", ipv6(CORRESPONDENT, "ff0e::1".parse().unwrap(), 17, &[])),
        ("link_local", ipv6("fe80::1".parse().unwrap(), HOME, 17, &[])),
        ("later_fragment", fragment),
        ("header_options", options),
        ("too_long", too_long),
        ("dns_to_home_agent", ipv6(HOME, own.0, 17, &[0x30, 0, 0, 53, 0, 8, 0, 0])),
        ("ssh_to_home_agent", ipv4(HOME4, own.1, 6, &[0x30, 0, 0, 22])),
        ("ssh_to_home_agent6", ipv6(HOME, own.0, 6, &[0x30, 0, 0, 22])),
        ("routing_to_home_agent", ipv6(HOME, own.0, 60, &[43, 0, 1, 4, 0, 0, 0, 0, 6, 2, 0, 1, 0, 0, 0, 0])),
    ];
    rows.map(|(name, octets)| (name.to_owned(), octets)).to_vec()
}

fn ipv6(source: Ipv6Addr, destination: Ipv6Addr, next_header: u8, octets: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(u16::try_from(octets.len()).unwrap().to_be_bytes());
    packet.extend([next_header, 64]);
    packet.extend(source.octets());
    packet.extend(destination.octets());
    packet.extend(octets);
    packet
}

fn ipv4(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, octets: &[u8]) -> Vec<u8> {
    let len = u16::try_from(20 + octets.len()).unwrap().to_be_bytes();
    let mut packet = vec![0x45, 0, len[0], len[1], 0, 0, 0, 0, 64, protocol, 0, 0];
    packet.extend(source.octets());
    packet.extend(destination.octets());
    packet.extend(octets);
    packet
}

/// What becomes of the datagrams of each seed: the good ones come through, the others fail at the step that they are named for.
#[test]
fn the_seeds_of_the_exit_point_get_as_far_as_they_should() {
    const GOOD: &str = "deliver deliver consumed consumed";
    let expected = |name: &str| match name {
        "foreign_source" => "foreign-home-address",
        "link_local" => "forbidden-inner-address",
        "other_next_header" => "bad-next-header",
        "cut_packet" => "bad-inner-packet",
        "octets_behind_the_packet" => "deliver",
        "port_behind_the_packet" => "for-home-agent",
        "bad_padding" => "bad-padding",
        "unassigned_ptype" => "unassigned-ptype",
        "replayed" => "deliver replayed-sequence",
        "window" => "deliver outside-window outside-window deliver",
        "clear" => "plaintext-refused",
        "unknown_spi" | "look_up" => "unknown-spi unknown-spi",
        "short" => "truncated truncated truncated",
        _ => GOOD,
    };
    for (name, data) in [from_mobile_nodes(), from_home_agents(), refused_datagrams()].concat() {
        let words = exit_point::verdicts(&data).into_iter().map(|verdict| match verdict {
            Verdict::Deliver(_) => "deliver",
            Verdict::Consumed => "consumed",
            Verdict::Drop(reason) => reason.label(),
            Verdict::PassOn(_) => "passed on",
        });
        assert_eq!(words.collect::<Vec<_>>().join(" "), expected(&name), "{name}");
    }
}
