//! Binding Acknowledgement (RFC 6275 section 6.1.8).
//!
//! ```text
//! | Status (1) | K R … (1) | Sequence (2) | Lifetime (2) | options |
//! ```

use std::fmt;
use std::net::Ipv4Addr;

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
    /// The IPv4 Address Acknowledgement option's status (0: bound) and address (RFC 5555 section 3.2.1).
    pub ipv4_address: Option<(u8, Ipv4Addr)>,
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
    pub(super) fn parse(data: &[u8]) -> Option<Self> {
        let ([status, _flags, s0, s1, l0, l1], options) = data.split_first_chunk::<6>()?;
        let mut acknowledgement = Self {
            status: Status(*status),
            sequence: u16::from_be_bytes([*s0, *s1]),
            lifetime: Lifetime::from_units(u16::from_be_bytes([*l0, *l1])),
            ipv4_address: None,
        };
        for option in Options::new(options) {
            let (kind, value) = option?;
            if kind == option::IPV4_ADDRESS_ACKNOWLEDGEMENT {
                let [status, _prefix, address @ ..] = <[u8; 6]>::try_from(value).ok()?;
                acknowledgement.ipv4_address = Some((status, address.into()));
            }
        }
        Some(acknowledgement)
    }

    pub(super) fn emit(&self, header: &mut Vec<u8>) {
        header.extend([self.status.0, 0]);
        header.extend(self.sequence.to_be_bytes());
        header.extend(self.lifetime.units().to_be_bytes());
        if let Some((status, address)) = self.ipv4_address {
            let [a, b, c, d] = address.octets();
            option::push(header, 4, 0, option::IPV4_ADDRESS_ACKNOWLEDGEMENT, &[status, 32 << 2, a, b, c, d]);
        }
    }
}
