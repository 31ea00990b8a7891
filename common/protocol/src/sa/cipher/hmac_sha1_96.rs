//! HMAC-SHA1-96 (RFC 2404): the integrity algorithm of {00,02}, {00,0A} and {00,2F}.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use super::layout::ICV_96 as LEN;

/// A keyed HMAC-SHA1, its inner and outer states computed once.
pub(super) struct HmacSha1(Hmac<Sha1>);

impl HmacSha1 {
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        Hmac::new_from_slice(key).ok().map(Self)
    }

    /// The first 96 bits of the MAC.
    pub(super) fn icv(&self, covered: &[u8]) -> [u8; LEN] {
        let tag = self.0.clone().chain_update(covered).finalize().into_bytes();
        let mut icv = [0; LEN];
        icv.copy_from_slice(&tag[..LEN]);
        icv
    }
}
