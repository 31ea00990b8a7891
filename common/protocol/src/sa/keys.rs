//! Key octets: wiped when dropped, compared in constant time, never printed.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::CipherSuite;

/// Secret octets. Has no `Debug` of its content and is wiped when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes over `octets`.
    pub fn new(octets: Vec<u8>) -> Self {
        Self(Zeroizing::new(octets))
    }

    /// No octets: the encryption key of a NULL suite, the integrity key of an AEAD.
    pub fn empty() -> Self {
        Self::new(Vec::new())
    }

    /// The octets themselves.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// How many octets.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose().ct_eq(other.expose()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} octets)", self.len())
    }
}

/// The keys of one direction of a security association (RFC 6618 section 5.6.2). They lie in one place and do not move, wiped when
/// dropped; with a million associations every octet beside them counts.
pub struct DirectionKeys(Box<Keys>);

/// One behind the other: `ikey`, `ekey`.
struct Keys {
    octets: [u8; MOST],
    integrity: u8,
    encryption: u8,
}

/// Octets of both keys of the suite that has the most.
const MOST: usize = most();
const _: () = assert!(MOST <= u8::MAX as usize);

const fn most() -> usize {
    let (mut most, mut index) = (0, 0);
    while index < CipherSuite::ALL.len() {
        let suite = CipherSuite::ALL[index];
        let both = suite.integrity_key_len() + suite.encryption_key_len();
        most = if both > most { both } else { most };
        index += 1;
    }
    most
}

impl DirectionKeys {
    /// `integrity` is empty for an AEAD suite, `encryption`, an AEAD's salt included, for a NULL suite. Keys that are longer than those
    /// of any suite become empty ones, which no suite takes.
    pub fn new(integrity: &Secret, encryption: &Secret) -> Self {
        let mut keys = Box::new(Keys { octets: [0; MOST], integrity: 0, encryption: 0 });
        let both = integrity.expose().iter().chain(encryption.expose());
        if integrity.len() + encryption.len() <= MOST {
            keys.octets.iter_mut().zip(both).for_each(|(place, octet)| *place = *octet);
            // Neither is above MOST, which is an octet.
            (keys.integrity, keys.encryption) = (integrity.len() as u8, encryption.len() as u8);
        }
        Self(keys)
    }

    /// `ikey`.
    pub fn integrity(&self) -> &[u8] {
        self.0.octets.get(..self.0.integrity.into()).unwrap_or_default()
    }

    /// `ekey`.
    pub fn encryption(&self) -> &[u8] {
        let start = usize::from(self.0.integrity);
        self.0.octets.get(start..start + usize::from(self.0.encryption)).unwrap_or_default()
    }

    /// Whether a key of the one is the same key of the other; compared in constant time.
    pub fn has_one_in_common_with(&self, other: &Self) -> bool {
        let same = |one: &[u8], other: &[u8]| !one.is_empty() && bool::from(one.ct_eq(other));
        same(self.integrity(), other.integrity()) || same(self.encryption(), other.encryption())
    }
}

impl Clone for DirectionKeys {
    fn clone(&self) -> Self {
        // Copied from place to place: no third copy is left on the stack.
        let mut keys = Box::new(Keys { octets: [0; MOST], integrity: self.0.integrity, encryption: self.0.encryption });
        keys.octets.copy_from_slice(&self.0.octets);
        Self(keys)
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.octets.zeroize();
    }
}

impl PartialEq for DirectionKeys {
    fn eq(&self, other: &Self) -> bool {
        let same = self.integrity().ct_eq(other.integrity()) & self.encryption().ct_eq(other.encryption());
        same.into()
    }
}

impl Eq for DirectionKeys {}

impl fmt::Debug for DirectionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DirectionKeys({} and {} octets)", self.0.integrity, self.0.encryption)
    }
}

#[cfg(test)]
impl DirectionKeys {
    /// Keys for tests, of the lengths that `suite` wants: octets that count up, those of the integrity key from `first`, those of
    /// the encryption key from 32 further. One octet throughout would be no 3DES key.
    pub(crate) fn counting_from(first: u8, suite: CipherSuite) -> Self {
        let key = |len: usize, first: u8| Secret::new((0..=u8::MAX).cycle().skip(first.into()).take(len).collect());
        let integrity = key(suite.integrity_key_len(), first);
        Self::new(&integrity, &key(suite.encryption_key_len(), first.wrapping_add(32)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_its_length_only() {
        assert_eq!(format!("{:?}", Secret::new(vec![0x41; 20])), "Secret(20 octets)");
    }
    #[test]
    fn keys_are_found_again_and_print_their_lengths_only() {
        for suite in CipherSuite::ALL {
            let keys = DirectionKeys::counting_from(0x41, suite);
            assert_eq!(
                (keys.integrity().len(), keys.encryption().len()),
                (suite.integrity_key_len(), suite.encryption_key_len())
            );
            assert!(keys.integrity().first().is_none_or(|first| *first == 0x41));
            assert!(keys.encryption().first().is_none_or(|first| *first == 0x61));
            assert_eq!(keys.clone(), keys);
            assert!(!format!("{keys:?}").contains("41"), "{keys:?}");
        }
        assert_eq!(
            format!("{:?}", DirectionKeys::counting_from(1, CipherSuite::Aes128CbcSha)),
            "DirectionKeys(20 and 16 octets)"
        );
    }

    #[test]
    fn keys_of_different_lengths_or_octets_differ() {
        let secret = |octets: &[u8]| Secret::new(octets.to_vec());
        let keys = DirectionKeys::new(&secret(b"abc"), &secret(b"de"));
        for (integrity, encryption) in [("abd", "de"), ("abc", "df"), ("ab", "cde"), ("abcd", "e"), ("", "abcde"), ("abc", "")] {
            assert_ne!(keys, DirectionKeys::new(&secret(integrity.as_bytes()), &secret(encryption.as_bytes())));
        }
        for (integrity, encryption, has) in [("abc", "xy", true), ("xyz", "de", true), ("de", "abc", false), ("", "", false)] {
            let other = DirectionKeys::new(&secret(integrity.as_bytes()), &secret(encryption.as_bytes()));
            assert_eq!(keys.has_one_in_common_with(&other), has, "{integrity} {encryption}");
        }
        let empty = DirectionKeys::new(&Secret::empty(), &Secret::empty());
        assert!(!empty.has_one_in_common_with(&empty), "what is not there is not in common");
    }

    #[test]
    fn keys_that_are_too_long_for_any_suite_are_none() {
        let secret = |len: usize| Secret::new(vec![7; len]);
        assert_eq!(DirectionKeys::new(&secret(MOST), &secret(0)).integrity().len(), MOST);
        for (integrity, encryption) in [(MOST + 1, 0), (0, MOST + 1), (MOST, 1), (300, 300)] {
            let keys = DirectionKeys::new(&secret(integrity), &secret(encryption));
            assert!(keys.integrity().is_empty() && keys.encryption().is_empty());
        }
    }
}
