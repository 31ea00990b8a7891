//! The Mobility Header (RFC 6275 section 6.1): one message a file, their options beside them.
//!
//! ```text
//! | Payload Proto (59) | Header Len | MH Type | Reserved | Checksum (2) | message data … options … |
//! ```

mod binding_acknowledgement;
mod binding_error;
mod binding_identifier;
mod binding_refresh_request;
mod binding_update;
mod heartbeat;
mod highest_received;
mod mobile_router;
pub mod option;
mod path_check;
mod path_mtu;
pub mod sequence;
mod vendor_specific;

use std::net::Ipv6Addr;

pub use binding_acknowledgement::{BindingAcknowledgement, Ipv4Status, NatDetection, Status};
pub use binding_error::{BindingError, BindingErrorStatus};
pub use binding_identifier::{BindingId, BindingIdentifier, BindingIdentifiers};
pub use binding_refresh_request::BindingRefreshRequest;
pub use binding_update::{BindingUpdate, CareOf, Ipv4Home};
pub use heartbeat::{Heartbeat, HeartbeatKind};
pub use highest_received::HighestReceived;
pub use mobile_router::MobileRouter;
pub use path_check::PathToken;
pub use path_mtu::PathMtu;

use super::{checksum, ip, signalling};
use crate::tunnel::DropReason;

/// Octets before the message data.
const COMMON: usize = 6;
const TYPE_BINDING_REFRESH_REQUEST: u8 = 0;
const TYPE_BINDING_UPDATE: u8 = 5;
const TYPE_BINDING_ACKNOWLEDGEMENT: u8 = 6;
const TYPE_BINDING_ERROR: u8 = 7;
const TYPE_HEARTBEAT: u8 = 13;

/// A message between mobile node and home agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MobilityMessage {
    /// Type 0.
    BindingRefreshRequest(BindingRefreshRequest),
    /// Type 5.
    BindingUpdate(BindingUpdate),
    /// Type 6.
    BindingAcknowledgement(BindingAcknowledgement),
    /// Type 7.
    BindingError(BindingError),
    /// Type 13.
    Heartbeat(Heartbeat),
}

/// The two ends of a Mobility Header as its checksum knows them, whatever the outer addresses are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Whoever sends it.
    pub source: Ipv6Addr,
    /// Whoever it is for.
    pub destination: Ipv6Addr,
}

impl MobilityMessage {
    /// Checks length, checksum and type, then reads the message.
    ///
    /// # Errors
    /// [`DropReason::BadChecksum`], [`DropReason::UnexpectedMobilityHeader`], [`DropReason::MalformedSignalling`].
    pub fn parse(header: &[u8], ends: Ends) -> Result<Self, DropReason> {
        let (common, data) = header.split_first_chunk::<COMMON>().ok_or(DropReason::MalformedSignalling)?;
        let [payload_proto, units, mh_type, ..] = *common;
        if (usize::from(units) + 1) * 8 != header.len() || payload_proto != ip::NEXT_HEADER_NONE {
            return Err(DropReason::MalformedSignalling);
        }
        if !checksum::is_right(ends.source, ends.destination, signalling::MOBILITY, header) {
            return Err(DropReason::BadChecksum);
        }
        match mh_type {
            TYPE_BINDING_REFRESH_REQUEST => BindingRefreshRequest::parse(data).map(Self::BindingRefreshRequest),
            TYPE_BINDING_UPDATE => BindingUpdate::parse(data).map(Self::BindingUpdate),
            TYPE_BINDING_ACKNOWLEDGEMENT => BindingAcknowledgement::parse(data).map(Self::BindingAcknowledgement),
            TYPE_BINDING_ERROR => BindingError::parse(data).map(Self::BindingError),
            TYPE_HEARTBEAT => Heartbeat::parse(data).map(Self::Heartbeat),
            _ => return Err(DropReason::UnexpectedMobilityHeader),
        }
        .ok_or(DropReason::MalformedSignalling)
    }

    /// The whole Mobility Header, checksum included.
    pub fn emit(&self, ends: Ends) -> Vec<u8> {
        let mut header = vec![ip::NEXT_HEADER_NONE, 0, self.mh_type(), 0, 0, 0];
        match self {
            Self::BindingRefreshRequest(request) => request.emit(&mut header),
            Self::BindingUpdate(update) => update.emit(&mut header),
            Self::BindingAcknowledgement(acknowledgement) => acknowledgement.emit(&mut header),
            Self::BindingError(error) => error.emit(&mut header),
            Self::Heartbeat(heartbeat) => heartbeat.emit(&mut header),
        }
        option::pad_to(&mut header, 8, 0);
        header[1] = (header.len() / 8 - 1) as u8;
        let sum = checksum::with_pseudo_header(ends.source, ends.destination, signalling::MOBILITY, &header);
        header[4..6].copy_from_slice(&sum.to_be_bytes());
        header
    }

    fn mh_type(&self) -> u8 {
        match self {
            Self::BindingRefreshRequest(_) => TYPE_BINDING_REFRESH_REQUEST,
            Self::BindingUpdate(_) => TYPE_BINDING_UPDATE,
            Self::BindingAcknowledgement(_) => TYPE_BINDING_ACKNOWLEDGEMENT,
            Self::BindingError(_) => TYPE_BINDING_ERROR,
            Self::Heartbeat(_) => TYPE_HEARTBEAT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Lifetime;

    const ENDS: Ends = Ends {
        source: Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x100),
        destination: Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1),
    };

    fn update() -> BindingUpdate {
        BindingUpdate {
            sequence: 1,
            acknowledge: true,
            home_registration: true,
            lifetime: Lifetime::from_units(150),
            care_of: Some(CareOf::Ip6("2001:db8:2::abcd".parse().unwrap())),
            ipv4_home: None,
            path_check: None,
            received: None,
            identifiers: BindingIdentifiers::None,
            overwrite: false,
            mobile_router: MobileRouter::No,
        }
    }

    #[test]
    fn a_binding_update_is_the_octets_that_another_implementation_makes() {
        let header = MobilityMessage::BindingUpdate(update()).emit(ENDS);
        let payload = signalling::behind_home_address_option(ENDS.source, &header);
        assert_eq!(
            hex::encode(payload),
            "870201020000c91020010db80001000000000000000001003b030500c4af0001c00000960100031020010db800020000000000000000abcd"
        );
    }

    #[test]
    fn a_binding_acknowledgement_is_the_octets_that_another_implementation_makes() {
        let message = BindingAcknowledgement::new(Status::ACCEPTED, 1, Lifetime::from_units(150));
        let ends = Ends { source: ENDS.destination, destination: ENDS.source };
        let header = MobilityMessage::BindingAcknowledgement(message).emit(ends);
        let payload = signalling::behind_routing_header(ENDS.source, &header);
        assert_eq!(
            hex::encode(payload),
            "870202010000000020010db800010000000000000000010".to_owned() + "03b010600605900000001009601020000"
        );
    }

    #[test]
    fn messages_with_ipv4_options_come_back_as_they_were() {
        for care_of in [CareOf::Ip4([198, 51, 100, 7].into()), CareOf::Ip6("2001:db8:2::1".parse().unwrap())] {
            let message = MobilityMessage::BindingUpdate(BindingUpdate {
                care_of: Some(care_of),
                ipv4_home: Some(Ipv4Home { prefix_len: 32, address: [10, 9, 0, 7].into() }),
                ..update()
            });
            let header = message.emit(ENDS);
            assert_eq!(header.len() % 8, 0);
            assert_eq!(MobilityMessage::parse(&header, ENDS), Ok(message));
        }
    }

    /// RFC 5648 sections 4.2, 5.2 and 8.1: the care-of address stands in this option and in no other.
    #[test]
    fn messages_with_a_binding_identifier_come_back_as_they_were() {
        let id = BindingId::new(2).unwrap();
        for care_of in [CareOf::Ip4([198, 51, 100, 7].into()), CareOf::Ip6("2001:db8:2::1".parse().unwrap())] {
            for overwrite in [false, true] {
                let identifiers = BindingIdentifiers::One(BindingIdentifier::to(id, care_of));
                let update = BindingUpdate { identifiers, overwrite, care_of: Some(care_of), ..update() };
                let header = MobilityMessage::BindingUpdate(update.clone()).emit(ENDS);
                let kinds: Vec<u8> = option::Options::new(&header[COMMON + 6..]).map(|option| option.unwrap().0).collect();
                assert_eq!((kinds, header[9] & 0x40 != 0), (vec![35], overwrite));
                assert_eq!(MobilityMessage::parse(&header, ENDS), Ok(MobilityMessage::BindingUpdate(update)));
            }
        }
        let message = MobilityMessage::BindingAcknowledgement(BindingAcknowledgement {
            identifier: Some(BindingIdentifier { status: Status::MCOA_UNKNOWN_CARE_OF, ..BindingIdentifier::of(id) }),
            ..BindingAcknowledgement::new(Status::MCOA_NOT_COMPLETE, 7, Lifetime::from_units(150))
        });
        assert_eq!(MobilityMessage::parse(&message.emit(ENDS), ENDS), Ok(message));
    }

    /// RFC 5555 sections 3.1.3 and 3.2.2 (F), RFC 5845 (T), and bits that nobody has yet.
    #[test]
    fn flags_that_mean_nothing_here_are_read_past() {
        let known = MobilityMessage::BindingUpdate(update());
        for (octet, bit) in [(8, 1), (9, 0x80), (9, 0x20), (9, 1)] {
            let mut header = known.emit(ENDS);
            header[octet] |= bit;
            header[4..6].fill(0);
            let sum = checksum::with_pseudo_header(ENDS.source, ENDS.destination, signalling::MOBILITY, &header);
            header[4..6].copy_from_slice(&sum.to_be_bytes());
            assert_eq!(MobilityMessage::parse(&header, ENDS).as_ref(), Ok(&known), "{octet} {bit:#x}");
        }
    }

    #[test]
    fn how_far_a_node_has_heard_comes_back_beside_a_token_and_alone() {
        for path_check in [None, Some(PathToken([7; 8]))] {
            for received in [None, Some(HighestReceived(0)), Some(HighestReceived(0xfedc_ba98))] {
                let message = MobilityMessage::BindingUpdate(BindingUpdate { path_check, received, ..update() });
                let header = message.emit(ENDS);
                assert_eq!((header.len() % 8, MobilityMessage::parse(&header, ENDS)), (0, Ok(message)));
            }
        }
    }

    /// RFC 3963 sections 4.1 to 4.3: R is 0x0400 in a Binding Update, 0x40 in an acknowledgement.
    #[test]
    fn messages_of_a_mobile_router_come_back_as_they_were() {
        let explicit = MobileRouter::Explicit("2001:db8:7::/48,2001:db8:8:1::/64".parse().unwrap());
        for (mobile_router, flags) in [(MobileRouter::No, 0xc000), (MobileRouter::Implicit, 0xc400), (explicit, 0xc400_u16)] {
            let message = MobilityMessage::BindingUpdate(BindingUpdate { mobile_router, ..update() });
            let header = message.emit(ENDS);
            assert_eq!((header[8..10].to_vec(), header.len() % 8), (flags.to_be_bytes().to_vec(), 0));
            assert_eq!(MobilityMessage::parse(&header, ENDS), Ok(message));
        }
        for (mobile_router, flags) in [(false, 0), (true, 0x40)] {
            let accepted = BindingAcknowledgement::new(Status::ACCEPTED, 7, Lifetime::from_units(150));
            let message = MobilityMessage::BindingAcknowledgement(BindingAcknowledgement { mobile_router, ..accepted });
            let header = message.emit(ENDS);
            assert_eq!(header[7], flags);
            assert_eq!(MobilityMessage::parse(&header, ENDS), Ok(message));
        }
    }

    #[test]
    fn messages_with_nat_detection_and_path_check_come_back_as_they_were() {
        let token = Some(PathToken(*b"12345678"));
        let acknowledgement = BindingAcknowledgement {
            ipv4_address: Some((Ipv4Status::BOUND, [10, 9, 0, 7].into())),
            nat: Some(NatDetection { refresh_seconds: 110 }),
            path_check: token,
            ..BindingAcknowledgement::new(Status::ACCEPTED, 7, Lifetime::from_units(150))
        };
        for message in [
            MobilityMessage::BindingAcknowledgement(acknowledgement),
            MobilityMessage::BindingUpdate(BindingUpdate { path_check: token, ..update() }),
            MobilityMessage::BindingRefreshRequest(BindingRefreshRequest { path_check: token }),
        ] {
            let header = message.emit(ENDS);
            assert_eq!(header.len() % 8, 0);
            assert_eq!(MobilityMessage::parse(&header, ENDS), Ok(message));
        }
    }

    /// RFC 5555 section 3.2.1.
    #[test]
    fn an_ipv4_address_that_is_not_bound_is_acknowledged_without_a_prefix_length() {
        for (status, prefix_len) in [(0, 32), (132, 0)] {
            let ipv4_address = Some((Ipv4Status(status), [10, 9, 0, 7].into()));
            let message = BindingAcknowledgement {
                ipv4_address,
                ..BindingAcknowledgement::new(Status::ACCEPTED, 1, Lifetime::from_units(150))
            };
            let header = MobilityMessage::BindingAcknowledgement(message).emit(ENDS);
            assert!(header.windows(8).any(|window| window == [30, 6, status, prefix_len << 2, 10, 9, 0, 7]), "{header:?}");
        }
    }

    #[test]
    fn another_vendors_option_is_skipped() {
        let mut header =
            MobilityMessage::BindingUpdate(BindingUpdate { path_check: Some(PathToken([9; 8])), ..update() }).emit(ENDS);
        let vendor = header.windows(4).position(|window| window == 32_473_u32.to_be_bytes()).unwrap();
        header[vendor + 3] ^= 1;
        header[4..6].fill(0);
        let sum = checksum::with_pseudo_header(ENDS.source, ENDS.destination, signalling::MOBILITY, &header);
        header[4..6].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(MobilityMessage::parse(&header, ENDS), Ok(MobilityMessage::BindingUpdate(update())));
    }

    #[test]
    fn a_refresh_request_has_eight_octets_and_an_error_its_home_address() {
        let request = MobilityMessage::BindingRefreshRequest(BindingRefreshRequest::default());
        assert_eq!(request.emit(ENDS).len(), 8);
        let error = BindingError { status: BindingErrorStatus::UNKNOWN_BINDING, home_address: ENDS.source };
        for message in [request, MobilityMessage::BindingError(error)] {
            assert_eq!(MobilityMessage::parse(&message.emit(ENDS), ENDS), Ok(message));
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let header = MobilityMessage::BindingUpdate(update()).emit(ENDS);
        for bit in 0..header.len() * 8 {
            let mut flipped = header.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(MobilityMessage::parse(&flipped, ENDS).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn other_ends_make_another_checksum() {
        let header = MobilityMessage::BindingUpdate(update()).emit(ENDS);
        let ends = Ends { source: "2001:db8:1::101".parse().unwrap(), ..ENDS };
        assert_eq!(MobilityMessage::parse(&header, ends), Err(DropReason::BadChecksum));
    }
}
