//! What a suite does with a datagram in place: enums, branches that are predicted, no trait object.
//!
//! ```text
//! | envelope 8 | IV | payload | padding 1,2,3… | Pad Length | Next Header | ICV |
//! |<------------------------- authenticated ------------------------------>|
//!                   |<------------------ encrypted ---------------------->|
//! ```
//! (RFC 4303 section 2 with the envelope of RFC 6618 section 6.1.) Sealing: [`layout::frame`], then [`Transform::seal`].
//! Opening: [`Transform::verify`], then [`Transform::decrypt`], then [`layout::payload`].

mod aead;
mod aes_cbc;
mod aes_xcbc_mac_96;
mod encryption;
mod hmac_sha1_96;
pub mod layout;
mod lock_step;
mod mac;
#[cfg(test)]
mod tests;
mod triple_des_cbc;

use aws_lc_rs::aead::{AES_128_GCM, CHACHA20_POLY1305};

use self::aead::Aead;
use self::encryption::Encryption;
use self::mac::Mac;
use super::{CipherSuite, DirectionKeys};
use crate::tunnel::DropReason;

/// The most datagrams that are worked on together; see [`Transform::seal_many`].
pub const LANES: usize = 64;
/// A batch of little traffic.
const FEW: usize = 8;

/// The keyed form of a suite, for one direction. Holds key schedules, which are wiped when dropped.
pub struct Transform {
    suite: CipherSuite,
    algorithms: Algorithms,
}

enum Algorithms {
    /// The suites of RFC 6618.
    EncryptThenMac(Encryption, Mac),
    /// The extension suites: both in one step.
    Combined(Box<Aead>),
}

/// Keys that do not fit their suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "keys of {integrity} (integrity) and {encryption} (encryption) octets do not fit {suite}: a length is wrong, or a 3DES key is \
     weak or repeats one of its thirds"
)]
pub struct KeyError {
    suite: CipherSuite,
    integrity: usize,
    encryption: usize,
}

impl Transform {
    /// Expands the keys of one direction.
    ///
    /// # Errors
    /// When a key's length is not that of the suite, and for a 3DES key that is worth less than 3DES (RFC 2451 section 2.3).
    pub fn new(suite: CipherSuite, keys: &DirectionKeys) -> Result<Self, KeyError> {
        let error = KeyError { suite, integrity: keys.integrity().len(), encryption: keys.encryption().len() };
        if error.integrity != suite.integrity_key_len() || error.encryption != suite.encryption_key_len() {
            return Err(error);
        }
        let algorithms = Algorithms::new(suite, keys.integrity(), keys.encryption()).ok_or(error)?;
        Ok(Self { suite, algorithms })
    }

    /// Which suite.
    pub fn suite(&self) -> CipherSuite {
        self.suite
    }

    /// Encrypts and authenticates in place a datagram that [`layout::frame`] has filled; its last octets become the ICV.
    pub fn seal(&self, datagram: &mut [u8]) {
        self.seal_up_to::<1>(&mut [datagram]);
    }

    /// As [`Self::seal`], any number of datagrams of any lengths. It goes faster the more there are and the less their lengths
    /// differ.
    pub fn seal_many(&self, datagrams: &mut [&mut [u8]]) {
        for datagrams in datagrams.chunks_mut(LANES) {
            match datagrams.len() {
                ..=1 => self.seal_up_to::<1>(datagrams),
                2..=FEW => self.seal_up_to::<FEW>(datagrams),
                _ => self.seal_up_to::<LANES>(datagrams),
            }
        }
    }

    /// Of `N` datagrams at most: where there are few nothing is made ready for more.
    fn seal_up_to<const N: usize>(&self, datagrams: &mut [&mut [u8]]) {
        match &self.algorithms {
            Algorithms::EncryptThenMac(encryption, mac) => {
                encryption.encrypt::<N>(datagrams);
                mac.append::<N>(datagrams);
            }
            Algorithms::Combined(aead) => datagrams.iter_mut().for_each(|datagram| aead.seal(datagram)),
        }
    }

    /// Checks the ICV, and nothing else of the content. An AEAD decrypts in the same step.
    ///
    /// # Errors
    /// [`DropReason::Truncated`], [`DropReason::WrongIcv`]; for an AEAD [`DropReason::BadIv`].
    pub fn verify(&self, datagram: &mut [u8]) -> Result<(), DropReason> {
        let mut results = [Ok(())];
        self.verify_up_to::<1>(&mut [datagram], &mut results);
        results[0]
    }

    /// As [`Self::verify`], any number of datagrams of any lengths; `results[i]` becomes that of `datagrams[i]`, and there must be
    /// as many.
    pub fn verify_many(&self, datagrams: &mut [&mut [u8]], results: &mut [Result<(), DropReason>]) {
        debug_assert!(results.len() >= datagrams.len());
        for (datagrams, results) in datagrams.chunks_mut(LANES).zip(results.chunks_mut(LANES)) {
            match datagrams.len() {
                ..=1 => self.verify_up_to::<1>(datagrams, results),
                2..=FEW => self.verify_up_to::<FEW>(datagrams, results),
                _ => self.verify_up_to::<LANES>(datagrams, results),
            }
        }
    }

    fn verify_up_to<const N: usize>(&self, datagrams: &mut [&mut [u8]], results: &mut [Result<(), DropReason>]) {
        for (datagram, result) in datagrams.iter().zip(&mut *results) {
            *result = layout::check_len(self.suite, datagram.len());
        }
        match &self.algorithms {
            Algorithms::EncryptThenMac(_, mac) => mac.verify::<N>(datagrams, results),
            Algorithms::Combined(aead) => aead.open_many(datagrams, results),
        }
    }

    /// Decrypts a datagram whose ICV is right; nothing to do for NULL suites and AEADs.
    pub fn decrypt(&self, datagram: &mut [u8]) {
        self.decrypt_many(&mut [datagram]);
    }

    /// As [`Self::decrypt`], any number of datagrams of any lengths.
    pub fn decrypt_many(&self, datagrams: &mut [&mut [u8]]) {
        match &self.algorithms {
            Algorithms::EncryptThenMac(encryption, _) => encryption.decrypt(datagrams),
            Algorithms::Combined(_) => {}
        }
    }
}

impl Algorithms {
    /// The suites of RFC 6618 section 5.6.5 and the extension suites, one a row; `None` when a key does not fit.
    fn new(suite: CipherSuite, ikey: &[u8], ekey: &[u8]) -> Option<Self> {
        Some(match suite {
            CipherSuite::NullSha => Self::EncryptThenMac(Encryption::Null, Mac::hmac_sha1_96(ikey)?),
            CipherSuite::TripleDesEdeCbcSha => Self::EncryptThenMac(Encryption::triple_des_cbc(ekey)?, Mac::hmac_sha1_96(ikey)?),
            CipherSuite::Aes128CbcSha => Self::EncryptThenMac(Encryption::aes_128_cbc(ekey)?, Mac::hmac_sha1_96(ikey)?),
            CipherSuite::NullSha256 => Self::EncryptThenMac(Encryption::Null, Mac::aes_xcbc_mac_96(ikey)?),
            CipherSuite::Aes128CbcSha256 => Self::EncryptThenMac(Encryption::aes_128_cbc(ekey)?, Mac::aes_xcbc_mac_96(ikey)?),
            CipherSuite::Aes128Gcm => Self::Combined(Box::new(Aead::new(&AES_128_GCM, ekey)?)),
            CipherSuite::ChaCha20Poly1305 => Self::Combined(Box::new(Aead::new(&CHACHA20_POLY1305, ekey)?)),
        })
    }
}
