//! Key octets: wiped when dropped, compared in constant time, never printed.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

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

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secret({} octets)", self.len())
    }
}

/// The keys of one direction of a security association (RFC 6618 section 5.6.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectionKeys {
    /// `ikey`; empty for an AEAD suite.
    pub integrity: Secret,
    /// `ekey`, an AEAD's salt included; empty for a NULL suite.
    pub encryption: Secret,
}

#[cfg(test)]
impl DirectionKeys {
    /// Keys for tests, of the lengths that `suite` wants: octets that count up, those of the integrity key from `first`, those of
    /// the encryption key from 32 further. One octet throughout would be no 3DES key.
    pub(crate) fn counting_from(first: u8, suite: super::CipherSuite) -> Self {
        let key = |len: usize, first: u8| Secret::new((0..=u8::MAX).cycle().skip(first.into()).take(len).collect());
        Self {
            integrity: key(suite.integrity_key_len(), first),
            encryption: key(suite.encryption_key_len(), first.wrapping_add(32)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_its_length_only() {
        assert_eq!(format!("{:?}", Secret::new(vec![0x41; 20])), "Secret(20 octets)");
    }
}
