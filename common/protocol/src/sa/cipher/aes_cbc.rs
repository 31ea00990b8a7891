//! AES-128-CBC with an explicit IV (RFC 3602): the encryption of {00,2F} and {00,3C}.

use aes::Aes128;
use cbc::{Decryptor, Encryptor};
use cipher::array::Array;
use cipher::{BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit};

use super::layout;

/// An expanded AES key.
pub(super) struct AesCbc(Aes128);

const BLOCK: usize = 16;

impl AesCbc {
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        Aes128::new_from_slice(key).ok().map(Self)
    }

    /// Encrypts what stands between the IV and the ICV.
    pub(super) fn encrypt(&self, datagram: &mut [u8]) {
        let (iv, blocks) = layout::iv_and_blocks::<BLOCK>(datagram);
        let (blocks, _) = Array::slice_as_chunks_mut(blocks);
        Encryptor::inner_iv_init(&self.0, &Array(iv)).encrypt_blocks(blocks);
    }

    /// The inverse of [`Self::encrypt`].
    pub(super) fn decrypt(&self, datagram: &mut [u8]) {
        let (iv, blocks) = layout::iv_and_blocks::<BLOCK>(datagram);
        let (blocks, _) = Array::slice_as_chunks_mut(blocks);
        Decryptor::inner_iv_init(&self.0, &Array(iv)).decrypt_blocks(blocks);
    }
}
