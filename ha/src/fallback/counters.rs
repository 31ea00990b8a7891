//! What has become of connections; read by `ha status`.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use net::relay::RelayCounters;

/// Counts since the start, but for [`Self::open`].
#[derive(Debug, Default)]
pub struct FallbackCounters {
    open: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
    unbound: AtomicU64,
    /// What the relays have passed on.
    pub relays: RelayCounters,
}

/// A connection that is open for as long as this lives.
pub(super) struct Open<'a>(&'a FallbackCounters);

impl FallbackCounters {
    /// Connections that are open now.
    pub fn open(&self) -> u64 {
        self.open.load(Relaxed)
    }

    /// Connections that had room, whatever became of them.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Relaxed)
    }

    /// Connections for which there was no room.
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Connections that ended without an accepted Binding Update.
    pub fn unbound(&self) -> u64 {
        self.unbound.load(Relaxed)
    }

    pub(super) fn count_open(&self) -> Open<'_> {
        self.open.fetch_add(1, Relaxed);
        self.accepted.fetch_add(1, Relaxed);
        Open(self)
    }

    pub(super) fn count_refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    pub(super) fn count_unbound(&self) {
        self.unbound.fetch_add(1, Relaxed);
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}
