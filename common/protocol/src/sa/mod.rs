//! Security associations between mobile node and home agent (RFC 6618 section 6, RFC 4303).
//!
//! [`SecurityAssociation`] is what the HAC provisions to both ends. [`outbound`] and [`inbound`] are what a tunnel's two
//! halves make of it: each has one direction's keys. What changes of the receiving half is its own; what changes of
//! the sending one, [`sequence_counter`], is shared by all that send.

pub mod cipher;
pub mod inbound;
pub mod keys;
pub mod outbound;
pub mod replay;
pub mod rest;
pub mod sad;
pub mod sequence_counter;
pub mod spi;
pub mod suite;
mod wear;

use std::fmt;
use std::str::FromStr;

pub use keys::{DirectionKeys, Secret};
pub use spi::Spi;
pub use suite::CipherSuite;

use crate::addr::{HomeAddresses, HomeAgentAddresses};
use crate::features::Features;
use crate::prefixes::MobileNetworkPrefixes;
use crate::profile::WireProfile;

/// Which way a packet goes. It selects the keys before the ICV is checked, so a reflected packet fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the mobile node to the home agent.
    MnToHa,
    /// From the home agent to the mobile node.
    HaToMn,
}

/// Which end of the tunnel this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Finds a packet's tunnel by its destination; takes inner packets whose source is the SA's home address.
    HomeAgent,
    /// Finds a packet's tunnel by its source; takes inner packets whose destination is the SA's home address.
    MobileNode,
}

impl Role {
    /// The direction in which this end sends.
    pub fn sends(self) -> Direction {
        match self {
            Self::HomeAgent => Direction::HaToMn,
            Self::MobileNode => Direction::MnToHa,
        }
    }

    /// The direction in which this end receives.
    pub fn receives(self) -> Direction {
        match self {
            Self::HomeAgent => Direction::MnToHa,
            Self::MobileNode => Direction::HaToMn,
        }
    }
}

/// `mip6-sas` (RFC 6618 section 5.6.4): whether user data must be protected, or may go in the clear as PType 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserData {
    /// `mip6-sas:1`: PType 1 only.
    Protected,
    /// `mip6-sas:0`: PType 0 is sent and taken.
    Clear,
}

impl UserData {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Protected, Self::Clear];

    /// The name in configuration, status and lists.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Protected => "protected",
            Self::Clear => "clear",
        }
    }
}

impl fmt::Display for UserData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for UserData {
    type Err = UnknownUserData;

    fn from_str(name: &str) -> Result<Self, UnknownUserData> {
        Self::ALL.into_iter().find(|user_data| user_data.name() == name).ok_or_else(|| UnknownUserData(name.to_owned()))
    }
}

/// A word for user data that there is not.
#[derive(Debug, thiserror::Error)]
#[error("user data is \"protected\" or \"clear\", not \"{0}\"")]
pub struct UnknownUserData(String);

/// A security association as the HAC provisions it to both ends. Cloning copies the keys; every copy is wiped when dropped.
#[derive(Clone)]
pub struct SecurityAssociation {
    /// The index, one for both directions.
    pub spi: Spi,
    /// One suite for both directions (RFC 6618 section 4.3).
    pub suite: CipherSuite,
    /// Which document its packets follow.
    pub profile: WireProfile,
    /// What user data may be sent as.
    pub user_data: UserData,
    /// Keys of packets from the mobile node to the home agent.
    pub mn_to_ha: DirectionKeys,
    /// Keys of packets from the home agent to the mobile node.
    pub ha_to_mn: DirectionKeys,
    /// The home addresses that inner packets and Binding Updates under this SA may name.
    pub home: HomeAddresses,
    /// The home agent as told to the mobile node: Mobility Header checksums are computed with it.
    pub home_agent: HomeAgentAddresses,
    /// What every home agent that may serve it can do, as the mobile node was told; a home agent knows its own.
    pub features: Features,
    /// The networks behind the node, which move with it where it registers as a mobile router (RFC 3963).
    pub prefixes: MobileNetworkPrefixes,
}

impl SecurityAssociation {
    /// Whether packets are numbered and a replay window guards them. Under `draft-04` those of a NULL suite all have sequence
    /// number 0: such an association carries signalling alone, whose own numbers are checked.
    pub fn is_numbered(&self) -> bool {
        self.profile == WireProfile::Rfc6618 || self.suite.encrypts()
    }

    /// The keys of one direction.
    pub fn keys(&self, direction: Direction) -> &DirectionKeys {
        match direction {
            Direction::MnToHa => &self.mn_to_ha,
            Direction::HaToMn => &self.ha_to_mn,
        }
    }
}

impl fmt::Debug for SecurityAssociation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecurityAssociation")
            .field("spi", &self.spi)
            .field("suite", &self.suite)
            .field("profile", &self.profile)
            .field("user_data", &self.user_data)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_user_data_may_come_as_is_found_by_its_name() {
        for user_data in UserData::ALL {
            assert_eq!(user_data.name().parse::<UserData>().unwrap(), user_data);
        }
        assert!("open".parse::<UserData>().unwrap_err().to_string().contains("\"protected\" or \"clear\", not \"open\""));
    }
}
