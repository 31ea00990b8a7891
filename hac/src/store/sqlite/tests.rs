//! The store's promises, each on a real SQLite database in memory or in a file.

mod look_up;
mod migration;
mod removal;
mod selection;
mod subscribers;

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use protocol::addr::HomeAgentAddresses;
use protocol::profile::WireProfile;
use protocol::sa::spi::{HaGroup, SpiBlock};
use protocol::sa::{CipherSuite, DirectionKeys, Secret, Spi, UserData};
use rand::Rng;

use super::SqliteStore;
use crate::store::sealing::KeyEncryptionKey;
use crate::store::*;

const LIFETIME: Duration = Duration::from_secs(86_400);

fn kek(octet: u8) -> KeyEncryptionKey {
    KeyEncryptionKey::new(&[octet; 32]).unwrap()
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn agent(name: &str, group: u8) -> HomeAgent {
    let addresses = HomeAgentAddresses::new(None, Some("198.51.100.1".parse().unwrap()), 7872).unwrap();
    HomeAgent { name: name.to_owned(), group: HaGroup::new(group).unwrap(), addresses }
}

fn pools() -> Pools {
    Pools { ip6: Some("2001:db8:100::/64".parse().unwrap()), ip4: Some("10.9.0.0/24".parse().unwrap()) }
}

fn store_with(subscribers: &[&str]) -> SqliteStore {
    let mut store = SqliteStore::in_memory(kek(1), &mut rand::rng()).unwrap();
    store.add_home_agent(&agent("ha1", 0)).unwrap();
    for nai in subscribers {
        add(&mut store, nai, SubscriberPolicy::default()).unwrap();
    }
    store
}

fn add(store: &mut SqliteStore, nai: &str, policy: SubscriberPolicy) -> Result<()> {
    store.add_subscriber(&NewSubscriber { nai, psk: &Secret::new(vec![9; 32]), policy }, now(), &mut rand::rng())
}

/// The octets of an enabled subscriber's key.
fn psk(store: &mut SqliteStore, nai: &str) -> Result<Option<Vec<u8>>> {
    Ok(store.credentials(nai)?.map(|credentials| credentials.psk.expose().to_vec()))
}

/// An enabled subscriber's own policy.
fn policy(store: &mut SqliteStore, nai: &str) -> Result<Option<SubscriberPolicy>> {
    Ok(store.credentials(nai)?.map(|credentials| credentials.policy))
}

fn key(store: &mut SqliteStore, nai: &str) -> KeyId {
    store.credentials(nai).unwrap().map_or(KeyId::default(), |credentials| credentials.key)
}

fn keys(octet: u8) -> DirectionKeys {
    DirectionKeys { integrity: Secret::empty(), encryption: Secret::new(vec![octet; 20]) }
}

fn try_provision(
    store: &mut SqliteStore,
    nai: &str,
    home_agent: &HomeAgent,
    pools: Pools,
    at: SystemTime,
) -> Result<Provisioned> {
    let order = Order { pools, key: key(store, nai), ..order(nai, home_agent) };
    store.provision(&order, at, &mut rand::rng())
}

fn order<'a>(nai: &'a str, home_agent: &'a HomeAgent) -> Order<'a> {
    Order {
        nai,
        key: KeyId::default(),
        home_agent,
        suite: CipherSuite::Aes128Gcm,
        profile: WireProfile::Rfc6618,
        user_data: UserData::Protected,
        mn_to_ha: keys(1),
        ha_to_mn: keys(2),
        pools: pools(),
        lifetime: LIFETIME,
    }
}

fn provision(store: &mut SqliteStore, nai: &str) -> Provisioned {
    try_provision(store, nai, &agent("ha1", 0), pools(), now()).unwrap()
}

fn to(instance: u8) -> Recipient<'static> {
    Recipient { home_agent: "ha1", group: HaGroup::new(0).unwrap(), instance: InstanceId([instance; 16]) }
}

/// The live associations of a selection.
fn all(store: &mut SqliteStore, of: &Selection<'_>) -> Vec<AssociationRecord> {
    store.associations(of, false, None, 1000, now()).unwrap()
}

fn snapshot(store: &mut SqliteStore, instance: u8) -> Vec<Delivery> {
    store.snapshot_page(&to(instance), None, 1000, now()).unwrap().deliveries
}

#[test]
fn an_association_comes_back_from_the_log_as_it_was_provisioned() {
    let mut store = store_with(&["alice@example.org"]);
    let made = provision(&mut store, "alice@EXAMPLE.org");
    let read = snapshot(&mut store, 1).remove(0);
    assert_eq!((read.sa.spi, read.revision, read.lease), (made.sa.spi, made.revision, 0));
    assert_eq!((read.sa.home, read.sa.home_agent, read.sa.suite), (made.sa.home, made.sa.home_agent, made.sa.suite));
    assert_eq!((read.sa.mn_to_ha, read.sa.ha_to_mn), (keys(1), keys(2)));
    assert_eq!(read.valid_until, now() + LIFETIME);
}

#[test]
fn spis_are_unique_random_and_never_in_block_0_of_group_0() {
    let names: Vec<String> = (0..100).map(|number| format!("mn{number}@example.org")).collect();
    let mut store = store_with(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let spis: Vec<Spi> = names.iter().map(|nai| provision(&mut store, nai).sa.spi).collect();
    assert_eq!(spis.iter().collect::<BTreeSet<_>>().len(), 100);
    assert!(spis.iter().all(|spi| spi.block().index() == 1), "the first usable block of group 0 is filled first");
    assert!(spis.windows(2).any(|pair| pair[0] > pair[1]), "numbers are drawn, not counted");
}

/// Takes every SPI of `block` but those in `free`, with the least that the schema allows.
fn fill_block(store: &SqliteStore, block: SpiBlock, free: &[u16]) {
    for number in (0..SpiBlock::LEN).filter(|number| !free.contains(number)) {
        let spi = block.spi(number).unwrap().get();
        let insert = "INSERT INTO security_association (spi, subscriber, home_agent, suite, user_data, home4, agent4, agent_port,
             created, valid_until, revision, ended) VALUES (?1, 1, 'ha1', 'AES_128_GCM', 1, x'0a090002', x'01020304', 7872, 0, ?2, ?3, 1)";
        store.connection.execute(insert, (spi, unix_seconds(now()), -i64::from(spi))).unwrap();
    }
}

#[test]
fn the_last_free_number_of_a_block_is_found_and_then_the_next_block_begins() {
    let mut store = store_with(&["alice@example.org"]);
    let first = HaGroup::new(0).unwrap().blocks().next().unwrap();
    fill_block(&store, first, &[1234]);
    assert_eq!(provision(&mut store, "alice@example.org").sa.spi, first.spi(1234).unwrap());
    assert_eq!(provision(&mut store, "alice@example.org").sa.spi.block().index(), first.index() + 1);
}

#[test]
fn an_spi_is_quarantined_for_ten_minutes_after_its_validity_end() {
    let mut store = store_with(&["alice@example.org"]);
    let first = HaGroup::new(0).unwrap().blocks().next().unwrap();
    fill_block(&store, first, &[]);
    let mut at = |seconds| {
        let at = now() + Duration::from_secs(seconds);
        try_provision(&mut store, "alice@example.org", &agent("ha1", 0), pools(), at).unwrap().sa.spi.block()
    };
    assert_ne!(at(600), first, "the rows of the first block end now and are held for 600 s");
    assert_eq!(at(601), first);
}

#[test]
fn a_fifth_association_ends_the_oldest() {
    let mut store = store_with(&["alice@example.org"]);
    let spis: Vec<Spi> = (0..5).map(|_| provision(&mut store, "alice@example.org").sa.spi).collect();
    let live: BTreeSet<Spi> = snapshot(&mut store, 1).iter().map(|delivery| delivery.sa.spi).collect();
    assert_eq!(live, spis[1..].iter().copied().collect());
    let changes = store.changes(&to(1), Revision(0), 100, now()).unwrap();
    assert!(changes.iter().any(|change| matches!(change, Change::Ended(spi, _) if *spi == spis[0])));
    let keys = store.connection.query_row("SELECT keys FROM security_association WHERE spi = ?1", [spis[0].get()], |row| {
        row.get::<_, Option<Vec<u8>>>(0)
    });
    assert_eq!(keys.unwrap(), None, "an ended association has no keys on disk");
}

#[test]
fn home_addresses_are_sticky_and_leave_the_home_agents_address_alone() {
    let mut store = store_with(&["alice@example.org", "bob@example.org"]);
    let alice = provision(&mut store, "alice@example.org").sa.home;
    let bob = provision(&mut store, "bob@example.org").sa.home;
    assert_eq!(provision(&mut store, "alice@example.org").sa.home, alice);
    assert_eq!(alice.ip4(), Some("10.9.0.2".parse().unwrap()));
    assert_eq!(bob.ip4(), Some("10.9.0.3".parse().unwrap()));
    assert_ne!(alice.ip6(), bob.ip6());
    assert!(pools().ip6.unwrap().contains(&alice.ip6().unwrap()));
}

#[test]
fn an_exhausted_pool_says_so_and_provisions_nothing() {
    let mut store = store_with(&["alice@example.org", "bob@example.org"]);
    let pool4 = Pools { ip6: None, ip4: Some("10.9.0.0/30".parse().unwrap()) };
    try_provision(&mut store, "alice@example.org", &agent("ha1", 0), pool4, now()).unwrap();
    let revision = store.revision().unwrap();
    let refused = try_provision(&mut store, "bob@example.org", &agent("ha1", 0), pool4, now()).unwrap_err();
    assert!(matches!(refused, StoreError::PoolExhausted(_)), "{refused}");
    assert_eq!(store.revision().unwrap(), revision);
    let pool6 = Pools { ip6: Some("2001:db8::/127".parse().unwrap()), ip4: None };
    let refused = try_provision(&mut store, "bob@example.org", &agent("ha1", 0), pool6, now()).unwrap_err();
    assert!(matches!(refused, StoreError::PoolExhausted(_)), "{refused}");
}

#[test]
fn a_small_ip6_pool_is_given_out_to_its_last_address() {
    let names: Vec<String> = (0..14).map(|number| format!("mn{number}@example.org")).collect();
    let mut store = store_with(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let pool = Pools { ip6: Some("2001:db8::/124".parse().unwrap()), ip4: None };
    let mut given = BTreeSet::new();
    for nai in &names {
        given.insert(try_provision(&mut store, nai, &agent("ha1", 0), pool, now()).unwrap().sa.home.ip6().unwrap());
    }
    assert_eq!(given.len(), 14);
    assert_eq!(given.first().unwrap().octets()[15], 2, "the network and the home agent keep 0 and 1");
}

#[test]
fn each_process_gets_its_own_lease_number_and_keeps_it() {
    let mut store = store_with(&["alice@example.org"]);
    provision(&mut store, "alice@example.org");
    let mut lease = |instance| snapshot(&mut store, instance)[0].lease;
    assert_eq!((lease(1), lease(2), lease(1), lease(3), lease(2)), (0, 1, 0, 2, 1));
}

#[test]
fn deltas_and_look_ups_carry_the_same_lease_as_the_snapshot() {
    let mut store = store_with(&["alice@example.org"]);
    let made = provision(&mut store, "alice@example.org");
    snapshot(&mut store, 1);
    assert_eq!(store.look_up(&to(2), made.sa.spi, now()).unwrap().unwrap().lease, 1);
    let changes = store.changes(&to(2), Revision(0), 10, now()).unwrap();
    assert!(matches!(&changes[..], [Change::Install(delivery)] if delivery.lease == 1));
}

#[test]
fn the_4097th_further_process_ends_the_association() {
    let mut store = store_with(&["alice@example.org"]);
    let spi = provision(&mut store, "alice@example.org").sa.spi;
    snapshot(&mut store, 1);
    let last = "INSERT INTO lease (spi, instance, number) VALUES (?1, zeroblob(16), ?2)";
    store.connection.execute(last, (spi.get(), LAST_LEASE - 1)).unwrap();
    assert_eq!(snapshot(&mut store, 1).len(), 1, "a process that has a lease keeps it");
    assert!(snapshot(&mut store, 2).is_empty());
    assert!(store.look_up(&to(1), spi, now()).unwrap().is_none());
}

#[test]
fn a_home_agent_looks_up_its_own_group_only() {
    let mut store = store_with(&["alice@example.org"]);
    let spi = provision(&mut store, "alice@example.org").sa.spi;
    let stranger = Recipient { home_agent: "ha9", group: HaGroup::new(1).unwrap(), instance: InstanceId([9; 16]) };
    assert!(store.look_up(&stranger, spi, now()).unwrap().is_none());
    assert!(store.snapshot_page(&stranger, None, 10, now()).unwrap().deliveries.is_empty());
    assert_eq!(snapshot(&mut store, 1)[0].lease, 0, "the refused look-up took no lease");
}

#[test]
fn a_snapshot_comes_in_pages_and_leaves_ended_and_expired_ones_out() {
    let names = ["a@example.org", "b@example.org", "c@example.org", "d@example.org"];
    let mut store = store_with(&names);
    let spis: Vec<Spi> = names.iter().map(|nai| provision(&mut store, nai).sa.spi).collect();
    store.end(spis[0]).unwrap().unwrap();
    assert_eq!(store.end(spis[0]).unwrap(), None);
    let first = store.snapshot_page(&to(1), None, 2, now()).unwrap();
    let second = store.snapshot_page(&to(1), first.next, 2, now()).unwrap();
    let all: BTreeSet<Spi> = first.deliveries.iter().chain(&second.deliveries).map(|delivery| delivery.sa.spi).collect();
    assert_eq!((all, second.next), (spis[1..].iter().copied().collect(), None));
    assert!(store.snapshot_page(&to(1), None, 10, now() + LIFETIME).unwrap().deliveries.is_empty());
}

#[test]
fn a_disabled_subscriber_has_no_key_and_no_associations() {
    let mut store = store_with(&["alice@example.org"]);
    let spi = provision(&mut store, "alice@example.org").sa.spi;
    assert_eq!(store.set_enabled("alice@example.org", false, now()).unwrap(), [spi]);
    assert_eq!(psk(&mut store, "alice@example.org").unwrap(), None);
    assert!(snapshot(&mut store, 1).is_empty());
    assert!(matches!(
        try_provision(&mut store, "alice@example.org", &agent("ha1", 0), pools(), now()),
        Err(StoreError::Superseded)
    ));
    assert!(matches!(store.set_enabled("nobody@example.org", false, now()), Err(StoreError::Unknown { .. })));
}

#[test]
fn a_key_moved_to_another_row_is_refused() {
    let mut store = store_with(&["alice@example.org", "mallory@example.org"]);
    let (alice, mallory) = (provision(&mut store, "alice@example.org"), provision(&mut store, "mallory@example.org"));
    let swap = "UPDATE security_association SET keys = (SELECT keys FROM security_association WHERE spi = ?2) WHERE spi = ?1";
    store.connection.execute(swap, (alice.sa.spi.get(), mallory.sa.spi.get())).unwrap();
    assert!(matches!(store.look_up(&to(1), alice.sa.spi, now()), Err(StoreError::Sealed(_))));

    let swap = "UPDATE subscriber SET psk = (SELECT psk FROM subscriber WHERE nai = 'mallory@example.org')";
    store.connection.execute(swap, []).unwrap();
    assert!(matches!(psk(&mut store, "alice@example.org"), Err(StoreError::Sealed(_))));
    assert!(psk(&mut store, "mallory@example.org").unwrap().is_some());
}

#[test]
fn a_name_is_taken_once() {
    let mut store = store_with(&["alice@example.org"]);
    let new = NewSubscriber { nai: "alice@Example.Org", psk: &Secret::new(vec![1; 32]), policy: SubscriberPolicy::default() };
    let again = store.add_subscriber(&new, now(), &mut rand::rng());
    assert!(matches!(again, Err(StoreError::Exists { .. })));
    assert!(matches!(store.add_home_agent(&agent("ha1", 3)), Err(StoreError::Exists { .. })));
    assert_eq!(psk(&mut store, "alice@example.org").unwrap(), Some(vec![9; 32]));
}

#[test]
fn a_database_file_survives_and_opens_only_under_its_own_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hac.db");
    let mut drawn = vec![0; 32];
    rand::rng().fill_bytes(&mut drawn);
    let mut store = SqliteStore::create(&path, kek(1), &mut rand::rng()).unwrap();
    let new = NewSubscriber { nai: "alice@example.org", psk: &Secret::new(drawn.clone()), policy: SubscriberPolicy::default() };
    store.add_subscriber(&new, now(), &mut rand::rng()).unwrap();
    drop(store);

    assert!(matches!(SqliteStore::create(&path, kek(1), &mut rand::rng()), Err(StoreError::Create { .. })));
    assert!(matches!(SqliteStore::open(&path, kek(2)), Err(StoreError::Sealed(_))));
    let mut store = SqliteStore::open(&path, kek(1)).unwrap();
    assert_eq!(psk(&mut store, "alice@example.org").unwrap(), Some(drawn.clone()));
    let octets = std::fs::read(&path).unwrap();
    assert!(!octets.windows(32).any(|window| window == drawn), "no key in the clear in the file");

    let settings = SqliteStore::open(&path, kek(1)).unwrap().connection;
    let pragma =
        |name: &str| settings.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, rusqlite::types::Value>(0)).unwrap();
    assert_eq!(pragma("journal_mode"), rusqlite::types::Value::Text("wal".to_owned()));
    assert_eq!(pragma("synchronous"), rusqlite::types::Value::Integer(2));
    assert_eq!(pragma("foreign_keys"), rusqlite::types::Value::Integer(1));
}

#[test]
fn a_gap_in_a_pool_is_found_when_its_end_is_reached() {
    let names: Vec<String> = (0..5).map(|number| format!("mn{number}@example.org")).collect();
    let mut store = store_with(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let pool4 = Pools { ip6: None, ip4: Some("10.9.0.8/29".parse().unwrap()) };
    let given = |store: &mut SqliteStore, number: usize| {
        try_provision(store, &names[number], &agent("ha1", 0), pool4, now()).unwrap().sa.home.ip4().unwrap().octets()[3]
    };
    assert_eq!([0, 1, 2, 3].map(|number| given(&mut store, number)), [10, 11, 12, 13]);
    store.connection.execute("DELETE FROM home_address WHERE address = x'0a09000b'", []).unwrap();
    assert_eq!(given(&mut store, 4), 14);
    assert_eq!(given(&mut store, 1), 11);
}

#[test]
fn an_association_keeps_its_profile_and_what_was_decided_about_user_data() {
    let mut store = store_with(&["alice@example.org"]);
    for profile in WireProfile::ALL {
        for user_data in UserData::ALL {
            let ha1 = agent("ha1", 0);
            let key = key(&mut store, "alice@example.org");
            let order = Order { profile, user_data, key, ..order("alice@example.org", &ha1) };
            let made = store.provision(&order, now(), &mut rand::rng()).unwrap();
            let read = store.look_up(&to(1), made.sa.spi, now()).unwrap().unwrap();
            assert_eq!((made.sa.profile, made.sa.user_data), (profile, user_data));
            assert_eq!((read.sa.profile, read.sa.user_data), (profile, user_data));
        }
    }
}

#[test]
fn a_pool_of_one_family_gives_home_addresses_of_that_family_alone() {
    let mut store = store_with(&["alice@example.org", "bob@example.org"]);
    let only6 = Pools { ip4: None, ..pools() };
    let only4 = Pools { ip6: None, ..pools() };
    let alice = try_provision(&mut store, "alice@example.org", &agent("ha1", 0), only6, now()).unwrap().sa.home;
    let bob = try_provision(&mut store, "bob@example.org", &agent("ha1", 0), only4, now()).unwrap().sa.home;
    assert!(alice.ip6().is_some() && alice.ip4().is_none(), "{alice:?}");
    assert!(bob.ip4().is_some() && bob.ip6().is_none(), "{bob:?}");
    let fed: BTreeSet<_> = snapshot(&mut store, 1).iter().map(|delivery| delivery.sa.home).collect();
    assert_eq!(fed, BTreeSet::from([alice, bob]));
    let listed: Vec<_> = store.subscribers(now()).unwrap().into_iter().map(|row| row.home.len()).collect();
    assert_eq!(listed, [1, 1]);
}

#[test]
fn a_pool_that_is_taken_away_is_no_longer_given_from_and_comes_back_with_the_same_address() {
    let mut store = store_with(&["alice@example.org"]);
    let both = provision(&mut store, "alice@example.org").sa.home;
    let only4 = Pools { ip6: None, ..pools() };
    let without6 = try_provision(&mut store, "alice@example.org", &agent("ha1", 0), only4, now()).unwrap().sa.home;
    assert_eq!((without6.ip6(), without6.ip4()), (None, both.ip4()));
    assert_eq!(provision(&mut store, "alice@example.org").sa.home, both);
}

#[test]
fn a_subscribers_own_policy_comes_back_as_it_was_given_and_each_part_may_be_missing() {
    let mut store = store_with(&["alice@example.org"]);
    let policies = [
        SubscriberPolicy { profile: Some(WireProfile::Draft04), suites: None, user_data: None },
        SubscriberPolicy { suites: Some(vec![CipherSuite::NullSha, CipherSuite::Aes128Gcm]), ..SubscriberPolicy::default() },
        SubscriberPolicy { user_data: Some(UserData::Clear), ..SubscriberPolicy::default() },
        SubscriberPolicy {
            profile: Some(WireProfile::Rfc6618),
            suites: Some(vec![CipherSuite::Aes128CbcSha]),
            user_data: Some(UserData::Protected),
        },
    ];
    for (number, policy) in policies.iter().enumerate() {
        let nai = format!("mn{number}@example.org");
        add(&mut store, &nai, policy.clone()).unwrap();
        assert_eq!(self::policy(&mut store, &nai.replace("example", "Example")).unwrap().as_ref(), Some(policy));
    }
    assert_eq!(policy(&mut store, "alice@example.org").unwrap(), Some(SubscriberPolicy::default()));
    let listed: Vec<_> = store.subscribers(now()).unwrap().into_iter().map(|row| row.policy).collect();
    assert_eq!(listed, [&[SubscriberPolicy::default()][..], &policies].concat());
}

#[test]
fn an_unknown_and_a_disabled_subscriber_have_no_policy_of_their_own() {
    let mut store = store_with(&[]);
    add(&mut store, "carol@example.org", SubscriberPolicy { profile: Some(WireProfile::Draft04), ..Default::default() }).unwrap();
    store.set_enabled("carol@example.org", false, now()).unwrap();
    for nai in ["carol@example.org", "nobody@example.org"] {
        assert_eq!(policy(&mut store, nai).unwrap(), None, "{nai}");
    }
}

#[test]
fn a_policy_that_this_build_cannot_read_is_said_and_not_guessed() {
    let mut store = store_with(&["alice@example.org"]);
    for wrong in ["profile = 'draft-05'", "suites = 'ROT13'", "suites = ''"] {
        store.connection.execute(&format!("UPDATE subscriber SET {wrong}"), []).unwrap();
        assert!(matches!(policy(&mut store, "alice@example.org"), Err(StoreError::Damaged(_))), "{wrong}");
    }
}
