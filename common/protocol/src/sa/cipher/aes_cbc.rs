//! AES-128-CBC with an explicit IV (RFC 3602): the encryption of {00,2F} and {00,3C}.
//!
//! Encrypting a block waits for the one before it, so a datagram alone leaves the processor's AES unit idle for most of the time.
//! The chains of several datagrams advance in lock-step: one block of each, then the next of each.

use std::cmp::Reverse;

use aes::Aes128;
use cipher::array::Array;
use cipher::consts::U16;
use cipher::{
    Block, BlockCipherDecBackend, BlockCipherDecClosure, BlockCipherDecrypt, BlockCipherEncBackend, BlockCipherEncClosure,
    BlockCipherEncrypt, BlockSizeUser, KeyInit, ParBlocks,
};

use super::layout;
use super::lock_step::{BLOCK, CHAINS, xor};

/// An expanded AES key.
pub(super) struct AesCbc(Aes128);

/// One datagram's chain: the IV or the ciphertext block before, and the blocks.
struct Chain<'a> {
    before: Block<Aes128>,
    blocks: &'a mut [[u8; BLOCK]],
}

impl<'a> Chain<'a> {
    fn of(datagram: &'a mut [u8]) -> Self {
        let (iv, blocks) = layout::iv_and_blocks::<BLOCK>(datagram);
        Self { before: Array(iv), blocks: blocks.as_chunks_mut().0 }
    }

    fn none() -> Self {
        Self { before: Array::default(), blocks: &mut [] }
    }
}

impl AesCbc {
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        Aes128::new_from_slice(key).ok().map(Self)
    }

    /// Encrypts what stands between the IV and the ICV of each datagram; of `N` at most. Chains of like lengths go together.
    pub(super) fn encrypt<const N: usize>(&self, datagrams: &mut [&mut [u8]]) {
        let mut chains: [Chain; N] = std::array::from_fn(|_| Chain::none());
        let used = chains.iter_mut().zip(datagrams).map(|(chain, datagram)| *chain = Chain::of(datagram)).count();
        let chains = chains.get_mut(..used).unwrap_or_default();
        chains.sort_unstable_by_key(|chain| Reverse(chain.blocks.len()));
        chains.chunks_mut(CHAINS).for_each(|chains| self.0.encrypt_with_backend(Encrypt(chains)));
    }

    /// The inverse of [`Self::encrypt`].
    pub(super) fn decrypt(&self, datagrams: &mut [&mut [u8]]) {
        self.0.decrypt_with_backend(Decrypt(datagrams));
    }
}

/// Chains to encrypt in lock-step.
struct Encrypt<'a, 'b>(&'a mut [Chain<'b>]);

impl BlockSizeUser for Encrypt<'_, '_> {
    type BlockSize = U16;
}

impl BlockCipherEncClosure for Encrypt<'_, '_> {
    // Into the function that has the processor's AES instructions.
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        let longest = self.0.iter().map(|chain| chain.blocks.len()).max().unwrap_or(0);
        for number in 0..longest {
            for chain in self.0.iter_mut() {
                let Some(block) = chain.blocks.get_mut(number) else { continue };
                let mut state = chain.before;
                xor(&mut state, block);
                backend.encrypt_block_inplace(&mut state);
                *block = state.0;
                chain.before = state;
            }
        }
    }
}

/// Datagrams to decrypt: one after the other, since within one no block waits for another.
struct Decrypt<'a, 'b>(&'a mut [&'b mut [u8]]);

impl BlockSizeUser for Decrypt<'_, '_> {
    type BlockSize = U16;
}

impl BlockCipherDecClosure for Decrypt<'_, '_> {
    // Into the function that has the processor's AES instructions.
    #[inline(always)]
    fn call<B: BlockCipherDecBackend<BlockSize = U16>>(self, backend: &B) {
        let mut plain = ParBlocks::<B>::default();
        for datagram in self.0 {
            let Chain { mut before, blocks } = Chain::of(datagram);
            let (many, few) = Array::slice_as_chunks_mut(Array::cast_slice_from_core_mut(blocks));
            for blocks in many {
                backend.decrypt_par_blocks((&*blocks, &mut plain).into());
                for (block, plain) in blocks.iter_mut().zip(&plain) {
                    before = undo(block, *plain, before);
                }
            }
            for block in few {
                let mut plain = *block;
                backend.decrypt_block_inplace(&mut plain);
                before = undo(block, plain, before);
            }
        }
    }
}

/// Puts in the place of a ciphertext block its plaintext, of which `plain` lacks the block before; gives back the ciphertext.
#[inline(always)]
fn undo(block: &mut Block<Aes128>, plain: Block<Aes128>, before: Block<Aes128>) -> Block<Aes128> {
    let ciphertext = std::mem::replace(block, plain);
    xor(block, &before.0);
    ciphertext
}
