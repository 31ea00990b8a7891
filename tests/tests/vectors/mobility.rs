//! PType 8 payloads, checksum included: made and taken apart.

use std::net::Ipv6Addr;

use protocol::time::Lifetime;
use protocol::wire::mobility::{
    BindingAcknowledgement, BindingIdentifiers, BindingUpdate, CareOf, Ends, MobileRouter, MobilityMessage, Status,
};
use protocol::wire::signalling::{self, Signalling};
use serde::Deserialize;

use super::{load, octets};

#[derive(Deserialize)]
struct Case {
    name: String,
    home_address: Ipv6Addr,
    ha: Ipv6Addr,
    care_of: Option<Ipv6Addr>,
    status: Option<u8>,
    sequence: u16,
    lifetime_units: u16,
    flags: Option<String>,
    next_header: u8,
    payload: String,
}

impl Case {
    fn message(&self) -> MobilityMessage {
        let lifetime = Lifetime::from_units(self.lifetime_units);
        match self.name.as_str() {
            "BU" => {
                assert_eq!(self.flags.as_deref(), Some("AH"));
                MobilityMessage::BindingUpdate(BindingUpdate {
                    sequence: self.sequence,
                    acknowledge: true,
                    home_registration: true,
                    lifetime,
                    care_of: self.care_of.map(CareOf::Ip6),
                    ipv4_home: None,
                    path_check: None,
                    received: None,
                    identifiers: BindingIdentifiers::None,
                    overwrite: false,
                    mobile_router: MobileRouter::No,
                })
            }
            "BA" => MobilityMessage::BindingAcknowledgement(BindingAcknowledgement::new(
                Status(self.status.expect("a BA has a status")),
                self.sequence,
                lifetime,
            )),
            other => panic!("a message that is new here: {other}"),
        }
    }

    fn ends(&self) -> Ends {
        match self.name.as_str() {
            "BU" => Ends { source: self.home_address, destination: self.ha },
            _ => Ends { source: self.ha, destination: self.home_address },
        }
    }
}

#[test]
fn vectors_mobility_payloads_are_made_octet_for_octet_and_taken_apart() {
    for case in load::<Case>("mobility.json") {
        let (message, ends) = (case.message(), case.ends());
        let header = message.emit(ends);
        let payload = match case.next_header {
            signalling::DESTINATION_OPTIONS => signalling::behind_home_address_option(case.home_address, &header),
            signalling::ROUTING => signalling::behind_routing_header(case.home_address, &header),
            other => panic!("a first header that is new here: {other}"),
        };
        assert_eq!(hex::encode(payload), case.payload);
        let payload = octets(&case.payload);
        let parsed = Signalling::parse(case.next_header, &payload).unwrap();
        assert_eq!(parsed.home_address_option.or(parsed.routing_header), Some(case.home_address));
        assert_eq!(MobilityMessage::parse(parsed.mobility_header, ends), Ok(message));
    }
}
