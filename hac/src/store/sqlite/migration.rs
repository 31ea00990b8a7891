//! The schema's version, and how a database of an earlier one becomes one of this build.

use rusqlite::Transaction;

use crate::store::Result;

/// The version of `schema.sql`.
pub(super) const VERSION: i64 = 7;
/// Each version behind the first, with what makes it out of the one before.
const STEPS: [(i64, &str); 6] = [
    (2, include_str!("migration_2.sql")),
    (3, include_str!("migration_3.sql")),
    (4, include_str!("migration_4.sql")),
    (5, include_str!("migration_5.sql")),
    (6, include_str!("migration_6.sql")),
    (7, include_str!("migration_7.sql")),
];

/// What a database of another version can come to.
pub(super) fn is_known(version: i64) -> bool {
    (1..=VERSION).contains(&version)
}

/// Brings the database to [`VERSION`]. The caller's transaction holds all steps; another process may have been first.
pub(super) fn run(transaction: &Transaction<'_>) -> Result<()> {
    let found = version(transaction)?;
    for (version, step) in STEPS.into_iter().filter(|(version, _)| *version > found) {
        transaction.execute_batch(step)?;
        set_version(transaction, version)?;
        tracing::info!(version, "the database has a new schema version");
    }
    Ok(())
}

/// `user_version`, 0 in a file that no HAC has made.
pub(super) fn version(connection: &rusqlite::Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

pub(super) fn set_version(connection: &rusqlite::Connection, version: i64) -> rusqlite::Result<()> {
    connection.pragma_update(None, "user_version", version)
}
