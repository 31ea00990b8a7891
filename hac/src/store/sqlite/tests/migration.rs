//! A database of an earlier schema version under this build.

use std::num::NonZeroU16;

use rusqlite::Connection;

use super::*;
use crate::store::sealing::Context;
use crate::store::sqlite::{migration, row};

/// Each earlier version with its schema.
const EARLIER: [(i64, &str); 6] = [
    (1, include_str!("schema_1.sql")),
    (2, include_str!("schema_2.sql")),
    (3, include_str!("schema_3.sql")),
    (4, include_str!("schema_4.sql")),
    (5, include_str!("schema_5.sql")),
    (6, include_str!("schema_6.sql")),
];
/// A live association, delivered to two processes.
const SPI: u32 = 0x123_4567;
/// One that has ended, and whose SPI is in quarantine.
const ENDED: u32 = 0x123_4568;

struct Earlier {
    folder: tempfile::TempDir,
}

impl Earlier {
    /// With two subscribers, one home agent and two associations of the first subscriber.
    fn new((version, schema): (i64, &str)) -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap() };
        let connection = Connection::open(world.path()).unwrap();
        connection.execute_batch(schema).unwrap();
        connection.pragma_update(None, "user_version", version).unwrap();
        let (kek, rng, created) = (kek(1), &mut rand::rng(), unix_seconds(now()));
        let mut sealed = |octets: Secret, context| kek.seal(&octets, &context, rng).unwrap();
        let pseudo = sealed(Secret::new(vec![3; 32]), Context::pseudo_psk_secret());
        let psk = sealed(Secret::new(vec![9; 32]), Context::psk("alice@example.org"));
        let suite = CipherSuite::Aes128Gcm;
        let keys = sealed(row::join_keys(&keys(1), &keys(2)), Context::sa_keys(Spi::new(SPI).unwrap(), suite, created));
        connection.execute("INSERT INTO server VALUES (1, 8, ?1)", [pseudo]).unwrap();
        let subscriber = "INSERT INTO subscriber (id, nai, psk, enabled, created) VALUES (?1, ?2, ?3, ?4, ?5)";
        connection.execute(subscriber, (1, "alice@example.org", &psk, 1, created)).unwrap();
        connection.execute(subscriber, (7, "carol@example.org", &psk, 0, created)).unwrap();
        let rest = "INSERT INTO home_agent (name, ha_group, ip4, port) VALUES ('ha1', 4, x'c6336401', 7872);
             INSERT INTO home_address VALUES (1, 4, x'0a090005');";
        connection.execute_batch(rest).unwrap();
        let association = "INSERT INTO security_association (spi, subscriber, home_agent, suite, user_data, keys, home4, agent4,
             agent_port, created, valid_until, revision, ended)
             VALUES (?1, 1, 'ha1', 'AES_128_GCM', 1, ?2, x'0a090005', x'c6336401', 7872, ?3, ?4, ?5, ?6)";
        connection.execute(association, (SPI, Some(keys), created, created + 600, 7, 0)).unwrap();
        connection.execute(association, (ENDED, None::<Vec<u8>>, created, created + 600, 8, 1)).unwrap();
        for (instance, number) in [([1_u8; 16], 0), ([2; 16], 1)] {
            connection.execute("INSERT INTO lease (spi, instance, number) VALUES (?1, ?2, ?3)", (SPI, instance, number)).unwrap();
        }
        if version > 1 {
            connection.execute_batch("UPDATE subscriber SET profile = 'draft-04', suites = 'NULL_SHA,AES_128_GCM'").unwrap();
            connection.execute_batch("UPDATE security_association SET profile = 'draft-04'").unwrap();
        }
        world
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("hac.db")
    }

    fn open(&self) -> SqliteStore {
        SqliteStore::open(&self.path(), kek(1)).unwrap()
    }

    fn version(&self) -> i64 {
        migration::version(&Connection::open(self.path()).unwrap()).unwrap()
    }
}

fn recipient(instance: u8) -> Recipient<'static> {
    Recipient { home_agent: "ha1", group: Spi::new(SPI).unwrap().group(), instance: InstanceId([instance; 16]) }
}

#[test]
fn a_database_of_an_earlier_version_is_brought_forward_and_loses_nothing() {
    for earlier in EARLIER {
        let world = Earlier::new(earlier);
        let profile = if earlier.0 == 1 { WireProfile::Rfc6618 } else { WireProfile::Draft04 };
        let mut own = SubscriberPolicy::default();
        if earlier.0 > 1 {
            own.profile = Some(profile);
            own.suites = Some(vec![CipherSuite::NullSha, CipherSuite::Aes128Gcm]);
        }
        for _ in 0..2 {
            let mut store = world.open();
            assert_eq!(psk(&mut store, "alice@example.org").unwrap(), Some(vec![9; 32]));
            assert_eq!(policy(&mut store, "alice@example.org").unwrap().as_ref(), Some(&own));
            assert!(!store.subscriber("carol@example.org", now()).unwrap().unwrap().enabled);
            for (instance, lease) in [(1, 0), (2, 1)] {
                let read = store.look_up(&recipient(instance), Spi::new(SPI).unwrap(), now()).unwrap().unwrap();
                assert_eq!((read.sa.profile, read.lease, read.revision), (profile, lease, Revision(7)));
                assert_eq!((read.sa.mn_to_ha, read.sa.ha_to_mn), (keys(1), keys(2)));
                assert_eq!(read.sa.home.ip4(), "10.9.0.5".parse().ok());
            }
            assert_eq!(world.version(), migration::VERSION);
        }
    }
}

/// What version 4 is there for, likewise.
#[test]
fn in_a_migrated_database_nobody_has_registered_until_a_home_agent_says_so() {
    for earlier in EARLIER {
        let mut store = Earlier::new(earlier).open();
        for registered in [vec![], vec![Spi::new(SPI).unwrap()]] {
            store.note_registered(&recipient(1), &registered, now()).unwrap();
            let noted = all(&mut store, &Selection::default()).into_iter().filter(|record| record.is_registered);
            assert_eq!(noted.map(|record| record.spi).collect::<Vec<_>>(), registered);
        }
    }
}

/// What version 5 is there for, on an association that was made before.
#[test]
fn a_migrated_database_has_no_word_of_a_aaa_server_and_keeps_the_next_one() {
    for earlier in EARLIER {
        let mut store = Earlier::new(earlier).open();
        store.note_usage(&recipient(1), &[report(Spi::new(SPI).unwrap(), 1, 10)], now()).unwrap();
        assert_eq!(due(&mut store, now()), []);
        let spi = authorised_at(&mut store, "alice@example.org");
        let before = store.associations(&Selection::default(), false, None, 10, now()).unwrap();
        let words: BTreeSet<_> = before.iter().map(|record| (record.spi, record.is_authorised_by_aaa)).collect();
        assert_eq!(words, [(Spi::new(SPI).unwrap(), false), (spi, true)].into());
        store.note_usage(&recipient(1), &[report(spi, 1, 10)], now()).unwrap();
        assert_eq!(due(&mut store, now()).len(), 1);
    }
}

/// What version 6 is there for.
#[test]
fn a_home_agent_of_an_earlier_database_has_no_fallback_and_another_may() {
    for earlier in EARLIER {
        let mut store = Earlier::new(earlier).open();
        assert_eq!(store.home_agent("ha1").unwrap().unwrap().fallback_port, None);
        let ha2 = HomeAgent { fallback_port: NonZeroU16::new(443), ..agent("ha2", 5) };
        store.add_home_agent(&ha2).unwrap();
        assert_eq!(store.home_agent("ha2").unwrap(), Some(ha2));
    }
}

/// What version 7 is there for, on an association that was made before.
#[test]
fn in_a_migrated_database_nobody_has_a_network_until_he_is_given_one() {
    for earlier in EARLIER {
        let mut store = Earlier::new(earlier).open();
        let read = store.look_up(&recipient(1), Spi::new(SPI).unwrap(), now()).unwrap().unwrap();
        assert!(read.sa.prefixes.is_empty());
        assert!(store.subscriber("alice@example.org", now()).unwrap().unwrap().prefixes.is_empty());
        store.add_prefix("alice@example.org", "2001:db8:7::/48".parse().unwrap(), now()).unwrap();
        assert_eq!(provision(&mut store, "alice@example.org").sa.prefixes.to_string(), "2001:db8:7::/48");
    }
}

/// Likewise, of the group that an earlier database has.
fn authorised_at(store: &mut SqliteStore, nai: &str) -> Spi {
    let ha1 = store.home_agent("ha1").unwrap().unwrap();
    let order = Order { key: key(store, nai), access: Some(&access(nai)), ..order(nai, &ha1) };
    let spi = store.provision(&order, now(), &mut rand::rng()).unwrap().sa.spi;
    store.look_up(&recipient(1), spi, now()).unwrap().unwrap();
    spi
}

/// What version 3 is there for, on associations that were made before.
#[test]
fn a_migrated_database_takes_new_subscribers_and_lets_old_ones_and_home_agents_go() {
    for earlier in EARLIER {
        let world = Earlier::new(earlier);
        let mut store = world.open();
        let own = SubscriberPolicy { profile: Some(WireProfile::Draft04), ..SubscriberPolicy::default() };
        add(&mut store, "bob@example.org", own.clone()).unwrap();
        assert_eq!(policy(&mut store, "bob@example.org").unwrap(), Some(own));
        assert_eq!(provision(&mut store, "alice@example.org").sa.home.ip4(), "10.9.0.5".parse().ok(), "the address is sticky");
        assert_eq!(store.remove_subscriber("alice@example.org", now()).unwrap().len(), 2);
        assert_eq!(provision(&mut store, "bob@example.org").sa.home.ip4(), "10.9.0.6".parse().ok());
        assert_eq!(store.remove_home_agent("ha1", now()).unwrap(), 1);
        assert_eq!(store.counts(now()).unwrap(), Counts { subscribers: 2, home_agents: 0, live_sas: 0, waiting_sessions: 0 });
    }
}

#[test]
fn a_migrated_database_has_tables_indexes_and_triggers_of_a_new_one() {
    let new = SqliteStore::in_memory(kek(1), &mut rand::rng()).unwrap();
    assert!(objects(&new).len() > 12);
    for earlier in EARLIER {
        let migrated = Earlier::new(earlier).open();
        assert_eq!(objects(&migrated), objects(&new));
        let with_session = ["access", "session", "mobile_network"];
        let before = ["server", "subscriber", "home_address", "home_agent", "security_association", "spi_block", "lease"];
        for table in before.into_iter().chain(with_session) {
            assert_eq!(columns(&migrated, table), columns(&new, table), "{table}");
            assert_eq!(foreign_keys(&migrated, table), foreign_keys(&new, table), "{table}");
        }
        let query = "SELECT used FROM spi_block WHERE block = ?1";
        let used: i64 = migrated.connection.query_row(query, [SPI >> 12], |row| row.get(0)).unwrap();
        assert_eq!(used, 2, "copying the rows has counted none of them twice");
        let check = |pragma: &str| migrated.connection.query_row(pragma, [], |row| row.get::<_, String>(0));
        assert_eq!(check("PRAGMA integrity_check").unwrap(), "ok");
        assert!(matches!(check("PRAGMA foreign_key_check"), Err(rusqlite::Error::QueryReturnedNoRows)));
    }
}

/// Kind, name and table of everything; of what was never altered, its text too.
fn objects(store: &SqliteStore) -> BTreeSet<(String, String, String, Option<String>)> {
    let mut query = store.connection.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema").unwrap();
    let rows = query.query_map([], |row| {
        let (kind, name, sql) = (row.get::<_, String>(0)?, row.get(1)?, row.get::<_, Option<String>>(3)?);
        Ok((kind.clone(), name, row.get(2)?, sql.filter(|_| kind != "table")))
    });
    rows.unwrap().collect::<rusqlite::Result<_>>().unwrap()
}

/// Name, type, NOT NULL, default and place in the primary key of each column.
fn columns(store: &SqliteStore, table: &str) -> Vec<(String, String, bool, Option<String>, i64)> {
    let mut query =
        store.connection.prepare("SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info(?1)").unwrap();
    let rows = query.query_map([table], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))).unwrap();
    rows.collect::<rusqlite::Result<_>>().unwrap()
}

/// Column, table that it refers to, and what a deletion there does.
fn foreign_keys(store: &SqliteStore, table: &str) -> BTreeSet<(String, String, String)> {
    let mut query = store.connection.prepare("SELECT \"from\", \"table\", on_delete FROM pragma_foreign_key_list(?1)").unwrap();
    let rows = query.query_map([table], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    rows.collect::<rusqlite::Result<_>>().unwrap()
}

#[test]
fn a_migration_that_fails_half_way_changes_nothing() {
    for (earlier, in_the_way) in [
        // The last statement of step 2 finds its column there already; one in the middle of step 3, its index.
        (EARLIER[0], "ALTER TABLE security_association ADD COLUMN profile TEXT"),
        (EARLIER[0], "CREATE INDEX security_association_home_agent ON server (one)"),
        (EARLIER[1], "CREATE INDEX security_association_home4_held ON server (one)"),
        (EARLIER[2], "ALTER TABLE security_association ADD COLUMN registered TEXT"),
        (EARLIER[3], "ALTER TABLE lease ADD COLUMN sessions INTEGER"),
        (EARLIER[5], "ALTER TABLE security_association ADD COLUMN prefixes TEXT"),
    ] {
        let world = Earlier::new(earlier);
        let dump = || {
            let connection = Connection::open(world.path()).unwrap();
            let mut schema = connection.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name").unwrap();
            let schema = schema.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?))).unwrap();
            let rows = "SELECT (SELECT COUNT(*) FROM lease), (SELECT COUNT(*) FROM security_association)";
            let rows: (i64, i64) = connection.query_row(rows, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
            (schema.collect::<rusqlite::Result<Vec<_>>>().unwrap(), rows)
        };
        Connection::open(world.path()).unwrap().execute(in_the_way, []).unwrap();
        let before = dump();
        assert!(matches!(SqliteStore::open(&world.path(), kek(1)), Err(StoreError::Database(_))), "{in_the_way}");
        assert_eq!(world.version(), earlier.0);
        assert_eq!(dump(), before, "{in_the_way}");
    }
}

#[test]
fn another_key_encryption_key_migrates_nothing() {
    for earlier in EARLIER {
        let world = Earlier::new(earlier);
        assert!(matches!(SqliteStore::open(&world.path(), kek(2)), Err(StoreError::Sealed(_))));
        assert_eq!(world.version(), earlier.0);
    }
}

#[test]
fn a_newer_version_and_a_file_of_something_else_are_refused_and_left_alone() {
    for found in [0, migration::VERSION + 1] {
        let world = Earlier::new(EARLIER[0]);
        Connection::open(world.path()).unwrap().pragma_update(None, "user_version", found).unwrap();
        let refused = SqliteStore::open(&world.path(), kek(1)).err().unwrap();
        assert!(matches!(refused, StoreError::SchemaVersion { wanted: 7, .. }), "{refused}");
        assert_eq!(world.version(), found);
    }
}
