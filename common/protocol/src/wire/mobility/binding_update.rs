//! Binding Update (RFC 6275 section 6.1.7).
//!
//! ```text
//! | Sequence (2) | A H L K M R P F T O (2) | Lifetime (2) | options |
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::option::{self, Options};
use super::{BindingIdentifiers, HighestReceived, MobileRouter, PathToken};
use crate::addr::CareOfAddress;
use crate::time::Lifetime;

const ACKNOWLEDGE: u16 = 0x8000;
const HOME_REGISTRATION: u16 = 0x4000;
/// RFC 3963 section 4.1.
const MOBILE_ROUTER: u16 = 0x0400;
/// RFC 5648 section 4.2.
const OVERWRITE: u16 = 0x0040;

/// Binds a home address to a care-of address, or with lifetime 0 ends the binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingUpdate {
    /// Newer than that of the last one: see [`super::sequence`].
    pub sequence: u16,
    /// The A bit: a Binding Acknowledgement is wanted.
    pub acknowledge: bool,
    /// The H bit: the receiver is to be the home agent.
    pub home_registration: bool,
    /// How long.
    pub lifetime: Lifetime,
    /// Alternate Care-of Address option, IPv4 Care-of Address option, or the address in the Binding Identifier option.
    pub care_of: Option<CareOf>,
    /// IPv4 Home Address option: binds the IPv4 home address too.
    pub ipv4_home: Option<Ipv4Home>,
    /// Our path check: the token of the last Binding Acknowledgement that had one.
    pub path_check: Option<PathToken>,
    /// Our option behind a break: what was sent behind this number may be lost.
    pub received: Option<HighestReceived>,
    /// Which of the node's bindings it is about (RFC 5648).
    pub identifiers: BindingIdentifiers,
    /// The O bit: it replaces every binding of the node (RFC 5648 section 4.2).
    pub overwrite: bool,
    /// The R bit and the networks behind the node (RFC 3963).
    pub mobile_router: MobileRouter,
}

/// The care-of address and with it the option that carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CareOf {
    /// Alternate Care-of Address option.
    Ip6(Ipv6Addr),
    /// IPv4 Care-of Address option (RFC 5555 section 3.1.2).
    Ip4(Ipv4Addr),
}

/// The IPv4 Home Address option (RFC 5555 section 3.1.1); 0.0.0.0 stands for the SA's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4Home {
    /// 32 for a single address.
    pub prefix_len: u8,
    /// The IPv4 home address.
    pub address: Ipv4Addr,
}

impl From<CareOfAddress> for CareOf {
    fn from(address: CareOfAddress) -> Self {
        match address.0 {
            IpAddr::V6(ip) => Self::Ip6(ip),
            IpAddr::V4(ip) => Self::Ip4(ip),
        }
    }
}

impl From<CareOf> for CareOfAddress {
    fn from(care_of: CareOf) -> Self {
        match care_of {
            CareOf::Ip6(ip) => Self(ip.into()),
            CareOf::Ip4(ip) => Self(ip.into()),
        }
    }
}

impl From<CareOf> for IpAddr {
    fn from(care_of: CareOf) -> Self {
        CareOfAddress::from(care_of).0
    }
}

impl BindingUpdate {
    /// Whether it carries a Vendor Specific option of ours, as no other implementation's does.
    pub fn has_option_of_ours(&self) -> bool {
        self.path_check.is_some() || self.received.is_some()
    }

    pub(super) fn parse(data: &[u8]) -> Option<Self> {
        let ([s0, s1, f0, f1, l0, l1], options) = data.split_first_chunk::<6>()?;
        let flags = u16::from_be_bytes([*f0, *f1]);
        let mut update = Self {
            sequence: u16::from_be_bytes([*s0, *s1]),
            acknowledge: flags & ACKNOWLEDGE != 0,
            home_registration: flags & HOME_REGISTRATION != 0,
            lifetime: Lifetime::from_units(u16::from_be_bytes([*l0, *l1])),
            care_of: None,
            ipv4_home: None,
            path_check: None,
            received: None,
            identifiers: BindingIdentifiers::None,
            overwrite: flags & OVERWRITE != 0,
            mobile_router: MobileRouter::flagged(flags & MOBILE_ROUTER != 0),
        };
        for option in Options::new(options) {
            update.take(option?)?;
        }
        if let BindingIdentifiers::One(identifier) = update.identifiers {
            update.care_of = identifier.care_of.or(update.care_of);
        }
        Some(update)
    }

    /// Takes one option; `None` for one of a known type and a wrong length, save those that are answered.
    fn take(&mut self, (kind, value): (u8, &[u8])) -> Option<()> {
        match kind {
            option::ALTERNATE_CARE_OF => self.care_of = Some(CareOf::Ip6(<[u8; 16]>::try_from(value).ok()?.into())),
            option::IPV4_CARE_OF => {
                let [_, _, address @ ..] = <[u8; 6]>::try_from(value).ok()?;
                self.care_of = Some(CareOf::Ip4(address.into()));
            }
            option::IPV4_HOME_ADDRESS => {
                let [prefix, _, address @ ..] = <[u8; 6]>::try_from(value).ok()?;
                self.ipv4_home = Some(Ipv4Home { prefix_len: prefix >> 2, address: address.into() });
            }
            option::BINDING_IDENTIFIER => self.identifiers.take(value),
            option::MOBILE_NETWORK_PREFIX => self.mobile_router.take(value),
            option::VENDOR_SPECIFIC => {
                self.path_check = PathToken::parse(value).or(self.path_check);
                self.received = HighestReceived::parse(value).or(self.received);
            }
            _ => {}
        }
        Some(())
    }

    pub(super) fn emit(&self, header: &mut Vec<u8>) {
        let bits = [
            (self.acknowledge, ACKNOWLEDGE),
            (self.home_registration, HOME_REGISTRATION),
            (self.mobile_router.is_router(), MOBILE_ROUTER),
            (self.overwrite, OVERWRITE),
        ];
        let flags = bits.iter().filter(|(is_set, _)| *is_set).fold(0, |flags, (_, bit)| flags | bit);
        header.extend(self.sequence.to_be_bytes());
        header.extend(flags.to_be_bytes());
        header.extend(self.lifetime.units().to_be_bytes());
        match (self.identifiers, self.care_of) {
            // RFC 5648 section 5.2: the care-of address stands there alone.
            (BindingIdentifiers::One(identifier), _) => identifier.emit(header),
            (_, Some(CareOf::Ip6(ip))) => option::push(header, 8, 6, option::ALTERNATE_CARE_OF, &ip.octets()),
            (_, Some(CareOf::Ip4(ip))) => {
                let [a, b, c, d] = ip.octets();
                option::push(header, 4, 0, option::IPV4_CARE_OF, &[0, 0, a, b, c, d]);
            }
            (_, None) => {}
        }
        if let Some(home) = self.ipv4_home {
            let [a, b, c, d] = home.address.octets();
            option::push(header, 4, 0, option::IPV4_HOME_ADDRESS, &[home.prefix_len << 2, 0, a, b, c, d]);
        }
        self.mobile_router.emit(header);
        if let Some(token) = self.path_check {
            token.emit(header);
        }
        if let Some(received) = self.received {
            received.emit(header);
        }
    }
}
