//! The generated code of `proto/feed.proto`, and the wiping of the keys in it.
//!
//! `tests/generated.rs` holds the committed code against the proto file. Nothing outside this crate sees these types.
#![allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::wildcard_enum_match_arm,
    reason = "generated"
)]

use zeroize::Zeroize;

include!("generated/haltsec.feed.v1.rs");

/// Every way a message with keys comes and goes ends here: encoded, decoded, refused half-way, or never sent.
impl Drop for SecurityAssociation {
    fn drop(&mut self) {
        self.mn_to_ha_integrity.zeroize();
        self.mn_to_ha_encryption.zeroize();
        self.ha_to_mn_integrity.zeroize();
        self.ha_to_mn_encryption.zeroize();
    }
}

/// Without the keys.
impl std::fmt::Debug for SecurityAssociation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecurityAssociation").field("spi", &self.spi).field("suite", &self.suite).finish_non_exhaustive()
    }
}
