//! HMAC-SHA1-96 (RFC 2404): the integrity algorithm of {00,02}, {00,0A} and {00,2F}.

use simd::hmac_sha1::HmacSha1 as Hmac;
use simd::sha1::HASH;

use super::layout::ICV_96 as LEN;

/// A keyed HMAC-SHA1, its inner and outer states computed once.
pub(super) struct HmacSha1(Hmac);

impl HmacSha1 {
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        Hmac::new(key).map(Self)
    }

    /// The first 96 bits of the MAC of each message, to its place in `icvs`; of `N` at most, the longest first.
    pub(super) fn icvs<const N: usize>(&self, messages: &[&[u8]], icvs: &mut [[u8; LEN]]) {
        let mut tags = [[0; HASH]; N];
        self.0.tags(messages, &mut tags);
        for (icv, tag) in icvs.iter_mut().zip(&tags) {
            icv.copy_from_slice(&tag[..LEN]);
        }
    }
}
