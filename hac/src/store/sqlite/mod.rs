//! The store on SQLite: one file, write-ahead log, every commit on disk before the call returns.
//!
//! The tables are in `schema.sql`. Each file beside this one holds the queries of one concern and takes the transaction that
//! the [`Store`] method here opened; transactions are IMMEDIATE, since the command line writes beside the server.

mod access;
mod accounting;
mod association;
mod home_address;
mod home_agent;
mod log;
mod migration;
mod mobile_network;
mod provision;
mod registration;
mod row;
mod session;
mod spi;
mod subscriber;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use ipnet::Ipv6Net;
use protocol::prefixes::MobileNetworkPrefixes;
use protocol::sa::spi::{HaGroup, SpiBlocks};
use protocol::sa::{Secret, Spi};
use rand::CryptoRng;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior};

use super::sealing::{Context, KeyEncryptionKey};
use super::{
    AccessChange, AssociationRecord, Change, Counts, Credentials, Delivery, EndedPage, HomeAgent, NewSubscriber, Order,
    Provisioned, Recipient, Result, Revision, Selection, SessionQuery, SessionRecord, SessionReport, SnapshotPage, Store,
    StoreError, Subscriber, SubscriberPolicy, Told, canonical_nai, unix_seconds,
};

const SCHEMA: &str = include_str!("schema.sql");
/// How long a writer waits for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const PSEUDO_PSK_SECRET_LEN: usize = 32;

/// A [`Store`] in one SQLite file, or in memory for simulated worlds.
pub struct SqliteStore {
    connection: Connection,
    kek: KeyEncryptionKey,
    /// Which subscriber stands in for a name that is not there; keyed, so that nobody else can tell.
    stand_ins: RandomState,
}

/// What [`SqliteStore::inspect`] finds.
pub struct Inspected {
    /// The schema version of the file.
    pub version: i64,
    /// That of this build.
    pub newest: i64,
    /// For reading alone; `None` where [`SqliteStore::open`] would bring the file forward.
    pub store: Option<SqliteStore>,
}

impl SqliteStore {
    /// Looks at the database file without changing it: whether [`Self::open`] would take it.
    pub fn inspect(path: &Path, kek: KeyEncryptionKey) -> Result<Inspected> {
        let name = || path.display().to_string();
        let open = |source| StoreError::Open { path: name(), source };
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(open)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "query_only", true)?;
        let (version, newest) = (migration::version(&connection).map_err(open)?, migration::VERSION);
        if !migration::is_known(version) {
            return Err(StoreError::SchemaVersion { path: name(), found: version, wanted: newest });
        }
        let mut store = Self { connection, kek, stand_ins: RandomState::new() };
        store.pseudo_psk_secret()?;
        Ok(Inspected { version, newest, store: (version == newest).then_some(store) })
    }

    /// Makes the database file, readable by its owner only; refuses one that exists.
    pub fn create(path: &Path, kek: KeyEncryptionKey, rng: &mut dyn CryptoRng) -> Result<Self> {
        let open = |source| StoreError::Open { path: path.display().to_string(), source };
        let create = |source| StoreError::Create { path: path.display().to_string(), source };
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(create)?;
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(open)?;
        Self::configured(connection, kek)?.with_schema(rng)
    }

    /// Opens the database file, checks that `kek` belongs to it, and brings an earlier schema version to this build's.
    pub fn open(path: &Path, kek: KeyEncryptionKey) -> Result<Self> {
        let name = || path.display().to_string();
        let open = |source| StoreError::Open { path: name(), source };
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(open)?;
        let found = migration::version(&connection).map_err(open)?;
        if !migration::is_known(found) {
            return Err(StoreError::SchemaVersion { path: name(), found, wanted: migration::VERSION });
        }
        let mut store = Self::configured(connection, kek)?;
        store.pseudo_psk_secret()?;
        if found != migration::VERSION {
            store.write(|transaction, _| migration::run(transaction))?;
        }
        Ok(store)
    }

    /// An empty store that vanishes with the value.
    pub fn in_memory(kek: KeyEncryptionKey, rng: &mut dyn CryptoRng) -> Result<Self> {
        Self::configured(Connection::open_in_memory()?, kek)?.with_schema(rng)
    }

    fn configured(connection: Connection, kek: KeyEncryptionKey) -> Result<Self> {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "secure_delete", true)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(Self { connection, kek, stand_ins: RandomState::new() })
    }

    fn with_schema(mut self, rng: &mut dyn CryptoRng) -> Result<Self> {
        let mut secret = zeroize::Zeroizing::new(vec![0; PSEUDO_PSK_SECRET_LEN]);
        rng.fill_bytes(&mut secret);
        let sealed = seal(&self.kek, &Secret::new(secret.to_vec()), &Context::pseudo_psk_secret(), rng)?;
        self.write(|transaction, _| {
            transaction.execute_batch(SCHEMA)?;
            migration::set_version(transaction, migration::VERSION)?;
            transaction.execute("INSERT INTO server (one, revision, pseudo_psk_secret) VALUES (1, 0, ?1)", [sealed])?;
            Ok(())
        })?;
        Ok(self)
    }

    fn write<T>(&mut self, work: impl FnOnce(&Transaction<'_>, &KeyEncryptionKey) -> Result<T>) -> Result<T> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = work(&transaction, &self.kek)?;
        transaction.commit()?;
        Ok(done)
    }
}

impl Store for SqliteStore {
    fn add_subscriber(&mut self, new: &NewSubscriber<'_>, now: SystemTime, rng: &mut dyn CryptoRng) -> Result<()> {
        self.write(|transaction, kek| subscriber::add(transaction, kek, new, unix_seconds(now), rng))
    }

    fn subscribers(&mut self, now: SystemTime) -> Result<Vec<Subscriber>> {
        subscriber::list(&self.connection, unix_seconds(now))
    }

    fn subscriber(&mut self, nai: &str, now: SystemTime) -> Result<Option<Subscriber>> {
        subscriber::one(&self.connection, nai, unix_seconds(now))
    }

    fn names_like(&mut self, nai: &str) -> Result<Vec<String>> {
        subscriber::names_like(&self.connection, nai)
    }

    fn set_enabled(&mut self, nai: &str, enabled: bool, now: SystemTime) -> Result<Vec<Spi>> {
        self.write(|transaction, _| subscriber::set_enabled(transaction, nai, enabled, unix_seconds(now)))
    }

    fn set_policy(&mut self, nai: &str, old: &SubscriberPolicy, new: &SubscriberPolicy) -> Result<()> {
        self.write(|transaction, _| subscriber::set_policy(transaction, nai, old, new))
    }

    fn set_psk(&mut self, nai: &str, psk: &Secret, revoke: bool, now: SystemTime, rng: &mut dyn CryptoRng) -> Result<Vec<Spi>> {
        self.write(|transaction, kek| {
            subscriber::set_psk(transaction, kek, nai, psk, rng)?;
            if revoke { subscriber::end_associations(transaction, nai, unix_seconds(now)) } else { Ok(Vec::new()) }
        })
    }

    fn add_prefix(&mut self, nai: &str, prefix: Ipv6Net, now: SystemTime) -> Result<MobileNetworkPrefixes> {
        self.write(|transaction, _| mobile_network::add(transaction, nai, prefix, unix_seconds(now)))
    }

    fn remove_prefix(&mut self, nai: &str, prefix: Ipv6Net) -> Result<MobileNetworkPrefixes> {
        self.write(|transaction, _| mobile_network::remove(transaction, nai, prefix))
    }

    fn remove_subscriber(&mut self, nai: &str, now: SystemTime) -> Result<Vec<Spi>> {
        self.write(|transaction, _| subscriber::remove(transaction, nai, unix_seconds(now)))
    }

    fn credentials(&mut self, nai: &str) -> Result<Option<Credentials>> {
        subscriber::credentials(&self.connection, &self.kek, nai, self.stand_ins.hash_one(canonical_nai(nai)))
    }

    fn admit(&mut self, nai: &str, now: SystemTime, rng: &mut dyn CryptoRng) -> Result<Option<Credentials>> {
        self.write(|transaction, kek| subscriber::admit(transaction, kek, nai, unix_seconds(now), rng))
    }

    fn pseudo_psk_secret(&mut self) -> Result<Secret> {
        let query = "SELECT pseudo_psk_secret FROM server";
        let sealed: Vec<u8> = self.connection.query_row(query, [], |row| row.get(0))?;
        self.kek
            .open(&sealed, &Context::pseudo_psk_secret())
            .ok_or_else(|| StoreError::Sealed("the secret of the table server".to_owned()))
    }

    fn add_home_agent(&mut self, home_agent: &HomeAgent) -> Result<()> {
        self.write(|transaction, _| home_agent::add(transaction, home_agent))
    }

    fn home_agents(&mut self, now: SystemTime) -> Result<Vec<(HomeAgent, u64)>> {
        home_agent::list(&self.connection, unix_seconds(now))
    }

    fn remove_home_agent(&mut self, name: &str, now: SystemTime) -> Result<u64> {
        self.write(|transaction, _| home_agent::remove(transaction, name, unix_seconds(now)))
    }

    fn home_agent(&mut self, name: &str) -> Result<Option<HomeAgent>> {
        home_agent::one(&self.connection, name)
    }

    fn current_home_agent(&mut self, nai: &str, now: SystemTime) -> Result<Option<String>> {
        let query = "SELECT home_agent FROM security_association WHERE ended = 0 AND valid_until > ?2
             AND subscriber = (SELECT id FROM subscriber WHERE nai = ?1) ORDER BY revision DESC LIMIT 1";
        let name = canonical_nai(nai);
        Ok(self.connection.prepare_cached(query)?.query_row((name, unix_seconds(now)), |row| row.get(0)).optional()?)
    }

    fn provision(&mut self, order: &Order<'_>, now: SystemTime, rng: &mut dyn CryptoRng) -> Result<Provisioned> {
        self.write(|transaction, kek| provision::provision(transaction, kek, order, unix_seconds(now), rng))
    }

    fn end(&mut self, spi: Spi) -> Result<Option<Revision>> {
        self.write(|transaction, _| log::end(transaction, spi))
    }

    fn end_page(
        &mut self,
        of: &Selection<'_>,
        up_to: Revision,
        after: Option<Spi>,
        limit: usize,
        now: SystemTime,
    ) -> Result<EndedPage> {
        self.write(|transaction, _| association::end_page(transaction, of, up_to, after, limit, unix_seconds(now)))
    }

    fn associations(
        &mut self,
        of: &Selection<'_>,
        all: bool,
        after: Option<Spi>,
        limit: usize,
        now: SystemTime,
    ) -> Result<Vec<AssociationRecord>> {
        association::page(&self.connection, of, all, after, limit, unix_seconds(now))
    }

    fn revision(&mut self) -> Result<Revision> {
        log::revision(&self.connection)
    }

    fn snapshot_page(&mut self, to: &Recipient<'_>, after: Option<Spi>, limit: usize, now: SystemTime) -> Result<SnapshotPage> {
        self.write(|transaction, kek| log::snapshot_page(transaction, kek, to, after, limit, unix_seconds(now)))
    }

    fn changes(&mut self, to: &Recipient<'_>, after: Revision, limit: usize, now: SystemTime) -> Result<Vec<Change>> {
        self.write(|transaction, kek| log::changes(transaction, kek, to, after, limit, unix_seconds(now)))
    }

    fn look_up(&mut self, to: &Recipient<'_>, spi: Spi, now: SystemTime) -> Result<Option<Delivery>> {
        self.write(|transaction, kek| log::look_up(transaction, kek, to, spi, unix_seconds(now)))
    }

    fn note_registered(&mut self, from: &Recipient<'_>, spis: &[Spi], now: SystemTime) -> Result<()> {
        self.write(|transaction, _| registration::note(transaction, from, spis, unix_seconds(now)))
    }

    fn spi_blocks(&mut self, group: HaGroup) -> Result<SpiBlocks> {
        spi::blocks(&self.connection, group)
    }

    fn note_usage(&mut self, from: &Recipient<'_>, reports: &[SessionReport], now: SystemTime) -> Result<()> {
        self.write(|transaction, _| session::note(transaction, from, reports, unix_seconds(now)))
    }

    fn accounting_due(&mut self, interim: Option<Duration>, limit: usize, now: SystemTime) -> Result<Vec<(SessionRecord, Told)>> {
        accounting::due(&self.connection, interim, limit, unix_seconds(now))
    }

    fn accounting_told(&mut self, id: &str, told: Told, now: SystemTime) -> Result<()> {
        self.write(|transaction, _| accounting::told(transaction, id, told, unix_seconds(now)))
    }

    fn end_stale_sessions(&mut self, now: SystemTime) -> Result<u64> {
        self.write(|transaction, _| session::end_stale(transaction, unix_seconds(now)))
    }

    fn authorised(&mut self, of: &SessionQuery<'_>, limit: usize, now: SystemTime) -> Result<Vec<Spi>> {
        access::authorised(&self.connection, of, limit, unix_seconds(now))
    }

    fn disconnect(&mut self, spis: &[Spi], now: SystemTime) -> Result<()> {
        self.write(|transaction, _| access::disconnect(transaction, spis, unix_seconds(now)))
    }

    fn reauthorise(&mut self, spi: Spi, change: &AccessChange, now: SystemTime) -> Result<()> {
        self.write(|transaction, _| access::reauthorise(transaction, spi, change, unix_seconds(now)))
    }

    fn end_due(&mut self, now: SystemTime) -> Result<Vec<Spi>> {
        self.write(|transaction, _| access::end_due(transaction, unix_seconds(now)))
    }

    fn counts(&mut self, now: SystemTime) -> Result<Counts> {
        let query = "SELECT (SELECT COUNT(*) FROM subscriber), (SELECT COUNT(*) FROM home_agent),
             (SELECT COUNT(*) FROM security_association WHERE ended = 0 AND valid_until > ?1),
             (SELECT COUNT(*) FROM session WHERE told IS NULL)
                 + (SELECT COUNT(*) FROM session WHERE ended IS NOT NULL AND told IS NOT NULL)";
        let count = |row: &rusqlite::Row<'_>, column| row.get::<_, i64>(column).map(i64::unsigned_abs);
        Ok(self.connection.query_row(query, [unix_seconds(now)], |row| {
            Ok(Counts {
                subscribers: count(row, 0)?,
                home_agents: count(row, 1)?,
                live_sas: count(row, 2)?,
                waiting_sessions: count(row, 3)?,
            })
        })?)
    }
}

fn seal(kek: &KeyEncryptionKey, secret: &Secret, context: &Context, rng: &mut dyn CryptoRng) -> Result<Vec<u8>> {
    kek.seal(secret, context, rng).ok_or_else(|| StoreError::Sealed("a new secret".to_owned()))
}

#[cfg(test)]
mod tests;
