//! What HAC and home agent say to each other, in the protocol's types.

mod usage;

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use protocol::features::Features;
use protocol::prefixes::PrefixError;
use protocol::sa::spi::{HaGroup, SpiBlock, SpiBlocks};
use protocol::sa::{CipherSuite, SecurityAssociation, Spi};

pub use usage::{MAX_AGE, SessionEnd, SessionReport, USAGE_PART};

/// The longest time left that an SA may be delivered with: a year.
pub const MAX_LEFT: Duration = Duration::from_secs(366 * 86_400);
/// The most security associations in one part of a snapshot.
pub const SNAPSHOT_PART: usize = 512;
/// The most SAs in one [`FromHa::Registered`]: 4 octets each, so that it fits into what the HAC takes, 4 KiB.
pub const REGISTERED_PART: usize = 512;
/// The most pools, and the most inner addresses, that a home agent is told of.
pub const MAX_PREFIXES: usize = 64;

/// The first message of a home agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Random octets, drawn once when the process starts; the HAC counts lease numbers by it.
    pub instance: [u8; 16],
    /// The last revision that this process has acknowledged; 0 for none.
    pub known_revision: u64,
    /// What this home agent can do beyond RFC 6618.
    pub features: Features,
}

/// What a home agent says after its Hello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromHa {
    /// Everything up to this revision is in force there.
    Acknowledge(u64),
    /// What may be a Binding Update has come under this SPI, which the process does not know.
    LookUp(Spi),
    /// Nodes have registered under these SAs, at most [`REGISTERED_PART`]: they are in use.
    Registered(Vec<Spi>),
    /// How sessions are, at most [`USAGE_PART`]; said where [`Welcome::usage_interval`] is some.
    Usage(Vec<SessionReport>),
}

/// The first message of the HAC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The home agent's group.
    pub group: HaGroup,
    /// The prefixes that home addresses are taken from.
    pub pools: Vec<IpNet>,
    /// The home agent's own inner addresses.
    pub own_addresses: Vec<IpAddr>,
    /// The blocks of its group in which SPIs have been given out: where a look-up may find something.
    pub spi_blocks: SpiBlocks,
    /// How often the home agent is to say how each session is, in whole seconds; `None` when the HAC does not want to hear of sessions.
    pub usage_interval: Option<Duration>,
}

/// A security association on its way to a home agent.
#[derive(Clone, Debug)]
pub struct Provisioned {
    /// Keys and addresses.
    pub sa: SecurityAssociation,
    /// Time left; sent in whole seconds, rounded down.
    pub left: Duration,
    /// How often it was delivered to another process of its group before.
    pub lease: u32,
}

/// What changed with a revision.
#[derive(Clone, Debug)]
pub enum Change {
    /// A new security association.
    Install(Box<Provisioned>),
    /// One has ended or was revoked.
    End(Spi),
}

/// What a look-up has come to.
#[derive(Clone, Debug)]
pub enum Answer {
    /// An SA of the home agent's group, which may name another home agent.
    Found(Box<Provisioned>),
    /// No SA of the group that holds has this SPI.
    NotFound(Spi),
}

impl Answer {
    /// The SPI that was looked up.
    pub fn spi(&self) -> Spi {
        match self {
            Self::Found(provisioned) => provisioned.sa.spi,
            Self::NotFound(spi) => *spi,
        }
    }
}

/// Everything that the HAC says after its Welcome.
#[derive(Clone, Debug)]
pub enum FromHac {
    /// A part of all SAs that hold for this process at `revision`; one that is in no part has ended.
    Snapshot {
        /// The revision that the whole snapshot shows.
        revision: u64,
        /// The SAs of this part.
        associations: Vec<Provisioned>,
        /// Whether this is the last part.
        last: bool,
    },
    /// What changed.
    Delta {
        /// The new revision.
        revision: u64,
        /// The change.
        change: Change,
    },
    /// All blocks of the group in which SPIs have been given out: there is another.
    SpiBlocks(SpiBlocks),
    /// To a look-up.
    Answer(Answer),
    /// The node that this SA belongs to is to be asked for a new one.
    Renew(Spi),
}

impl FromHac {
    /// The revision that is to be acknowledged once this is in force; `None` where nothing is.
    pub fn acknowledged_as(&self) -> Option<u64> {
        match self {
            Self::Snapshot { revision, last: true, .. } | Self::Delta { revision, .. } => Some(*revision),
            Self::Snapshot { last: false, .. } | Self::SpiBlocks(_) | Self::Answer(_) | Self::Renew(_) => None,
        }
    }
}

/// Why a message of the feed cannot be used; the fault of the program that sent it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// A message or a part of it is not there.
    #[error("{0} is missing: do both ends run the same version?")]
    Missing(&'static str),
    /// An instance that is not 16 octets.
    #[error("instance has {0} octets instead of 16")]
    Instance(usize),
    /// A group above 63.
    #[error("group {0} is not in 0 to 63")]
    Group(u32),
    /// Not a prefix.
    #[error("\"{0}\" is not a prefix such as 2001:db8:100::/64")]
    Pool(String),
    /// Not an address.
    #[error("\"{0}\" is not an IP address")]
    Address(String),
    /// More prefixes or addresses than [`MAX_PREFIXES`].
    #[error("{0} pools or addresses; at most {MAX_PREFIXES} are taken")]
    TooMany(usize),
    /// More blocks than a group has.
    #[error("{0} SPI blocks; a group has at most {max}", max = SpiBlock::PER_GROUP)]
    TooManyBlocks(usize),
    /// 0, or more than 16 bits.
    #[error("{0:#x} is not an SPI block: 16 bits and not 0")]
    Block(u32),
    /// More SAs than [`REGISTERED_PART`].
    #[error("{0} SAs in one message that nodes have registered under; at most {REGISTERED_PART} are taken")]
    TooManyRegistered(usize),
    /// More sessions than [`USAGE_PART`].
    #[error("{0} sessions in one message; at most {USAGE_PART} are taken")]
    TooManySessions(usize),
    /// Sessions are counted from 1.
    #[error("SA {0}: a session has number 0")]
    SessionNumber(Spi),
    /// The octets of a care-of address are those of no address.
    #[error("SA {spi}: care_of has {actual} octets instead of 16 or 4")]
    CareOf {
        /// Of which SA.
        spi: Spi,
        /// Octets that came.
        actual: usize,
    },
    /// More than 16 bits.
    #[error("SA {spi}: care_of_port {port} is not in 0 to 65535")]
    CareOfPort {
        /// Of which SA.
        spi: Spi,
        /// What came.
        port: u32,
    },
    /// More than [`MAX_AGE`].
    #[error("SA {spi}: a session of {seconds} seconds is older than any SA may be")]
    Age {
        /// Of which SA.
        spi: Spi,
        /// What came.
        seconds: u64,
    },
    /// An end that this build does not know.
    #[error("SA {spi}: session end {value} is not in this build: upgrade the HAC")]
    SessionEnd {
        /// Of which SA.
        spi: Spi,
        /// What came.
        value: i32,
    },
    /// 0, or more than 28 bits.
    #[error("{0:#x} is not an SPI: 28 bits and not 0")]
    Spi(u32),
    /// A suite that this build does not have.
    #[error("SA {spi}: suite \"{suite}\" is not in this build: leave it out of the HAC's policy or upgrade the home agent")]
    Suite {
        /// Of which SA.
        spi: Spi,
        /// The code that came.
        suite: String,
    },
    /// `user_data` is neither of the two.
    #[error("SA {spi}: user_data {value} is neither protected nor clear")]
    UserData {
        /// Of which SA.
        spi: Spi,
        /// What came.
        value: i32,
    },
    /// `profile` is neither of the two.
    #[error("SA {spi}: profile {value} is neither rfc6618 nor draft-04: do both ends run the same version?")]
    Profile {
        /// Of which SA.
        spi: Spi,
        /// What came.
        value: i32,
    },
    /// A key of the wrong length for its suite.
    #[error("SA {spi}: {field} has {actual} octets; {suite} needs {expected}")]
    KeyLength {
        /// Of which SA.
        spi: Spi,
        /// The message's field.
        field: &'static str,
        /// Octets that came.
        actual: usize,
        /// Octets that the suite needs.
        expected: usize,
        /// The suite.
        suite: CipherSuite,
    },
    /// Address octets that are neither absent nor of the family's length.
    #[error("SA {spi}: {field} has {actual} octets instead of {expected} or none")]
    AddressLength {
        /// Of which SA.
        spi: Spi,
        /// The message's field.
        field: &'static str,
        /// Octets that came.
        actual: usize,
        /// Octets of an address of this family.
        expected: usize,
    },
    /// Networks that cannot be behind a node.
    #[error("SA {spi}: mobile_network_prefixes: {problem}")]
    Prefixes {
        /// Of which SA.
        spi: Spi,
        /// What is wrong with them.
        problem: PrefixError,
    },
    /// No home address of either family.
    #[error("SA {0} has no home address")]
    NoHomeAddress(Spi),
    /// No home agent address of either family, or no port.
    #[error("SA {0} has no home agent address or no port of 1 to 65535")]
    NoHomeAgent(Spi),
    /// More than [`MAX_LEFT`].
    #[error("SA {spi}: {seconds} seconds left is more than a year")]
    Left {
        /// Of which SA.
        spi: Spi,
        /// What came.
        seconds: u64,
    },
}
