//! Security associations as they are ordered from the store and as they leave it.

use std::time::{Duration, SystemTime};

use protocol::addr::HomeAddresses;
use protocol::profile::WireProfile;
use protocol::sa::spi::HaGroup;
use protocol::sa::{CipherSuite, DirectionKeys, SecurityAssociation, Spi, UserData};

use super::session::{Access, Framed};
use super::{HomeAgent, InstanceId, KeyId, Pools, Revision};

/// What a new association is made from; the store adds SPI, home addresses and revision.
pub struct Order<'a> {
    /// Whose: must exist and be enabled.
    pub nai: &'a str,
    /// The key that he authenticated with: must still be his.
    pub key: KeyId,
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
    /// What the AAA server said that has authorised it; `None` where none did.
    pub access: Option<&'a Access>,
    /// Home addresses that the AAA server chose.
    pub framed: Framed,
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

/// Which associations a command is about: those that fit everything that is named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selection<'a> {
    /// The one with this SPI.
    pub spi: Option<Spi>,
    /// Those of this subscriber.
    pub subscriber: Option<&'a str>,
    /// Those at this home agent.
    pub home_agent: Option<&'a str>,
}

/// An association as it is shown: without its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssociationRecord {
    /// Its SPI.
    pub spi: Spi,
    /// Whose; `None` when he was removed.
    pub subscriber: Option<String>,
    /// Where; `None` when the home agent was removed.
    pub home_agent: Option<String>,
    /// Its home addresses.
    pub home: HomeAddresses,
    /// Its suite.
    pub suite: CipherSuite,
    /// Its profile.
    pub profile: WireProfile,
    /// Its `mip6-sas`.
    pub user_data: UserData,
    /// When it was made.
    pub created: SystemTime,
    /// Validity end.
    pub valid_until: SystemTime,
    /// The newest lease number under which a home agent's process has it; `None` when it was never delivered.
    pub lease: Option<u32>,
    /// Whether it is live and in use: its node has registered under it, and under none that is newer.
    pub is_registered: bool,
    /// At the time that was asked for.
    pub state: AssociationState,
    /// Whether a AAA server has authorised it.
    pub is_authorised_by_aaa: bool,
    /// Acct-Session-Id of the session under it that goes on, where a home agent has reported one.
    pub session: Option<String>,
}

/// What has become of an association.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssociationState {
    /// Neither ended nor expired.
    Live,
    /// Ended before its time; its keys are wiped.
    Ended,
    /// Past its validity end.
    Expired,
}

impl AssociationState {
    /// In lists and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Ended => "ended",
            Self::Expired => "expired",
        }
    }
}

/// What [`Store::end_page`](super::Store::end_page) did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndedPage {
    /// How many were live until then.
    pub ended: u64,
    /// Where the next page starts; `None` after the last page.
    pub next: Option<Spi>,
}
