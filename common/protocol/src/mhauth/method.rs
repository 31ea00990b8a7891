//! The two methods of authentication: `auth-method` (RFC 6618 section 5.5.2).

use std::fmt;
use std::str::FromStr;

/// How a mobile node authenticates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// With a pre-shared key (section 5.8).
    Psk,
    /// With an EAP method (section 5.9).
    Eap,
}

impl Method {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Psk, Self::Eap];

    /// As sent, and as in configurations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Psk => "psk",
            Self::Eap => "eap",
        }
    }

    /// `None` for a method that nobody has defined.
    pub(super) fn from_token(token: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|method| token.eq_ignore_ascii_case(method.name().as_bytes()))
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Method {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|method| method.name() == name).ok_or("unknown method; write \"psk\" or \"eap\"")
    }
}
