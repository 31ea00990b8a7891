//! What is decided, on a real store.

use std::convert::Infallible;
use std::num::NonZeroU16;

use protocol::addr::HomeAgentAddresses;
use rand::{Rng, TryCryptoRng, TryRng};

use super::*;
use crate::store::NewSubscriber;
use crate::store::sealing::KeyEncryptionKey;
use crate::store::sqlite::SqliteStore;
use CipherSuite::{Aes128CbcSha, Aes128Gcm, NullSha};
use WireProfile::{Draft04, Rfc6618};

const NAI: &str = "alice@example.org";

fn store() -> SqliteStore {
    let kek = KeyEncryptionKey::new(&[1; 32]).unwrap();
    let mut store = SqliteStore::in_memory(kek, &mut rand::rng()).unwrap();
    add_subscriber(&mut store, NAI);
    add_home_agent(&mut store, "ha1", 0, 7872);
    add_home_agent(&mut store, "ha2", 1, 7872);
    store
}

fn add_subscriber(store: &mut SqliteStore, nai: &str) {
    let new = NewSubscriber { nai, psk: &Secret::new(vec![1; 32]), policy: SubscriberPolicy::default() };
    store.add_subscriber(&new, now(), &mut rand::rng()).unwrap();
}

fn add_home_agent(store: &mut SqliteStore, name: &str, group: u8, port: u16) {
    let addresses = HomeAgentAddresses::new(None, Some("192.0.2.1".parse().unwrap()), port).unwrap();
    store
        .add_home_agent(&HomeAgent { name: name.to_owned(), group: HaGroup::new(group).unwrap(), addresses, fallback_port: None })
        .unwrap();
}

fn now() -> SystemTime {
    std::time::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn policy(suites: &[CipherSuite]) -> Policy {
    let pools = Pools { ip6: Some("2001:db8:100::/64".parse().unwrap()), ip4: None };
    Policy {
        profile: Rfc6618,
        suites: suites.to_vec(),
        user_data: UserData::Protected,
        sa_lifetime: Duration::from_secs(600),
        pools,
        dns: Vec::new(),
    }
}

fn own(profile: WireProfile) -> SubscriberPolicy {
    SubscriberPolicy { profile: Some(profile), ..SubscriberPolicy::default() }
}

fn try_own(
    store: &mut SqliteStore,
    nai: &str,
    connected: &[&str],
    own: &SubscriberPolicy,
    user_data: UserData,
) -> Result<Committed, Refused> {
    let names: Vec<String> = connected.iter().map(|name| (*name).to_owned()).collect();
    let connected = Connected { names: &names, features: &features() };
    let key = store.credentials(nai).unwrap().map_or(KeyId::default(), |credentials| credentials.key);
    let request =
        Request { nai, key, own, suites: &CipherSuite::ALL, user_data, limit: None, access: None, framed: Framed::default() };
    provision(store, &policy(&[Aes128Gcm]), &request, &connected, now(), &mut rand::rng())
}

/// Of ha1's group alone.
fn features() -> BTreeMap<HaGroup, Features> {
    [(HaGroup::new(0).unwrap(), Features::HEARTBEAT)].into()
}

fn provisioned(store: &mut SqliteStore, nai: &str, connected: &[&str]) -> Result<Committed, Refused> {
    try_own(store, nai, connected, &SubscriberPolicy::default(), UserData::Protected)
}

/// What `policy` and the subscriber's `own` say to an offer.
fn decided(
    policy: &Policy,
    own: &SubscriberPolicy,
    suites: &[CipherSuite],
    user_data: UserData,
) -> Option<(CipherSuite, UserData)> {
    policy.decide(&Request {
        nai: NAI,
        key: KeyId::default(),
        own,
        suites,
        user_data,
        limit: None,
        access: None,
        framed: Framed::default(),
    })
}

#[test]
fn the_hacs_order_of_preference_decides_among_those_offered() {
    let suite = |policy: &Policy, own: &SubscriberPolicy, offered: &[CipherSuite]| {
        decided(policy, own, offered, UserData::Protected).map(|(suite, _)| suite)
    };
    let (policy, default) = (policy(&[Aes128Gcm, Aes128CbcSha]), SubscriberPolicy::default());
    assert_eq!(suite(&policy, &default, &[NullSha, Aes128CbcSha, Aes128Gcm]), Some(Aes128Gcm));
    assert_eq!(suite(&policy, &default, &[NullSha, Aes128CbcSha]), Some(Aes128CbcSha));
    assert_eq!(suite(&policy, &default, &[NullSha]), None, "NULL only where the policy names it");
    let own = SubscriberPolicy { suites: Some(vec![NullSha, Aes128CbcSha]), ..default };
    assert_eq!(suite(&policy, &own, &[Aes128CbcSha, NullSha]), Some(NullSha), "the subscriber's list takes the HAC's place");
    assert_eq!(suite(&policy, &own, &[Aes128Gcm]), None);
}

#[test]
fn user_data_goes_in_the_clear_only_where_policy_and_mobile_node_both_say_so() {
    use UserData::{Clear, Protected};
    for (hac, own, proposed, expected) in [
        (Protected, None, Clear, Protected),
        (Clear, None, Protected, Protected),
        (Clear, None, Clear, Clear),
        (Protected, Some(Clear), Clear, Clear),
        (Protected, Some(Clear), Protected, Protected),
        (Clear, Some(Protected), Clear, Protected),
    ] {
        let policy = Policy { user_data: hac, ..policy(&[Aes128Gcm]) };
        let own = SubscriberPolicy { user_data: own, ..SubscriberPolicy::default() };
        assert_eq!(decided(&policy, &own, &CipherSuite::ALL, proposed), Some((Aes128Gcm, expected)), "{hac} {own:?} {proposed}");
    }
}

#[test]
fn under_the_draft_a_null_suite_needs_the_subscribers_own_policy_and_user_data_in_the_clear() {
    use UserData::{Clear, Protected};
    let hac = Policy { user_data: Clear, ..policy(&[NullSha, Aes128Gcm]) };
    let named = |suites: &[CipherSuite]| SubscriberPolicy { suites: Some(suites.to_vec()), ..own(Draft04) };
    assert_eq!(decided(&hac, &own(Draft04), &CipherSuite::ALL, Clear), Some((Aes128Gcm, Clear)), "the HAC's list does not count");
    assert_eq!(decided(&hac, &own(Draft04), &[NullSha], Clear), None);
    assert_eq!(decided(&hac, &named(&[NullSha, Aes128Gcm]), &CipherSuite::ALL, Clear), Some((NullSha, Clear)));
    assert_eq!(decided(&hac, &named(&[NullSha, Aes128Gcm]), &CipherSuite::ALL, Protected), Some((Aes128Gcm, Protected)));
    assert_eq!(decided(&hac, &named(&[NullSha]), &CipherSuite::ALL, Protected), None, "such an association could carry no data");
    assert_eq!(decided(&hac, &own(Rfc6618), &CipherSuite::ALL, Protected), Some((NullSha, Protected)), "the RFC numbers packets");
    let default = Policy { profile: Draft04, ..hac };
    assert_eq!(decided(&default, &SubscriberPolicy::default(), &[NullSha], Clear), None, "the HAC's default is a profile too");
}

#[test]
fn keys_have_the_suites_lengths_and_all_differ() {
    for suite in CipherSuite::ALL {
        let (mn_to_ha, ha_to_mn) = draw_keys(suite, &mut rand::rng());
        for keys in [&mn_to_ha, &ha_to_mn] {
            assert_eq!(keys.integrity().len(), suite.integrity_key_len());
            assert_eq!(keys.encryption().len(), suite.encryption_key_len());
        }
        let again = draw_keys(suite, &mut rand::rng());
        let all = [&mn_to_ha, &ha_to_mn, &again.0, &again.1].map(|keys| [keys.integrity(), keys.encryption()]).concat();
        let drawn: Vec<_> = all.iter().filter(|key| !key.is_empty()).collect();
        let different: std::collections::BTreeSet<_> = drawn.iter().collect();
        assert_eq!(different.len(), drawn.len(), "{suite}: of both directions and two runs");
    }
}

/// Gives keys of one octet each, these, and after that random ones.
struct Dull(&'static [u8]);

impl TryRng for Dull {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(rand::rng().next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(rand::rng().next_u64())
    }

    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), Infallible> {
        match self.0.split_first() {
            Some((next, rest)) => {
                octets.fill(*next);
                self.0 = rest;
            }
            None => rand::rng().fill_bytes(octets),
        }
        Ok(())
    }
}

impl TryCryptoRng for Dull {}

#[test]
fn keys_that_their_suite_refuses_are_drawn_again() {
    let dull = |(mn_to_ha, _): &(DirectionKeys, DirectionKeys)| mn_to_ha.integrity().iter().all(|octet| *octet == 1);
    assert!(dull(&draw_keys(Aes128CbcSha, &mut Dull(&[1, 2, 3, 4]))));
    let redrawn = draw_keys(CipherSuite::TripleDesEdeCbcSha, &mut Dull(&[1, 2, 3, 4]));
    assert!(!dull(&redrawn) && Transform::new(CipherSuite::TripleDesEdeCbcSha, &redrawn.1).is_ok());
}

#[test]
fn a_key_that_one_of_the_others_equals_is_drawn_again() {
    for octets in [&[1, 1, 3, 4], &[1, 2, 1, 4], &[1, 2, 3, 1], &[1, 2, 2, 4], &[1, 2, 3, 2], &[1, 2, 3, 3]] {
        let (mn_to_ha, ha_to_mn) = draw_keys(CipherSuite::Aes128CbcSha256, &mut Dull(octets));
        let first = |key: &[u8]| key.windows(2).all(|pair| pair[0] == pair[1]);
        assert!(!first(mn_to_ha.integrity()) && !first(ha_to_mn.encryption()), "{octets:?}");
    }
}

#[test]
fn a_renewal_stays_at_its_home_agent_while_that_is_connected() {
    let mut store = store();
    assert_eq!(provisioned(&mut store, NAI, &["ha2"]).unwrap().home_agent.name, "ha2");
    for _ in 0..20 {
        assert_eq!(provisioned(&mut store, NAI, &["ha1", "ha2"]).unwrap().home_agent.name, "ha2");
    }
    let moved = provisioned(&mut store, NAI, &["ha1"]).unwrap();
    assert_eq!((moved.home_agent.name.as_str(), moved.provisioned.sa.spi.group().get()), ("ha1", 0));
}

#[test]
fn a_grant_names_the_fallback_of_a_home_agent_that_has_one() {
    let (mut store, policy) = (store(), policy(&[Aes128Gcm]));
    let fallbacks = [None, NonZeroU16::new(443)].map(|port| {
        let mut committed = provisioned(&mut store, NAI, &["ha1"]).unwrap();
        committed.home_agent.fallback_port = port;
        grant(&committed, &policy, now()).fallback.map(|server| server.to_string())
    });
    assert_eq!(fallbacks, [None, Some("ha1:443".to_owned())]);
}

#[test]
fn a_grant_says_what_the_home_agents_of_its_group_can_do_but_under_the_draft() {
    let mut store = store();
    let mut told = |name, profile| {
        let committed = try_own(&mut store, NAI, &[name], &own(profile), UserData::Protected).unwrap();
        grant(&committed, &policy(&[Aes128Gcm]), now()).sa.features.to_string()
    };
    assert_eq!([told("ha1", Rfc6618), told("ha2", Rfc6618), told("ha1", Draft04)], ["heartbeat", "", ""]);
}

#[test]
fn newcomers_spread_over_the_connected_home_agents() {
    let mut store = store();
    let mut chosen = std::collections::BTreeSet::new();
    for number in 0..64 {
        let nai = format!("mn{number}@example.org");
        add_subscriber(&mut store, &nai);
        chosen.insert(provisioned(&mut store, &nai, &["ha1", "ha2"]).unwrap().home_agent.name);
    }
    assert_eq!(chosen.len(), 2, "one of them chosen 64 times in a row happens once in 2^63");
}

#[test]
fn nothing_is_committed_without_a_connected_home_agent() {
    let mut store = store();
    for profile in WireProfile::ALL {
        for connected in [&[][..], &["stranger"]] {
            let refused = try_own(&mut store, NAI, connected, &own(profile), UserData::Protected);
            assert!(matches!(refused, Err(Refused::NoHomeAgent)));
        }
    }
    assert_eq!(store.counts(now()).unwrap().live_sas, 0);
}

#[test]
fn a_subscriber_of_the_draft_is_given_only_home_agents_on_the_port_that_needs_no_telling() {
    let mut store = store();
    add_home_agent(&mut store, "ha3", 2, 7999);
    assert_eq!(provisioned(&mut store, NAI, &["ha3"]).unwrap().home_agent.name, "ha3");
    for _ in 0..20 {
        let made = try_own(&mut store, NAI, &["ha1", "ha3"], &own(Draft04), UserData::Protected).unwrap();
        assert_eq!((made.home_agent.name.as_str(), made.provisioned.sa.profile), ("ha1", Draft04), "not even the current one");
    }
    let before = store.revision().unwrap();
    let refused = try_own(&mut store, NAI, &["ha3"], &own(Draft04), UserData::Protected).err().unwrap();
    assert!(matches!(refused, Refused::NoHomeAgentOnPort));
    assert!(refused.to_string().contains("hac ha add NAME --port 7872"), "{refused}");
    assert_eq!(store.revision().unwrap(), before, "nothing is committed");
}

#[test]
fn an_association_without_replay_protection_is_logged_as_a_warning_and_no_other() {
    let mut store = store();
    let named = |profile| SubscriberPolicy { suites: Some(vec![NullSha]), user_data: Some(UserData::Clear), ..own(profile) };
    let mut provisioned = |profile| {
        let made = try_own(&mut store, NAI, &["ha1"], &named(profile), UserData::Clear);
        made.unwrap().provisioned.sa
    };
    assert_eq!(fixture::logged(|| provisioned(Rfc6618)).1.len(), 0);
    let (sa, lines) = fixture::logged(|| provisioned(Draft04));
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert!(!sa.is_numbered() && line.contains("WARN") && line.contains("no replay protection"), "{line}");
    assert!(line.contains(&sa.spi.to_string()) && !line.contains(NAI), "names of subscribers are not logged: {line}");
}
