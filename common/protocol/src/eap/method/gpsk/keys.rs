//! The key derivation of RFC 5433 sections 4 and 7, and the MAC under its session key. Called by both ends.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::message::Signed;
use super::{RAND_LEN, Suite};
use crate::eap::{MethodError, Msk};
use crate::sa::Secret;

/// What both ends put into the derivation: the RFC's inputString, in its order.
#[derive(Clone, Copy)]
pub struct Seed<'a> {
    /// The peer's nonce.
    pub rand_peer: &'a [u8; RAND_LEN],
    /// The peer's identity.
    pub id_peer: &'a [u8],
    /// The server's nonce.
    pub rand_server: &'a [u8; RAND_LEN],
    /// The server's identity.
    pub id_server: &'a [u8],
}

/// The keys of one run that are used: MSK, and SK with its suite. EMSK and PK are derived with them and not kept.
pub struct Keys {
    suite: Suite,
    msk: Msk,
    session: Secret,
}

impl Keys {
    /// Derives them: MK from the pre-shared key, the rest from MK.
    ///
    /// # Errors
    /// [`MethodError::WrongCredentials`]: a pre-shared key that is too short for the suite (or longer than its length can be written).
    /// The other end would not have chosen the suite with that key.
    pub fn derive(suite: Suite, psk: &Secret, seed: &Seed<'_>) -> Result<Self, MethodError> {
        Self::try_derive(suite, psk.expose(), seed).ok_or(MethodError::WrongCredentials)
    }

    fn try_derive(suite: Suite, psk: &[u8], seed: &Seed<'_>) -> Option<Self> {
        let (key, _) = psk.split_at_checked(suite.key_len())?;
        let psk_len = u16::try_from(psk.len()).ok()?.to_be_bytes();
        let parts: [&[u8]; 4] = [seed.rand_peer, seed.id_peer, seed.rand_server, seed.id_server];
        let suite_octets = suite.octets();
        let master_seed = [&[&psk_len, psk, &suite_octets], &parts[..]].concat();
        let master = gkdf(suite, suite.key_len(), key, &master_seed)?;
        let block = gkdf(suite, MSK_LEN + EMSK_LEN + 2 * suite.key_len(), &master, &parts)?;
        let (msk, rest) = block.split_at_checked(MSK_LEN)?;
        let session = rest.get(EMSK_LEN..)?.get(..suite.key_len())?;
        Some(Self { suite, msk: Msk::new(&Secret::new(msk.to_vec()))?, session: Secret::new(session.to_vec()) })
    }

    /// The suite that they are for.
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// The key that the method gives.
    pub const fn msk(&self) -> &Msk {
        &self.msk
    }

    /// Appends the MAC under SK over all octets of a message behind its OP-Code.
    pub(super) fn sign(&self, mut message: Vec<u8>) -> Vec<u8> {
        let payload = message.get(1..).unwrap_or_default();
        let mac = self.suite.mac(self.session.expose(), &[payload]);
        message.extend_from_slice(&mac.unwrap_or_default());
        message
    }

    /// Whether a message has its MAC; compared in constant time.
    pub fn verify(&self, signed: &Signed<'_>) -> bool {
        let mac = self.suite.mac(self.session.expose(), &[signed.covered]);
        mac.is_some_and(|mac| mac.ct_eq(signed.mac).into())
    }
}

const MSK_LEN: usize = Msk::LEN;
const EMSK_LEN: usize = 64;

/// GKDF (section 7): MACs over a counter of two octets from 1 on and the seed, until there are `len` octets.
fn gkdf(suite: Suite, len: usize, key: &[u8], seed: &[&[u8]]) -> Option<Zeroizing<Vec<u8>>> {
    let mut octets = Zeroizing::new(Vec::with_capacity(len.next_multiple_of(32)));
    for block in 1_u16.. {
        if octets.len() >= len {
            break;
        }
        let counter = block.to_be_bytes();
        let parts: Vec<&[u8]> = std::iter::once(counter.as_slice()).chain(seed.iter().copied()).collect();
        octets.extend_from_slice(&suite.mac(key, &parts)?);
    }
    octets.truncate(len);
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derive(suite: Suite, psk_len: u8) -> Option<Keys> {
        let psk = Secret::new((0..psk_len).collect());
        let seed = Seed {
            rand_peer: &[0x11; RAND_LEN],
            id_peer: b"mn@example.org",
            rand_server: &[0x22; RAND_LEN],
            id_server: b"hac.example.org",
        };
        Keys::derive(suite, &psk, &seed).ok()
    }

    /// RFC 5433 has no vectors: the numbers are of another implementation of it.
    #[test]
    fn known_keys_come_out_with_both_suites() {
        let rows = [
            (
                Suite::AesCmac,
                32,
                "bfd32ee106466092a243fcba1f59f6dd5c0d19552e91f1cf27453c4bb2fd3d24\
             a678e498a4c4a9de6450456320cb59f06b43a0ab2ee281c84fa65e1be3369ae7",
                "387a61abaf3c4753f09f699abbf9476f",
            ),
            (
                Suite::HmacSha256,
                32,
                "0d24bdddab218913fdf6fb59084d4c468c8ba59a8e343203158fa5d3e67f87b5\
             0249431a15c328145836f304a3998068bbbf03ad0873fbd4812d4b28030846c7",
                "0621c8dbfb09b73582b1211e9a9dd419324ccabe680d7b0a4e9c55da0a2a9fb0",
            ),
            (
                Suite::AesCmac,
                16,
                "c284aace07d750df84291b1842ce7d5c4e9dd8a60132e6ea3130ae654c2a96cc\
             26785e7729984af335277af6a36f356414534f900162eaffd786b5f0f61556d4",
                "d7a519ae240cefa2eba44589b1876514",
            ),
            (
                Suite::HmacSha256,
                64,
                "2f2661f4bf1ea8e736019227e2d26dc06b522c03904455a46d8df7a28fdcf86a\
             f0e454146f4b96513c8c9529a9af0773a5d409e18764172d7d24f541a1ec5957",
                "95114dc5f9498176973d323349d7ecb22287cda7ceb9a6b8013a5589ada860f0",
            ),
        ];
        for (suite, psk_len, msk, session) in rows {
            let keys = derive(suite, psk_len).unwrap();
            assert_eq!(hex::encode(keys.msk().expose()), msk, "{suite:?}, {psk_len} octets");
            assert_eq!(hex::encode(keys.session.expose()), session, "{suite:?}, {psk_len} octets");
        }
    }

    #[test]
    fn a_key_shorter_than_the_suites_is_refused() {
        assert!(derive(Suite::AesCmac, 15).is_none() && derive(Suite::HmacSha256, 31).is_none());
    }
}
