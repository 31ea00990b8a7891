//! Pre-shared keys: the key of `auth` in MHAuth-PSK (RFC 6618 section 5.8).

use super::authenticator;
use crate::sa::Secret;

/// A pre-shared key of at least 16 octets. Wiped when dropped, never printed.
///
/// The first response shows its MAC to anyone who asks under a known name, so a key that can be guessed is found offline:
/// keys are random octets and nothing else.
#[derive(Clone, Debug)]
pub struct Psk(Secret);

impl Psk {
    /// The fewest octets.
    pub const MIN_LEN: usize = 16;

    /// Takes over octets, as from a database.
    ///
    /// # Errors
    /// Fewer than 16 octets.
    pub fn from_octets(octets: Secret) -> Result<Self, PskError> {
        if octets.len() < Self::MIN_LEN {
            return Err(PskError::TooShort(octets.len()));
        }
        Ok(Self(octets))
    }

    /// Reads the content of a `psk` file: hexadecimal digits, white space around them ignored.
    ///
    /// # Errors
    /// Something that is not hexadecimal (a passphrase, say), an odd number of digits, or fewer than 16 octets.
    pub fn from_hex(digits: &str) -> Result<Self, PskError> {
        let digits = digits.trim_ascii();
        if !digits.bytes().all(|octet| octet.is_ascii_hexdigit()) {
            return Err(PskError::NotHex);
        }
        let octets = hex::decode(digits).map_err(|_| PskError::OddDigits)?;
        Self::from_octets(Secret::new(octets))
    }

    /// The key under which an unknown name's exchange runs to its end: HMAC-SHA256(server secret, mn-id), so that it is
    /// the same each time and nobody can tell it from a real one.
    pub fn pseudo(server_secret: &Secret, mn_id: &str) -> Self {
        let mac = authenticator::hmac_sha256(server_secret.expose(), &[mn_id.as_bytes()]);
        Self(Secret::new(mac.to_vec()))
    }

    /// The octets, for `auth` and for EAP-GPSK.
    pub fn expose(&self) -> &[u8] {
        self.0.expose()
    }
}

/// Why a key is refused. Never repeats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PskError {
    /// Too few octets.
    #[error(
        "the pre-shared key has {0} octets and must have 16 at least: anyone may ask for a message made with it and guess \
         offline; use the key that `hac subscriber add` wrote"
    )]
    TooShort(usize),
    /// A passphrase, perhaps.
    #[error(
        "the pre-shared key is not hexadecimal: a passphrase could be guessed offline; use the 64 hexadecimal digits that \
         `hac subscriber add` wrote"
    )]
    NotHex,
    /// Half an octet is missing.
    #[error("the pre-shared key has an odd number of hexadecimal digits: it was cut short")]
    OddDigits,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_holds_hexadecimal_digits_and_a_line_end() {
        let psk = Psk::from_hex(&format!("{}\n", "aB".repeat(32))).unwrap();
        assert_eq!(psk.expose(), [0xab; 32]);
        assert_eq!(format!("{psk:?}"), "Psk(Secret(32 octets))");
    }

    #[test]
    fn a_passphrase_and_a_short_key_are_refused_with_the_reason() {
        assert_eq!(Psk::from_hex("correct horse battery staple").unwrap_err(), PskError::NotHex);
        assert_eq!(Psk::from_hex(&"ab".repeat(15)).unwrap_err(), PskError::TooShort(15));
        assert_eq!(Psk::from_hex("").unwrap_err(), PskError::TooShort(0));
        assert_eq!(Psk::from_hex(&"a".repeat(33)).unwrap_err(), PskError::OddDigits);
        assert_eq!(Psk::from_octets(Secret::new(vec![1; 15])).unwrap_err(), PskError::TooShort(15));
        assert!(Psk::from_octets(Secret::new(vec![1; 16])).is_ok());
    }

    #[test]
    fn a_pseudo_key_depends_on_the_name_and_the_servers_secret_only() {
        let secret = Secret::new(vec![7; 32]);
        let first = Psk::pseudo(&secret, "mallory@example.org");
        assert_eq!(first.expose(), Psk::pseudo(&secret, "mallory@example.org").expose());
        assert_ne!(first.expose(), Psk::pseudo(&secret, "mallory@example.net").expose());
        assert_ne!(first.expose(), Psk::pseudo(&Secret::new(vec![8; 32]), "mallory@example.org").expose());
    }
}
