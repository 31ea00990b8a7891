//! The two messages of a home registration as the mobile node writes and reads them (RFC 6275 section 11.7).

use std::net::Ipv4Addr;

use protocol::addr::CareOfAddress;
use protocol::sa::SecurityAssociation;
use protocol::time::Lifetime;
use protocol::tunnel::{DropReason, SignallingReceived};
use protocol::wire::mobility::{BindingAcknowledgement, BindingUpdate, Ends, Ipv4Home, MobilityMessage};
use protocol::wire::signalling::{self, Signalling};

/// A Binding Update under `sa` behind its Home Address option: first header and payload.
pub fn binding_update(sa: &SecurityAssociation, sequence: u16, lifetime: Lifetime, care_of: CareOfAddress) -> (u8, Vec<u8>) {
    let home = sa.home.in_mobility_header();
    let update = MobilityMessage::BindingUpdate(BindingUpdate {
        sequence,
        acknowledge: true,
        home_registration: true,
        lifetime,
        care_of: Some(care_of.into()),
        ipv4_home: sa.home.ip4().map(|_| Ipv4Home { prefix_len: 32, address: Ipv4Addr::UNSPECIFIED }),
        path_check: None,
    });
    let header = update.emit(Ends { source: home, destination: sa.home_agent.in_mobility_header() });
    (signalling::DESTINATION_OPTIONS, signalling::behind_home_address_option(home, &header))
}

/// Reads a Binding Acknowledgement that came under `sa`.
///
/// # Errors
/// The reason to drop the message.
pub fn acknowledgement(sa: &SecurityAssociation, received: &SignallingReceived) -> Result<BindingAcknowledgement, DropReason> {
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
        MobilityMessage::BindingAcknowledgement(acknowledgement) => Ok(acknowledgement),
        MobilityMessage::BindingRefreshRequest(_) | MobilityMessage::BindingUpdate(_) | MobilityMessage::BindingError(_) => {
            Err(DropReason::UnexpectedMobilityHeader)
        }
    }
}
