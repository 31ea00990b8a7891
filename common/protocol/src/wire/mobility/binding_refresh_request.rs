//! Binding Refresh Request (RFC 6275 section 6.1.2): asks a mobile node for a Binding Update.
//!
//! ```text
//! | Reserved (2) | options |
//! ```

use super::PathToken;
use super::option::{self, Options};

/// Reserved octets before the options.
const RESERVED: usize = 2;

/// That a Binding Update is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BindingRefreshRequest {
    /// Our path check: to a node that is seen elsewhere than it is bound. The Binding Update that gives it back proves that place.
    pub path_check: Option<PathToken>,
}

impl BindingRefreshRequest {
    pub(super) fn parse(data: &[u8]) -> Option<Self> {
        let mut request = Self::default();
        for option in Options::new(data.get(RESERVED..)?) {
            let (kind, value) = option?;
            if kind == option::VENDOR_SPECIFIC {
                request.path_check = PathToken::parse(value).or(request.path_check);
            }
        }
        Some(request)
    }

    pub(super) fn emit(self, header: &mut Vec<u8>) {
        header.extend([0; RESERVED]);
        if let Some(token) = self.path_check {
            token.emit(header);
        }
    }
}
