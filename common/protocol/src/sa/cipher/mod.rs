//! What a suite does with a datagram in place: one enum, a branch that is predicted, no trait object.
//!
//! ```text
//! | envelope 8 | IV | payload | padding 1,2,3… | Pad Length | Next Header | ICV |
//! |<------------------------- authenticated ------------------------------>|
//!                   |<------------------ encrypted ---------------------->|
//! ```
//! (RFC 4303 section 2 with the envelope of RFC 6618 section 6.1.) Sealing: [`layout::write`], then [`Transform::seal`].
//! Opening: [`Transform::verify`], then [`Transform::decrypt`], then [`layout::payload`].

mod aes_cbc;
mod aes_gcm;
mod hmac_sha1_96;
pub mod layout;

use self::aes_cbc::AesCbc;
use self::aes_gcm::AesGcm;
use self::hmac_sha1_96::HmacSha1;
use super::{CipherSuite, DirectionKeys};
use crate::tunnel::DropReason;

/// The keyed form of a suite, for one direction. Holds key schedules, which are wiped when dropped.
pub enum Transform {
    /// {00,02}
    NullSha(HmacSha1),
    /// {00,2F}
    Aes128CbcSha(Box<AesCbc>, HmacSha1),
    /// {00,9C}
    Aes128Gcm(Box<AesGcm>),
}

/// A key has not the length that its suite demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("keys of {integrity} (integrity) and {encryption} (encryption) octets do not fit {suite}")]
pub struct KeyLengthError {
    suite: CipherSuite,
    integrity: usize,
    encryption: usize,
}

impl Transform {
    /// Expands the keys of one direction.
    ///
    /// # Errors
    /// When a key's length is not that of the suite.
    pub fn new(suite: CipherSuite, keys: &DirectionKeys) -> Result<Self, KeyLengthError> {
        let error = KeyLengthError { suite, integrity: keys.integrity.len(), encryption: keys.encryption.len() };
        if error.integrity != suite.integrity_key_len() || error.encryption != suite.encryption_key_len() {
            return Err(error);
        }
        let integrity = keys.integrity.expose();
        let encryption = keys.encryption.expose();
        match suite {
            CipherSuite::NullSha => HmacSha1::new(integrity).map(Self::NullSha),
            CipherSuite::Aes128CbcSha => {
                AesCbc::new(encryption).and_then(|cipher| Some(Self::Aes128CbcSha(Box::new(cipher), HmacSha1::new(integrity)?)))
            }
            CipherSuite::Aes128Gcm => AesGcm::new(encryption).map(|aead| Self::Aes128Gcm(Box::new(aead))),
        }
        .ok_or(error)
    }

    /// Which suite.
    pub fn suite(&self) -> CipherSuite {
        match self {
            Self::NullSha(_) => CipherSuite::NullSha,
            Self::Aes128CbcSha(..) => CipherSuite::Aes128CbcSha,
            Self::Aes128Gcm(_) => CipherSuite::Aes128Gcm,
        }
    }

    /// Encrypts and authenticates in place a datagram that [`layout::write`] has filled; its last octets become the ICV.
    pub fn seal(&self, datagram: &mut [u8]) {
        match self {
            Self::NullSha(mac) => mac.append(datagram),
            Self::Aes128CbcSha(cipher, mac) => {
                cipher.encrypt(datagram, mac.len());
                mac.append(datagram);
            }
            Self::Aes128Gcm(aead) => aead.seal(datagram),
        }
    }

    /// Checks the ICV, and nothing else of the content. An AEAD decrypts in the same step.
    ///
    /// # Errors
    /// [`DropReason::Truncated`], [`DropReason::WrongIcv`]; for an AEAD [`DropReason::BadIv`].
    pub fn verify(&self, datagram: &mut [u8]) -> Result<(), DropReason> {
        layout::check_len(self.suite(), datagram.len())?;
        match self {
            Self::NullSha(mac) | Self::Aes128CbcSha(_, mac) => mac.verify(datagram),
            Self::Aes128Gcm(aead) => aead.open(datagram),
        }
    }

    /// Decrypts a datagram whose ICV is right; nothing to do for NULL suites and AEADs.
    pub fn decrypt(&self, datagram: &mut [u8]) {
        match self {
            Self::Aes128CbcSha(cipher, mac) => cipher.decrypt(datagram, mac.len()),
            Self::NullSha(_) | Self::Aes128Gcm(_) => {}
        }
    }
}
