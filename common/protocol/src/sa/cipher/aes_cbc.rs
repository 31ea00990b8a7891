//! AES-128-CBC with an explicit IV (RFC 3602): the encryption of {00,2F}.

use aes::Aes128;
use cbc::{Decryptor, Encryptor};
use cipher::array::Array;
use cipher::{BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit};

use crate::wire::envelope;

/// An expanded AES key.
pub struct AesCbc(Aes128);

const BLOCK: usize = 16;

impl AesCbc {
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        Aes128::new_from_slice(key).ok().map(Self)
    }

    /// Encrypts what stands between the IV and the ICV of `icv` octets.
    pub(super) fn encrypt(&self, datagram: &mut [u8], icv: usize) {
        let (iv, blocks) = iv_and_blocks(datagram, icv);
        let (blocks, _) = Array::slice_as_chunks_mut(blocks);
        Encryptor::inner_iv_init(&self.0, &Array(iv)).encrypt_blocks(blocks);
    }

    /// The inverse of [`Self::encrypt`].
    pub(super) fn decrypt(&self, datagram: &mut [u8], icv: usize) {
        let (iv, blocks) = iv_and_blocks(datagram, icv);
        let (blocks, _) = Array::slice_as_chunks_mut(blocks);
        Decryptor::inner_iv_init(&self.0, &Array(iv)).decrypt_blocks(blocks);
    }
}

/// The IV and what follows it up to the ICV; both empty when the datagram is too short for them.
fn iv_and_blocks(datagram: &mut [u8], icv: usize) -> ([u8; BLOCK], &mut [u8]) {
    let end = datagram.len().saturating_sub(icv);
    let protected = datagram.get_mut(envelope::LEN..end).unwrap_or_default();
    match protected.split_first_chunk_mut::<BLOCK>() {
        Some((iv, blocks)) => (*iv, blocks),
        None => ([0; BLOCK], &mut []),
    }
}
