//! Our Vendor Specific Mobility option (RFC 5094): proves that a mobile node receives what is sent to its new outer source.
//!
//! ```text
//! | Vendor ID 32473 (4) | Sub-Type 1 (1) | token (8) |
//! ```
//! A home agent puts a random token into its Binding Acknowledgement, the mobile node gives it back in a Binding Update. A node that has
//! none to give back says with eight zero octets that it would.

use super::vendor_specific;

const SUB_TYPE: u8 = 1;
const LEN: usize = 8;

/// Eight octets that only who receives at an address can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathToken(pub [u8; LEN]);

impl PathToken {
    /// What a node says that has got no token: it knows the path check. No path is proved by it.
    pub const NONE: Self = Self([0; LEN]);

    /// Reads a Vendor Specific option's value; `None` for another vendor's or another Sub-Type.
    pub(super) fn parse(value: &[u8]) -> Option<Self> {
        vendor_specific::parse(SUB_TYPE, value).map(Self)
    }

    pub(super) fn emit(self, header: &mut Vec<u8>) {
        vendor_specific::push(header, SUB_TYPE, &self.0);
    }
}
