//! Packets: datagram -> drop reason, at a home agent's and at a mobile node's exit-point with control behind it, under each suite.
//!
//! A row's name says what is wrong; everything else about the datagram is right, its ICV too unless that is what is wrong.

mod bits;
mod end;
mod entry;
mod message;
mod scene;
mod signalling;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use protocol::sa::{CipherSuite, Role};
use protocol::tunnel::DropReason::{self, *};
use protocol::wire::envelope::{self, PType};

use Given::{Bound, Clear, StateLost, Unbound, Unnumbered};
use scene::Scene;

/// Where the mobile node is.
const CARE_OF: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)), 5000);
/// Where the home agent is.
const HOME_AGENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)), 7872);
/// Somebody else.
const STRANGER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 66)), 5000);
/// The home agent on its home link.
const HOME_AGENT_INSIDE6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 1);
/// The same in IPv4.
const HOME_AGENT_INSIDE4: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);

/// What there is before the datagram comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Given {
    /// `mip6-sas` 1 and a binding.
    Bound,
    /// `mip6-sas` 0 and a binding.
    Clear,
    /// An association and no binding.
    Unbound,
    /// An association that was delivered to a home agent's process before.
    StateLost,
    /// A NULL suite in profile draft-04: every packet has number 0.
    Unnumbered,
}

/// What is wrong; where; under which suites; what was before; the reason; and the datagram.
type Row = (&'static str, &'static [Role], fn(CipherSuite) -> bool, Given, DropReason, fn(&mut Scene) -> Vec<u8>);

const HA: &[Role] = &[Role::HomeAgent];
const MN: &[Role] = &[Role::MobileNode];
const BOTH: &[Role] = &[Role::HomeAgent, Role::MobileNode];

fn each(_: CipherSuite) -> bool {
    true
}

fn aead(suite: CipherSuite) -> bool {
    suite.is_aead()
}

fn null(suite: CipherSuite) -> bool {
    !suite.encrypts()
}

/// The envelope, the SPI, the replay window and the ICV.
const OUTSIDE: &[Row] = &[
    ("no octet", BOTH, each, Bound, Truncated, |_| vec![]),
    ("three octets", BOTH, each, Bound, Truncated, |it| it.packet()[..3].to_vec()),
    ("seven octets", BOTH, each, Bound, Truncated, |it| it.packet()[..7].to_vec()),
    ("the envelope alone", BOTH, each, Bound, Truncated, |it| it.packet()[..8].to_vec()),
    ("one octet too few", BOTH, each, Bound, Truncated, |it| cut(it.packet(), 1)),
    ("one octet too many", BOTH, each, Bound, Truncated, |it| [it.packet(), vec![0]].concat()),
    ("PType 2", BOTH, each, Bound, UnassignedPType, |it| with_ptype(2, it.packet())),
    ("PType 3", BOTH, each, Bound, UnassignedPType, |it| with_ptype(3, it.packet())),
    ("PType 4", BOTH, each, Bound, UnassignedPType, |it| with_ptype(4, it.packet())),
    ("PType 5", BOTH, each, Bound, UnassignedPType, |it| with_ptype(5, it.packet())),
    ("PType 6", BOTH, each, Bound, UnassignedPType, |it| with_ptype(6, it.packet())),
    ("PType 7", BOTH, each, Bound, UnassignedPType, |it| with_ptype(7, it.packet())),
    ("PType 9", BOTH, each, Bound, UnassignedPType, |it| with_ptype(9, it.packet())),
    ("PType 10", BOTH, each, Bound, UnassignedPType, |it| with_ptype(10, it.packet())),
    ("PType 11", BOTH, each, Bound, UnassignedPType, |it| with_ptype(11, it.packet())),
    ("PType 12", BOTH, each, Bound, UnassignedPType, |it| with_ptype(12, it.packet())),
    ("PType 13", BOTH, each, Bound, UnassignedPType, |it| with_ptype(13, it.packet())),
    ("PType 14", BOTH, each, Bound, UnassignedPType, |it| with_ptype(14, it.packet())),
    ("PType 15", BOTH, each, Bound, UnassignedPType, |it| with_ptype(15, it.packet())),
    ("SPI 0 with PType 1", BOTH, each, Bound, UnknownSpi, |it| with_spi(0, it.packet())),
    ("SPI 0 with PType 8", BOTH, each, Bound, UnknownSpi, |it| with_spi(0, it.update_but(|_| ()))),
    ("an unknown SPI with PType 1", BOTH, each, Bound, UnknownSpi, |it| with_spi(0xfff_ffff, it.packet())),
    ("an unknown SPI with PType 8", BOTH, each, Bound, UnknownSpi, |it| with_spi(0xfff_ffff, it.update_but(|_| ()))),
    ("a packet again", BOTH, each, Bound, ReplayedSequence, |it| taken_once(it, Scene::packet)),
    ("a Binding Update again", HA, each, Bound, ReplayedSequence, |it| taken_once(it, |it| it.update_but(|_| ()))),
    ("signalling under a packet's number", BOTH, each, Bound, ReplayedSequence, under_a_packets_number),
    ("older than the window", BOTH, each, Bound, OutsideWindow, older_than_the_window),
    ("a packet reflected to its sender", BOTH, each, Bound, WrongIcv, |it| it.reflected(PType::Protected)),
    ("signalling reflected to its sender", BOTH, each, Bound, WrongIcv, |it| it.reflected(PType::MobilityHeader)),
    ("an ICV of zeros", BOTH, each, Bound, WrongIcv, |it| [cut(it.packet(), 12), vec![0; 12]].concat()),
    ("a block too few", BOTH, each, Bound, WrongIcv, |it| cut(it.packet(), it.suite.block_len())),
    ("a block too many", BOTH, each, Bound, WrongIcv, |it| [it.packet(), vec![0; it.suite.block_len()]].concat()),
    ("random octets behind the envelope", BOTH, each, Bound, WrongIcv, |it| it.forged()),
    ("past its end, and a minute", BOTH, each, Bound, SaExpired, |it| too_late(it, Scene::packet)),
    ("signalling past its end, and a minute", BOTH, each, Bound, SaExpired, |it| too_late(it, |it| it.update_but(|_| ()))),
    ("data, the replay state lost", HA, each, StateLost, ReplayStateLost, Scene::packet),
    ("two Binding Updates in a second, the state lost", HA, each, StateLost, ReplayStateLost, second_binding_update),
    ("data under packets without numbers", BOTH, null, Unnumbered, UnnumberedData, Scene::packet),
];

/// What stands behind a right ICV.
const INSIDE: &[Row] = &[
    ("padding of zeros", BOTH, each, Bound, BadPadding, |it| it.packet_but(|plain| *padding(plain) = 0)),
    ("padding that counts otherwise", BOTH, each, Bound, BadPadding, |it| it.packet_but(|plain| *padding(plain) ^= 0x80)),
    ("more padding than packet", BOTH, each, Bound, BadPadding, |it| it.packet_but(|plain| trailer(plain)[0] = 0xff)),
    ("an IV that is not the number", BOTH, aead, Bound, BadIv, |it| it.packet_but(|plain| plain[envelope::LEN] ^= 1)),
    ("IPv6 as Next Header 4", BOTH, each, Bound, BadNextHeader, |it| it.packet_but(|plain| trailer(plain)[1] = 4)),
    ("IPv6 as Next Header 0", BOTH, each, Bound, BadNextHeader, |it| it.packet_but(|plain| trailer(plain)[1] = 0)),
    ("IPv6 as Next Header 60", BOTH, each, Bound, BadNextHeader, |it| it.packet_but(|plain| trailer(plain)[1] = 60)),
    ("IPv6 as Next Header 135", BOTH, each, Bound, BadNextHeader, |it| it.packet_but(|plain| trailer(plain)[1] = 135)),
    ("IPv4 as Next Header 41", BOTH, each, Bound, BadNextHeader, |it| it.sealed(PType::Protected, 41, &it.inner4())),
    ("an empty packet", BOTH, each, Bound, BadInnerPacket, |it| it.carrying(&[])),
    ("IP version 5", BOTH, each, Bound, BadInnerPacket, |it| it.carrying(&[0x50; 40])),
    ("half an IPv6 header", BOTH, each, Bound, BadInnerPacket, |it| it.carrying(&it.inner()[..39])),
    ("an IPv6 packet longer than its octets", BOTH, each, Bound, BadInnerPacket, |it| it.carrying(&cut(it.inner(), 1))),
    ("an IPv4 packet longer than its octets", BOTH, each, Bound, BadInnerPacket, |it| it.carrying(&cut(it.inner4(), 1))),
    ("an IPv4 header of 16 octets", BOTH, each, Bound, BadInnerPacket, |it| it.carrying(&[&[0x44], &it.inner4()[1..]].concat())),
    ("another's home address", BOTH, each, Bound, ForeignHomeAddress, |it| it.packet_of("2001:db8:100::8")),
    ("another's IPv4 home address", BOTH, each, Bound, ForeignHomeAddress, |it| it.packet_of("10.9.0.8")),
    ("the home agent's own address", BOTH, each, Bound, ForeignHomeAddress, |it| it.packet_of("2001:db8:100::1")),
    ("the address of the access network", BOTH, each, Bound, ForeignHomeAddress, |it| it.packet_of("198.51.100.7")),
    ("the node's link-local address", BOTH, each, Bound, ForeignHomeAddress, |it| it.packet_of("fe80::1")),
    ("link-local, IPv6", BOTH, each, Bound, ForbiddenInnerAddress, |it| it.packet_with("fe80::1")),
    ("link-local, IPv4", BOTH, each, Bound, ForbiddenInnerAddress, |it| it.packet_with("169.254.0.1")),
    ("loopback, IPv6", BOTH, each, Bound, ForbiddenInnerAddress, |it| it.packet_with("::1")),
    ("loopback, IPv4", BOTH, each, Bound, ForbiddenInnerAddress, |it| it.packet_with("127.0.0.1")),
    ("unspecified, IPv6", BOTH, each, Bound, ForbiddenInnerAddress, |it| it.packet_with("::")),
    ("unspecified, IPv4", BOTH, each, Bound, ForbiddenInnerAddress, |it| it.packet_with("0.0.0.0")),
    ("broadcast", BOTH, each, Bound, ForbiddenInnerAddress, |it| it.packet_with("255.255.255.255")),
    ("multicast on the link", BOTH, each, Bound, ForbiddenInnerAddress, |it| it.packet_with("ff02::1")),
    ("from a multicast address, IPv6", MN, each, Bound, ForbiddenInnerAddress, |it| it.packet_with("ff0e::1")),
    ("from a multicast address, IPv4", MN, each, Bound, ForbiddenInnerAddress, |it| it.packet_with("224.0.0.1")),
    ("UDP to the home agent itself", HA, each, Bound, ForHomeAgent, |it| it.packet_with("2001:db8:100::1")),
    ("UDP to the home agent itself, IPv4", HA, each, Bound, ForHomeAgent, |it| it.packet_with("10.9.0.1")),
    ("a congested path, no ECN", BOTH, each, Bound, CongestionNotEct, |it| congested(it, Scene::packet)),
    ("a congested path, no ECN, IPv4", BOTH, each, Bound, CongestionNotEct, |it| congested(it, |it| it.carrying(&it.inner4()))),
    ("data without a binding", HA, each, Unbound, NoBinding, Scene::packet),
    ("IPv4 data without a binding", HA, each, Unbound, NoBinding, |it| it.carrying(&it.inner4())),
];

/// PType 0: nothing is authentic.
const CLEAR: &[Row] = &[
    ("PType 0 under mip6-sas 1", BOTH, each, Bound, PlaintextRefused, Scene::clear_packet),
    ("PType 0 without a binding", HA, each, Unbound, PlaintextRefused, Scene::clear_packet),
    ("PType 0, the replay state lost", HA, each, StateLost, PlaintextRefused, Scene::clear_packet),
    ("PType 0 from another address", BOTH, each, Clear, PlaintextRefused, |it| from(STRANGER, it)),
    ("PType 0 from another port", BOTH, each, Clear, PlaintextRefused, |it| from(other_port(it.from), it)),
    ("PType 0 of another's home address", BOTH, each, Clear, PlaintextRefused, |it| it.clear(&it.inner_of("2001:db8:100::8"))),
    ("PType 0 with an SPI", BOTH, each, Clear, PlaintextRefused, |it| with_spi(0x123_4567, it.clear_packet())),
    ("PType 0 with a number", BOTH, each, Clear, PlaintextRefused, |it| with_number(1, it.clear_packet())),
    ("PType 0 and no packet", BOTH, each, Clear, BadInnerPacket, |it| it.clear(&[])),
    ("PType 0, longer than its octets", BOTH, each, Clear, BadInnerPacket, |it| cut(it.clear_packet(), 1)),
    ("PType 0, seven octets", BOTH, each, Clear, Truncated, |it| it.clear_packet()[..7].to_vec()),
    ("PType 0, link-local", BOTH, each, Clear, ForbiddenInnerAddress, |it| it.clear(&it.inner_with("fe80::1"))),
    ("PType 0, a congested path, no ECN", BOTH, each, Clear, CongestionNotEct, |it| congested(it, Scene::clear_packet)),
    ("PType 0 to the home agent itself", HA, each, Clear, ForHomeAgent, |it| it.clear(&it.inner_with("10.9.0.1"))),
];

/// What no datagram and no inner packet provokes: where the reason arises.
const NOT_RECEIVED: &[(DropReason, &str)] = &[
    (SaExhausted, "the association's own counter: none of its numbers is left to send under"),
    (BatchFull, "the worker's memory, which has room for all that it reads at once"),
    (EventQueueFull, "the worker's queue: control does not keep up, whatever the events are"),
    (WorkerQueueFull, "another worker's queue: it does not keep up with what came elsewhere"),
    (TooBig, "the way out: a packet is longer than what its path carries"),
];

fn cut(mut octets: Vec<u8>, by: usize) -> Vec<u8> {
    octets.truncate(octets.len() - by);
    octets
}

fn with_ptype(ptype: u8, mut datagram: Vec<u8>) -> Vec<u8> {
    datagram[0] = ptype << 4 | datagram[0] & 0x0f;
    datagram
}

fn with_spi(spi: u32, mut datagram: Vec<u8>) -> Vec<u8> {
    let word = u32::from(datagram[0] >> 4) << 28 | spi;
    datagram[..4].copy_from_slice(&word.to_be_bytes());
    datagram
}

fn with_number(number: u32, mut datagram: Vec<u8>) -> Vec<u8> {
    datagram[4..8].copy_from_slice(&number.to_be_bytes());
    datagram
}

/// Pad Length and Next Header.
fn trailer(plain: &mut [u8]) -> &mut [u8] {
    let start = plain.len() - 2;
    &mut plain[start..]
}

/// The last octet of the padding, of which the packets here have two at least.
fn padding(plain: &mut [u8]) -> &mut u8 {
    let place = plain.len() - 3;
    &mut plain[place]
}

fn other_port(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), address.port() + 1)
}

fn from(address: SocketAddr, it: &mut Scene) -> Vec<u8> {
    it.from = address;
    it.clear_packet()
}

/// Under an outer header that says CE.
fn congested(it: &mut Scene, made: fn(&mut Scene) -> Vec<u8>) -> Vec<u8> {
    it.traffic_class = 0b11;
    made(it)
}

/// A datagram that was taken already.
fn taken_once(it: &mut Scene, made: fn(&mut Scene) -> Vec<u8>) -> Vec<u8> {
    let datagram = made(it);
    it.takes(&datagram);
    datagram
}

fn under_a_packets_number(it: &mut Scene) -> Vec<u8> {
    let packet = it.packet();
    assert!(it.takes(&packet).is_some());
    let header = it.good_header();
    it.sealed_under(it.next - 1, PType::MobilityHeader, 135, &header)
}

/// It was made, and 4,096 newer ones have gone by.
fn older_than_the_window(it: &mut Scene) -> Vec<u8> {
    let old = it.packet();
    it.next += 4096;
    let newer = it.packet();
    assert!(it.takes(&newer).is_some());
    old
}

fn too_late(it: &mut Scene, made: fn(&mut Scene) -> Vec<u8>) -> Vec<u8> {
    it.now += Duration::from_secs(86_400 + 60);
    made(it)
}

fn second_binding_update(it: &mut Scene) -> Vec<u8> {
    taken_once(it, |it| it.update_but(|_| ()));
    it.update_but(|_| ())
}

fn tables() -> impl Iterator<Item = &'static Row> {
    [OUTSIDE, INSIDE, CLEAR, signalling::ROWS].into_iter().flatten()
}

/// Exactly the one counter rises by one, nothing is delivered, said, bound or unbound, and what is right still works.
fn assert_dropped((input, _, _, given, reason, made): &Row, role: Role, suite: CipherSuite) {
    let place = format!("{input}, at the {role:?}, {suite}");
    let mut scene = Scene::new(role, suite, *given);
    let number = scene.next;
    let datagram = made(&mut scene);
    scene.end.said();
    let (mut expected, state) = (scene.end.drops(), scene.end.state());
    *expected.entry(*reason).or_default() += 1;
    assert_eq!(scene.takes(&datagram), None, "{place}: delivered");
    assert_eq!(scene.end.drops(), expected, "{place}");
    assert_eq!(scene.end.state(), state, "{place}");
    assert_eq!(scene.end.said(), [], "{place}: answered");
    scene.traffic_class = 0;
    scene.from = if role == Role::HomeAgent { CARE_OF } else { HOME_AGENT };
    // What is not authentic uses no number up: the right packet has the same one.
    if [Truncated, UnassignedPType, UnknownSpi, WrongIcv, BadIv].contains(reason) {
        scene.next = number;
    }
    if *reason == SaExpired { scene.assert_works_with_another_association(&place) } else { scene.assert_works(&place) }
}

#[test]
fn a_bad_datagram_is_counted_under_its_reason_and_loses_nothing() {
    for row @ (_, roles, has, ..) in tables() {
        for suite in CipherSuite::ALL.into_iter().filter(|suite| has(*suite)) {
            roles.iter().for_each(|role| assert_dropped(row, *role, suite));
        }
    }
}

#[test]
fn every_reason_has_a_row_or_cannot_be_provoked_by_a_packet() {
    for reason in DropReason::ALL {
        let has_row = tables().any(|(.., given, _)| given == reason) || entry::ROWS.iter().any(|(.., given, _)| given == reason);
        let is_excused = NOT_RECEIVED.iter().any(|(excused, _)| excused == reason);
        assert!(has_row != is_excused, "{reason}: a row: {has_row}, excused: {is_excused}");
    }
}
