//! The Integrity Check Value of a suite that authenticates apart from encrypting: 96 bits over all that stands before it.

use subtle::ConstantTimeEq;

use super::LANES;
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

    /// Writes the ICV into the last twelve octets of each datagram; of [`LANES`] at most.
    pub(super) fn append(&self, datagrams: &mut [&mut [u8]]) {
        let icvs = self.icvs(datagrams);
        for (datagram, icv) in datagrams.iter_mut().zip(icvs) {
            if let Some(place) = datagram.last_chunk_mut() {
                *place = icv;
            }
        }
    }

    /// Compares the last twelve octets of each datagram in constant time, where `results` has no error yet; of [`LANES`] at most.
    pub(super) fn verify(&self, datagrams: &[&mut [u8]], results: &mut [Result<(), DropReason>]) {
        let icvs = self.icvs(datagrams);
        for ((datagram, icv), result) in datagrams.iter().zip(icvs).zip(results) {
            let is_right = datagram.last_chunk::<LEN>().is_some_and(|sent| icv.ct_eq(sent).into());
            if result.is_ok() && !is_right {
                *result = Err(DropReason::WrongIcv);
            }
        }
    }

    /// What the ICVs have to be; of a datagram that is too short for one, the ICV of nothing.
    fn icvs(&self, datagrams: &[&mut [u8]]) -> [[u8; LEN]; LANES] {
        let mut covered: [&[u8]; LANES] = [&[]; LANES];
        for (place, datagram) in covered.iter_mut().zip(datagrams) {
            *place = datagram.split_last_chunk::<LEN>().map_or(&[], |(covered, _)| covered);
        }
        let covered = covered.get(..datagrams.len()).unwrap_or(&covered);
        let mut icvs = [[0; LEN]; LANES];
        match self {
            Self::HmacSha1(mac) => mac.icvs(covered, &mut icvs),
            Self::AesXcbc(mac) => mac.icvs(covered, &mut icvs),
        }
        icvs
    }
}
