//! What the HAC keeps: subscribers, home addresses, home agents, security associations and the log that the feed reads.
//!
//! [`Store`] is called by `session` (a mobile node's run), `feed` (what home agents get) and the command line. Every call is
//! one transaction and blocks until it is on disk; the async shell goes through [`SharedStore`]. Time and randomness are
//! arguments, so a simulated world can use it in virtual time. Pre-shared keys and SA keys leave here only opened, in
//! [`Secret`]; at rest they are sealed ([`sealing`]).

mod association;
mod error;
pub mod sealing;
mod session;
mod shared;
pub mod sqlite;
mod subscriber;

use std::num::NonZeroU16;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ipnet::{Ipv4Net, Ipv6Net};
use protocol::addr::HomeAgentAddresses;
use protocol::prefixes::MobileNetworkPrefixes;
use protocol::sa::spi::{HaGroup, SpiBlocks};
use protocol::sa::{Secret, Spi};
use rand::CryptoRng;

pub use association::{
    AssociationRecord, AssociationState, Change, Delivery, EndedPage, Order, Provisioned, Recipient, Selection, SnapshotPage,
};
pub use error::{Result, StoreError};
pub use session::{
    Access, AccessChange, Chosen, Framed, FramedIp6, SessionCause, SessionEnd, SessionQuery, SessionRecord, SessionReport, Told,
    Traffic, Unfit, Volume,
};
pub use shared::{SharedStore, StoreAccess};
pub use subscriber::{Credentials, KeyId, NewSubscriber, Subscriber, SubscriberPolicy, canonical_nai};

/// An SPI is not drawn again, nor are a removed subscriber's home addresses given, before its association's validity end lies this far back.
pub const QUARANTINE: Duration = Duration::from_secs(600);
/// Live associations of one subscriber; the oldest that his node has not registered under makes room for a new one.
pub const MAX_SAS_PER_SUBSCRIBER: usize = 4;
/// The lease number with which an association ends: 0xF000_0000 + 4,096 * 65,536 is the end of the sequence numbers.
pub const LAST_LEASE: u32 = 4097;

/// A home agent reports the end of a session within seconds: so long after its association is over nothing more is expected.
pub const LAST_REPORT: Duration = Duration::from_secs(60);
/// Sessions that have ended and wait for an accounting server that does not answer: 400 octets each. The oldest are given up.
pub const MAX_ENDED_SESSIONS: i64 = 1_000_000;
/// So long one of them waits.
pub const ENDED_SESSION_WAITS: Duration = Duration::from_secs(7 * 86_400);

/// A position in the log of changes; every new or ended association takes the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision(pub u64);

/// One process of a home agent: 16 random octets that it draws at its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId(pub [u8; 16]);

/// A home agent as `ha add` recorded it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeAgent {
    /// The dNSName in its certificate.
    pub name: String,
    /// Whose SPIs it serves.
    pub group: HaGroup,
    /// What mobile nodes are told.
    pub addresses: HomeAgentAddresses,
    /// The TCP port at which it takes datagrams over TLS, at the same addresses; `None` where it does not.
    pub fallback_port: Option<NonZeroU16>,
}

/// Where home addresses come from. The network's first usable address (network + 1) is the home agent's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pools {
    /// `pool6`.
    pub ip6: Option<Ipv6Net>,
    /// `pool4`.
    pub ip4: Option<Ipv4Net>,
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
    /// Sessions of whose beginning or end an accounting server has to be told.
    pub waiting_sessions: u64,
}

/// Where the HAC keeps its state. Each method is one transaction; what it returned is on disk.
pub trait Store: Send {
    /// Adds a subscriber; `Err` for a name that is taken.
    fn add_subscriber(&mut self, new: &NewSubscriber<'_>, now: SystemTime, rng: &mut dyn CryptoRng) -> Result<()>;
    /// Every subscriber, by name.
    fn subscribers(&mut self, now: SystemTime) -> Result<Vec<Subscriber>>;
    /// One subscriber.
    fn subscriber(&mut self, nai: &str, now: SystemTime) -> Result<Option<Subscriber>>;
    /// Up to three subscribers' names that somebody may have meant who wrote `nai`, the likeliest first.
    fn names_like(&mut self, nai: &str) -> Result<Vec<String>>;
    /// Enables or disables; disabling ends every association: gives those that were live. `Err` for an unknown name.
    fn set_enabled(&mut self, nai: &str, enabled: bool, now: SystemTime) -> Result<Vec<Spi>>;
    /// Changes the own policy, which must still be `old`; associations keep what they have. `Err` for an unknown name.
    fn set_policy(&mut self, nai: &str, old: &SubscriberPolicy, new: &SubscriberPolicy) -> Result<()>;
    /// Sets another key; with `revoke`, ends every association: gives those that were live. `Err` for an unknown name.
    fn set_psk(&mut self, nai: &str, psk: &Secret, revoke: bool, now: SystemTime, rng: &mut dyn CryptoRng) -> Result<Vec<Spi>>;
    /// Puts a network behind the subscriber's node, from his next association on: gives all of his. `Err` for one that overlaps another
    /// subscriber's, be it recorded or still served under an association.
    fn add_prefix(&mut self, nai: &str, prefix: Ipv6Net, now: SystemTime) -> Result<MobileNetworkPrefixes>;
    /// Takes a network from there: gives what is left. Associations keep it. `Err` for one that is not his.
    fn remove_prefix(&mut self, nai: &str, prefix: Ipv6Net) -> Result<MobileNetworkPrefixes>;
    /// Ends every association, gives those that were live, and forgets key, policy and name. His home addresses are given to
    /// nobody before the last association that names them is past its validity end and [`QUARANTINE`]. `Err` for an unknown name.
    fn remove_subscriber(&mut self, nai: &str, now: SystemTime) -> Result<Vec<Spi>>;
    /// Key and own policy of an enabled subscriber; `None` for an unknown or disabled one, after as much work.
    fn credentials(&mut self, nai: &str) -> Result<Option<Credentials>>;
    /// Key and own policy of a subscriber whom a AAA server has authenticated; `None` for one who is disabled here. One whom nobody has
    /// recorded is recorded, with a key that nobody is told.
    fn admit(&mut self, nai: &str, now: SystemTime, rng: &mut dyn CryptoRng) -> Result<Option<Credentials>>;
    /// The secret from which unknown names get their pseudo-PSK; drawn once, when the store was made.
    fn pseudo_psk_secret(&mut self) -> Result<Secret>;
    /// Records a home agent.
    fn add_home_agent(&mut self, home_agent: &HomeAgent) -> Result<()>;
    /// Every home agent, by name, with the number of its live associations.
    fn home_agents(&mut self, now: SystemTime) -> Result<Vec<(HomeAgent, u64)>>;
    /// Ends every association at a home agent, gives how many were live, and forgets it. `Err` for an unknown name.
    fn remove_home_agent(&mut self, name: &str, now: SystemTime) -> Result<u64>;
    /// One home agent.
    fn home_agent(&mut self, name: &str) -> Result<Option<HomeAgent>>;
    /// The home agent of the subscriber's newest live association: a renewal stays where the binding is.
    fn current_home_agent(&mut self, nai: &str, now: SystemTime) -> Result<Option<String>>;
    /// Home addresses, SPI, association and revision, in one transaction.
    fn provision(&mut self, order: &Order<'_>, now: SystemTime, rng: &mut dyn CryptoRng) -> Result<Provisioned>;
    /// Ends an association before its time and wipes its keys. `None` when it is not live.
    fn end(&mut self, spi: Spi) -> Result<Option<Revision>>;
    /// Ends live associations of `of` that the log had before or at `up_to`, in SPI order behind `after`, at most `limit`: a
    /// million at once would keep mobile nodes waiting.
    fn end_page(
        &mut self,
        of: &Selection<'_>,
        up_to: Revision,
        after: Option<Spi>,
        limit: usize,
        now: SystemTime,
    ) -> Result<EndedPage>;
    /// Associations of `of` in SPI order behind `after`, at most `limit`; live ones, or with `all` those too whose SPI is not free
    /// yet.
    fn associations(
        &mut self,
        of: &Selection<'_>,
        all: bool,
        after: Option<Spi>,
        limit: usize,
        now: SystemTime,
    ) -> Result<Vec<AssociationRecord>>;
    /// The newest place in the log.
    fn revision(&mut self) -> Result<Revision>;
    /// Live associations of the recipient behind `after` in SPI order, at most `limit`; leases are committed.
    fn snapshot_page(&mut self, to: &Recipient<'_>, after: Option<Spi>, limit: usize, now: SystemTime) -> Result<SnapshotPage>;
    /// Changes behind `after` in log order, at most `limit`; leases are committed.
    fn changes(&mut self, to: &Recipient<'_>, after: Revision, limit: usize, now: SystemTime) -> Result<Vec<Change>>;
    /// One live association of the recipient's group; its lease is committed. From then on it is among what the recipient's
    /// snapshots and changes are of.
    fn look_up(&mut self, to: &Recipient<'_>, spi: Spi, now: SystemTime) -> Result<Option<Delivery>>;
    /// Mobile nodes have registered under these associations at a home agent: notes those that are live and of its group. Moves no
    /// revision.
    fn note_registered(&mut self, from: &Recipient<'_>, spis: &[Spi], now: SystemTime) -> Result<()>;
    /// The blocks of `group` in which SPIs are given out.
    fn spi_blocks(&mut self, group: HaGroup) -> Result<SpiBlocks>;
    /// What a process of a home agent reports. Of an association that no AAA server has authorised, that is of another group or that the
    /// process was never given, nothing is recorded, and nothing of a session that has ended. Sessions of other processes of this home
    /// agent have ended ([`SessionCause::HomeAgentRestarted`]).
    fn note_usage(&mut self, from: &Recipient<'_>, reports: &[SessionReport], now: SystemTime) -> Result<()>;
    /// Sessions that an accounting server is to be told of now, and what: first what has been due longest, at most `limit`.
    /// [`Told::Start`] where nothing is acknowledged, [`Told::Stop`] when it has ended, [`Told::Interim`] when there is a newer report
    /// than what is acknowledged and that lies an interval back: `interim`, or without one the AAA server's own.
    fn accounting_due(&mut self, interim: Option<Duration>, limit: usize, now: SystemTime) -> Result<Vec<(SessionRecord, Told)>>;
    /// An accounting server has acknowledged it; with [`Told::Stop`] the session is forgotten. An unknown session is none of its
    /// business.
    fn accounting_told(&mut self, id: &str, told: Told, now: SystemTime) -> Result<()>;
    /// Ends sessions whose association has been over for [`LAST_REPORT`] without a report, with what is known of them, and gives how
    /// many. Gives up those that have waited too long for an accounting server ([`MAX_ENDED_SESSIONS`], [`ENDED_SESSION_WAITS`]), and
    /// says so in the log.
    fn end_stale_sessions(&mut self, now: SystemTime) -> Result<u64>;
    /// Live associations that a AAA server has authorised and that fit everything that is named, in SPI order, at most `limit`; none
    /// where nothing is named.
    fn authorised(&mut self, of: &SessionQuery<'_>, limit: usize, now: SystemTime) -> Result<Vec<Spi>>;
    /// Ends these associations where they are live: their sessions end as [`SessionCause::Disconnected`].
    fn disconnect(&mut self, spis: &[Spi], now: SystemTime) -> Result<()>;
    /// Changes what a AAA server said of a live association, and of its session.
    fn reauthorise(&mut self, spi: Spi, change: &AccessChange, now: SystemTime) -> Result<()>;
    /// Ends associations whose time by [`Self::reauthorise`] is over, some hundred at once, and gives them: their sessions end as
    /// [`SessionCause::Expired`].
    fn end_due(&mut self, now: SystemTime) -> Result<Vec<Spi>>;
    /// Counts for `hac status`.
    fn counts(&mut self, now: SystemTime) -> Result<Counts>;
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
