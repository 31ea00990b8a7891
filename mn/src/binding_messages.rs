//! The messages of a home registration as the mobile node writes and reads them (RFC 6275 sections 11.3.6 and 11.7).

use std::fmt;
use std::net::Ipv4Addr;

use protocol::addr::CareOfAddress;
use protocol::sa::SecurityAssociation;
use protocol::time::Lifetime;
use protocol::tunnel::{DropReason, SignallingReceived};
use protocol::wire::mobility::{
    BindingAcknowledgement, BindingErrorStatus, BindingId, BindingIdentifier, BindingIdentifiers, BindingUpdate, CareOf, Ends,
    Heartbeat, HeartbeatKind, HighestReceived, Ipv4Home, Ipv4Status, MobileRouter, MobilityMessage, PathMtu, PathToken,
};
use protocol::wire::signalling::{self, Signalling};

/// What a home agent says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromHomeAgent {
    /// An answer to a Binding Update.
    Acknowledgement(BindingAcknowledgement),
    /// It wants a Binding Update; with a token where it sees the node elsewhere than it is bound.
    RefreshRequest(Option<PathToken>),
    /// A response to a Heartbeat Request.
    Heartbeat {
        /// The request's sequence number.
        sequence: u32,
        /// Octets of its Mobility Header.
        len: usize,
    },
    /// It could make nothing of a message of ours.
    Error(BindingErrorStatus),
}

/// Why the IPv4 home address is not bound: the IPv4 Address Acknowledgement option's status (RFC 5555 section 3.2.1); none
/// where that option is missing or acknowledges another address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4Refusal(pub Option<Ipv4Status>);

/// What a Binding Update says.
#[derive(Clone, Debug)]
pub struct Update {
    /// Its sequence number.
    pub sequence: u16,
    /// How long; 0 ends the binding.
    pub lifetime: Lifetime,
    /// Where the node is.
    pub care_of: CareOfAddress,
    /// The token of the path, given back.
    pub path_check: Option<PathToken>,
    /// Behind a break: how far the home agent was heard.
    pub received: Option<HighestReceived>,
    /// The binding's number, for a home agent that takes several (RFC 5648).
    pub id: Option<BindingId>,
    /// With a number: whether every other binding ends.
    pub overwrites: bool,
    /// What it says of networks behind the node.
    pub mobile_router: MobileRouter,
}

/// A Binding Update under `sa` behind its Home Address option: first header and payload.
pub fn binding_update(sa: &SecurityAssociation, said: &Update) -> (u8, Vec<u8>) {
    let (home, care_of) = (sa.home.in_mobility_header(), CareOf::from(said.care_of));
    let identifiers = said.id.map_or(BindingIdentifiers::None, |id| BindingIdentifiers::One(BindingIdentifier::to(id, care_of)));
    let update = MobilityMessage::BindingUpdate(BindingUpdate {
        sequence: said.sequence,
        acknowledge: true,
        home_registration: true,
        lifetime: said.lifetime,
        care_of: Some(care_of),
        ipv4_home: sa.home.ip4().map(|_| Ipv4Home { prefix_len: 32, address: Ipv4Addr::UNSPECIFIED }),
        path_check: said.path_check,
        received: said.received,
        identifiers,
        overwrite: said.id.is_some() && said.overwrites,
        mobile_router: said.mobile_router.clone(),
    });
    let header = update.emit(Ends { source: home, destination: sa.home_agent.in_mobility_header() });
    (signalling::DESTINATION_OPTIONS, signalling::behind_home_address_option(home, &header))
}

/// A bare Heartbeat Request under `sa` whose Mobility Header has `len` octets: first header and payload.
pub fn heartbeat(sa: &SecurityAssociation, sequence: u32, len: usize, path_mtu: Option<PathMtu>) -> (u8, Vec<u8>) {
    let ends = Ends { source: sa.home.in_mobility_header(), destination: sa.home_agent.in_mobility_header() };
    let request = Heartbeat { kind: HeartbeatKind::Request, sequence, path_mtu, len };
    (signalling::MOBILITY, MobilityMessage::Heartbeat(request).emit(ends))
}

/// Reads what came under `sa`: behind a type 2 routing header or as a bare Mobility Header.
///
/// # Errors
/// The reason to drop the message.
pub fn read(sa: &SecurityAssociation, received: &SignallingReceived) -> Result<FromHomeAgent, DropReason> {
    let home = sa.home.in_mobility_header();
    let parsed = Signalling::parse(received.next_header, &received.payload)?;
    if parsed.home_address_option.is_some() {
        return Err(DropReason::MalformedSignalling);
    }
    // RFC 6275 section 6.4.3: the routing header's address is the node's own home address.
    if parsed.routing_header.is_some_and(|address| address != home) {
        return Err(DropReason::SpoofedHomeAddress);
    }
    let ends = Ends { source: sa.home_agent.in_mobility_header(), destination: home };
    match MobilityMessage::parse(parsed.mobility_header, ends)? {
        MobilityMessage::BindingAcknowledgement(acknowledgement) => Ok(FromHomeAgent::Acknowledgement(acknowledgement)),
        MobilityMessage::BindingRefreshRequest(request) => Ok(FromHomeAgent::RefreshRequest(request.path_check)),
        MobilityMessage::BindingError(error) if error.home_address == home || error.home_address.is_unspecified() => {
            Ok(FromHomeAgent::Error(error.status))
        }
        MobilityMessage::BindingError(_) => Err(DropReason::SpoofedHomeAddress),
        MobilityMessage::Heartbeat(Heartbeat { kind: HeartbeatKind::Response, sequence, len, .. }) => {
            Ok(FromHomeAgent::Heartbeat { sequence, len })
        }
        MobilityMessage::BindingUpdate(_) | MobilityMessage::Heartbeat(_) => Err(DropReason::UnexpectedMobilityHeader),
    }
}

/// What an accepting Binding Acknowledgement says against the IPv4 home address of `sa`.
pub fn ipv4_refusal(sa: &SecurityAssociation, acknowledgement: &BindingAcknowledgement) -> Option<Ipv4Refusal> {
    let home = sa.home.ip4()?;
    match acknowledgement.ipv4_address {
        Some((Ipv4Status::BOUND, address)) if address == home => None,
        Some((Ipv4Status::BOUND, _)) | None => Some(Ipv4Refusal(None)),
        Some((status, _)) => Some(Ipv4Refusal(Some(status))),
    }
}

impl fmt::Display for Ipv4Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("not acknowledged"),
            Some(status) => status.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::tunnel::SocketId;
    use protocol::wire::mobility::{BindingError, BindingRefreshRequest, Status};

    use super::*;
    use crate::fixture::{association, ends_at_mobile_node};

    fn received(next_header: u8, payload: Vec<u8>) -> SignallingReceived {
        let (spi, from) = (association(1).spi, ([203, 0, 113, 1], 7872).into());
        SignallingReceived { spi, sequence: 0, socket: SocketId(0), from, next_header, payload, lease: 0 }
    }

    fn read_bare(message: MobilityMessage) -> Result<FromHomeAgent, DropReason> {
        let sa = association(1);
        read(&sa, &received(signalling::MOBILITY, message.emit(ends_at_mobile_node(&sa))))
    }

    fn error(home_address: std::net::Ipv6Addr) -> MobilityMessage {
        MobilityMessage::BindingError(BindingError { status: BindingErrorStatus::UNKNOWN_BINDING, home_address })
    }

    #[test]
    fn what_a_home_agent_says_is_read_bare_and_behind_a_routing_header_to_this_node() {
        let sa = association(1);
        let request = MobilityMessage::BindingRefreshRequest(BindingRefreshRequest::default());
        let header = request.emit(ends_at_mobile_node(&sa));
        let behind = |home| read(&sa, &received(signalling::ROUTING, signalling::behind_routing_header(home, &header)));
        assert_eq!(read_bare(request.clone()), Ok(FromHomeAgent::RefreshRequest(None)));
        assert_eq!(behind(sa.home.in_mobility_header()), Ok(FromHomeAgent::RefreshRequest(None)));
        assert_eq!(behind("2001:db8:100::8".parse().unwrap()), Err(DropReason::SpoofedHomeAddress));
    }

    #[test]
    fn a_binding_error_about_somebody_elses_home_address_is_not_for_this_node() {
        let own = association(1).home.in_mobility_header();
        assert_eq!(read_bare(error(own)), Ok(FromHomeAgent::Error(BindingErrorStatus::UNKNOWN_BINDING)));
        assert_eq!(read_bare(error("2001:db8:100::8".parse().unwrap())), Err(DropReason::SpoofedHomeAddress));
    }

    #[test]
    fn a_home_agent_sends_no_binding_updates() {
        let sa = association(1);
        let care_of = CareOfAddress([198, 51, 100, 7].into());
        let update = Update {
            sequence: 1,
            lifetime: Lifetime::ZERO,
            care_of,
            path_check: None,
            received: None,
            id: None,
            overwrites: false,
            mobile_router: MobileRouter::No,
        };
        let (next_header, payload) = binding_update(&sa, &update);
        assert_eq!(read(&sa, &received(next_header, payload)), Err(DropReason::MalformedSignalling));
    }

    #[test]
    fn only_a_response_is_a_heartbeat_from_a_home_agent() {
        let heartbeat = |kind| MobilityMessage::Heartbeat(Heartbeat { kind, sequence: 7, path_mtu: None, len: 1_416 });
        let response = FromHomeAgent::Heartbeat { sequence: 7, len: 1_416 };
        assert_eq!(read_bare(heartbeat(HeartbeatKind::Response)), Ok(response));
        for other in [HeartbeatKind::Request, HeartbeatKind::UnsolicitedResponse] {
            assert_eq!(read_bare(heartbeat(other)), Err(DropReason::UnexpectedMobilityHeader));
        }
    }

    #[test]
    fn ipv4_is_bound_only_where_the_home_agent_acknowledges_this_nodes_address() {
        let sa = association(1);
        let refusal = |answer: Option<(u8, Ipv4Addr)>| {
            let ipv4_address = answer.map(|(status, address)| (Ipv4Status(status), address));
            let accepted = BindingAcknowledgement::new(Status::ACCEPTED, 1, Lifetime::from_units(150));
            ipv4_refusal(&sa, &BindingAcknowledgement { ipv4_address, ..accepted })
        };
        let own = sa.home.ip4().unwrap();
        assert_eq!(refusal(Some((0, own))), None);
        assert_eq!(refusal(Some((0, Ipv4Addr::LOCALHOST))), Some(Ipv4Refusal(None)));
        assert_eq!(refusal(None), Some(Ipv4Refusal(None)));
        assert!(refusal(Some((132, own))).unwrap().to_string().starts_with("132 (dynamic"));
    }
}
