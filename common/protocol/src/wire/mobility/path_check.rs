//! Our Vendor Specific Mobility option (RFC 5094): proves that a mobile node receives what is sent to its new outer source.
//!
//! ```text
//! | Vendor ID 32473 (4) | Sub-Type 1 (1) | token (8) |
//! ```
//! A home agent puts a random token into its Binding Acknowledgement, the mobile node gives it back in a Binding Update.

use super::option::{self, VENDOR};

const SUB_TYPE: u8 = 1;
const LEN: usize = 8;

/// Eight octets that only who receives at an address can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathToken(pub [u8; LEN]);

impl PathToken {
    /// Reads a Vendor Specific option's value; `None` for another vendor's or another Sub-Type.
    pub(super) fn parse(value: &[u8]) -> Option<Self> {
        let rest = value.strip_prefix(&VENDOR)?.strip_prefix(&[SUB_TYPE])?;
        Some(Self(rest.try_into().ok()?))
    }

    pub(super) fn emit(self, header: &mut Vec<u8>) {
        let mut value = [0; VENDOR.len() + 1 + LEN];
        value[..4].copy_from_slice(&VENDOR);
        value[4] = SUB_TYPE;
        value[5..].copy_from_slice(&self.0);
        // RFC 5094 section 3: 4n+2.
        option::push(header, 4, 2, option::VENDOR_SPECIFIC, &value);
    }
}
