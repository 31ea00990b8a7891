//! The sessions of subscribers that the server keeps, so that its tickets are short: one that carries a subscriber's chain of certificates
//! in each ClientHello costs the requests which it should save.
//!
//! They are kept sealed as [`Tickets`] would send them: with their age, for TLS 1.3 alone, of use no longer than a ticket.

use std::fmt;
use std::sync::Arc;

use rustls::server::{ProducesTickets, ServerSessionMemoryCache, StoresServerSessions};

use crate::tls::tickets::Tickets;

/// Sessions kept; the oldest makes room. Only who has authenticated gets one, and each is a few kilobytes, mostly certificates.
const MAX_SESSIONS: usize = 1_024;

/// The sessions of one server.
pub(super) struct ServerSessions {
    tickets: Tickets,
    kept: Arc<ServerSessionMemoryCache>,
}

impl ServerSessions {
    /// None yet.
    pub(super) fn new(tickets: Tickets) -> Self {
        Self { tickets, kept: ServerSessionMemoryCache::new(MAX_SESSIONS) }
    }

    fn open(&self, sealed: Option<Vec<u8>>) -> Option<Vec<u8>> {
        self.tickets.decrypt(&sealed?)
    }
}

impl fmt::Debug for ServerSessions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ServerSessions").finish_non_exhaustive()
    }
}

impl StoresServerSessions for ServerSessions {
    fn put(&self, key: Vec<u8>, session: Vec<u8>) -> bool {
        self.tickets.encrypt(&session).is_some_and(|sealed| self.kept.put(key, sealed))
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.open(self.kept.get(key))
    }

    /// Each is of use once.
    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.open(self.kept.take(key))
    }

    fn can_cache(&self) -> bool {
        true
    }
}
