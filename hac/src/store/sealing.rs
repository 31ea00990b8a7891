//! Secrets at rest: AES-256-GCM under the key-encryption key, which is a file beside the database and never in it.
//!
//! A sealed column is nonce (12 octets, random) | ciphertext | tag (16). The additional data names table, column and row, so
//! that a value does not open in another row. Random nonces are good for 2^32 values under one key.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use protocol::sa::Secret;
use rand::CryptoRng;
use zeroize::Zeroizing;

/// Octets of the key.
pub const KEY_LEN: usize = 32;

/// The key-encryption key. Prints nothing of itself.
pub struct KeyEncryptionKey(LessSafeKey);

impl std::fmt::Debug for KeyEncryptionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyEncryptionKey")
    }
}

/// Why the `kek` file was refused.
#[derive(Debug, thiserror::Error)]
pub enum KekError {
    /// Cannot be read.
    #[error("cannot read the key-encryption key {path}: {source}; `hac init` makes one")]
    Read {
        /// Which file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Others may read it.
    #[error("the key-encryption key {path} has mode {mode:04o}: others may read it; run `chmod 600 {path}`")]
    Permissions {
        /// Which file.
        path: String,
        /// Its mode.
        mode: u32,
    },
    /// Not 64 hexadecimal digits.
    #[error("the key-encryption key {path} is not 64 hexadecimal digits (32 octets); restore the file that `hac init` wrote")]
    Format {
        /// Which file.
        path: String,
    },
}

impl KeyEncryptionKey {
    /// From its octets; `None` unless there are 32.
    pub fn new(octets: &[u8]) -> Option<Self> {
        UnboundKey::new(&AES_256_GCM, octets).ok().map(|key| Self(LessSafeKey::new(key)))
    }

    /// Reads the file of 64 hexadecimal digits that only its owner may read.
    pub fn read(path: &Path) -> Result<Self, KekError> {
        let name = || path.display().to_string();
        let failed = |source| KekError::Read { path: name(), source };
        let mut file = std::fs::File::open(path).map_err(failed)?;
        let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(KekError::Permissions { path: name(), mode });
        }
        let mut text = Zeroizing::new(String::new());
        Read::by_ref(&mut file).take(1024).read_to_string(&mut text).map_err(failed)?;
        let octets = hex::decode(text.trim()).map(Zeroizing::new).map_err(|_| KekError::Format { path: name() })?;
        Self::new(&octets).ok_or_else(|| KekError::Format { path: name() })
    }

    /// Seals `secret` for the row that `context` names.
    pub fn seal(&self, secret: &Secret, context: &Context, rng: &mut dyn CryptoRng) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        rng.fill_bytes(&mut nonce);
        let mut sealed = Vec::with_capacity(NONCE_LEN + secret.len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(secret.expose());
        let aad = Aad::from(context.0.as_slice());
        let tag =
            self.0.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, sealed.get_mut(NONCE_LEN..)?).ok()?;
        sealed.extend_from_slice(tag.as_ref());
        Some(sealed)
    }

    /// The nonce of a sealed value: drawn for each sealing, so that it tells one from the next.
    pub fn nonce(sealed: &[u8]) -> Option<[u8; NONCE_LEN]> {
        sealed.first_chunk().copied()
    }

    /// Opens what [`Self::seal`] made for the same context; `None` for anything else.
    pub fn open(&self, sealed: &[u8], context: &Context) -> Option<Secret> {
        let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut octets = Zeroizing::new(ciphertext.to_vec());
        let aad = Aad::from(context.0.as_slice());
        let plain = self.0.open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut octets).ok()?;
        Some(Secret::new(plain.to_vec()))
    }
}

/// Which row and column a sealed value belongs to.
pub struct Context(Vec<u8>);

impl Context {
    /// The secret behind pseudo-PSKs.
    pub fn pseudo_psk_secret() -> Self {
        Self(b"server/pseudo_psk_secret".to_vec())
    }

    /// A subscriber's pre-shared key.
    pub fn psk(nai: &str) -> Self {
        Self([b"subscriber/psk/", nai.as_bytes()].concat())
    }

    /// An association's keys. `created` tells apart two associations that had one SPI, one after the other.
    pub fn sa_keys(spi: protocol::sa::Spi, suite: protocol::sa::CipherSuite, created: i64) -> Self {
        let mut context = b"security_association/keys/".to_vec();
        context.extend_from_slice(&spi.get().to_be_bytes());
        context.extend_from_slice(&created.to_be_bytes());
        context.extend_from_slice(suite.name().as_bytes());
        Self(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kek(octet: u8) -> KeyEncryptionKey {
        KeyEncryptionKey::new(&[octet; KEY_LEN]).unwrap()
    }

    #[test]
    fn a_sealed_secret_opens_only_under_its_key_and_in_its_row() {
        let secret = Secret::new(vec![7; 32]);
        let sealed = kek(1).seal(&secret, &Context::psk("alice@example.org"), &mut rand::rng()).unwrap();
        assert_eq!(kek(1).open(&sealed, &Context::psk("alice@example.org")), Some(secret));
        assert_eq!(kek(2).open(&sealed, &Context::psk("alice@example.org")), None);
        assert_eq!(kek(1).open(&sealed, &Context::psk("bob@example.org")), None);
    }

    #[test]
    fn one_flipped_bit_anywhere_is_refused() {
        let context = Context::pseudo_psk_secret();
        let sealed = kek(1).seal(&Secret::new(vec![7; 32]), &context, &mut rand::rng()).unwrap();
        for position in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[position] ^= 0x10;
            assert_eq!(kek(1).open(&altered, &context), None, "octet {position}");
        }
        assert_eq!(kek(1).open(&sealed[..11], &context), None);
    }

    #[test]
    fn a_kek_file_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kek");
        std::fs::write(&path, format!("{}\n", "ab".repeat(KEY_LEN))).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(KeyEncryptionKey::read(&path), Err(KekError::Permissions { mode: 0o640, .. })));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        KeyEncryptionKey::read(&path).unwrap();
        std::fs::write(&path, "not a key").unwrap();
        assert!(matches!(KeyEncryptionKey::read(&path), Err(KekError::Format { .. })));
    }
}
