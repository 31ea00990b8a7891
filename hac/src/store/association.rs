//! Security associations as they are ordered from the store and as they leave it.

use std::time::{Duration, SystemTime};

use protocol::profile::WireProfile;
use protocol::sa::spi::HaGroup;
use protocol::sa::{CipherSuite, DirectionKeys, SecurityAssociation, Spi, UserData};

use super::{HomeAgent, InstanceId, Pools, Revision};

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
