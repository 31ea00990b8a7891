//! Our Vendor Specific Mobility option (RFC 5094): how far a mobile node has come to hear its home agent before its path broke.
//!
//! ```text
//! | Vendor ID 32473 (4) | Sub-Type 3 (1) | sequence number (4) |
//! ```
//! Stands in a Binding Update, so that its home agent sends again on the new path what it sent on the old one behind that.

use super::vendor_specific;

const SUB_TYPE: u8 = 3;

/// The highest sequence number that has come under the SA of the Binding Update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HighestReceived(pub u32);

impl HighestReceived {
    /// Reads a Vendor Specific option's value; `None` for another vendor's or another Sub-Type.
    pub(super) fn parse(value: &[u8]) -> Option<Self> {
        vendor_specific::parse(SUB_TYPE, value).map(|octets| Self(u32::from_be_bytes(octets)))
    }

    pub(super) fn emit(self, header: &mut Vec<u8>) {
        vendor_specific::push(header, SUB_TYPE, &self.0.to_be_bytes());
    }
}
