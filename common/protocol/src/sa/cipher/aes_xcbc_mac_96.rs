//! AES-XCBC-MAC-96 (RFC 3566): the integrity algorithm of {00,3B} and {00,3C}.
//!
//! A CBC-MAC whose last block is made different by one of two more keys, so that no message is the beginning of another.

use aes::Aes128;
use cipher::consts::U16;
use cipher::{Block, BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser, KeyInit};
use zeroize::Zeroizing;

use super::layout::ICV_96 as LEN;

/// The three keys that RFC 3566 section 4 derives from the one.
pub(super) struct AesXcbc {
    /// K1, expanded.
    cipher: Aes128,
    /// K2.
    whole: Zeroizing<[u8; BLOCK]>,
    /// K3.
    padded: Zeroizing<[u8; BLOCK]>,
}

const BLOCK: usize = 16;

impl AesXcbc {
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        let cipher = Aes128::new_from_slice(key).ok()?;
        let derive = |number: u8| {
            let mut block = Zeroizing::new([number; BLOCK]);
            cipher.encrypt_block((&mut *block).into());
            block
        };
        Some(Self { cipher: Aes128::new_from_slice(&*derive(1)).ok()?, whole: derive(2), padded: derive(3) })
    }

    /// The first 96 bits of the MAC.
    pub(super) fn icv(&self, covered: &[u8]) -> [u8; LEN] {
        let (head, last) = covered.split_at(covered.len().saturating_sub(1) / BLOCK * BLOCK);
        let mut state = Block::<Aes128>::default();
        self.cipher.encrypt_with_backend(Chain { state: &mut state, blocks: head.as_chunks().0 });
        self.cipher.encrypt_with_backend(Chain { state: &mut state, blocks: &[self.finish(last)] });
        let mut icv = [0; LEN];
        icv.copy_from_slice(&state[..LEN]);
        icv
    }

    /// The last block, of up to 16 octets: whole it meets K2; else it is padded with a one and zeros and meets K3.
    fn finish(&self, last: &[u8]) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        block[..last.len()].copy_from_slice(last);
        let key = match block.get_mut(last.len()) {
            None => &self.whole,
            Some(octet) => {
                *octet = 0x80;
                &self.padded
            }
        };
        xor(&mut block, key);
        block
    }
}

/// A CBC-MAC over whole blocks in one call into the cipher: a call for each block takes three times as long.
struct Chain<'a> {
    state: &'a mut Block<Aes128>,
    blocks: &'a [[u8; BLOCK]],
}

impl BlockSizeUser for Chain<'_> {
    type BlockSize = U16;
}

impl BlockCipherEncClosure for Chain<'_> {
    // Into the function that has the processor's AES instructions.
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        let mut state = *self.state;
        for block in self.blocks {
            xor(&mut state, block);
            backend.encrypt_block_inplace(&mut state);
        }
        *self.state = state;
    }
}

fn xor(block: &mut [u8], other: &[u8; BLOCK]) {
    block.iter_mut().zip(other).for_each(|(octet, other)| *octet ^= other);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3566 section 4.6: the message has the octets 0, 1, 2 and so on; the MAC's first 96 bits.
    #[test]
    fn the_test_cases_of_rfc_3566_come_out() {
        let key: Vec<u8> = (0..16).collect();
        let mac = AesXcbc::new(&key).unwrap();
        let rows = [
            (0, "75f0251d528ac01c4573dfd5"),
            (3, "5b376580ae2f19afe7219cee"),
            (16, "d2a246fa349b68a79998a439"),
            (20, "47f51b4564966215b8985c63"),
            (32, "f54f0ec8d2b9f3d36807734b"),
            (34, "becbb3bccdb518a30677d548"),
        ];
        for (len, expected) in rows {
            let message: Vec<u8> = (0..len).collect();
            assert_eq!(hex::encode(mac.icv(&message)), expected, "{len} octets");
        }
        assert_eq!(hex::encode(mac.icv(&[0; 1000])), "f0dafee895db30253761103b");
    }

    #[test]
    fn keys_have_128_bits() {
        assert!(AesXcbc::new(&[1; 20]).is_none() && AesXcbc::new(&[]).is_none());
    }
}
