//! The Master Session Key of a method (RFC 3748 section 7.10): the key of `auth` in MHAuth-Done.

use crate::sa::Secret;

/// 64 octets, wiped when dropped, never printed. It must not be used for anything but `auth` (RFC 6618 section 5.9).
#[derive(Clone, Debug)]
pub struct Msk(Secret);

impl Msk {
    /// Octets.
    pub const LEN: usize = 64;
    /// Octets of the shortest that is taken.
    pub const MIN_LEN: usize = 32;

    /// Takes over 32 to 64 octets; a shorter key is filled up with zeros, as HMAC would do (RFC 2104 section 2): PEAP's and MSCHAPv2's
    /// have 32 octets in some implementations. `None` for any other length.
    pub fn new(octets: &Secret) -> Option<Self> {
        let octets = octets.expose();
        if !(Self::MIN_LEN..=Self::LEN).contains(&octets.len()) {
            return None;
        }
        let mut filled = Vec::with_capacity(Self::LEN);
        filled.extend_from_slice(octets);
        filled.resize(Self::LEN, 0);
        Some(Self(Secret::new(filled)))
    }

    /// The octets, for what makes `auth`.
    pub fn expose(&self) -> &[u8] {
        self.0.expose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_32_octets_is_filled_up_and_other_lengths_are_none() {
        let of = |len| Msk::new(&Secret::new(vec![7; len]));
        assert_eq!(of(32).unwrap().expose(), [[7; 32], [0; 32]].concat());
        assert_eq!(of(64).unwrap().expose(), [7; 64]);
        assert!(of(31).is_none() && of(65).is_none() && of(0).is_none());
    }
}
