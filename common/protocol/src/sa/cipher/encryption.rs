//! The encryption of a suite that encrypts first and authenticates then.

use super::aes_cbc::AesCbc;
use super::triple_des_cbc::TripleDesCbc;

/// A keyed cipher, or none.
pub(super) enum Encryption {
    /// RFC 2410.
    Null,
    /// RFC 3602, keys of 128 bits.
    Aes128Cbc(Box<AesCbc>),
    /// RFC 2451.
    TripleDesCbc(Box<TripleDesCbc>),
}

impl Encryption {
    pub(super) fn aes_128_cbc(key: &[u8]) -> Option<Self> {
        AesCbc::new(key).map(|cipher| Self::Aes128Cbc(Box::new(cipher)))
    }

    pub(super) fn triple_des_cbc(key: &[u8]) -> Option<Self> {
        TripleDesCbc::new(key).map(|cipher| Self::TripleDesCbc(Box::new(cipher)))
    }

    /// Encrypts what stands between the IV and the ICV of each datagram; of `N` at most.
    pub(super) fn encrypt<const N: usize>(&self, datagrams: &mut [&mut [u8]]) {
        match self {
            Self::Null => {}
            Self::Aes128Cbc(cipher) => cipher.encrypt::<N>(datagrams),
            Self::TripleDesCbc(cipher) => datagrams.iter_mut().for_each(|datagram| cipher.encrypt(datagram)),
        }
    }

    /// The inverse of [`Self::encrypt`].
    pub(super) fn decrypt(&self, datagrams: &mut [&mut [u8]]) {
        match self {
            Self::Null => {}
            Self::Aes128Cbc(cipher) => cipher.decrypt(datagrams),
            Self::TripleDesCbc(cipher) => datagrams.iter_mut().for_each(|datagram| cipher.decrypt(datagram)),
        }
    }
}
