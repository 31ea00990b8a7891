//! The two wire profiles: RFC 6618 and the draft that it came from. One is configured on each side; neither is ever found out
//! by trying both.

use std::fmt;
use std::str::FromStr;

/// Which of the two documents a HAC, a mobile node and a security association follow where they differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum WireProfile {
    /// RFC 6618: `auth` names its direction, every protected packet is numbered.
    #[default]
    Rfc6618,
    /// draft-patil-mext-mip6issueswithipsec-04: `auth` names no direction, and packets of a NULL suite have sequence number 0.
    Draft04,
}

impl WireProfile {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Rfc6618, Self::Draft04];

    /// The name in configuration and status.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rfc6618 => "rfc6618",
            Self::Draft04 => "draft-04",
        }
    }
}

impl fmt::Display for WireProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for WireProfile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, UnknownProfile> {
        Self::ALL.into_iter().find(|profile| profile.name() == name).ok_or_else(|| UnknownProfile(name.to_owned()))
    }
}

/// A profile name that there is not.
#[derive(Debug, thiserror::Error)]
#[error("unknown wire profile \"{0}\": write \"rfc6618\" or \"draft-04\"")]
pub struct UnknownProfile(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_found_by_its_name_and_rfc6618_is_the_default() {
        for profile in WireProfile::ALL {
            assert_eq!(profile.name().parse::<WireProfile>().unwrap(), profile);
        }
        assert_eq!(WireProfile::default(), WireProfile::Rfc6618);
        assert!("rfc-6618".parse::<WireProfile>().unwrap_err().to_string().contains("draft-04"));
    }
}
