//! The cipher suites of RFC 6618 section 5.6.5: their codes, key lengths and the layout that follows from them.
//!
//! What a suite does with octets is in [`super::cipher`].

use std::fmt;
use std::str::FromStr;

/// A suite for packets between mobile node and home agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CipherSuite {
    /// {00,02}: NULL encryption, HMAC-SHA1-96.
    NullSha,
    /// {00,0A}: 3DES-CBC, HMAC-SHA1-96.
    TripleDesEdeCbcSha,
    /// {00,2F}: AES-128-CBC, HMAC-SHA1-96.
    Aes128CbcSha,
    /// {00,3B}: NULL encryption, AES-XCBC-MAC-96.
    NullSha256,
    /// {00,3C}: AES-128-CBC, AES-XCBC-MAC-96.
    Aes128CbcSha256,
    /// {00,9C}: AES-128-GCM as in RFC 4106, ICV of 16 octets.
    Aes128Gcm,
    /// {CC,A8}: ChaCha20-Poly1305 as in RFC 7634.
    ChaCha20Poly1305,
}

impl CipherSuite {
    /// Every suite, the better ones first.
    pub const ALL: [Self; 7] = [
        Self::Aes128Gcm,
        Self::Aes128CbcSha256,
        Self::Aes128CbcSha,
        Self::ChaCha20Poly1305,
        Self::TripleDesEdeCbcSha,
        Self::NullSha256,
        Self::NullSha,
    ];

    /// What is offered and granted, in this order, where a configuration names nothing else.
    pub const DEFAULT: [Self; 3] = [Self::Aes128Gcm, Self::Aes128CbcSha256, Self::Aes128CbcSha];

    /// Length of `ikey` in octets; 0 where the header is absent.
    pub const fn integrity_key_len(self) -> usize {
        match self {
            Self::NullSha | Self::TripleDesEdeCbcSha | Self::Aes128CbcSha => 20,
            Self::NullSha256 | Self::Aes128CbcSha256 => 16,
            Self::Aes128Gcm | Self::ChaCha20Poly1305 => 0,
        }
    }

    /// Length of `ekey` in octets, an AEAD's salt included; 0 where the header is absent.
    pub const fn encryption_key_len(self) -> usize {
        match self {
            Self::NullSha | Self::NullSha256 => 0,
            Self::TripleDesEdeCbcSha => 24,
            Self::Aes128CbcSha | Self::Aes128CbcSha256 => 16,
            Self::Aes128Gcm => 16 + 4,
            Self::ChaCha20Poly1305 => 32 + 4,
        }
    }

    /// Whether it encrypts at all.
    pub const fn encrypts(self) -> bool {
        self.encryption_key_len() > 0
    }

    /// Whether one algorithm encrypts and authenticates: then the IV is the sequence number, and no IV is drawn.
    pub const fn is_aead(self) -> bool {
        self.integrity_key_len() == 0
    }

    /// Length of the IV that stands in front of the payload.
    pub const fn iv_len(self) -> usize {
        match self {
            Self::NullSha | Self::NullSha256 => 0,
            Self::TripleDesEdeCbcSha | Self::Aes128Gcm | Self::ChaCha20Poly1305 => 8,
            Self::Aes128CbcSha | Self::Aes128CbcSha256 => 16,
        }
    }

    /// Length of the Integrity Check Value behind the Next Header.
    pub const fn icv_len(self) -> usize {
        if self.is_aead() { 16 } else { 12 }
    }

    /// Payload, padding, Pad Length and Next Header together are a multiple of this (RFC 4303 section 2.4).
    pub const fn block_len(self) -> usize {
        match self {
            Self::NullSha | Self::NullSha256 | Self::Aes128Gcm | Self::ChaCha20Poly1305 => 4,
            Self::TripleDesEdeCbcSha => 8,
            Self::Aes128CbcSha | Self::Aes128CbcSha256 => 16,
        }
    }

    /// How much one key may protect; `None` where sequence numbers run out first.
    pub const fn octet_limits(self) -> Option<OctetLimits> {
        match self {
            Self::TripleDesEdeCbcSha => Some(OctetLimits { renewal: 8 << 20, last: 1 << 30 }),
            Self::NullSha
            | Self::Aes128CbcSha
            | Self::NullSha256
            | Self::Aes128CbcSha256
            | Self::Aes128Gcm
            | Self::ChaCha20Poly1305 => None,
        }
    }

    /// The code as in `mip6-ciphersuite`: `{00,2F}`.
    pub const fn wire(self) -> &'static str {
        match self {
            Self::NullSha => "{00,02}",
            Self::TripleDesEdeCbcSha => "{00,0A}",
            Self::Aes128CbcSha => "{00,2F}",
            Self::NullSha256 => "{00,3B}",
            Self::Aes128CbcSha256 => "{00,3C}",
            Self::Aes128Gcm => "{00,9C}",
            Self::ChaCha20Poly1305 => "{CC,A8}",
        }
    }

    /// The name in configuration, status and vectors.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NullSha => "NULL_SHA",
            Self::TripleDesEdeCbcSha => "3DES_EDE_CBC_SHA",
            Self::Aes128CbcSha => "AES_128_CBC_SHA",
            Self::NullSha256 => "NULL_SHA256",
            Self::Aes128CbcSha256 => "AES_128_CBC_SHA256",
            Self::Aes128Gcm => "AES_128_GCM",
            Self::ChaCha20Poly1305 => "CHACHA20_POLY1305",
        }
    }

    /// The names of all suites, for the person who has to write one: `AES_128_GCM, AES_128_CBC_SHA256, …`.
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// From the wire's code, hexadecimal digits in either case; `None` for a suite that this build does not have.
    pub fn from_wire(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.wire().eq_ignore_ascii_case(code))
    }
}

/// How many octets of datagrams one key of a cipher with short blocks may protect (its blocks begin to repeat: SWEET32).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OctetLimits {
    /// From here on a new SA is wanted.
    pub renewal: u64,
    /// Nothing is sent beyond.
    pub last: u64,
}

impl fmt::Display for CipherSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for CipherSuite {
    type Err = UnknownSuite;

    fn from_str(name: &str) -> Result<Self, UnknownSuite> {
        Self::ALL.into_iter().find(|suite| suite.name() == name).ok_or_else(|| UnknownSuite(name.to_owned()))
    }
}

/// A suite name that this build does not have.
#[derive(Debug, thiserror::Error)]
#[error("unknown cipher suite \"{0}\": write one of {names}", names = CipherSuite::names())]
pub struct UnknownSuite(String);

#[cfg(test)]
mod tests {
    use super::super::wear::Wear;
    use super::*;

    #[test]
    fn a_suite_is_found_by_its_code_in_either_case_and_by_its_name() {
        assert_eq!(CipherSuite::from_wire("{00,2f}"), Some(CipherSuite::Aes128CbcSha));
        assert_eq!(CipherSuite::from_wire("{00,35}"), None);
        for suite in CipherSuite::ALL {
            assert_eq!(suite.name().parse::<CipherSuite>().unwrap(), suite);
            assert_eq!(CipherSuite::from_wire(suite.wire()), Some(suite));
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_those_that_there_are() {
        let error = "AES_256".parse::<CipherSuite>().unwrap_err().to_string();
        assert!(error.contains("\"AES_256\""), "{error}");
        for suite in CipherSuite::ALL {
            assert!(error.contains(suite.name()), "{error}");
        }
    }

    #[test]
    fn ciphers_with_short_blocks_have_a_limit_of_octets_and_no_other() {
        for suite in CipherSuite::ALL {
            assert_eq!(suite.octet_limits().is_some(), suite.encrypts() && suite.block_len() == 8, "{suite}");
        }
    }

    #[test]
    fn a_3des_key_wants_a_new_sa_at_8_mib_and_protects_1_gib_and_no_more() {
        const MIB: usize = 1 << 20;
        let (wear, suite) = (Wear::default(), CipherSuite::TripleDesEdeCbcSha);
        let wants: Vec<u64> = (1..=1024).filter(|mib| wear.has_room(suite, MIB) && wear.count(suite, MIB, *mib)).collect();
        assert_eq!(wants, [8]);
        assert!(!wear.has_room(suite, 1) && wear.has_room(suite, 0));
    }
}
