//! Mobility Headers as somebody sends them who has the keys of the other end, right or wrong.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use fixture::HOME6;
use protocol::sa::Role;
use protocol::time::Lifetime;
use protocol::wire::checksum;
use protocol::wire::envelope::PType;
use protocol::wire::mobility::{BindingIdentifiers, BindingUpdate, CareOf, Ends, Ipv4Home, MobileRouter, MobilityMessage};
use protocol::wire::signalling;

use super::CARE_OF;
use super::scene::Scene;

impl Scene {
    /// Whom a Mobility Header to this end is from and for.
    pub(super) fn ends(&self) -> Ends {
        let (home, home_agent) = (self.sa.home.in_mobility_header(), self.sa.home_agent.in_mobility_header());
        match self.role {
            Role::HomeAgent => Ends { source: home, destination: home_agent },
            Role::MobileNode => Ends { source: home_agent, destination: home },
        }
    }

    /// A Binding Update that is good, newer than all before.
    pub(super) fn binding_update(&self) -> BindingUpdate {
        self.update.set(self.update.get() + 1);
        let SocketAddr::V4(care_of) = CARE_OF else { unreachable!("an IPv4 network") };
        BindingUpdate {
            sequence: self.update.get(),
            acknowledge: true,
            home_registration: true,
            lifetime: Lifetime::from_units(150),
            care_of: Some(CareOf::Ip4(*care_of.ip())),
            ipv4_home: Some(Ipv4Home { prefix_len: 32, address: Ipv4Addr::UNSPECIFIED }),
            path_check: None,
            received: None,
            identifiers: BindingIdentifiers::None,
            overwrite: false,
            mobile_router: MobileRouter::No,
        }
    }

    /// This Binding Update behind the node's Home Address option.
    pub(super) fn update(&mut self, update: BindingUpdate) -> Vec<u8> {
        let header = self.header(&MobilityMessage::BindingUpdate(update));
        self.behind_home_address(HOME6, &header)
    }

    /// A good Binding Update with one thing otherwise.
    pub(super) fn update_but(&mut self, spoil: fn(&mut BindingUpdate)) -> Vec<u8> {
        let mut update = self.binding_update();
        spoil(&mut update);
        self.update(update)
    }

    /// A Mobility Header with the right checksum.
    pub(super) fn header(&self, message: &MobilityMessage) -> Vec<u8> {
        message.emit(self.ends())
    }

    /// A good Binding Update's header, changed, and its checksum made right again.
    pub(super) fn header_but(&self, spoil: fn(&mut Vec<u8>)) -> Vec<u8> {
        let update = self.binding_update();
        let mut header = self.header(&MobilityMessage::BindingUpdate(update));
        spoil(&mut header);
        header[4..6].fill(0);
        let Ends { source, destination } = self.ends();
        let sum = checksum::with_pseudo_header(source, destination, signalling::MOBILITY, &header);
        header[4..6].copy_from_slice(&sum.to_be_bytes());
        header
    }

    /// A good Binding Update's header.
    pub(super) fn good_header(&self) -> Vec<u8> {
        self.header_but(|_| ())
    }

    /// A good Binding Update's header alone, changed, under a right checksum.
    pub(super) fn bare_but(&mut self, spoil: fn(&mut Vec<u8>)) -> Vec<u8> {
        self.bare(&self.header_but(spoil))
    }

    /// A message as a bare Mobility Header.
    pub(super) fn message(&mut self, message: &MobilityMessage) -> Vec<u8> {
        let header = self.header(message);
        self.bare(&header)
    }

    /// A bare Mobility Header.
    pub(super) fn bare(&mut self, header: &[u8]) -> Vec<u8> {
        self.sealed(PType::MobilityHeader, signalling::MOBILITY, header)
    }

    /// A Mobility Header behind a Home Address option.
    pub(super) fn behind_home_address(&mut self, home: Ipv6Addr, header: &[u8]) -> Vec<u8> {
        let payload = signalling::behind_home_address_option(home, header);
        self.sealed(PType::MobilityHeader, signalling::DESTINATION_OPTIONS, &payload)
    }

    /// A Mobility Header behind a type 2 routing header.
    pub(super) fn behind_routing_header(&mut self, home: Ipv6Addr, header: &[u8]) -> Vec<u8> {
        let payload = signalling::behind_routing_header(home, header);
        self.sealed(PType::MobilityHeader, signalling::ROUTING, &payload)
    }
}
