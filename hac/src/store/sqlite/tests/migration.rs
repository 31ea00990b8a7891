//! A database of schema version 1 under this build.

use rusqlite::Connection;

use super::*;
use crate::store::sealing::Context;
use crate::store::sqlite::{migration, row};

/// The schema as version 1 had it.
const SCHEMA_1: &str = include_str!("schema_1.sql");
const SPI: u32 = 0x123_4567;

struct Version1 {
    folder: tempfile::TempDir,
}

impl Version1 {
    /// With one subscriber, one home agent, and one association that was delivered once.
    fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap() };
        let connection = Connection::open(world.path()).unwrap();
        connection.execute_batch(SCHEMA_1).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        let (kek, rng, created) = (kek(1), &mut rand::rng(), unix_seconds(now()));
        let mut sealed = |octets: Secret, context| kek.seal(&octets, &context, rng).unwrap();
        let pseudo = sealed(Secret::new(vec![3; 32]), Context::pseudo_psk_secret());
        let psk = sealed(Secret::new(vec![9; 32]), Context::psk("alice@example.org"));
        let suite = CipherSuite::Aes128Gcm;
        let keys = sealed(row::join_keys(&keys(1), &keys(2)), Context::sa_keys(Spi::new(SPI).unwrap(), suite, created));
        connection.execute("INSERT INTO server VALUES (1, 7, ?1)", [pseudo]).unwrap();
        connection.execute("INSERT INTO subscriber VALUES (1, 'alice@example.org', ?1, 1, ?2)", (psk, created)).unwrap();
        let rest = "INSERT INTO home_agent VALUES ('ha1', 4, NULL, x'c6336401', 7872);
             INSERT INTO home_address VALUES (1, 4, x'0a090005');";
        connection.execute_batch(rest).unwrap();
        let association = "INSERT INTO security_association VALUES
             (?1, 1, 'ha1', 'AES_128_GCM', 1, ?2, NULL, x'0a090005', NULL, x'c6336401', 7872, ?3, ?4, 7, 0)";
        connection.execute(association, (SPI, keys, created, created + 600)).unwrap();
        connection.execute("INSERT INTO lease VALUES (?1, ?2, 0)", (SPI, [1_u8; 16])).unwrap();
        world
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("hac.db")
    }

    fn version(&self) -> i64 {
        migration::version(&Connection::open(self.path()).unwrap()).unwrap()
    }
}

fn recipient() -> Recipient<'static> {
    Recipient { home_agent: "ha1", group: Spi::new(SPI).unwrap().group(), instance: InstanceId([1; 16]) }
}

#[test]
fn a_database_of_version_1_is_brought_forward_and_loses_nothing() {
    let world = Version1::new();
    for _ in 0..2 {
        let mut store = SqliteStore::open(&world.path(), kek(1)).unwrap();
        assert_eq!(store.psk("alice@example.org").unwrap(), Some(Secret::new(vec![9; 32])));
        assert_eq!(store.subscriber_policy("alice@example.org").unwrap(), SubscriberPolicy::default());
        let read = store.look_up(&recipient(), Spi::new(SPI).unwrap(), now()).unwrap().unwrap();
        assert_eq!((read.sa.profile, read.lease, read.revision), (WireProfile::Rfc6618, 0, Revision(7)));
        assert_eq!((read.sa.mn_to_ha, read.sa.ha_to_mn), (keys(1), keys(2)));
        assert_eq!(read.sa.home.ip4(), "10.9.0.5".parse().ok());
        assert_eq!(world.version(), 2);
    }
    let mut store = SqliteStore::open(&world.path(), kek(1)).unwrap();
    let policy = SubscriberPolicy { profile: Some(WireProfile::Draft04), ..SubscriberPolicy::default() };
    add(&mut store, "bob@example.org", policy.clone()).unwrap();
    assert_eq!(store.subscriber_policy("bob@example.org").unwrap(), policy);
    assert_eq!(provision(&mut store, "alice@example.org").sa.home.ip4(), "10.9.0.5".parse().ok(), "the address is sticky");
}

#[test]
fn a_migrated_database_has_the_tables_of_a_new_one() {
    let world = Version1::new();
    let migrated = SqliteStore::open(&world.path(), kek(1)).unwrap();
    let new = SqliteStore::in_memory(kek(1), &mut rand::rng()).unwrap();
    for table in ["server", "subscriber", "home_address", "home_agent", "security_association", "spi_block", "lease"] {
        assert_eq!(columns(&migrated, table), columns(&new, table), "{table}");
    }
}

/// Name, type, NOT NULL, default and place in the primary key of each column.
fn columns(store: &SqliteStore, table: &str) -> Vec<(String, String, bool, Option<String>, i64)> {
    let mut query =
        store.connection.prepare("SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info(?1)").unwrap();
    let rows = query.query_map([table], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))).unwrap();
    rows.collect::<rusqlite::Result<_>>().unwrap()
}

#[test]
fn a_migration_that_fails_half_way_changes_nothing() {
    let world = Version1::new();
    // The last step finds its column there already.
    let in_the_way = "ALTER TABLE security_association ADD COLUMN profile TEXT";
    Connection::open(world.path()).unwrap().execute(in_the_way, []).unwrap();
    assert!(matches!(SqliteStore::open(&world.path(), kek(1)), Err(StoreError::Database(_))));
    assert_eq!(world.version(), 1);
    let subscriber = "SELECT COUNT(*) FROM pragma_table_info('subscriber') WHERE name IN ('profile', 'suites', 'user_data')";
    let added: i64 = Connection::open(world.path()).unwrap().query_row(subscriber, [], |row| row.get(0)).unwrap();
    assert_eq!(added, 0);
}

#[test]
fn another_key_encryption_key_migrates_nothing() {
    let world = Version1::new();
    assert!(matches!(SqliteStore::open(&world.path(), kek(2)), Err(StoreError::Sealed(_))));
    assert_eq!(world.version(), 1);
}

#[test]
fn a_newer_version_and_a_file_of_something_else_are_refused_and_left_alone() {
    for found in [0, 3] {
        let world = Version1::new();
        Connection::open(world.path()).unwrap().pragma_update(None, "user_version", found).unwrap();
        let refused = SqliteStore::open(&world.path(), kek(1)).err().unwrap();
        assert!(matches!(refused, StoreError::SchemaVersion { wanted: 2, .. }), "{refused}");
        assert_eq!(world.version(), found);
    }
}
