//! The Integrity Check Value of a suite that authenticates apart from encrypting: 96 bits over all that stands before it.

use std::cmp::Reverse;

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

    /// Writes the ICV into the last twelve octets of each datagram; of `N` at most.
    pub(super) fn append<const N: usize>(&self, datagrams: &mut [&mut [u8]]) {
        let icvs = self.icvs::<N>(datagrams);
        for (datagram, icv) in datagrams.iter_mut().zip(icvs) {
            if let Some(place) = datagram.last_chunk_mut() {
                *place = icv;
            }
        }
    }

    /// Compares the last twelve octets of each datagram in constant time, where `results` has no error yet; of `N` at most.
    pub(super) fn verify<const N: usize>(&self, datagrams: &[&mut [u8]], results: &mut [Result<(), DropReason>]) {
        let icvs = self.icvs::<N>(datagrams);
        for ((datagram, icv), result) in datagrams.iter().zip(icvs).zip(results) {
            let is_right = datagram.last_chunk().is_some_and(|sent| are_equal(&icv, sent));
            if result.is_ok() && !is_right {
                *result = Err(DropReason::WrongIcv);
            }
        }
    }

    /// What the ICVs have to be; of a datagram that is too short for one, the ICV of nothing.
    fn icvs<const N: usize>(&self, datagrams: &[&mut [u8]]) -> [[u8; LEN]; N] {
        let mut covered: [(usize, &[u8]); N] = [(0, &[]); N];
        for ((place, datagram), number) in covered.iter_mut().zip(datagrams).zip(0..) {
            *place = (number, datagram.split_last_chunk::<LEN>().map_or(&[], |(covered, _)| covered));
        }
        let covered = covered.get_mut(..datagrams.len()).unwrap_or_default();
        covered.sort_unstable_by_key(|(_, covered)| Reverse(covered.len()));
        let mut messages: [&[u8]; N] = [&[]; N];
        messages.iter_mut().zip(&*covered).for_each(|(message, (_, covered))| *message = covered);
        let mut computed = [[0; LEN]; N];
        self.icvs_longest_first::<N>(messages.get(..covered.len()).unwrap_or_default(), &mut computed);
        let mut icvs = computed;
        for ((number, _), computed) in covered.iter().zip(&computed) {
            icvs[*number] = *computed;
        }
        icvs
    }

    fn icvs_longest_first<const N: usize>(&self, messages: &[&[u8]], icvs: &mut [[u8; LEN]; N]) {
        match self {
            Self::HmacSha1(mac) => mac.icvs::<N>(messages, icvs),
            Self::AesXcbc(mac) => mac.icvs(messages, icvs),
        }
    }
}

/// In constant time, and at once: octet by octet it takes as long as a block of the MAC.
fn are_equal(one: &[u8; LEN], other: &[u8; LEN]) -> bool {
    let number = |icv: &[u8; LEN]| {
        let mut octets = [0; size_of::<u128>()];
        octets[..LEN].copy_from_slice(icv);
        u128::from_ne_bytes(octets)
    };
    number(one).ct_eq(&number(other)).into()
}
