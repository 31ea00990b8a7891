//! AEADs with an ICV of 16 octets whose IV is the sequence number: AES-128-GCM as in RFC 4106 {00,9C} and ChaCha20-Poly1305 as in
//! RFC 7634 {CC,A8}.
//!
//! Additional authenticated data: the envelope. Nonce: the key's 4-octet salt, then the IV.

use aws_lc_rs::aead::{Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};

use super::layout;
use crate::tunnel::DropReason;
use crate::wire::envelope;

/// An expanded key with its salt.
pub(super) struct Aead {
    key: LessSafeKey,
    salt: [u8; SALT],
}

const SALT: usize = 4;
const IV: usize = 8;
const TAG: usize = 16;

impl Aead {
    /// From key ‖ salt.
    pub(super) fn new(algorithm: &'static Algorithm, key_and_salt: &[u8]) -> Option<Self> {
        let (key, salt) = key_and_salt.split_last_chunk()?;
        let key = LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?);
        Some(Self { key, salt: *salt })
    }

    /// Encrypts and writes the ICV. The sequence number makes the nonce, and no counter gives one out twice.
    pub(super) fn seal(&self, datagram: &mut [u8]) {
        let Some((head, iv, rest)) = split(datagram) else { return };
        let Some((plain, icv)) = rest.split_last_chunk_mut::<TAG>() else { return };
        match self.key.seal_in_place_separate_tag(self.nonce(iv), Aad::from(head), plain) {
            Ok(tag) => icv.copy_from_slice(tag.as_ref()),
            // The library fails only above 2^36 octets; nothing readable may go out all the same.
            Err(_) => plain.fill(0),
        }
    }

    /// Checks and decrypts each datagram, where `results` has no error yet.
    pub(super) fn open_many(&self, datagrams: &mut [&mut [u8]], results: &mut [Result<(), DropReason>]) {
        for (datagram, result) in datagrams.iter_mut().zip(results).filter(|(_, result)| result.is_ok()) {
            *result = self.open(datagram);
        }
    }

    fn open(&self, datagram: &mut [u8]) -> Result<(), DropReason> {
        let (head, iv, rest) = split(datagram).ok_or(DropReason::Truncated)?;
        if iv != layout::aead_iv(&head) {
            return Err(DropReason::BadIv);
        }
        match self.key.open_in_place(self.nonce(iv), Aad::from(head), rest) {
            Ok(_) => Ok(()),
            Err(_) => Err(DropReason::WrongIcv),
        }
    }

    fn nonce(&self, iv: [u8; IV]) -> Nonce {
        let mut nonce = [0; SALT + IV];
        nonce[..SALT].copy_from_slice(&self.salt);
        nonce[SALT..].copy_from_slice(&iv);
        Nonce::assume_unique_for_key(nonce)
    }
}

impl Drop for Aead {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.salt);
    }
}

fn split(datagram: &mut [u8]) -> Option<([u8; envelope::LEN], [u8; IV], &mut [u8])> {
    let (head, rest) = datagram.split_first_chunk_mut::<{ envelope::LEN }>()?;
    let (iv, rest) = rest.split_first_chunk_mut::<IV>()?;
    Some((*head, *iv, rest))
}
