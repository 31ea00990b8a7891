//! A AAA server as its sockets see it: where it is, the secret, whether it is alive, what came from it.
//!
//! `server` owns one; the receivers of its `port`s report to it.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use protocol::sa::Secret;
use tokio::time::Instant;

use super::counts::Counts;
use super::health::Health;
use super::reply::{Dropped, Reply};

/// A AAA server, as configured.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Its name, for messages.
    pub name: String,
    /// Where it listens: UDP, port 1812 as registered.
    pub address: SocketAddr,
    /// Shared with it.
    pub secret: Secret,
    /// Whether it is probed with Status-Server while it is dead: where it is known to support that (RFC 5997 section 4.1).
    /// Without, it is asked again when the dead-time is over.
    pub status_server: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) config: ServerConfig,
    pub(super) counts: Counts,
    health: Mutex<Health>,
}

impl Peer {
    pub(super) fn new(config: ServerConfig) -> Self {
        Self { config, counts: Counts::default(), health: Mutex::default() }
    }

    pub(super) fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what became of a datagram from its address.
    pub(super) fn note(&self, received: Result<&Reply, Dropped>) {
        match received {
            Ok(reply) => self.counts.reply(reply.decision()),
            Err(reason) => {
                self.counts.dropped(reason);
                tracing::trace!(server = self.config.name, ?reason, "a datagram from the AAA server's address is dropped");
            }
        }
        let is_there = matches!(received, Ok(_) | Err(Dropped::NoMessageAuthenticator));
        if is_there && self.health().heard(Instant::now()) {
            tracing::info!(server = self.config.name, address = %self.config.address, "the AAA server answers again");
        }
    }
}
