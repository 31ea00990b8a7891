//! PType 8: authentic, and still not to be heeded (RFC 6618 section 6.3, RFC 6275 sections 6.1, 9.2 and 9.5.1).

use fixture::HOME6;
use protocol::time::Lifetime;
use protocol::tunnel::DropReason::*;
use protocol::wire::envelope::PType;
use protocol::wire::mobility::{
    BindingAcknowledgement, BindingError, BindingErrorStatus, BindingRefreshRequest, Ends, Heartbeat, HeartbeatKind,
    MobilityMessage, Status,
};
use protocol::wire::signalling::{DESTINATION_OPTIONS, ROUTING, behind_home_address_option, behind_routing_header};

use super::Given::{Bound, StateLost, Unnumbered};
use super::scene::Scene;
use super::{BOTH, HA, MN, Row, cut, each, null};

/// Another mobile node's home address.
const OTHER: std::net::Ipv6Addr = std::net::Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 8);

pub(super) const ROWS: &[Row] = &[
    ("Next Header 59", BOTH, each, Bound, BadNextHeader, |it| it.sealed(PType::MobilityHeader, 59, &it.good_header())),
    ("an IPv6 packet as PType 8", BOTH, each, Bound, BadNextHeader, |it| it.sealed(PType::MobilityHeader, 41, &it.inner())),
    ("TCP as PType 8", BOTH, each, Bound, BadNextHeader, |it| it.sealed(PType::MobilityHeader, 6, &[0; 20])),
    ("no octet", BOTH, each, Bound, MalformedSignalling, |it| it.bare(&[])),
    ("half a Mobility Header", BOTH, each, Bound, MalformedSignalling, |it| it.bare(&it.good_header()[..5])),
    ("a Mobility Header that is cut", BOTH, each, Bound, MalformedSignalling, |it| it.bare(&cut(it.good_header(), 1))),
    ("eight octets behind it", BOTH, each, Bound, MalformedSignalling, |it| it.bare_but(|header| header.extend([0; 8]))),
    ("a header behind it", BOTH, each, Bound, MalformedSignalling, |it| it.bare_but(|header| header[0] = 6)),
    ("an option that is cut", HA, each, Bound, MalformedSignalling, |it| it.bare_but(|header| header[13] = 0xff)),
    ("an extension header that is cut", BOTH, each, Bound, MalformedSignalling, cut_extension),
    ("two Home Address options", BOTH, each, Bound, MalformedSignalling, two_home_address_options),
    ("another header between", BOTH, each, Bound, MalformedSignalling, another_header_between),
    ("a routing header of type 0", BOTH, each, Bound, MalformedSignalling, routing_header_of_type_0),
    ("a routing header to it", HA, each, Bound, MalformedSignalling, |it| it.behind_routing_header(HOME6, &it.good_header())),
    ("a Home Address option to it", MN, each, Bound, MalformedSignalling, |it| it.update_but(|_| ())),
    ("no H bit", HA, each, Bound, MalformedSignalling, |it| it.update_but(|update| update.home_registration = false)),
    ("no care-of address", HA, each, Bound, MalformedSignalling, |it| it.update_but(|update| update.care_of = None)),
    ("another's home address", HA, each, Bound, SpoofedHomeAddress, |it| it.behind_home_address(OTHER, &it.good_header())),
    ("another's home address, sum and all", HA, each, Bound, SpoofedHomeAddress, update_of_another),
    ("another's IPv4 home address", HA, each, Bound, SpoofedHomeAddress, |it| it.update_but(other_ipv4_home)),
    ("another's routing header", MN, each, Bound, SpoofedHomeAddress, |it| it.behind_routing_header(OTHER, &acknowledgement(it))),
    ("an error about another's address", MN, each, Bound, SpoofedHomeAddress, |it| binding_error(it, 1, OTHER)),
    ("a wrong checksum", BOTH, each, Bound, BadChecksum, |it| it.bare(&flipped(it.good_header(), 4))),
    ("a checksum of zero", BOTH, each, Bound, BadChecksum, |it| it.bare(&without_checksum(it.good_header()))),
    ("a checksum for other ends", BOTH, each, Bound, BadChecksum, for_other_ends),
    ("HoTI", BOTH, each, Bound, UnexpectedMobilityHeader, |it| it.bare_but(|header| header[2] = 1)),
    ("HoT", BOTH, each, Bound, UnexpectedMobilityHeader, |it| it.bare_but(|header| header[2] = 3)),
    ("an undefined type", BOTH, each, Bound, UnexpectedMobilityHeader, |it| it.bare_but(|header| header[2] = 255)),
    ("a Binding Acknowledgement", HA, each, Bound, UnexpectedMobilityHeader, |it| it.bare(&acknowledgement(it))),
    ("a Binding Refresh Request", HA, each, Bound, UnexpectedMobilityHeader, |it| it.message(&REFRESH_REQUEST)),
    ("a Binding Error", HA, each, Bound, UnexpectedMobilityHeader, |it| binding_error(it, 1, HOME6)),
    ("a Heartbeat Response", HA, each, Bound, UnexpectedMobilityHeader, |it| heartbeat(it, HeartbeatKind::Response)),
    ("a Heartbeat Response that came by itself", BOTH, each, Bound, UnexpectedMobilityHeader, unsolicited_heartbeat),
    ("a Heartbeat Request to the node", MN, each, Bound, UnexpectedMobilityHeader, |it| heartbeat(it, HeartbeatKind::Request)),
    ("a Heartbeat Response that nobody waits for", MN, each, Bound, UnexpectedMobilityHeader, |it| {
        heartbeat(it, HeartbeatKind::Response)
    }),
    ("a Heartbeat that is cut", BOTH, each, Bound, MalformedSignalling, |it| it.bare_but(cut_heartbeat)),
    ("a Heartbeat Request from loopback", HA, each, Bound, HeartbeatNotAnswered, heartbeat_from_loopback),
    ("one message too many at once", HA, each, Bound, SignallingTooOften, one_message_too_many),
    ("one Binding Update too many at once", HA, each, Bound, SignallingTooOften, one_update_too_many),
    ("a Heartbeat Request, the numbers missing", HA, null, Unnumbered, UnexpectedMobilityHeader, |it| {
        heartbeat(it, HeartbeatKind::Request)
    }),
    ("a Heartbeat Request, the replay state lost", HA, each, StateLost, ReplayStateLost, |it| {
        heartbeat(it, HeartbeatKind::Request)
    }),
    ("a Binding Error of unknown status", MN, each, Bound, UnexpectedMobilityHeader, |it| binding_error(it, 2, HOME6)),
    ("a Binding Update to the node", MN, each, Bound, UnexpectedMobilityHeader, |it| it.bare(&it.good_header())),
];

const REFRESH_REQUEST: MobilityMessage = MobilityMessage::BindingRefreshRequest(BindingRefreshRequest { path_check: None });

fn acknowledgement(it: &Scene) -> Vec<u8> {
    let answer = BindingAcknowledgement::new(Status::ACCEPTED, it.update.get(), Lifetime::from_units(150));
    it.header(&MobilityMessage::BindingAcknowledgement(answer))
}

fn binding_error(it: &mut Scene, status: u8, home_address: std::net::Ipv6Addr) -> Vec<u8> {
    it.message(&MobilityMessage::BindingError(BindingError { status: BindingErrorStatus(status), home_address }))
}

fn heartbeat(it: &mut Scene, kind: HeartbeatKind) -> Vec<u8> {
    it.message(&MobilityMessage::Heartbeat(Heartbeat { kind, sequence: 1, path_mtu: None, len: 400 }))
}

fn unsolicited_heartbeat(it: &mut Scene) -> Vec<u8> {
    heartbeat(it, HeartbeatKind::UnsolicitedResponse)
}

fn heartbeat_from_loopback(it: &mut Scene) -> Vec<u8> {
    it.from = ([127, 0, 0, 1], 5000).into();
    heartbeat(it, HeartbeatKind::Request)
}

/// Behind the node's Binding Update and 63 more.
fn one_message_too_many(it: &mut Scene) -> Vec<u8> {
    for _ in 0..63 {
        let datagram = heartbeat(it, HeartbeatKind::Request);
        it.takes(&datagram);
    }
    heartbeat(it, HeartbeatKind::Request)
}

/// Behind the node's first and 15 more.
fn one_update_too_many(it: &mut Scene) -> Vec<u8> {
    for _ in 0..15 {
        let datagram = it.update_but(|_| ());
        it.takes(&datagram);
    }
    it.update_but(|_| ())
}

/// To less than its sequence number.
fn cut_heartbeat(header: &mut Vec<u8>) {
    header.truncate(8);
    (header[1], header[2]) = (0, 13);
}

fn other_ipv4_home(update: &mut protocol::wire::mobility::BindingUpdate) {
    update.ipv4_home = Some(protocol::wire::mobility::Ipv4Home { prefix_len: 32, address: [10, 9, 0, 8].into() });
}

fn cut_extension(it: &mut Scene) -> Vec<u8> {
    let payload = behind_home_address_option(HOME6, &it.good_header());
    it.sealed(PType::MobilityHeader, DESTINATION_OPTIONS, &payload[..20])
}

fn two_home_address_options(it: &mut Scene) -> Vec<u8> {
    let mut payload = behind_home_address_option(HOME6, &behind_home_address_option(HOME6, &it.good_header()));
    payload[0] = DESTINATION_OPTIONS;
    it.sealed(PType::MobilityHeader, DESTINATION_OPTIONS, &payload)
}

/// Hop-by-Hop Options, say.
fn another_header_between(it: &mut Scene) -> Vec<u8> {
    let mut payload = behind_home_address_option(HOME6, &behind_home_address_option(HOME6, &it.good_header()));
    payload[0] = 0;
    it.sealed(PType::MobilityHeader, DESTINATION_OPTIONS, &payload)
}

fn routing_header_of_type_0(it: &mut Scene) -> Vec<u8> {
    let mut payload = behind_routing_header(HOME6, &it.good_header());
    payload[2] = 0;
    it.sealed(PType::MobilityHeader, ROUTING, &payload)
}

/// What the other node would send, under this node's keys.
fn update_of_another(it: &mut Scene) -> Vec<u8> {
    let update = it.binding_update();
    let header = MobilityMessage::BindingUpdate(update).emit(Ends { source: OTHER, ..it.ends() });
    it.behind_home_address(OTHER, &header)
}

fn for_other_ends(it: &mut Scene) -> Vec<u8> {
    let update = it.binding_update();
    let header = MobilityMessage::BindingUpdate(update).emit(Ends { destination: OTHER, ..it.ends() });
    it.bare(&header)
}

fn flipped(mut header: Vec<u8>, octet: usize) -> Vec<u8> {
    header[octet] ^= 1;
    header
}

fn without_checksum(mut header: Vec<u8>) -> Vec<u8> {
    header[4..6].fill(0);
    header
}
