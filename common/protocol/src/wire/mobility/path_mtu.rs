//! Our Vendor Specific Mobility option (RFC 5094): how long an inner packet may be on the path that a Heartbeat goes on.
//!
//! ```text
//! | Vendor ID 32473 (4) | Sub-Type 2 (1) | octets (2) |
//! ```
//! Stands in a mobile node's Heartbeat Request, so that its home agent sends nothing that the path does not carry.

use super::vendor_specific;

const SUB_TYPE: u8 = 2;

/// The longest inner packet, in octets, that is known to come through the tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathMtu(pub u16);

impl PathMtu {
    /// Reads a Vendor Specific option's value; `None` for another vendor's or another Sub-Type.
    pub(super) fn parse(value: &[u8]) -> Option<Self> {
        vendor_specific::parse(SUB_TYPE, value).map(|octets| Self(u16::from_be_bytes(octets)))
    }

    pub(super) fn emit(self, header: &mut Vec<u8>) {
        vendor_specific::push(header, SUB_TYPE, &self.0.to_be_bytes());
    }
}
