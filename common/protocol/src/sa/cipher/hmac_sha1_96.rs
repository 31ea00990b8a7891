//! HMAC-SHA1-96 (RFC 2404): the integrity algorithm of {00,02} and {00,2F}.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::tunnel::DropReason;

/// A keyed HMAC-SHA1, its inner and outer states computed once.
#[derive(Clone)]
pub struct HmacSha1(Hmac<Sha1>);

const LEN: usize = 12;

impl HmacSha1 {
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        Hmac::new_from_slice(key).ok().map(Self)
    }

    /// Octets of the ICV.
    pub(super) const fn len(&self) -> usize {
        LEN
    }

    /// Writes the ICV over all that stands before it into the last twelve octets.
    pub(super) fn append(&self, datagram: &mut [u8]) {
        let Some((covered, icv)) = datagram.split_last_chunk_mut::<LEN>() else { return };
        let tag = self.0.clone().chain_update(&*covered).finalize().into_bytes();
        icv.copy_from_slice(&tag[..LEN]);
    }

    /// Compares the last twelve octets in constant time.
    pub(super) fn verify(&self, datagram: &[u8]) -> Result<(), DropReason> {
        let (covered, icv) = datagram.split_last_chunk::<LEN>().ok_or(DropReason::Truncated)?;
        self.0.clone().chain_update(covered).verify_truncated_left(icv).map_err(|_| DropReason::WrongIcv)
    }
}
