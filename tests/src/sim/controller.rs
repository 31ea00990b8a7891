//! The HAC: its real sessions, admission and store, the store in memory.
#![allow(clippy::expect_used, reason = "a world that cannot be set up has failed its story")]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

use feed::{Answer, FromHac};
use hac::aaa::{AaaError, Answer as AaaAnswer};
use hac::admission::Admission;
use hac::authentication::{Authentication, EapServer, Realm};
use hac::feed::{outgoing, outgoing_change};
use hac::provisioning::Policy;
use hac::registry::Undelivered;
use hac::session::{PendingGrant, Session, Settled, Step, Surroundings};
use hac::store::sealing::KeyEncryptionKey;
use hac::store::sqlite::SqliteStore;
use hac::store::{
    Change, HomeAgent, InstanceId, NewSubscriber, Pools, Recipient, Revision, Store, StoreAccess, SubscriberPolicy,
};
use protocol::addr::HomeAgentAddresses;
use protocol::features::Features;
use protocol::mhauth::{ChannelBinding, Method};
use protocol::profile::WireProfile;
use protocol::sa::spi::{HaGroup, SpiBlocks};
use protocol::sa::{CipherSuite, Secret, Spi, UserData};
use rand::rngs::StdRng;

use super::aaa::gpsk;
use super::gateway::{HA4, HA6};
use super::initiator::Waiting;

pub(super) const NAI: &str = "alice@example.org";
pub(super) const KEY: [u8; 32] = [0x5a; 32];
pub(super) const KEK: [u8; 32] = [0xc1; 32];
const HOME_AGENT: &str = "ha1";
/// Looks things up for stories; what it is delivered is used by nobody.
const AUDITOR: InstanceId = InstanceId([0xff; 16]);
/// More than one mobile node has changes.
const PAGE: usize = 1000;

/// What the subscriber's policy is, his mobile node's configuration with it, the home network, and how fate falls.
pub struct Options {
    /// The one suite that is offered and granted.
    pub suite: CipherSuite,
    /// The subscriber's profile; the HAC's default is the RFC's.
    pub profile: WireProfile,
    /// Proposed and allowed.
    pub user_data: UserData,
    /// Where home addresses come from.
    pub pools: Pools,
    /// How often the HAC wants to hear of each session, if it does.
    pub usage_interval: Option<Duration>,
    /// For how long an SA is granted.
    pub sa_lifetime: Duration,
    /// Who the EAP server is, where the mobile node authenticates by EAP-GPSK with its key; else it does without EAP. Of the
    /// profile there is no word in a run with EAP: the HAC's default is the node's then.
    pub eap_server: Option<EapServer>,
    /// What home agents say that they can do beyond the RFC.
    pub features: Features,
    /// The networks behind the node, which then is a mobile router; none of a host.
    pub prefixes: &'static [&'static str],
    /// The mobile node's key: the subscriber's, unless it has been given a wrong one.
    pub key: [u8; 32],
    /// All that is random follows from it.
    pub seed: u64,
}

impl Options {
    /// The RFC's profile and nothing beyond it, protected user data, home addresses of both families, no reports of sessions, a day for each SA, no EAP.
    pub fn new(suite: CipherSuite) -> Self {
        let pools = Pools { ip6: "2001:db8:100::/64".parse().ok(), ip4: "10.9.0.0/24".parse().ok() };
        let (profile, user_data) = (WireProfile::Rfc6618, UserData::Protected);
        let sa_lifetime = Duration::from_secs(86_400);
        let features = Features::NONE;
        Self {
            suite,
            profile,
            user_data,
            pools,
            usage_interval: None,
            sa_lifetime,
            eap_server: None,
            features,
            prefixes: &[],
            key: KEY,
            seed: 7,
        }
    }
}

/// The HAC's host: what is on its disk, and the process, when it runs.
pub(super) struct Controller {
    store: SqliteStore,
    policy: Policy,
    authentication: Authentication,
    options: Options,
    group: HaGroup,
    process: Option<Process>,
    /// Nothing of the log is sent: the feed is behind.
    pub(super) withholds_changes: bool,
}

/// What dies with the process.
#[derive(Default)]
struct Process {
    admission: Admission,
    home_agent: Option<Subscription>,
}

/// The home agent's process that is fed.
struct Subscription {
    instance: InstanceId,
    sent: Revision,
    acknowledged: Option<Revision>,
    /// Those that were sent last.
    blocks: SpiBlocks,
    features: Features,
}

impl Controller {
    pub(super) fn new(options: Options, wall: SystemTime, rng: &mut StdRng) -> Self {
        let kek = KeyEncryptionKey::new(&KEK).expect("32 octets are a key");
        let mut store = SqliteStore::in_memory(kek, rng).expect("SQLite opens in memory");
        let own = SubscriberPolicy {
            profile: Some(options.profile),
            suites: Some(vec![options.suite]),
            user_data: Some(options.user_data),
        };
        let new = NewSubscriber { nai: NAI, psk: &Secret::new(KEY.to_vec()), policy: own };
        store.add_subscriber(&new, wall, rng).expect("the first subscriber is new");
        for prefix in options.prefixes {
            let prefix = prefix.parse().expect("a story's prefix is one");
            store.add_prefix(NAI, prefix, wall).expect("the prefix is nobody else's");
        }
        let (IpAddr::V4(ip4), IpAddr::V6(ip6)) = (HA4.ip(), HA6.ip()) else { panic!("one address of each family") };
        let addresses = HomeAgentAddresses::new(Some(ip6), Some(ip4), HA4.port()).expect("two addresses and a port");
        let group = HaGroup::new(5).expect("5 is a group");
        store
            .add_home_agent(&HomeAgent { name: HOME_AGENT.to_owned(), group, addresses, fallback_port: None })
            .expect("the first is new");
        let policy = Policy {
            profile: if options.eap_server.is_some() { options.profile } else { WireProfile::Rfc6618 },
            suites: vec![CipherSuite::Aes128Gcm],
            user_data: UserData::Protected,
            sa_lifetime: options.sa_lifetime,
            pools: options.pools,
            dns: Vec::new(),
        };
        Self {
            store,
            policy,
            authentication: authentication(options.eap_server),
            options,
            group,
            process: Some(Process::default()),
            withholds_changes: false,
        }
    }

    /// Whether there are networks behind the subscriber's node.
    pub(super) fn has_home_link(&self) -> bool {
        self.options.features.has(Features::HOME_LINK)
    }

    pub(super) fn has_networks(&self) -> bool {
        !self.options.prefixes.is_empty()
    }

    pub(super) fn is_up(&self) -> bool {
        self.process.is_some()
    }

    /// SIGKILL: what is on disk stays.
    pub(super) fn die(&mut self) {
        self.process = None;
    }

    pub(super) fn start(&mut self) {
        self.process = Some(Process::default());
    }

    /// The operator disables or enables the subscriber.
    pub(super) fn set_enabled(&mut self, enabled: bool, wall: SystemTime) {
        self.store.set_enabled(NAI, enabled, wall).expect("the subscriber is there");
    }

    /// Whether an SA is on disk and has not ended.
    pub(super) fn has(&mut self, spi: Spi, wall: SystemTime) -> bool {
        let to = Recipient { home_agent: HOME_AGENT, group: self.group, instance: AUDITOR };
        self.store.look_up(&to, spi, wall).expect("the store answers").is_some()
    }

    /// The subscriber's associations that have neither ended nor run out.
    pub(super) fn live_associations(&mut self, wall: SystemTime) -> u64 {
        self.store.counts(wall).expect("the store answers").live_sas
    }

    /// What the mobile node says first.
    pub(super) fn offer(&self, rng: &mut StdRng) -> (Waiting, Vec<u8>) {
        Waiting::begin(&self.options, binding(), rng)
    }

    /// A connection's session.
    pub(super) fn accept() -> Session {
        Session::new(binding(), [198, 51, 100, 7].into())
    }

    /// One request.
    pub(super) fn handle(
        &mut self,
        session: &mut Session,
        octets: &[u8],
        now: Instant,
        wall: SystemTime,
        rng: &mut StdRng,
    ) -> Step {
        self.around(now, wall, rng, |around| session.handle_request(octets, around))
    }

    /// What the AAA server has said.
    pub(super) fn handle_answer(
        &mut self,
        session: &mut Session,
        answer: Result<AaaAnswer, AaaError>,
        now: Instant,
        wall: SystemTime,
        rng: &mut StdRng,
    ) -> Step {
        self.around(now, wall, rng, |around| session.handle_answer(answer, around))
    }

    fn around(
        &mut self,
        now: Instant,
        wall: SystemTime,
        rng: &mut StdRng,
        handle: impl FnOnce(&mut Surroundings<'_>) -> Step,
    ) -> Step {
        let process = self.process.as_mut().expect("a connection dies with the process");
        let is_connected = process.home_agent.as_ref().is_some_and(|fed| fed.acknowledged.is_some());
        let connected = if is_connected { vec![HOME_AGENT.to_owned()] } else { Vec::new() };
        let (store, admission) = (StoreAccess::Own(&mut self.store), &process.admission);
        let authentication = &self.authentication;
        let features = process.home_agent.iter().map(|fed| (self.group, fed.features)).collect::<BTreeMap<_, _>>();
        let (policy, connected, features) = (&self.policy, &connected, &features);
        handle(&mut Surroundings { store, policy, authentication, connected, features, admission, now, wall, rng })
    }

    /// The home agent has acknowledged, or its time is up, or it is gone: the final response, and what follows from it.
    pub(super) fn settle(&mut self, pending: PendingGrant, wall: SystemTime) -> Vec<u8> {
        let delivered = match self.subscription() {
            Some(fed) if fed.acknowledged >= Some(pending.revision()) => Ok(()),
            Some(_) => Err(Undelivered::Late),
            None => Err(Undelivered::Gone),
        };
        match pending.settle(delivered, wall) {
            Settled::Granted(response) => response.to_vec(),
            Settled::TakenBack(spi, response) => {
                self.store.end(spi).expect("the store answers");
                response
            }
        }
    }

    /// A home agent's process subscribes: where it may look SPIs up, and everything that holds for it. `None` while the HAC is down.
    pub(super) fn handle_subscribe(&mut self, instance: InstanceId, wall: SystemTime) -> Option<[FromHac; 2]> {
        let process = self.process.as_mut()?;
        let to = Recipient { home_agent: HOME_AGENT, group: self.group, instance };
        let revision = self.store.revision().expect("the store answers");
        let page = self.store.snapshot_page(&to, None, PAGE, wall).expect("the store answers");
        let blocks = self.store.spi_blocks(self.group).expect("the store answers");
        process.home_agent = Some(Subscription {
            instance,
            sent: revision,
            acknowledged: None,
            blocks: blocks.clone(),
            features: self.options.features,
        });
        let associations = page.deliveries.into_iter().map(|delivery| outgoing(delivery, wall)).collect();
        Some([FromHac::SpiBlocks(blocks), FromHac::Snapshot { revision: revision.0, associations, last: true }])
    }

    /// How often the HAC wants to hear of a session.
    pub(super) fn usage_interval(&self) -> Option<Duration> {
        self.options.usage_interval
    }

    /// A home agent's process looks an SPI up. `None` when that is not the one that is fed.
    pub(super) fn handle_look_up(&mut self, instance: InstanceId, spi: Spi, wall: SystemTime) -> Option<FromHac> {
        self.subscription().filter(|fed| fed.instance == instance)?;
        let to = Recipient { home_agent: HOME_AGENT, group: self.group, instance };
        let found = self.store.look_up(&to, spi, wall).expect("the store answers");
        let found = found.map(|delivery| Answer::Found(Box::new(outgoing(delivery, wall))));
        Some(FromHac::Answer(found.unwrap_or(Answer::NotFound(spi))))
    }

    /// Nodes have registered at a home agent's process; heard from the one that is fed.
    pub(super) fn handle_registered(&mut self, instance: InstanceId, spis: &[Spi], wall: SystemTime) {
        if self.subscription().is_some_and(|fed| fed.instance == instance) {
            let from = Recipient { home_agent: HOME_AGENT, group: self.group, instance };
            self.store.note_registered(&from, spis, wall).expect("the store answers");
        }
    }

    /// Whether that process is the one that is fed.
    pub(super) fn feeds(&mut self, instance: InstanceId) -> bool {
        self.subscription().is_some_and(|fed| fed.instance == instance)
    }

    /// A home agent's process has put everything up to there in force.
    pub(super) fn handle_acknowledgement(&mut self, instance: InstanceId, revision: Revision) {
        if let Some(fed) = self.subscription().filter(|fed| fed.instance == instance) {
            fed.acknowledged = fed.acknowledged.max(Some(revision));
        }
    }

    /// Whether the home agent has put everything up to there in force.
    pub(super) fn is_acknowledged(&mut self, revision: Revision) -> bool {
        self.subscription().is_some_and(|fed| fed.acknowledged >= Some(revision))
    }

    /// The home agent's process is gone, and its connection with it.
    pub(super) fn lose_home_agent(&mut self) {
        if let Some(process) = &mut self.process {
            process.home_agent = None;
        }
    }

    /// What a connected home agent has not been told yet.
    pub(super) fn changes(&mut self, wall: SystemTime) -> Option<(InstanceId, Vec<FromHac>)> {
        let group = self.group;
        let fed = self.process.as_mut()?.home_agent.as_mut().filter(|fed| fed.acknowledged.is_some())?;
        let blocks = self.store.spi_blocks(group).expect("the store answers");
        let mut messages = Vec::new();
        if blocks != fed.blocks {
            fed.blocks = blocks.clone();
            messages.push(FromHac::SpiBlocks(blocks));
        }
        if !self.withholds_changes {
            let to = Recipient { home_agent: HOME_AGENT, group, instance: fed.instance };
            let changes = self.store.changes(&to, fed.sent, PAGE, wall).expect("the store answers");
            fed.sent = changes.last().map_or(fed.sent, Change::revision);
            let delta = |change: Change| {
                let revision = change.revision().0;
                FromHac::Delta { revision, change: outgoing_change(change, wall) }
            };
            messages.extend(changes.into_iter().map(delta));
        }
        Some((fed.instance, messages))
    }

    fn subscription(&mut self) -> Option<&mut Subscription> {
        self.process.as_mut()?.home_agent.as_mut()
    }
}

fn authentication(eap_server: Option<EapServer>) -> Authentication {
    let Some(eap_server) = eap_server else { return Authentication::default() };
    let default = Realm { methods: vec![Method::Eap], eap_server, keyless: Vec::new() };
    Authentication { default, local: Some(Box::new(gpsk)), ..Authentication::default() }
}

fn binding() -> ChannelBinding {
    ChannelBinding::new(vec![0xcb; 32])
}
