//! The HAC: its real session and store, in memory; and the mobile node's side of MHAuth, octet for octet.
#![allow(clippy::expect_used, reason = "a world that cannot be set up has failed its story")]

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant, SystemTime};

use hac::admission::Admission;
use hac::provisioning::Policy;
use hac::session::{Session, Step, Surroundings};
use hac::store::sealing::KeyEncryptionKey;
use hac::store::sqlite::SqliteStore;
use hac::store::{Change, HomeAgent, InstanceId, NewSubscriber, Pools, Recipient, Revision, Store, SubscriberPolicy};
use protocol::addr::HomeAgentAddresses;
use protocol::mhauth::initiator::{self, Offer};
use protocol::mhauth::{ChannelBinding, Failure, Grant, Psk};
use protocol::profile::WireProfile;
use protocol::sa::spi::HaGroup;
use protocol::sa::{CipherSuite, Secret, UserData};
use protocol::tunnel::Install;
use rand::rngs::StdRng;

const NAI: &str = "alice@example.org";
const KEY: [u8; 32] = [0x5a; 32];
const HOME_AGENT: &str = "ha1";

/// What the subscriber's policy is, his mobile node's configuration with it, and the home network.
pub struct Options {
    /// The one suite that is offered and granted.
    pub suite: CipherSuite,
    /// The subscriber's profile; the HAC's default is the RFC's.
    pub profile: WireProfile,
    /// Proposed and allowed.
    pub user_data: UserData,
    /// Where home addresses come from.
    pub pools: Pools,
}

impl Options {
    /// The RFC's profile, protected user data, home addresses of both families.
    pub fn new(suite: CipherSuite) -> Self {
        let pools = Pools { ip6: "2001:db8:100::/64".parse().ok(), ip4: "10.9.0.0/24".parse().ok() };
        Self { suite, profile: WireProfile::Rfc6618, user_data: UserData::Protected, pools }
    }
}

pub(super) struct Controller {
    store: SqliteStore,
    policy: Policy,
    admission: Admission,
    options: Options,
    group: HaGroup,
    /// What each process of the home agent has been told.
    told: Option<(u8, Revision)>,
}

impl Controller {
    pub(super) fn new(options: Options, ha4: SocketAddr, ha6: SocketAddr) -> Self {
        let mut rng = rand::rng();
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let kek = KeyEncryptionKey::new(&[1; 32]).expect("32 octets are a key");
        let mut store = SqliteStore::in_memory(kek, &mut rng).expect("SQLite opens in memory");
        let own = SubscriberPolicy {
            profile: Some(options.profile),
            suites: Some(vec![options.suite]),
            user_data: Some(options.user_data),
        };
        let new = NewSubscriber { nai: NAI, psk: &Secret::new(KEY.to_vec()), policy: own };
        store.add_subscriber(&new, wall, &mut rng).expect("the first subscriber is new");
        let (IpAddr::V4(ip4), IpAddr::V6(ip6)) = (ha4.ip(), ha6.ip()) else { panic!("one address of each family") };
        let addresses = HomeAgentAddresses::new(Some(ip6), Some(ip4), ha4.port()).expect("two addresses and a port");
        let group = HaGroup::new(5).expect("5 is a group");
        store.add_home_agent(&HomeAgent { name: HOME_AGENT.to_owned(), group, addresses }).expect("the first is new");
        let policy = Policy {
            profile: WireProfile::Rfc6618,
            suites: vec![CipherSuite::Aes128Gcm],
            user_data: UserData::Protected,
            sa_lifetime: Duration::from_secs(86_400),
            pools: options.pools,
            dns: Vec::new(),
        };
        Self { store, policy, admission: Admission::default(), options, group, told: None }
    }

    /// One whole run of MHAuth.
    pub(super) fn authenticate(&mut self, now: Instant, wall: SystemTime, rng: &mut StdRng) -> Result<Grant, Failure> {
        let binding = || ChannelBinding::new(vec![0xcb; 32]);
        let offer = Offer {
            mn_id: NAI.parse().expect("a name and a realm"),
            psk: Psk::from_octets(Secret::new(KEY.to_vec())).expect("32 octets are a key"),
            profile: self.options.profile,
            suites: vec![self.options.suite],
            user_data: self.options.user_data,
        };
        let mut session = Session::new(binding(), [198, 51, 100, 7].into());
        let (waiting, request) = initiator::start(offer, binding(), rng);
        let Step::Reply(response) = self.handle(&mut session, &request, now, wall, rng) else {
            panic!("the first request is answered")
        };
        let (waiting, request) = waiting.handle(&response)?;
        match self.handle(&mut session, &request, now, wall, rng) {
            Step::Deliver(pending) => waiting.handle(&pending.delivered()),
            Step::Reply(octets) | Step::Close(octets) => waiting.handle(&octets),
        }
    }

    /// What the feed brings to the home agent's process `instance` that it has not had yet.
    pub(super) fn deliver(&mut self, instance: u8, now: Instant, wall: SystemTime) -> Vec<Install> {
        let after = match self.told {
            Some((told, revision)) if told == instance => revision,
            _ => Revision(0),
        };
        let to = Recipient { home_agent: HOME_AGENT, group: self.group, instance: InstanceId([instance; 16]) };
        let changes = self.store.changes(&to, after, 1000, wall).expect("the store answers");
        let newest = changes.last().map_or(after, Change::revision);
        self.told = Some((instance, newest));
        let installs = changes.into_iter().filter_map(|change| match change {
            Change::Install(delivery) => {
                let left = delivery.valid_until.duration_since(wall).unwrap_or_default();
                Some(Install { sa: delivery.sa, valid_until: now + left, lease: delivery.lease })
            }
            Change::Ended(..) => None,
        });
        installs.collect()
    }

    fn handle(&mut self, session: &mut Session, octets: &[u8], now: Instant, wall: SystemTime, rng: &mut StdRng) -> Step {
        let connected = [HOME_AGENT.to_owned()];
        session.handle_request(
            octets,
            &mut Surroundings {
                store: &mut self.store,
                policy: &self.policy,
                connected: &connected,
                admission: &mut self.admission,
                now,
                wall,
                rng,
            },
        )
    }
}
