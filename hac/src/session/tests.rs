//! Whole runs against the mobile node's own state machine, without sockets and with a clock that stands still.

mod draft_04;
mod eap;
mod superseded;

use std::net::Ipv4Addr;

use protocol::addr::HomeAgentAddresses;
use protocol::mhauth::Grant;
use protocol::mhauth::initiator::{self, AwaitingDoneResponse, Failure, Offer};
use protocol::profile::WireProfile;
use protocol::sa::{CipherSuite, Secret, UserData};

use zeroize::Zeroizing;

use super::*;
use crate::registry::Undelivered;
use crate::store::sealing::KeyEncryptionKey;
use crate::store::sqlite::SqliteStore;
use crate::store::{HomeAgent, InstanceId, NewSubscriber, Pools, Recipient, StoreAccess};

const NAI: &str = "alice@example.org";
const KEY: [u8; 32] = [9; 32];

struct World {
    store: SqliteStore,
    policy: Policy,
    authentication: Authentication,
    connected: Vec<String>,
    features: BTreeMap<HaGroup, Features>,
    admission: Admission,
    now: Instant,
    wall: SystemTime,
}

fn wall() -> SystemTime {
    std::time::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn add(store: &mut SqliteStore, nai: &str, policy: SubscriberPolicy) {
    let new = NewSubscriber { nai, psk: &Secret::new(KEY.to_vec()), policy };
    store.add_subscriber(&new, wall(), &mut rand::rng()).unwrap();
}

impl World {
    fn new() -> Self {
        let wall = wall();
        let mut store = SqliteStore::in_memory(KeyEncryptionKey::new(&[1; 32]).unwrap(), &mut rand::rng()).unwrap();
        add(&mut store, NAI, SubscriberPolicy::default());
        let addresses = HomeAgentAddresses::new(None, Some("198.51.100.1".parse().unwrap()), 7872).unwrap();
        store
            .add_home_agent(&HomeAgent {
                name: "ha1".to_owned(),
                group: HaGroup::new(0).unwrap(),
                addresses,
                fallback_port: None,
            })
            .unwrap();
        let policy = Policy {
            profile: WireProfile::Rfc6618,
            user_data: UserData::Protected,
            suites: vec![CipherSuite::Aes128Gcm, CipherSuite::Aes128CbcSha],
            sa_lifetime: Duration::from_secs(86_400),
            pools: Pools { ip6: Some("2001:db8:100::/64".parse().unwrap()), ip4: Some("10.9.0.0/24".parse().unwrap()) },
            dns: vec!["10.9.0.1".parse().unwrap()],
        };
        let connected = vec!["ha1".to_owned()];
        Self {
            store,
            policy,
            authentication: Authentication::default(),
            connected,
            features: BTreeMap::new(),
            admission: Admission::default(),
            now: Instant::now(),
            wall,
        }
    }

    fn handle(&mut self, session: &mut Session, octets: &[u8]) -> Step {
        self.around(|around| session.handle_request(octets, around))
    }

    fn around<T>(&mut self, does: impl FnOnce(&mut Surroundings<'_>) -> T) -> T {
        does(&mut Surroundings {
            store: StoreAccess::Own(&mut self.store),
            policy: &self.policy,
            authentication: &self.authentication,
            connected: &self.connected,
            features: &self.features,
            admission: &self.admission,
            now: self.now,
            wall: self.wall,
            rng: &mut rand::rng(),
        })
    }

    /// Runs to the end of the HAC's decision.
    fn run(&mut self, mobile_node: &MobileNode) -> (Session, AwaitingDoneResponse, Step, usize) {
        let mut session = Session::new(ChannelBinding::new(vec![5; 32]), Ipv4Addr::new(192, 0, 2, 7).into());
        let binding = ChannelBinding::new(mobile_node.binding.clone());
        let (waiting, request) = initiator::start(mobile_node.offer(), binding, &mut rand::rng());
        let Step::Reply(response) = self.handle(&mut session, &request) else { panic!("the first request is answered") };
        let (waiting, request) = waiting.handle(&response).expect("the mobile node takes the first response");
        let step = self.handle(&mut session, &request);
        (session, waiting, step, response.len())
    }

    /// What the mobile node makes of the HAC's last message.
    fn granted(&mut self, mobile_node: &MobileNode) -> Grant {
        let (_, waiting, step, _) = self.run(mobile_node);
        let Step::Deliver(pending) = step else { panic!("a grant is pending") };
        waiting.handle(&granted(*pending, Ok(()))).unwrap()
    }

    fn refusal(&mut self, mobile_node: &MobileNode) -> (Status, Failure, usize) {
        let (session, waiting, step, _) = self.run(mobile_node);
        let Step::Close(octets) = step else { panic!("the run ends") };
        (session.ended().unwrap(), waiting.handle(&octets).unwrap_err(), octets.len())
    }
}

struct MobileNode {
    name: &'static str,
    key: Psk,
    binding: Vec<u8>,
    profile: WireProfile,
    suites: Vec<CipherSuite>,
    user_data: UserData,
}

impl MobileNode {
    fn alice() -> Self {
        let key = Psk::from_octets(Secret::new(KEY.to_vec())).unwrap();
        Self {
            name: NAI,
            key,
            binding: vec![5; 32],
            profile: WireProfile::Rfc6618,
            suites: vec![CipherSuite::Aes128CbcSha, CipherSuite::Aes128Gcm],
            user_data: UserData::Protected,
        }
    }

    fn offer(&self) -> Offer {
        Offer {
            mn_id: self.name.parse().unwrap(),
            psk: self.key.clone(),
            profile: self.profile,
            suites: self.suites.clone(),
            user_data: self.user_data,
        }
    }
}

/// The final response of a grant that holds.
fn granted(pending: PendingGrant, delivered: Result<(), Undelivered>) -> Zeroizing<Vec<u8>> {
    match pending.settle(delivered, wall()) {
        Settled::Granted(response) => response,
        Settled::TakenBack(..) => panic!("taken back"),
    }
}

fn refused(failure: Failure) -> (Status, Option<SystemTime>, bool) {
    match failure {
        Failure::Refused { status, retry_after, authenticated } => (status, retry_after, authenticated),
        Failure::Eap(error) => panic!("no EAP here: {error}"),
        Failure::Rejected(rejection) => panic!("not a refusal: {rejection}"),
    }
}

#[test]
fn a_mobile_node_with_the_key_is_granted_what_the_store_holds() {
    let mut world = World::new();
    let (_, waiting, step, _) = world.run(&MobileNode::alice());
    let Step::Deliver(pending) = step else { panic!("a grant is pending") };
    let (spi, revision) = (pending.spi(), pending.revision());
    assert_eq!(pending.home_agent(), "ha1");
    let grant = waiting.handle(&granted(*pending, Ok(()))).unwrap();

    let to = Recipient { home_agent: "ha1", group: HaGroup::new(0).unwrap(), instance: InstanceId([1; 16]) };
    let fed = world.store.look_up(&to, spi, world.wall).unwrap().unwrap();
    assert_eq!((grant.sa.spi, fed.revision, fed.lease), (spi, revision, 0));
    assert_eq!((&grant.sa.mn_to_ha, &grant.sa.ha_to_mn), (&fed.sa.mn_to_ha, &fed.sa.ha_to_mn));
    assert_eq!((grant.sa.home, grant.sa.home_agent), (fed.sa.home, fed.sa.home_agent));
    assert_eq!((grant.validity_end, grant.date), (fed.valid_until, Some(world.wall)));
    assert_eq!((grant.home_prefix6, grant.home_prefix4), (world.policy.pools.ip6, world.policy.pools.ip4));
    assert_eq!((grant.sa.suite, grant.dns), (CipherSuite::Aes128Gcm, world.policy.dns.clone()));
}

#[test]
fn a_wrong_key_is_refused_and_gets_nothing() {
    let mut world = World::new();
    let mut session = Session::new(ChannelBinding::new(vec![5; 32]), Ipv4Addr::LOCALHOST.into());
    let mallory = MobileNode { key: Psk::from_octets(Secret::new(vec![8; 32])).unwrap(), ..MobileNode::alice() };
    let binding = ChannelBinding::new(vec![5; 32]);
    let (waiting, request) = initiator::start(mallory.offer(), binding, &mut rand::rng());
    let Step::Reply(response) = world.handle(&mut session, &request) else { panic!("a reply") };
    assert!(
        matches!(waiting.handle(&response), Err(Failure::Rejected(_))),
        "and the mobile node sees that the HAC has another key"
    );
    assert_eq!(world.store.counts(world.wall).unwrap().live_sas, 0);
}

/// The request MHAuth-Done of a mobile node that does not check the first response: made with the right key for an exchange
/// of its own, so that its `auth` is wrong in this one.
fn done_of_another_exchange(name: &'static str) -> Vec<u8> {
    let mut world = World::new();
    let mut session = Session::new(ChannelBinding::new(vec![6; 32]), Ipv4Addr::LOCALHOST.into());
    let alice = MobileNode::alice();
    let (waiting, request) = initiator::start(alice.offer(), ChannelBinding::new(vec![6; 32]), &mut rand::rng());
    let Step::Reply(response) = world.handle(&mut session, &request) else { panic!("a reply for {name}") };
    waiting.handle(&response).unwrap().1
}

fn wrong_done(world: &mut World, name: &'static str) -> (Status, Vec<u8>) {
    let mut session = Session::new(ChannelBinding::new(vec![5; 32]), Ipv4Addr::LOCALHOST.into());
    let mobile_node = MobileNode { name, ..MobileNode::alice() };
    let (_, request) = initiator::start(mobile_node.offer(), ChannelBinding::new(vec![5; 32]), &mut rand::rng());
    assert!(matches!(world.handle(&mut session, &request), Step::Reply(_)));
    let Step::Close(octets) = world.handle(&mut session, &done_of_another_exchange(name)) else { panic!("closed") };
    (session.ended().unwrap(), octets)
}

/// Header names and lengths of values: what an observer can tell two answers apart by, nonces and MACs aside.
fn form(octets: &[u8]) -> Vec<(String, usize)> {
    let content = String::from_utf8(octets[4..].to_vec()).unwrap();
    let headers = content.split("\r\n").filter_map(|line| line.split_once(':'));
    headers.map(|(name, value)| (name.to_owned(), value.len())).collect()
}

#[test]
fn a_wrong_auth_is_401_in_the_same_form_for_known_unknown_and_disabled_names() {
    let mut world = World::new();
    add(&mut world.store, "carol@example.org", SubscriberPolicy::default());
    world.store.set_enabled("carol@example.org", false, world.wall).unwrap();
    let (known, octets) = wrong_done(&mut world, NAI);
    assert_eq!(known, Status::NotAuthenticated);
    for name in ["mallory@example.org", "carol@example.org"] {
        let (status, other) = wrong_done(&mut world, name);
        assert_eq!((status, form(&other)), (known, form(&octets)), "{name}");
    }
}

#[test]
fn even_the_right_pseudo_key_of_an_unknown_name_ends_in_401() {
    let mut world = World::new();
    let pseudo = Psk::pseudo(&world.store.pseudo_psk_secret().unwrap(), "mallory@example.org");
    let (status, failure, _) = world.refusal(&MobileNode { name: "mallory@example.org", key: pseudo, ..MobileNode::alice() });
    assert_eq!((status, refused(failure)), (Status::NotAuthenticated, (Status::NotAuthenticated, None, true)));
}

#[test]
fn a_subscriber_who_is_disabled_between_two_messages_gets_401_and_the_log_names_nobody() {
    let mut world = World::new();
    let alice = MobileNode::alice();
    let mut session = Session::new(ChannelBinding::new(alice.binding.clone()), Ipv4Addr::LOCALHOST.into());
    let (waiting, request) = initiator::start(alice.offer(), ChannelBinding::new(alice.binding.clone()), &mut rand::rng());
    let Step::Reply(response) = world.handle(&mut session, &request) else { panic!("a reply") };
    let (waiting, request) = waiting.handle(&response).unwrap();
    world.store.set_enabled(NAI, false, world.wall).unwrap();
    let (step, lines) = fixture::logged(|| world.handle(&mut session, &request));
    let Step::Close(octets) = step else { panic!("the run ends") };
    assert_eq!(refused(waiting.handle(&octets).unwrap_err()), (Status::NotAuthenticated, None, true));
    assert!(lines.len() == 1 && lines[0].contains("removed, disabled") && !lines[0].contains(NAI), "{lines:?}");
}

#[test]
fn another_channel_binding_is_refused_on_both_ends() {
    let mut world = World::new();
    assert_eq!(wrong_done(&mut world, NAI).0, Status::NotAuthenticated, "the HAC refuses a Done bound to another certificate");
    let mut session = Session::new(ChannelBinding::new(vec![5; 32]), Ipv4Addr::LOCALHOST.into());
    let (waiting, request) = initiator::start(MobileNode::alice().offer(), ChannelBinding::new(vec![6; 32]), &mut rand::rng());
    let Step::Reply(response) = world.handle(&mut session, &request) else { panic!("a reply") };
    assert!(matches!(waiting.handle(&response), Err(Failure::Rejected(protocol::mhauth::Rejection::WrongAuth))));
}

/// RFC 6618 section 5.3: an error at the HAC is answered with a status code, under the key that holds by then.
#[test]
fn a_request_that_could_not_be_handled_is_500_and_one_that_is_not_taken_what_it_is_anyway() {
    let mut world = World::new();
    let alice = MobileNode::alice();
    let binding = || ChannelBinding::new(alice.binding.clone());
    let failed = |session: &Session, request: &[u8]| {
        let (session, step) = session.understudy().fail(request, WireProfile::Rfc6618);
        let Step::Close(octets) = step else { panic!("the run ends") };
        (session.ended(), octets)
    };
    let mut session = Session::new(binding(), Ipv4Addr::LOCALHOST.into());
    let (waiting, request) = initiator::start(alice.offer(), binding(), &mut rand::rng());
    let (status, octets) = failed(&session, &request);
    let (other, _) = initiator::start(alice.offer(), binding(), &mut rand::rng());
    assert_eq!(
        (status, refused(other.handle(&octets).err().unwrap())),
        (Some(Status::ServerError), (Status::ServerError, None, false))
    );
    assert_eq!(failed(&session, b"\x00\x01\x00\x00").0, Some(Status::Malformed));

    let Step::Reply(response) = world.handle(&mut session, &request) else { panic!("a reply") };
    let (waiting, done) = waiting.handle(&response).unwrap();
    let mut changed = done.clone();
    changed[5] ^= 1;
    assert_eq!(failed(&session, &changed).0, Some(Status::NotAuthenticated));
    let (status, octets) = failed(&session, &done);
    assert_eq!(
        (status, refused(waiting.handle(&octets).unwrap_err())),
        (Some(Status::ServerError), (Status::ServerError, None, true))
    );
    world.handle(&mut session, &done);
    assert!(failed(&session, &done).1.is_empty(), "a run that is over is answered nothing");
}

#[test]
fn a_grant_whose_home_agent_has_gone_is_a_warning_and_503_with_a_time_to_come_again() {
    let mut world = World::new();
    let (_, waiting, step, _) = world.run(&MobileNode::alice());
    let Step::Deliver(pending) = step else { panic!("a grant is pending") };
    let spi = pending.spi();
    let (settled, lines) = fixture::logged(|| pending.settle(Err(Undelivered::Gone), world.wall));
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert!(line.contains("WARN") && line.contains("not connected any more") && !line.contains(NAI), "{line}");
    let Settled::TakenBack(ended, octets) = settled else { panic!("granted") };
    let retry = Some(world.wall + RETRY_HOME_AGENT);
    assert_eq!((ended, refused(waiting.handle(&octets).unwrap_err())), (spi, (Status::Unavailable, retry, true)));
}

#[test]
fn a_grant_whose_home_agent_is_late_and_can_look_it_up_holds_with_a_warning() {
    let mut world = World::new();
    let (_, waiting, step, _) = world.run(&MobileNode::alice());
    let Step::Deliver(pending) = step else { panic!("a grant is pending") };
    let spi = pending.spi();
    let (response, lines) = fixture::logged(|| granted(*pending, Err(Undelivered::Late)));
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert!(line.contains("WARN") && line.contains("did not acknowledge in 2 seconds") && !line.contains(NAI), "{line}");
    assert_eq!(waiting.handle(&response).unwrap().sa.spi, spi);
}

#[test]
fn without_a_connected_home_agent_the_answer_is_503_and_nothing_is_committed() {
    let mut world = World::new();
    world.connected.clear();
    let (status, failure, _) = world.refusal(&MobileNode::alice());
    assert_eq!((status, refused(failure).0), (Status::Unavailable, Status::Unavailable));
    assert_eq!(world.store.counts(world.wall).unwrap().live_sas, 0);
}

#[test]
fn a_suite_that_the_policy_does_not_name_is_501() {
    let mut world = World::new();
    let only_null = MobileNode { suites: vec![CipherSuite::NullSha], ..MobileNode::alice() };
    let (status, failure, _) = world.refusal(&only_null);
    assert_eq!((status, refused(failure)), (Status::NotImplemented, (Status::NotImplemented, None, true)));
    world.policy.suites.push(CipherSuite::NullSha);
    assert!(matches!(world.run(&only_null).2, Step::Deliver(_)));
}

#[test]
fn user_data_goes_in_the_clear_where_policy_and_mobile_node_both_want_it() {
    let mut world = World::new();
    let in_the_clear = MobileNode { user_data: UserData::Clear, ..MobileNode::alice() };
    assert_eq!(world.granted(&in_the_clear).sa.user_data, UserData::Protected);
    world.policy.user_data = UserData::Clear;
    assert_eq!(world.granted(&in_the_clear).sa.user_data, UserData::Clear);
    assert_eq!(world.granted(&MobileNode::alice()).sa.user_data, UserData::Protected);
}

#[test]
fn a_home_network_of_one_family_gives_home_addresses_and_prefixes_of_that_family_alone() {
    let pools = World::new().policy.pools;
    for one in [Pools { ip4: None, ..pools }, Pools { ip6: None, ..pools }] {
        let mut world = World::new();
        world.policy.pools = one;
        let grant = world.granted(&MobileNode::alice());
        assert_eq!((grant.sa.home.ip6().is_some(), grant.sa.home.ip4().is_some()), (one.ip6.is_some(), one.ip4.is_some()));
        assert_eq!((grant.home_prefix6, grant.home_prefix4), (one.ip6, one.ip4));
    }
}

#[test]
fn a_stored_key_that_is_too_short_is_our_fault() {
    let mut world = World::new();
    let new = NewSubscriber { nai: "bob@example.org", psk: &Secret::new(vec![9; 15]), policy: SubscriberPolicy::default() };
    world.store.add_subscriber(&new, world.wall, &mut rand::rng()).unwrap();
    let bob = MobileNode { name: "bob@example.org", ..MobileNode::alice() };
    let (waiting, request) = initiator::start(bob.offer(), ChannelBinding::new(vec![5; 32]), &mut rand::rng());
    let mut session = Session::new(ChannelBinding::new(vec![5; 32]), Ipv4Addr::LOCALHOST.into());
    let Step::Close(octets) = world.handle(&mut session, &request) else { panic!("closed") };
    assert_eq!(refused(waiting.handle(&octets).err().unwrap()), (Status::ServerError, None, false));
    let error = look_up(&mut world.store, "bob@example.org").err().unwrap().to_string();
    assert!(error.contains("has 15 octets and must have 16"), "{error}");
}

#[test]
fn an_exhausted_pool_is_503() {
    let mut world = World::new();
    world.policy.pools = Pools { ip6: None, ip4: Some("10.9.0.0/31".parse().unwrap()) };
    assert_eq!(world.refusal(&MobileNode::alice()).0, Status::Unavailable);
}

#[test]
fn a_name_under_attack_waits_and_an_unknown_one_likewise() {
    for name in [NAI, "mallory@example.org"] {
        let mut world = World::new();
        for _ in 0..crate::admission::NAME_LIMIT {
            assert_eq!(wrong_done(&mut world, name).0, Status::NotAuthenticated);
        }
        let mut session = Session::new(ChannelBinding::new(vec![5; 32]), Ipv4Addr::new(192, 0, 2, 9).into());
        let mobile_node = MobileNode { name, ..MobileNode::alice() };
        let (waiting, request) = initiator::start(mobile_node.offer(), ChannelBinding::new(vec![5; 32]), &mut rand::rng());
        let Step::Close(octets) = world.handle(&mut session, &request) else { panic!("{name} waits") };
        let failure = waiting.handle(&octets).err().unwrap();
        let retry = Some(world.wall + crate::admission::WINDOW);
        assert_eq!(refused(failure), (Status::Unavailable, retry, false), "{name}");
    }
}

/// Else a stranger would see by the number of failures left to him that somebody of that name authenticates.
#[test]
fn a_subscriber_who_authenticates_does_not_change_when_his_name_has_to_wait() {
    let mut world = World::new();
    for _ in 1..crate::admission::NAME_LIMIT {
        assert_eq!(wrong_done(&mut world, NAI).0, Status::NotAuthenticated);
    }
    world.granted(&MobileNode::alice());
    assert_eq!(wrong_done(&mut world, NAI).0, Status::NotAuthenticated);
    assert!(world.admission.wait(Ipv4Addr::new(192, 0, 2, 9).into(), NAI, world.now).is_some());
}

#[test]
fn malformed_octets_are_400_and_a_session_answers_nothing_afterwards() {
    let mut world = World::new();
    let mut session = Session::new(ChannelBinding::new(vec![5; 32]), Ipv4Addr::LOCALHOST.into());
    let Step::Close(octets) = world.handle(&mut session, &[0, 1, 0, 4, b'j', b'u', b'n', b'k']) else { panic!("closed") };
    assert_eq!(session.ended(), Some(Status::Malformed));
    assert!(!octets.is_empty());
    let (_, request) = initiator::start(MobileNode::alice().offer(), ChannelBinding::new(vec![5; 32]), &mut rand::rng());
    assert!(matches!(world.handle(&mut session, &request), Step::Close(nothing) if nothing.is_empty()));
}
