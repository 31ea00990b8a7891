//! Binding Acknowledgement (RFC 6275 section 6.1.8).
//!
//! ```text
//! | Status (1) | K R … (1) | Sequence (2) | Lifetime (2) | options |
//! ```

use std::fmt;
use std::net::Ipv4Addr;

use super::PathToken;
use super::option::{self, Options};
use crate::time::Lifetime;

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
    /// 128: reason unspecified.
    pub const REASON_UNSPECIFIED: Self = Self(128);
    /// 133: not home agent for this mobile node; also lifetime 0 without a binding.
    pub const NOT_HOME_AGENT: Self = Self(133);
    /// 135: sequence number out of window.
    pub const SEQUENCE_OUT_OF_WINDOW: Self = Self(135);
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
            Self::SEQUENCE_OUT_OF_WINDOW => "sequence number out of window",
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
        Self { status, sequence, lifetime, ipv4_address: None, nat: None, path_check: None }
    }

    pub(super) fn parse(data: &[u8]) -> Option<Self> {
        let ([status, _flags, s0, s1, l0, l1], options) = data.split_first_chunk::<6>()?;
        let lifetime = Lifetime::from_units(u16::from_be_bytes([*l0, *l1]));
        let mut acknowledgement = Self::new(Status(*status), u16::from_be_bytes([*s0, *s1]), lifetime);
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
            option::VENDOR_SPECIFIC => self.path_check = PathToken::parse(value).or(self.path_check),
            _ => {}
        }
        Some(())
    }

    pub(super) fn emit(&self, header: &mut Vec<u8>) {
        header.extend([self.status.0, 0]);
        header.extend(self.sequence.to_be_bytes());
        header.extend(self.lifetime.units().to_be_bytes());
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
