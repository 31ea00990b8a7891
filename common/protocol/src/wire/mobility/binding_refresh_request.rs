//! Binding Refresh Request (RFC 6275 section 6.1.2): asks a mobile node for a Binding Update.
//!
//! ```text
//! | Reserved (2) | options |
//! ```

/// Reserved octets before the options.
const RESERVED: usize = 2;

/// That a Binding Update is wanted. It has options in theory; none is defined for home agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BindingRefreshRequest;

impl BindingRefreshRequest {
    pub(super) fn parse(data: &[u8]) -> Option<Self> {
        (data.len() >= RESERVED).then_some(Self)
    }

    pub(super) fn emit(self, header: &mut Vec<u8>) {
        header.extend([0; RESERVED]);
    }
}
