//! The Integrity Check Value of a suite that authenticates apart from encrypting: 96 bits over all that stands before it.

use subtle::ConstantTimeEq;

use super::aes_xcbc_mac_96::AesXcbc;
use super::hmac_sha1_96::HmacSha1;
use super::layout::ICV_96 as LEN;
use crate::tunnel::DropReason;

/// A keyed integrity algorithm.
pub(super) enum Mac {
    /// RFC 2404.
    HmacSha1(HmacSha1),
    /// RFC 3566.
    AesXcbc(Box<AesXcbc>),
}

impl Mac {
    pub(super) fn hmac_sha1_96(key: &[u8]) -> Option<Self> {
        HmacSha1::new(key).map(Self::HmacSha1)
    }

    pub(super) fn aes_xcbc_mac_96(key: &[u8]) -> Option<Self> {
        AesXcbc::new(key).map(|mac| Self::AesXcbc(Box::new(mac)))
    }

    /// Writes the ICV into the last twelve octets.
    pub(super) fn append(&self, datagram: &mut [u8]) {
        let Some((covered, icv)) = datagram.split_last_chunk_mut::<LEN>() else { return };
        *icv = self.icv(covered);
    }

    /// Compares the last twelve octets in constant time.
    pub(super) fn verify(&self, datagram: &[u8]) -> Result<(), DropReason> {
        let (covered, icv) = datagram.split_last_chunk::<LEN>().ok_or(DropReason::Truncated)?;
        if self.icv(covered).ct_eq(icv).into() { Ok(()) } else { Err(DropReason::WrongIcv) }
    }

    fn icv(&self, covered: &[u8]) -> [u8; LEN] {
        match self {
            Self::HmacSha1(mac) => mac.icv(covered),
            Self::AesXcbc(mac) => mac.icv(covered),
        }
    }
}
