//! Our Vendor Specific Mobility option (RFC 5094): how long an inner packet may be on the path that a Heartbeat goes on.
//!
//! ```text
//! | Vendor ID 32473 (4) | Sub-Type 2 (1) | octets (2) |
//! ```
//! Stands in a mobile node's Heartbeat Request, so that its home agent sends nothing that the path does not carry.

use super::option::{self, VENDOR};

const SUB_TYPE: u8 = 2;

/// The longest inner packet, in octets, that is known to come through the tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathMtu(pub u16);

impl PathMtu {
    /// Reads a Vendor Specific option's value; `None` for another vendor's or another Sub-Type.
    pub(super) fn parse(value: &[u8]) -> Option<Self> {
        let rest = value.strip_prefix(&VENDOR)?.strip_prefix(&[SUB_TYPE])?;
        Some(Self(u16::from_be_bytes(rest.try_into().ok()?)))
    }

    pub(super) fn emit(self, header: &mut Vec<u8>) {
        let mut value = [0; VENDOR.len() + 1 + 2];
        value[..4].copy_from_slice(&VENDOR);
        value[4] = SUB_TYPE;
        value[5..].copy_from_slice(&self.0.to_be_bytes());
        // RFC 5094 section 3: 4n+2.
        option::push(header, 4, 2, option::VENDOR_SPECIFIC, &value);
    }
}
