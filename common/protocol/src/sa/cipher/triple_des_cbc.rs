//! 3DES-CBC with an explicit IV (RFC 2451): the encryption of {00,0A}.
#![allow(deprecated, reason = "the library deprecates 3DES itself; RFC 6618 section 5.6.5 demands it")]

use aws_lc_rs::cipher::{
    DES_EDE3_FOR_LEGACY_USE_ONLY, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext, UnboundCipherKey,
};

use super::layout;

/// An expanded 3DES key.
pub(super) struct TripleDesCbc {
    encrypting: EncryptingKey,
    decrypting: DecryptingKey,
}

/// Octets of a block, and of each of the three DES keys.
const BLOCK: usize = 8;

impl TripleDesCbc {
    /// `None` for a wrong length and for a key that is worth less than 3DES: see [`degenerates`]. The library refuses weak DES
    /// keys too, and a third that repeats the first.
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        if degenerates(key) {
            return None;
        }
        let unbound = || UnboundCipherKey::new(&DES_EDE3_FOR_LEGACY_USE_ONLY, key).ok();
        Some(Self { encrypting: EncryptingKey::cbc(unbound()?).ok()?, decrypting: DecryptingKey::cbc(unbound()?).ok()? })
    }

    /// Encrypts what stands between the IV and the ICV.
    pub(super) fn encrypt(&self, datagram: &mut [u8]) {
        let (iv, blocks) = layout::iv_and_blocks::<BLOCK>(datagram);
        if self.encrypting.less_safe_encrypt(blocks, EncryptionContext::Iv64(iv.into())).is_err() {
            // Only octets that are no whole blocks fail; nothing readable may go out all the same.
            blocks.fill(0);
        }
    }

    /// The inverse of [`Self::encrypt`].
    pub(super) fn decrypt(&self, datagram: &mut [u8]) {
        let (iv, blocks) = layout::iv_and_blocks::<BLOCK>(datagram);
        if self.decrypting.decrypt(blocks, DecryptionContext::Iv64(iv.into())).is_err() {
            blocks.fill(0);
        }
    }
}

/// Whether the first two or the last two DES keys are equal but for their parity bits: such a key must be refused, since it makes
/// single DES of 3DES (RFC 2451 sections 2.2 and 2.3).
fn degenerates(key: &[u8]) -> bool {
    let (keys, _) = key.as_chunks::<BLOCK>();
    let equal = |one: &[u8; BLOCK], other: &[u8; BLOCK]| one.iter().zip(other).fold(0, |bits, (a, b)| bits | (a ^ b) & 0xfe) == 0;
    keys.iter().zip(keys.iter().skip(1)).any(|(one, next)| equal(one, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    const THIRDS: [u64; 3] = [0x0123_4567_89ab_cdef, 0x2345_6789_abcd_ef01, 0x4567_89ab_cdef_0123];

    fn accepted(thirds: [u64; 3]) -> bool {
        TripleDesCbc::new(&thirds.map(u64::to_be_bytes).concat()).is_some()
    }

    #[test]
    fn a_key_that_is_worth_less_than_three_des_keys_is_refused() {
        let [first, second, third] = THIRDS;
        assert!(accepted(THIRDS));
        assert!(!accepted([first, first, third]) && !accepted([first, second, second]));
        assert!(!accepted([first, first ^ 0x0100_0100_0000_0001, third]), "these differ in parity bits alone");
        assert!(accepted([first, first ^ 0x0200_0000_0000_0000, third]));
        assert!(!accepted([0x0101_0101_0101_0101, second, third]), "a weak DES key");
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        for len in [0, 8, 16, 23, 25, 32] {
            let key: Vec<u8> = (0..len).map(|octet| octet * 7).collect();
            assert!(TripleDesCbc::new(&key).is_none(), "{len} octets");
        }
    }
}
