//! A AAA server as its sockets see it: where it is, the secret, whether it is alive, what came from it.
//!
//! `server` owns one; the receivers of its `port`s report to it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::sa::Secret;
use tokio::time::Instant;

use super::attempts::Attempts;
use super::counts::Counts;
use super::health::Health;
use super::reply::{Dropped, Reply};
use super::transport::{TlsServer, Transport, tls_secret};

/// A AAA server, as configured.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Its name, for messages: address or name, and port.
    pub name: String,
    /// Where it listens, and over what.
    pub transport: Transport,
    /// Shared with it.
    pub secret: Secret,
    /// Whether it is probed with Status-Server while it is dead: where it is known to support that (RFC 5997 section 4.1).
    /// Without, it is asked again when the dead-time is over.
    pub status_server: bool,
}

impl ServerConfig {
    /// A server over TLS, whose secret nobody chooses.
    pub fn over_tls(name: String, server: TlsServer, status_server: bool) -> Self {
        Self { name, transport: Transport::Tls(server), secret: tls_secret(), status_server }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) config: ServerConfig,
    pub(super) counts: Counts,
    health: Mutex<Health>,
    attempts: Mutex<Attempts>,
}

impl Peer {
    pub(super) fn new(config: ServerConfig) -> Self {
        Self { config, counts: Counts::default(), health: Mutex::default(), attempts: Mutex::default() }
    }

    pub(super) fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Over TLS: when it may be connected to.
    pub(super) fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what became of a packet from it.
    pub(super) fn note(&self, received: Result<&Reply, Dropped>) {
        match received {
            Ok(reply) => self.counts.reply(reply.decision()),
            Err(reason) => {
                self.counts.dropped(reason);
                tracing::trace!(server = self.config.name, ?reason, "a packet from the AAA server is dropped");
            }
        }
        if !matches!(received, Ok(_) | Err(Dropped::NoMessageAuthenticator)) {
            return;
        }
        self.attempts().succeeded();
        if self.health().heard(Instant::now()) {
            tracing::info!(server = self.config.name, "the AAA server answers again");
        }
    }

    /// A connection came to nothing. The next try waits, `longest` at most; a reason is warned of once an outage.
    pub(super) fn not_reached(&self, reason: String, longest: Duration) {
        let server = self.config.name.as_str();
        if self.attempts().failed(reason.clone(), Instant::now(), longest, &mut rand::rng()) {
            tracing::warn!(server, reason, "no connection to the AAA server is of use");
        } else {
            tracing::debug!(server, reason, "no connection to the AAA server is of use");
        }
    }
}
