//! Why the store could not do it, in a sentence for the person who must act.

use ipnet::Ipv6Net;
use protocol::prefixes::PrefixError;

use super::session::{Chosen, Unfit};

/// Result of a store call.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Why the store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A name is taken.
    #[error("{what} \"{name}\" exists already; choose another name (the list command shows what is there)")]
    Exists {
        /// "subscriber" or "home agent".
        what: &'static str,
        /// Which.
        name: String,
    },
    /// A name is not there, or is disabled where an enabled one is needed.
    #[error("there is no {what} \"{name}\"; add it first (the list command shows what is there)")]
    Unknown {
        /// "subscriber" or "home agent".
        what: &'static str,
        /// Which.
        name: String,
    },
    /// The run that authenticated a mobile node is older than what the operator has done.
    #[error("the subscriber was removed, disabled or given another key while he authenticated")]
    Superseded,
    /// The chosen home agent is not recorded any more.
    #[error("the home agent was removed while an association was made for it")]
    HomeAgentGone,
    /// A policy is no longer what a change of it was made from.
    #[error("the policy of {0} was changed by somebody else meanwhile; look at it with `hac subscriber show {0}` and try again")]
    PolicyChanged(String),
    /// No home address left.
    #[error("the home address pool {0} is exhausted: configure a larger pool in [home] and restart, or remove subscribers")]
    PoolExhausted(ipnet::IpNet),
    /// A AAA server chose a home address that cannot be given.
    #[error(
        "a AAA server chose a home address that {reason}: {chosen}; have it choose one in a pool of [home] (neither its first two \
         addresses nor IPv4's last), or none, or configure another pool"
    )]
    Unfit {
        /// What it chose.
        chosen: Chosen,
        /// Why not.
        reason: Unfit,
    },
    /// A AAA server chose a home address that another subscriber is or may still be served under.
    #[error(
        "a AAA server chose a home address under which another subscriber may still be served: {chosen}; have it choose another, or \
         wait: it is free {} minutes past the validity end of his last association, which `hac sa list --all` shows",
        super::QUARANTINE.as_secs() / 60
    )]
    HomeAddressTaken {
        /// What it chose.
        chosen: Chosen,
    },
    /// It cannot be behind a node.
    #[error(transparent)]
    Prefix(#[from] PrefixError),
    /// A network is another subscriber's.
    #[error(
        "{prefix} overlaps {other}, which is behind the node of {holder}: `hac subscriber prefix remove {holder} {other}` frees it"
    )]
    PrefixTaken {
        /// What was to be added.
        prefix: Ipv6Net,
        /// What it overlaps.
        other: Ipv6Net,
        /// Whose that is.
        holder: String,
    },
    /// A network was another subscriber's, and he has an association with it.
    #[error(
        "{prefix} overlaps {other}, which is still served to {holder} under an association that was made before it was taken from him: \
         `hac sa revoke --subscriber {holder}` ends it, or wait until it has"
    )]
    PrefixServed {
        /// What was to be added.
        prefix: Ipv6Net,
        /// What it overlaps.
        other: Ipv6Net,
        /// Whose that is.
        holder: String,
    },
    /// A network is not the subscriber's.
    #[error("{prefix} is not behind the node of {nai}; `hac subscriber show {nai}` shows what is")]
    NoPrefix {
        /// Whose it should be.
        nai: String,
        /// Which.
        prefix: Ipv6Net,
    },
    /// No SPI left.
    #[error("home agent group {0} has no free SPI: add a home agent in another group")]
    SpisExhausted(u8),
    /// A sealed column does not open.
    #[error("{0} does not open under this key-encryption key: wrong `kek` file, or the row was altered; restore the right one")]
    Sealed(String),
    /// A row says something that it cannot say.
    #[error("the database is damaged: {0}; restore a backup")]
    Damaged(String),
    /// Another version's database.
    #[error("{path} has schema version {found}, this build knows 1 to {wanted}; run the `hac` that made it, or `hac init` anew")]
    SchemaVersion {
        /// Which file.
        path: String,
        /// Its `user_version`.
        found: i64,
        /// The newest that this build knows.
        wanted: i64,
    },
    /// The file cannot be made.
    #[error("cannot make the database {path}: {source}; `hac init` overwrites nothing: choose another folder")]
    Create {
        /// Which file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file cannot be opened.
    #[error("cannot open the database {path}: {source}; check the path and its permissions, or run `hac init`")]
    Open {
        /// Which file.
        path: String,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// SQLite failed in the middle.
    #[error("the database failed: {0}; check disk space and permissions")]
    Database(#[from] rusqlite::Error),
    /// The thread that ran the call is gone.
    #[error("a database call was abandoned: {0}")]
    Abandoned(String),
}
