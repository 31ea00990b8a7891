//! Binding Error (RFC 6275 section 6.1.9).
//!
//! ```text
//! | Status (1) | Reserved (1) | Home Address (16) | options |
//! ```

use std::net::Ipv6Addr;

/// What a home agent, or another's, could not make sense of. Ours sends none: what it cannot read it drops and counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BindingError {
    /// What is wrong.
    pub status: BindingErrorStatus,
    /// The address in the Home Address option of the message that caused it; unspecified where there was none.
    pub home_address: Ipv6Addr,
}

/// A Binding Error's status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BindingErrorStatus(pub u8);

impl BindingErrorStatus {
    /// 1: unknown binding for the Home Address destination option.
    pub const UNKNOWN_BINDING: Self = Self(1);
    /// 2: unrecognised MH Type.
    pub const UNKNOWN_TYPE: Self = Self(2);
}

impl BindingError {
    pub(super) fn parse(data: &[u8]) -> Option<Self> {
        let ([status, _reserved], rest) = data.split_first_chunk::<2>()?;
        let (home_address, _options) = rest.split_first_chunk::<16>()?;
        Some(Self { status: BindingErrorStatus(*status), home_address: Ipv6Addr::from(*home_address) })
    }

    pub(super) fn emit(self, header: &mut Vec<u8>) {
        header.extend([self.status.0, 0]);
        header.extend(self.home_address.octets());
    }
}
