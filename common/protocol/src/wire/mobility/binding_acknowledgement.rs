//! Binding Acknowledgement (RFC 6275 section 6.1.8).
//!
//! ```text
//! | Status (1) | K R … (1) | Sequence (2) | Lifetime (2) | options |
//! ```

use std::fmt;
use std::net::Ipv4Addr;

use super::option::{self, Options};
use super::{BindingIdentifier, PathToken};
use crate::time::Lifetime;

/// RFC 3963 section 4.2.
const MOBILE_ROUTER: u8 = 0x40;

/// Answers a Binding Update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingAcknowledgement {
    /// Below 128: accepted.
    pub status: Status,
    /// Of the Binding Update that it answers; with [`Status::SEQUENCE_OUT_OF_WINDOW`] the last one accepted.
    pub sequence: u16,
    /// How long the binding is held.
    pub lifetime: Lifetime,
    /// The IPv4 Address Acknowledgement option's status and address (RFC 5555 section 3.2.1).
    pub ipv4_address: Option<(Ipv4Status, Ipv4Addr)>,
    /// The NAT Detection option: a NAT stands between the two.
    pub nat: Option<NatDetection>,
    /// Our path check: to be given back in a Binding Update.
    pub path_check: Option<PathToken>,
    /// Which of the node's bindings it is about (RFC 5648).
    pub identifier: Option<BindingIdentifier>,
    /// The R bit: packets for the networks behind the node are forwarded to it (RFC 3963 section 6.6).
    pub mobile_router: bool,
}

/// The NAT Detection option (RFC 5555 section 3.2.2). Its F bit says nothing here: everything goes in UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NatDetection {
    /// Seconds after which a mobile node that has sent nothing keeps its NAT's mapping alive; 0 leaves it to the node, all
    /// ones means never.
    pub refresh_seconds: u32,
}

/// Whether the IPv4 home address is bound (RFC 5555 section 3.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ipv4Status(pub u8);

impl Ipv4Status {
    /// 0: bound.
    pub const BOUND: Self = Self(0);
    /// 131: invalid IPv4 address.
    pub const INVALID_ADDRESS: Self = Self(131);
    /// 132: dynamic IPv4 home address assignment not available.
    pub const DYNAMIC_UNAVAILABLE: Self = Self(132);
    /// 133: prefix allocation unauthorized.
    pub const PREFIX_UNAUTHORIZED: Self = Self(133);
}

impl fmt::Display for Ipv4Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meaning = match self.0 {
            0 => "bound",
            129 => "administratively prohibited",
            130 => "incorrect IPv4 home address",
            131 => "invalid IPv4 address",
            132 => "dynamic IPv4 home address assignment not available",
            133 => "prefix allocation unauthorized",
            _ => "refused",
        };
        write!(f, "{} ({meaning})", self.0)
    }
}

/// A Binding Acknowledgement's status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Status(pub u8);

impl Status {
    /// 0: Binding Update accepted.
    pub const ACCEPTED: Self = Self(0);
    /// 4: of several bindings some were not accepted (RFC 5648 section 4.4).
    pub const MCOA_NOT_COMPLETE: Self = Self(4);
    /// 128: reason unspecified.
    pub const REASON_UNSPECIFIED: Self = Self(128);
    /// Administratively prohibited.
    pub const ADMINISTRATIVELY_PROHIBITED: Self = Self(129);
    /// 133: not home agent for this mobile node; also lifetime 0 without a binding.
    pub const NOT_HOME_AGENT: Self = Self(133);
    /// 134: Duplicate Address Detection failed: another node has a home address.
    pub const DUPLICATE_ADDRESS: Self = Self(134);
    /// 135: sequence number out of window.
    pub const SEQUENCE_OUT_OF_WINDOW: Self = Self(135);
    /// 139: registration type change disallowed: the R bit is not that of the binding (RFC 3963 section 6.2).
    pub const TYPE_CHANGE_DISALLOWED: Self = Self(139);
    /// 140: mobile router operation not permitted (RFC 3963 section 4.2).
    pub const MOBILE_ROUTER_NOT_PERMITTED: Self = Self(140);
    /// 141: invalid prefix.
    pub const INVALID_PREFIX: Self = Self(141);
    /// 142: not authorized for prefix.
    pub const PREFIX_NOT_AUTHORIZED: Self = Self(142);
    /// 143: forwarding setup failed: no prefix is known to be the node's.
    pub const FORWARDING_SETUP_FAILED: Self = Self(143);
    /// 164: the Binding Identifier option is malformed (RFC 5648 section 4.4).
    pub const MCOA_MALFORMED: Self = Self(164);
    /// 165: there is a binding without an identifier, and the O flag is not set.
    pub const MCOA_NON_MCOA_BINDING_EXISTS: Self = Self(165);
    /// 166: this node may not register several care-of addresses.
    pub const MCOA_PROHIBITED: Self = Self(166);
    /// 167: no care-of address in the option, and none is known for its number.
    pub const MCOA_UNKNOWN_CARE_OF: Self = Self(167);
    /// 168: several Binding Identifier options in one Binding Update.
    pub const MCOA_BULK_PROHIBITED: Self = Self(168);
    /// 169: bindings at home and away at once.
    pub const MCOA_HOME_AND_FOREIGN_PROHIBITED: Self = Self(169);
    /// 174: invalid care-of address.
    pub const INVALID_CARE_OF: Self = Self(174);
    /// 176: REINIT_SA_WITH_HAC (RFC 6618 section 8.2): get a new security association from the HAC.
    pub const REINIT_SA_WITH_HAC: Self = Self(176);

    /// Whether the binding was accepted.
    pub const fn is_accepted(self) -> bool {
        self.0 < 128
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meaning = match *self {
            Self::ACCEPTED => "accepted",
            Self::NOT_HOME_AGENT => "not home agent for this mobile node",
            Self::DUPLICATE_ADDRESS => "another node has the home address",
            Self::SEQUENCE_OUT_OF_WINDOW => "sequence number out of window",
            Self::TYPE_CHANGE_DISALLOWED => "registration type change disallowed",
            Self::MOBILE_ROUTER_NOT_PERMITTED => "mobile router operation not permitted",
            Self::INVALID_PREFIX => "invalid mobile network prefix",
            Self::PREFIX_NOT_AUTHORIZED => "not authorized for the mobile network prefix",
            Self::FORWARDING_SETUP_FAILED => "no forwarding to the mobile network",
            Self::MCOA_NOT_COMPLETE => "not all of several care-of addresses accepted",
            Self::MCOA_MALFORMED => "malformed Binding Identifier",
            Self::MCOA_NON_MCOA_BINDING_EXISTS => "a binding without Binding Identifier stands",
            Self::MCOA_PROHIBITED => "several care-of addresses are prohibited",
            Self::MCOA_UNKNOWN_CARE_OF => "no care-of address is known for the Binding Identifier",
            Self::MCOA_BULK_PROHIBITED => "several Binding Identifiers in one Binding Update are prohibited",
            Self::MCOA_HOME_AND_FOREIGN_PROHIBITED => "bindings at home and away at once are prohibited",
            Self::INVALID_CARE_OF => "invalid care-of address",
            Self::REINIT_SA_WITH_HAC => "a new security association is wanted",
            _ => "refused",
        };
        write!(f, "{} ({meaning})", self.0)
    }
}

impl BindingAcknowledgement {
    /// Without any option.
    pub const fn new(status: Status, sequence: u16, lifetime: Lifetime) -> Self {
        Self {
            status,
            sequence,
            lifetime,
            ipv4_address: None,
            nat: None,
            path_check: None,
            identifier: None,
            mobile_router: false,
        }
    }

    pub(super) fn parse(data: &[u8]) -> Option<Self> {
        let ([status, flags, s0, s1, l0, l1], options) = data.split_first_chunk::<6>()?;
        let lifetime = Lifetime::from_units(u16::from_be_bytes([*l0, *l1]));
        let mut acknowledgement = Self::new(Status(*status), u16::from_be_bytes([*s0, *s1]), lifetime);
        acknowledgement.mobile_router = flags & MOBILE_ROUTER != 0;
        for option in Options::new(options) {
            acknowledgement.take(option?)?;
        }
        Some(acknowledgement)
    }

    /// Takes one option; `None` for one of a known type and a wrong length.
    fn take(&mut self, (kind, value): (u8, &[u8])) -> Option<()> {
        match kind {
            option::IPV4_ADDRESS_ACKNOWLEDGEMENT => {
                let [status, _prefix, address @ ..] = <[u8; 6]>::try_from(value).ok()?;
                self.ipv4_address = Some((Ipv4Status(status), address.into()));
            }
            option::NAT_DETECTION => {
                let [_, _, refresh @ ..] = <[u8; 6]>::try_from(value).ok()?;
                self.nat = Some(NatDetection { refresh_seconds: u32::from_be_bytes(refresh) });
            }
            option::BINDING_IDENTIFIER => self.identifier = Some(BindingIdentifier::parse(value)?),
            option::VENDOR_SPECIFIC => self.path_check = PathToken::parse(value).or(self.path_check),
            _ => {}
        }
        Some(())
    }

    pub(super) fn emit(&self, header: &mut Vec<u8>) {
        header.extend([self.status.0, if self.mobile_router { MOBILE_ROUTER } else { 0 }]);
        header.extend(self.sequence.to_be_bytes());
        header.extend(self.lifetime.units().to_be_bytes());
        if let Some(identifier) = self.identifier {
            identifier.emit(header);
        }
        if let Some((Ipv4Status(status), address)) = self.ipv4_address {
            // "Only valid in case of success and MUST be set to zero … in case of failure."
            let prefix_len = if status < 128 { 32 } else { 0 };
            let [a, b, c, d] = address.octets();
            option::push(header, 4, 0, option::IPV4_ADDRESS_ACKNOWLEDGEMENT, &[status, prefix_len << 2, a, b, c, d]);
        }
        if let Some(nat) = self.nat {
            let [a, b, c, d] = nat.refresh_seconds.to_be_bytes();
            option::push(header, 4, 0, option::NAT_DETECTION, &[0, 0, a, b, c, d]);
        }
        if let Some(token) = self.path_check {
            token.emit(header);
        }
    }
}
