//! The libraries' and kernels' own work on the octets of a datagram and nothing else: no choice of a suite, no unequal lengths, no
//! comparison of an ICV. Eight datagrams and more go in lock-step and side by side, fewer one by one.
#![allow(deprecated, reason = "the library deprecates 3DES itself; RFC 6618 section 5.6.5 demands it")]

use std::hint::black_box;

use aes::Aes128;
use aws_lc_rs::aead::{AES_128_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{
    DES_EDE3_FOR_LEGACY_USE_ONLY, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext, UnboundCipherKey,
};
use cbc::{Decryptor, Encryptor};
use cipher::array::Array;
use cipher::consts::U16;
use cipher::{
    BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, BlockSizeUser,
    InnerIvInit, KeyInit,
};
use protocol::sa::CipherSuite;
use sha1::block_api::compress;
use simd::sha1::{BLOCK, Block, Kernel, MAX_LANES, State};

/// The envelope, an ICV of 96 bits, an AEAD's IV and tag.
const HEAD: usize = 8;
const ICV: usize = 12;
const AEAD_IV: usize = 8;
const TAG: usize = 16;
const LOCK_STEP: usize = 16;
/// From so many on the loops that work on several are the faster ones.
const MANY: usize = 8;

/// A suite's algorithms with keys.
pub(super) enum Bare {
    EncryptThenMac(Encryption, Mac),
    Aead(Box<LessSafeKey>),
}

pub(super) enum Encryption {
    Null,
    Aes(Box<Aes128>),
    TripleDes(Box<(EncryptingKey, DecryptingKey)>),
}

pub(super) enum Mac {
    Sha1(Option<Kernel>),
    Xcbc(Box<Aes128>),
}

impl Bare {
    pub(super) fn new(suite: CipherSuite) -> Option<Self> {
        let aes = || Box::new(Aes128::new(&Array([7; 16])));
        let sha1 = || Mac::Sha1(Kernel::best());
        let aead = |algorithm, len| {
            UnboundKey::new(algorithm, &[7; 32][..len]).ok().map(|key| Self::Aead(Box::new(LessSafeKey::new(key))))
        };
        Some(match suite {
            CipherSuite::NullSha => Self::EncryptThenMac(Encryption::Null, sha1()),
            CipherSuite::TripleDesEdeCbcSha => Self::EncryptThenMac(Encryption::triple_des()?, sha1()),
            CipherSuite::Aes128CbcSha => Self::EncryptThenMac(Encryption::Aes(aes()), sha1()),
            CipherSuite::NullSha256 => Self::EncryptThenMac(Encryption::Null, Mac::Xcbc(aes())),
            CipherSuite::Aes128CbcSha256 => Self::EncryptThenMac(Encryption::Aes(aes()), Mac::Xcbc(aes())),
            CipherSuite::Aes128Gcm => aead(&AES_128_GCM, 16)?,
            CipherSuite::ChaCha20Poly1305 => aead(&CHACHA20_POLY1305, 32)?,
        })
    }

    pub(super) fn seal(&mut self, datagrams: &mut [&mut [u8]]) {
        match self {
            Self::EncryptThenMac(encryption, mac) => {
                encryption.encrypt(datagrams);
                mac.run(datagrams);
            }
            Self::Aead(key) => datagrams.iter_mut().for_each(|datagram| {
                let end = datagram.len() - TAG;
                let plain = &mut datagram[HEAD + AEAD_IV..end];
                black_box(key.seal_in_place_separate_tag(nonce(), Aad::from([0; HEAD]), plain).ok());
            }),
        }
    }

    pub(super) fn open(&mut self, datagrams: &mut [&mut [u8]]) {
        match self {
            Self::EncryptThenMac(encryption, mac) => {
                mac.run(datagrams);
                encryption.decrypt(datagrams);
            }
            // With another key: the tag is computed and is wrong, and then the octets are wiped.
            Self::Aead(key) => datagrams.iter_mut().for_each(|datagram| {
                black_box(key.open_in_place(nonce(), Aad::from([0; HEAD]), &mut datagram[HEAD + AEAD_IV..]).is_ok());
            }),
        }
    }
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key(black_box([1; 12]))
}

/// What stands between an IV of `iv` octets and the ICV.
fn encrypted(datagram: &mut [u8], iv: usize) -> &mut [u8] {
    let end = datagram.len() - ICV;
    &mut datagram[HEAD + iv..end]
}

impl Encryption {
    fn triple_des() -> Option<Self> {
        let key: [u8; 24] = std::array::from_fn(|at| at as u8 * 9);
        let unbound = || UnboundCipherKey::new(&DES_EDE3_FOR_LEGACY_USE_ONLY, &key).ok();
        Some(Self::TripleDes(Box::new((EncryptingKey::cbc(unbound()?).ok()?, DecryptingKey::cbc(unbound()?).ok()?))))
    }

    fn encrypt(&self, datagrams: &mut [&mut [u8]]) {
        match self {
            Self::Null => {}
            Self::Aes(aes) if datagrams.len() >= MANY => {
                for datagrams in datagrams.chunks_mut(LOCK_STEP) {
                    let mut blocks: Vec<&mut [[u8; 16]]> =
                        datagrams.iter_mut().map(|datagram| encrypted(datagram, 16).as_chunks_mut().0).collect();
                    aes.encrypt_with_backend(LockStep { states: [[0; 16]; LOCK_STEP], blocks: &mut blocks });
                }
            }
            Self::Aes(aes) => datagrams.iter_mut().for_each(|datagram| {
                let (blocks, _) = Array::slice_as_chunks_mut(encrypted(datagram, 16));
                Encryptor::inner_iv_init(&**aes, &Array([0; 16])).encrypt_blocks(blocks);
            }),
            Self::TripleDes(keys) => datagrams.iter_mut().for_each(|datagram| {
                let context = EncryptionContext::Iv64([0; 8].into());
                black_box(keys.0.less_safe_encrypt(encrypted(datagram, 8), context).is_ok());
            }),
        }
    }

    fn decrypt(&self, datagrams: &mut [&mut [u8]]) {
        match self {
            Self::Null => {}
            Self::Aes(aes) => datagrams.iter_mut().for_each(|datagram| {
                let (blocks, _) = Array::slice_as_chunks_mut(encrypted(datagram, 16));
                Decryptor::inner_iv_init(&**aes, &Array([0; 16])).decrypt_blocks(blocks);
            }),
            Self::TripleDes(keys) => datagrams.iter_mut().for_each(|datagram| {
                let context = DecryptionContext::Iv64([0; 8].into());
                black_box(keys.1.decrypt(encrypted(datagram, 8), context).is_ok());
            }),
        }
    }
}

impl Mac {
    fn run(&self, datagrams: &[&mut [u8]]) {
        let covered: Vec<&[u8]> = datagrams.iter().map(|datagram| &datagram[..datagram.len() - ICV]).collect();
        match self {
            Self::Sha1(Some(kernel)) if covered.len() >= MANY => {
                covered.chunks(kernel.lanes()).for_each(|covered| side_by_side(*kernel, covered));
            }
            Self::Sha1(_) => covered.iter().for_each(|covered| {
                let mut state: State = [1; 5];
                compress(&mut state, covered.as_chunks().0);
                compress(&mut state, &PADDING[..more_blocks(covered.len())]);
                black_box(state);
            }),
            Self::Xcbc(aes) if covered.len() >= MANY => {
                for covered in covered.chunks(LOCK_STEP) {
                    let blocks: Vec<&[[u8; 16]]> = covered.iter().map(|covered| covered.as_chunks().0).collect();
                    aes.encrypt_with_backend(MacLockStep { states: [[0; 16]; LOCK_STEP], blocks: &blocks });
                }
            }
            Self::Xcbc(aes) => covered.iter().for_each(|covered| {
                aes.encrypt_with_backend(MacLockStep { states: [[0; 16]], blocks: &[covered.as_chunks().0] });
            }),
        }
    }
}

/// What stands for the padded end of a message and for the outer hash.
const PADDING: [Block; 3] = [[0x80; BLOCK]; 3];

/// Blocks behind the whole ones of a message: its padded end and the outer hash.
fn more_blocks(len: usize) -> usize {
    if len % BLOCK + 9 > BLOCK { 3 } else { 2 }
}

fn side_by_side(kernel: Kernel, covered: &[&[u8]]) {
    let mut states = [[1; MAX_LANES]; 5];
    let blocks: [&[Block]; MAX_LANES] = std::array::from_fn(|lane| covered[lane % covered.len()].as_chunks().0);
    kernel.compress(&mut states, &blocks);
    kernel.compress(&mut states, &[&PADDING[..more_blocks(covered[0].len())]; MAX_LANES]);
    black_box(states);
}

/// CBC in lock-step over messages of one length.
struct LockStep<'a, 'b> {
    states: [[u8; 16]; LOCK_STEP],
    blocks: &'a mut [&'b mut [[u8; 16]]],
}

impl BlockSizeUser for LockStep<'_, '_> {
    type BlockSize = U16;
}

impl BlockCipherEncClosure for LockStep<'_, '_> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(mut self, backend: &B) {
        for number in 0..self.blocks[0].len() {
            for (state, blocks) in self.states.iter_mut().zip(self.blocks.iter_mut()) {
                let mut block = Array(std::array::from_fn(|at| state[at] ^ blocks[number][at]));
                backend.encrypt_block_inplace(&mut block);
                blocks[number] = block.0;
                *state = block.0;
            }
        }
    }
}

/// CBC-MAC over messages of one length, in lock-step.
struct MacLockStep<'a, 'b, const N: usize> {
    states: [[u8; 16]; N],
    blocks: &'a [&'b [[u8; 16]]],
}

impl<const N: usize> BlockSizeUser for MacLockStep<'_, '_, N> {
    type BlockSize = U16;
}

impl<const N: usize> BlockCipherEncClosure for MacLockStep<'_, '_, N> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(mut self, backend: &B) {
        for number in 0..self.blocks[0].len() {
            for (state, blocks) in self.states.iter_mut().zip(self.blocks) {
                let mut block = Array(std::array::from_fn(|at| state[at] ^ blocks[number][at]));
                backend.encrypt_block_inplace(&mut block);
                *state = block.0;
            }
        }
        black_box(self.states);
    }
}
