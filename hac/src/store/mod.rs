//! What the HAC keeps: subscribers, home addresses, home agents, security associations and the log that the feed reads.
//!
//! [`Store`] is called by `session` (a mobile node's run), `feed` (what home agents get) and the command line. Every call is
//! one transaction and blocks until it is on disk; the async shell goes through [`SharedStore`]. Time and randomness are
//! arguments, so a simulated world can use it in virtual time. Pre-shared keys and SA keys leave here only opened, in
//! [`Secret`]; at rest they are sealed ([`sealing`]).

pub mod sealing;
mod shared;
pub mod sqlite;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ipnet::{Ipv4Net, Ipv6Net};
use protocol::addr::HomeAgentAddresses;
use protocol::profile::WireProfile;
use protocol::sa::spi::{HaGroup, SpiBlocks};
use protocol::sa::{CipherSuite, DirectionKeys, Secret, SecurityAssociation, Spi, UserData};
use rand::CryptoRng;

pub use shared::SharedStore;

/// An SPI is not drawn again before its association's validity end lies this far back.
pub const QUARANTINE: Duration = Duration::from_secs(600);
/// Live associations of one subscriber; the oldest makes room for a new one.
pub const MAX_SAS_PER_SUBSCRIBER: usize = 4;
/// The lease number with which an association ends: 0xF000_0000 + 4,096 * 65,536 is the end of the sequence numbers.
pub const LAST_LEASE: u32 = 4097;

/// A position in the log of changes; every new or ended association takes the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision(pub u64);

/// One process of a home agent: 16 random octets that it draws at its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId(pub [u8; 16]);

/// A subscriber without his key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// Network Access Identifier, the realm in lower case.
    pub nai: String,
    /// A disabled one is answered like an unknown one.
    pub enabled: bool,
    /// When it was added.
    pub created: SystemTime,
    /// Home addresses that it has been given, as text.
    pub home: Vec<std::net::IpAddr>,
    /// Associations that have neither ended nor run out.
    pub live_sas: u32,
    /// His own policy.
    pub policy: SubscriberPolicy,
}

/// A subscriber to be added.
pub struct NewSubscriber<'a> {
    /// Network Access Identifier; the realm's case does not matter.
    pub nai: &'a str,
    /// The octets of his pre-shared key.
    pub psk: &'a Secret,
    /// His own policy.
    pub policy: SubscriberPolicy,
}

/// Where a subscriber is treated otherwise than the rest; `None` is the HAC's `[policy]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubscriberPolicy {
    /// The wire profile of his exchanges and associations.
    pub profile: Option<WireProfile>,
    /// The suites that he is granted, in order of preference; not empty.
    pub suites: Option<Vec<CipherSuite>>,
    /// Whether his user data may go in the clear.
    pub user_data: Option<UserData>,
}

/// A home agent as `ha add` recorded it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeAgent {
    /// The dNSName in its certificate.
    pub name: String,
    /// Whose SPIs it serves.
    pub group: HaGroup,
    /// What mobile nodes are told.
    pub addresses: HomeAgentAddresses,
}

/// Where home addresses come from. The network's first usable address (network + 1) is the home agent's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pools {
    /// `pool6`.
    pub ip6: Option<Ipv6Net>,
    /// `pool4`.
    pub ip4: Option<Ipv4Net>,
}

/// What a new association is made from; the store adds SPI, home addresses and revision.
pub struct Order<'a> {
    /// Whose: must exist and be enabled.
    pub nai: &'a str,
    /// Where.
    pub home_agent: &'a HomeAgent,
    /// Chosen suite.
    pub suite: CipherSuite,
    /// The profile of the exchange.
    pub profile: WireProfile,
    /// Decided `mip6-sas`.
    pub user_data: UserData,
    /// Fresh keys.
    pub mn_to_ha: DirectionKeys,
    /// Fresh keys, different ones.
    pub ha_to_mn: DirectionKeys,
    /// Pools that are configured now.
    pub pools: Pools,
    /// From now to the validity end.
    pub lifetime: Duration,
}

/// An association that is on disk.
#[derive(Clone, Debug)]
pub struct Provisioned {
    /// Keys and addresses.
    pub sa: SecurityAssociation,
    /// Its place in the log.
    pub revision: Revision,
    /// Validity end, whole seconds.
    pub valid_until: SystemTime,
}

/// An association for one home agent process, its lease number already on disk.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Keys and addresses.
    pub sa: SecurityAssociation,
    /// Its place in the log.
    pub revision: Revision,
    /// Validity end.
    pub valid_until: SystemTime,
    /// 0 for the first process that it is delivered to, then +1 for each further one.
    pub lease: u32,
}

/// One entry of the log as a home agent sees it.
#[derive(Clone, Debug)]
pub enum Change {
    /// New.
    Install(Delivery),
    /// Ended or revoked before its time: forget the keys.
    Ended(Spi, Revision),
}

impl Change {
    /// Its place in the log.
    pub fn revision(&self) -> Revision {
        match self {
            Self::Install(delivery) => delivery.revision,
            Self::Ended(_, revision) => *revision,
        }
    }
}

/// Counts for `hac status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// All subscribers, disabled ones included.
    pub subscribers: u64,
    /// Home agents recorded.
    pub home_agents: u64,
    /// Associations that have neither ended nor run out.
    pub live_sas: u64,
}

/// Where the HAC keeps its state. Each method is one transaction; what it returned is on disk.
pub trait Store: Send {
    /// Adds a subscriber; `Err` for a name that is taken.
    fn add_subscriber(&mut self, new: &NewSubscriber<'_>, now: SystemTime, rng: &mut dyn CryptoRng) -> Result<()>;
    /// Every subscriber, by name.
    fn subscribers(&mut self, now: SystemTime) -> Result<Vec<Subscriber>>;
    /// Enables or disables; disabling ends every association. `Err` for an unknown name.
    fn set_enabled(&mut self, nai: &str, enabled: bool) -> Result<()>;
    /// The key of an enabled subscriber; `None` for an unknown or disabled one.
    fn psk(&mut self, nai: &str) -> Result<Option<Secret>>;
    /// The own policy of an enabled subscriber; the default for an unknown or disabled one.
    fn subscriber_policy(&mut self, nai: &str) -> Result<SubscriberPolicy>;
    /// The secret from which unknown names get their pseudo-PSK; drawn once, when the store was made.
    fn pseudo_psk_secret(&mut self) -> Result<Secret>;
    /// Records a home agent.
    fn add_home_agent(&mut self, home_agent: &HomeAgent) -> Result<()>;
    /// Every home agent, by name, with the number of its live associations.
    fn home_agents(&mut self, now: SystemTime) -> Result<Vec<(HomeAgent, u64)>>;
    /// One home agent.
    fn home_agent(&mut self, name: &str) -> Result<Option<HomeAgent>>;
    /// The home agent of the subscriber's newest live association: a renewal stays where the binding is.
    fn current_home_agent(&mut self, nai: &str, now: SystemTime) -> Result<Option<String>>;
    /// Home addresses, SPI, association and revision, in one transaction.
    fn provision(&mut self, order: &Order<'_>, now: SystemTime, rng: &mut dyn CryptoRng) -> Result<Provisioned>;
    /// Ends an association before its time and wipes its keys. `None` when it is not live.
    fn end(&mut self, spi: Spi) -> Result<Option<Revision>>;
    /// The newest place in the log.
    fn revision(&mut self) -> Result<Revision>;
    /// Live associations of the recipient behind `after` in SPI order, at most `limit`; leases are committed.
    fn snapshot_page(&mut self, to: &Recipient<'_>, after: Option<Spi>, limit: usize, now: SystemTime) -> Result<SnapshotPage>;
    /// Changes behind `after` in log order, at most `limit`; leases are committed.
    fn changes(&mut self, to: &Recipient<'_>, after: Revision, limit: usize, now: SystemTime) -> Result<Vec<Change>>;
    /// One live association of the recipient's group; its lease is committed. From then on it is among what the recipient's
    /// snapshots and changes are of.
    fn look_up(&mut self, to: &Recipient<'_>, spi: Spi, now: SystemTime) -> Result<Option<Delivery>>;
    /// The blocks of `group` in which SPIs are given out.
    fn spi_blocks(&mut self, group: HaGroup) -> Result<SpiBlocks>;
    /// Counts for `hac status`.
    fn counts(&mut self, now: SystemTime) -> Result<Counts>;
}

/// One page of a snapshot.
pub struct SnapshotPage {
    /// The associations.
    pub deliveries: Vec<Delivery>,
    /// Where the next page starts; `None` after the last page.
    pub next: Option<Spi>,
}

/// A home agent's process that something is delivered to. Its snapshots and changes are of the associations that name its home
/// agent, and of those of its group that it has looked up.
#[derive(Clone, Copy, Debug)]
pub struct Recipient<'a> {
    /// Which home agent.
    pub home_agent: &'a str,
    /// Its group: the only associations that it may look up.
    pub group: HaGroup,
    /// Which process.
    pub instance: InstanceId,
}

/// Result of a store call.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Why the store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A name is taken.
    #[error("{what} \"{name}\" exists already; choose another name (the list command shows what is there)")]
    Exists {
        /// "subscriber" or "home agent".
        what: &'static str,
        /// Which.
        name: String,
    },
    /// A name is not there, or is disabled where an enabled one is needed.
    #[error("there is no {what} \"{name}\"; add it first (the list command shows what is there)")]
    Unknown {
        /// "subscriber" or "home agent".
        what: &'static str,
        /// Which.
        name: String,
    },
    /// No home address left.
    #[error("the home address pool {0} is exhausted: configure a larger pool in [home] and restart, or remove subscribers")]
    PoolExhausted(ipnet::IpNet),
    /// No SPI left.
    #[error("home agent group {0} has no free SPI: add a home agent in another group")]
    SpisExhausted(u8),
    /// A sealed column does not open.
    #[error("{0} does not open under this key-encryption key: wrong `kek` file, or the row was altered; restore the right one")]
    Sealed(String),
    /// A row says something that it cannot say.
    #[error("the database is damaged: {0}; restore a backup")]
    Damaged(String),
    /// Another version's database.
    #[error("{path} has schema version {found}, this build knows 1 to {wanted}; run the `hac` that made it, or `hac init` anew")]
    SchemaVersion {
        /// Which file.
        path: String,
        /// Its `user_version`.
        found: i64,
        /// The newest that this build knows.
        wanted: i64,
    },
    /// The file cannot be made.
    #[error("cannot make the database {path}: {source}; `hac init` overwrites nothing: choose another folder")]
    Create {
        /// Which file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file cannot be opened.
    #[error("cannot open the database {path}: {source}; check the path and its permissions, or run `hac init`")]
    Open {
        /// Which file.
        path: String,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// SQLite failed in the middle.
    #[error("the database failed: {0}; check disk space and permissions")]
    Database(#[from] rusqlite::Error),
    /// The thread that ran the call is gone.
    #[error("a database call was abandoned: {0}")]
    Abandoned(String),
}

/// The realm of an NAI is compared without case (RFC 7542 section 2.4): its canonical form has it in lower case.
pub fn canonical_nai(nai: &str) -> String {
    match nai.rsplit_once('@') {
        Some((user, realm)) => format!("{user}@{}", realm.to_ascii_lowercase()),
        None => nai.to_owned(),
    }
}

/// Seconds since 1970; times before it count as 0.
pub(crate) fn unix_seconds(time: SystemTime) -> i64 {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

/// The inverse of [`unix_seconds`].
pub(crate) fn from_unix_seconds(seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_realm_is_compared_without_case_and_the_user_part_with_it() {
        assert_eq!(canonical_nai("Alice@Example.ORG"), "Alice@example.org");
        assert_eq!(canonical_nai("Alice"), "Alice");
    }
}
