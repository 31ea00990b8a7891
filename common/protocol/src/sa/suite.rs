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
    /// {00,2F}: AES-128-CBC, HMAC-SHA1-96.
    Aes128CbcSha,
    /// {00,9C}: AES-128-GCM as in RFC 4106, ICV of 16 octets.
    Aes128Gcm,
}

impl CipherSuite {
    /// Every suite of this build, in the default order of preference.
    pub const ALL: [Self; 3] = [Self::Aes128Gcm, Self::Aes128CbcSha, Self::NullSha];

    /// Length of `ikey` in octets; 0 where the header is absent.
    pub const fn integrity_key_len(self) -> usize {
        match self {
            Self::NullSha | Self::Aes128CbcSha => 20,
            Self::Aes128Gcm => 0,
        }
    }

    /// Length of `ekey` in octets, an AEAD's salt included; 0 where the header is absent.
    pub const fn encryption_key_len(self) -> usize {
        match self {
            Self::NullSha => 0,
            Self::Aes128CbcSha => 16,
            Self::Aes128Gcm => 16 + 4,
        }
    }

    /// Whether it encrypts at all.
    pub const fn encrypts(self) -> bool {
        self.encryption_key_len() > 0
    }

    /// Length of the IV that stands in front of the payload.
    pub const fn iv_len(self) -> usize {
        match self {
            Self::NullSha => 0,
            Self::Aes128CbcSha => 16,
            Self::Aes128Gcm => 8,
        }
    }

    /// Length of the Integrity Check Value behind the Next Header.
    pub const fn icv_len(self) -> usize {
        match self {
            Self::NullSha | Self::Aes128CbcSha => 12,
            Self::Aes128Gcm => 16,
        }
    }

    /// Payload, padding, Pad Length and Next Header together are a multiple of this (RFC 4303 section 2.4).
    pub const fn block_len(self) -> usize {
        match self {
            Self::NullSha | Self::Aes128Gcm => 4,
            Self::Aes128CbcSha => 16,
        }
    }

    /// How much one key may protect; `None` where sequence numbers run out first.
    pub const fn octet_limits(self) -> Option<OctetLimits> {
        match self {
            Self::NullSha | Self::Aes128CbcSha | Self::Aes128Gcm => None,
        }
    }

    /// The code as in `mip6-ciphersuite`: `{00,2F}`.
    pub const fn wire(self) -> &'static str {
        match self {
            Self::NullSha => "{00,02}",
            Self::Aes128CbcSha => "{00,2F}",
            Self::Aes128Gcm => "{00,9C}",
        }
    }

    /// The name in configuration, status and vectors.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NullSha => "NULL_SHA",
            Self::Aes128CbcSha => "AES_128_CBC_SHA",
            Self::Aes128Gcm => "AES_128_GCM",
        }
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
#[error("unknown cipher suite \"{0}\": this build has AES_128_GCM, AES_128_CBC_SHA and NULL_SHA")]
pub struct UnknownSuite(String);

#[cfg(test)]
mod tests {
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
}
