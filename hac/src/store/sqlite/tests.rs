//! The store's promises, each on a real SQLite database in memory or in a file.

mod access;
mod accounting;
mod admitted;
mod framed;
mod home_addresses;
mod look_up;
mod migration;
mod mobile_networks;
mod registration;
mod removal;
mod selection;
mod sessions;
mod spis;
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
    HomeAgent { name: name.to_owned(), group: HaGroup::new(group).unwrap(), addresses, fallback_port: None }
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
    DirectionKeys::new(&Secret::empty(), &Secret::new(vec![octet; 20]))
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
        access: None,
        framed: Framed::default(),
    }
}

/// An association that a AAA server has authorised, and no home agent was given yet.
fn undelivered(store: &mut SqliteStore, nai: &str, access: &Access) -> Spi {
    let ha1 = agent("ha1", 0);
    let order = Order { key: key(store, nai), access: Some(access), ..order(nai, &ha1) };
    store.provision(&order, now(), &mut rand::rng()).unwrap().sa.spi
}

/// The same, delivered to the process 1 of `ha1`.
fn authorised(store: &mut SqliteStore, nai: &str, access: &Access) -> Spi {
    let spi = undelivered(store, nai, access);
    store.look_up(&to(1), spi, now()).unwrap().unwrap();
    spi
}

/// What a AAA server said of `nai`.
fn access(nai: &str) -> Access {
    Access { user_name: nai.to_owned(), class: vec![vec![1, 2], vec![0; 253]], interim: Some(Duration::from_secs(600)) }
}

fn after(seconds: u64) -> SystemTime {
    now() + Duration::from_secs(seconds)
}

/// A report of a session that is `age` seconds old, with as many packets of 100 octets uplink and one downlink.
fn report(spi: Spi, number: u32, age: u64) -> SessionReport {
    let traffic = Traffic { from_node: Volume { packets: age, octets: 100 * age }, to_node: Volume { packets: 1, octets: 100 } };
    SessionReport {
        spi,
        number,
        care_of: "192.0.2.77:40000".parse().unwrap(),
        age: Duration::from_secs(age),
        traffic,
        ended: None,
    }
}

/// What accounting is due, as Acct-Session-Id and kind.
fn due(store: &mut SqliteStore, at: SystemTime) -> Vec<(String, Told)> {
    store.accounting_due(None, 100, at).unwrap().into_iter().map(|(session, told)| (session.id, told)).collect()
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

/// Takes every SPI of `block` but those in `free`, with the least that the schema allows: as removed subscribers'.
fn fill_block(store: &SqliteStore, block: SpiBlock, free: &[u16]) {
    for number in (0..SpiBlock::LEN).filter(|number| !free.contains(number)) {
        let spi = block.spi(number).unwrap().get();
        let insert = "INSERT INTO security_association (spi, subscriber, home_agent, suite, user_data, home4, agent4, agent_port,
             created, valid_until, revision, ended) VALUES (?1, NULL, 'ha1', 'AES_128_GCM', 1, x'0a090002', x'01020304', 7872, 0, ?2, ?3, 1)";
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
fn a_fifth_association_ends_the_oldest_where_the_node_has_registered_under_none() {
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
