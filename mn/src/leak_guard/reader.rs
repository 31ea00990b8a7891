//! What the guard has counted, for `mn status`.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::nft;
use super::rules::{self, INJECTED, REJECTED, REJECTED_DNS};
use crate::config::{Guard, GuardMode};

/// Whoever asks more often gets the same answer: each costs a process.
const FRESH: Duration = Duration::from_millis(200);

/// The guard as it is now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// `on`, `inbound` or `off`, as configured.
    pub mode: String,
    /// Whether the table is there.
    pub standing: bool,
    /// Packets that were to leave beside the tunnel, since it was put up.
    pub rejected: u64,
    /// Of these, queries to name servers.
    pub rejected_dns: u64,
    /// Packets for a home address that came past the tunnel.
    pub injected: u64,
}

/// Reads the counters of a node's table.
pub struct Reader {
    mode: GuardMode,
    table: String,
    last: Mutex<Option<(Instant, Seen)>>,
}

impl Reader {
    /// Of the guard that goes with this routing table.
    pub fn new(guard: &Guard, table: u32) -> Self {
        Self { mode: guard.mode, table: rules::table_name(table), last: Mutex::new(None) }
    }

    /// As it is, or was a moment ago.
    pub async fn read(&self) -> Seen {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, seen)) = last.filter(|(at, _)| at.elapsed() < FRESH) {
            let _ = at;
            return seen;
        }
        let seen = self.read_now().await;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), seen.clone()));
        seen
    }

    async fn read_now(&self) -> Seen {
        let mode = self.mode.name().to_owned();
        let counters = if self.mode == GuardMode::Off { None } else { nft::counters(&self.table).await.unwrap_or_default() };
        let counters = counters.and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
        let Some(counters) = counters else { return Seen { mode, ..Seen::default() } };
        let packets = |name: &str| {
            let rows = counters["nftables"].as_array().into_iter().flatten();
            let mut named = rows.filter(|row| row["counter"]["name"] == name);
            named.find_map(|row| row["counter"]["packets"].as_u64())
        };
        let count = |name| packets(name).unwrap_or_default();
        let standing = packets(INJECTED).is_some();
        Seen { mode, standing, rejected: count(REJECTED), rejected_dns: count(REJECTED_DNS), injected: count(INJECTED) }
    }
}
