//! AES-XCBC-MAC-96 (RFC 3566): the integrity algorithm of {00,3B} and {00,3C}.
//!
//! A CBC-MAC whose last block is made different by one of two more keys, so that no message is the beginning of another. As with
//! [CBC](super::aes_cbc) the chains of several messages advance in lock-step.

use aes::Aes128;
use cipher::consts::U16;
use cipher::{Block, BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser, KeyInit};
use zeroize::Zeroizing;

use super::layout::ICV_96 as LEN;
use super::lock_step::{BLOCK, CHAINS, xor};

/// The three keys that RFC 3566 section 4 derives from the one.
pub(super) struct AesXcbc {
    /// K1, expanded.
    cipher: Aes128,
    /// K2.
    whole: Zeroizing<[u8; BLOCK]>,
    /// K3.
    padded: Zeroizing<[u8; BLOCK]>,
}

/// One message's chain.
#[derive(Clone, Copy, Default)]
struct Chain<'a> {
    state: Block<Aes128>,
    head: &'a [[u8; BLOCK]],
    last: [u8; BLOCK],
}

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

    /// The first 96 bits of the MAC of each message, to its place in `icvs`. The longest shall come first: chains of like lengths go
    /// together.
    pub(super) fn icvs(&self, messages: &[&[u8]], icvs: &mut [[u8; LEN]]) {
        for (messages, icvs) in messages.chunks(CHAINS).zip(icvs.chunks_mut(CHAINS)) {
            let mut chains = [Chain::default(); CHAINS];
            let used = chains.iter_mut().zip(messages).map(|(chain, message)| *chain = self.chain(message)).count();
            let chains = chains.get_mut(..used).unwrap_or_default();
            self.cipher.encrypt_with_backend(Chains(chains));
            for (icv, chain) in icvs.iter_mut().zip(chains) {
                icv.copy_from_slice(&chain.state[..LEN]);
            }
        }
    }

    fn chain<'a>(&self, message: &'a [u8]) -> Chain<'a> {
        let (head, last) = message.split_at(message.len().saturating_sub(1) / BLOCK * BLOCK);
        Chain { state: Block::<Aes128>::default(), head: head.as_chunks().0, last: self.finish(last) }
    }

    /// The last block, of up to 16 octets: whole it meets K2; else it is padded with a one and zeros and meets K3.
    fn finish(&self, last: &[u8]) -> [u8; BLOCK] {
        let mut block = Block::<Aes128>::default();
        block[..last.len()].copy_from_slice(last);
        let key = match block.get_mut(last.len()) {
            None => &self.whole,
            Some(octet) => {
                *octet = 0x80;
                &self.padded
            }
        };
        xor(&mut block, key);
        block.0
    }
}

/// Chains to advance in lock-step, to their ends.
struct Chains<'a, 'b>(&'a mut [Chain<'b>]);

impl BlockSizeUser for Chains<'_, '_> {
    type BlockSize = U16;
}

impl BlockCipherEncClosure for Chains<'_, '_> {
    // Into the function that has the processor's AES instructions.
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        let longest = self.0.iter().map(|chain| chain.head.len()).max().unwrap_or(0);
        for number in 0..longest {
            for chain in self.0.iter_mut() {
                let Some(block) = chain.head.get(number) else { continue };
                xor(&mut chain.state, block);
                backend.encrypt_block_inplace(&mut chain.state);
            }
        }
        for chain in self.0.iter_mut() {
            xor(&mut chain.state, &chain.last);
            backend.encrypt_block_inplace(&mut chain.state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn icv(mac: &AesXcbc, message: &[u8]) -> String {
        let mut icvs = [[0; LEN]];
        mac.icvs(&[message], &mut icvs);
        hex::encode(icvs[0])
    }

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
            assert_eq!(icv(&mac, &message), expected, "{len} octets");
        }
        assert_eq!(icv(&mac, &[0; 1000]), "f0dafee895db30253761103b");
    }

    #[test]
    fn keys_have_128_bits() {
        assert!(AesXcbc::new(&[1; 20]).is_none() && AesXcbc::new(&[]).is_none());
    }
}
