//! The two ciphersuites of RFC 5433 section 6: a MAC, which is the key derivation's too, and the length of its keys. Called by the rest of
//! EAP-GPSK. Their encryption is not here: it is for protected data, of which no kind is registered.

use aes::Aes128;
use cmac::Cmac;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// A ciphersuite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// 0x0001, which every implementation has: AES-CMAC-128, AES-CBC-128 for protected data.
    AesCmac,
    /// 0x0002: HMAC-SHA256, protected data in the clear.
    HmacSha256,
}

impl Suite {
    /// Octets on the wire: a vendor of four, zero for the IETF, and a specifier of two (section 9.2).
    pub const LEN: usize = 6;
    /// All, best first.
    pub const ALL: [Self; 2] = [Self::HmacSha256, Self::AesCmac];

    /// The suite of these octets; `None` for another's.
    pub fn from_octets(octets: [u8; Self::LEN]) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.octets() == octets)
    }

    /// CSuite_Sel, or a part of CSuite_List.
    pub const fn octets(self) -> [u8; Self::LEN] {
        match self {
            Self::AesCmac => [0, 0, 0, 0, 0, 1],
            Self::HmacSha256 => [0, 0, 0, 0, 0, 2],
        }
    }

    /// KS: octets of its keys, and of the shortest pre-shared key that it takes.
    pub const fn key_len(self) -> usize {
        match self {
            Self::AesCmac => 16,
            Self::HmacSha256 => 32,
        }
    }

    /// MAC over `parts`, one after the other: 16 or 32 octets. `None` for a key of another length than [`Self::key_len`].
    pub(super) fn mac(self, key: &[u8], parts: &[&[u8]]) -> Option<Zeroizing<Vec<u8>>> {
        if key.len() != self.key_len() {
            return None;
        }
        match self {
            Self::AesCmac => mac_with::<Cmac<Aes128>>(key, parts),
            Self::HmacSha256 => mac_with::<Hmac<Sha256>>(key, parts),
        }
    }
}

fn mac_with<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Option<Zeroizing<Vec<u8>>> {
    let mut mac = <M as KeyInit>::new_from_slice(key).ok()?;
    parts.iter().for_each(|part| mac.update(part));
    Some(Zeroizing::new(mac.finalize().into_bytes().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(suite: Suite, parts: &[&[u8]]) -> String {
        let key: Vec<u8> = (0..32).collect();
        hex::encode(suite.mac(&key[..suite.key_len()], parts).unwrap())
    }

    /// The numbers are of another implementation of CMAC and HMAC.
    #[test]
    fn a_mac_covers_its_parts_as_one() {
        assert_eq!(mac(Suite::AesCmac, &[b"length", b"", b"prefixed"]), mac(Suite::AesCmac, &[b"lengthprefixed"]));
        assert_eq!(mac(Suite::AesCmac, &[b"abc"]), "0a54a6a425d48438c3f8bbe09bf944cc");
        assert_eq!(mac(Suite::HmacSha256, &[b"a", b"bc"]), "f0133729c4163dede81e21cd47839256da58171238c8a0d874397c73b14e1e47");
        assert!(Suite::AesCmac.mac(&[0; 32], &[]).is_none() && Suite::HmacSha256.mac(&[0; 16], &[]).is_none());
    }

    #[test]
    fn suites_of_vendors_and_unknown_ones_are_none() {
        assert_eq!(Suite::from_octets([0, 0, 0, 0, 0, 1]), Some(Suite::AesCmac));
        assert_eq!(Suite::from_octets([0, 0, 0, 0, 0, 2]), Some(Suite::HmacSha256));
        for octets in [[0; 6], [0, 0, 0, 0, 0, 3], [0, 0, 0, 1, 0, 1], [0, 0, 0, 0, 1, 1]] {
            assert_eq!(Suite::from_octets(octets), None);
        }
    }
}
