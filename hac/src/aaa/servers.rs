//! The AAA servers of one service, in the order in which they are asked.
//!
//! `client` has those that decide about access, `accounting` those that are told of sessions.

use std::sync::Arc;
use std::time::Duration;

use super::client::{ClientConfig, MAX_LIMIT, MAX_SERVERS, SERVERS_PER_RUN, ServerStatus, Timings};
use super::error::{AaaError, ConfigError};
use super::peer::ServerConfig;
use super::reply::{Reply, Service};
use super::request::Content;
use super::server::Server;

/// See the module. There is one at least.
pub(super) struct Servers(Vec<Arc<Server>>);

impl Servers {
    /// Opens no socket.
    ///
    /// # Errors
    /// The configuration cannot work.
    pub(super) fn new(config: ClientConfig, service: Service) -> Result<Self, ConfigError> {
        let ClientConfig { servers, nas_identifier, timings } = config;
        check(&servers, &timings)?;
        let length = nas_identifier.len();
        let probe = Content::status_server(&nas_identifier, service).ok().filter(|_| length > 0);
        let probe = probe.ok_or(ConfigError::NasIdentifier(length))?;
        let of = |config: ServerConfig| {
            let probe = config.status_server.then(|| probe.clone());
            Arc::new(Server::new(config, timings, probe))
        };
        Ok(Self(servers.into_iter().map(of).collect()))
    }

    /// An authentic reply of the first server that has one.
    ///
    /// # Errors
    /// Of the last that was asked: it does not answer, or cannot be asked.
    pub(super) async fn ask(&self, content: &Content) -> Result<(Arc<Server>, Reply), AaaError> {
        let mut candidates = self.candidates().into_iter().peekable();
        while let Some(server) = candidates.next() {
            match server.ask(content).await {
                Ok(reply) => return Ok((server, reply)),
                Err(error) if candidates.peek().is_none() => return Err(error),
                Err(error) => tracing::debug!(%error, "the next AAA server is asked"),
            }
        }
        unreachable!("a client has a server")
    }

    /// Whether one of them has not been found dead.
    pub(super) fn is_any_alive(&self) -> bool {
        self.0.iter().any(|server| server.is_alive())
    }

    /// Every server, in the order of the configuration.
    pub(super) fn status(&self) -> Vec<ServerStatus> {
        self.0.iter().map(|server| status(server)).collect()
    }

    /// Those that are asked, in order: those alive, or the first when none is.
    fn candidates(&self) -> Vec<Arc<Server>> {
        let alive = self.0.iter().filter(|server| server.is_alive()).take(SERVERS_PER_RUN);
        let alive: Vec<_> = alive.map(Arc::clone).collect();
        if alive.is_empty() { self.0.first().map(Arc::clone).into_iter().collect() } else { alive }
    }
}

fn check(servers: &[ServerConfig], timings: &Timings) -> Result<(), ConfigError> {
    if servers.is_empty() || servers.len() > MAX_SERVERS {
        return Err(ConfigError::Servers { given: servers.len(), most: MAX_SERVERS });
    }
    if let Some(server) = servers.iter().find(|server| server.secret.is_empty()) {
        return Err(ConfigError::EmptySecret(server.name.clone()));
    }
    let Timings { timeout, limit, dead_time, probe } = *timings;
    let times =
        [("timeout", timeout, None), ("limit", limit, Some(MAX_LIMIT)), ("dead-time", dead_time, None), ("probe", probe, None)];
    let wrong = |&(_, given, most): &(_, Duration, Option<Duration>)| given.is_zero() || most.is_some_and(|most| given > most);
    match times.into_iter().find(wrong) {
        Some((name, given, most)) => Err(ConfigError::Time { name, given, most }),
        None => Ok(()),
    }
}

fn status(server: &Server) -> ServerStatus {
    let (sockets, busy_sockets) = server.pool.sockets();
    ServerStatus {
        name: server.peer.config.name.clone(),
        transport: server.peer.config.transport.name(),
        tls_version: server.pool.tls_version(),
        is_alive: server.is_alive(),
        sockets,
        busy_sockets,
        counts: server.peer.counts.snapshot(),
    }
}
