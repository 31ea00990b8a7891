//! One AAA server: asks it, finds it dead, and probes it until it is alive again.
//!
//! `conversation` asks; a probe is a task of its own, one for each time that the server is found dead, and ends with that.

use std::sync::{Arc, Weak};

use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::client::Timings;
use super::error::AaaError;
use super::peer::{Peer, ServerConfig};
use super::pool::{Full, Pool};
use super::reply::Reply;
use super::request::Content;

/// See the module.
pub(super) struct Server {
    pub(super) peer: Arc<Peer>,
    pub(super) pool: Pool,
    timings: Timings,
    /// What it is probed with; `None` where it is not to be.
    probe: Option<Content>,
}

impl Server {
    pub(super) fn new(config: ServerConfig, timings: Timings, probe: Option<Content>) -> Self {
        Self { peer: Arc::new(Peer::new(config)), pool: Pool::default(), timings, probe }
    }

    pub(super) fn is_alive(&self) -> bool {
        self.peer.health().is_alive(Instant::now())
    }

    /// An authentic reply to this request, within the limit.
    pub(super) async fn ask(self: &Arc<Self>, content: &Content) -> Result<Reply, AaaError> {
        let (asked, dropped) = (Instant::now(), self.peer.counts.all_dropped());
        let mut exchange = self.pool.begin(content, &self.peer).map_err(|full| self.explain(full))?;
        self.peer.counts.request();
        match timeout(self.timings.limit, exchange.run(self.timings.timeout)).await {
            Ok(reply) => Ok(reply),
            Err(_) => {
                exchange.give_up();
                self.found_silent(asked);
                Err(self.silent(dropped))
            }
        }
    }

    fn found_silent(self: &Arc<Self>, asked: Instant) {
        self.peer.counts.silence();
        let dead = self.peer.health().silent(asked, Instant::now(), self.timings.dead_time);
        let Some(until) = dead else { return };
        let config = &self.peer.config;
        tracing::warn!(server = config.name, address = %config.address, dead_time = ?self.timings.dead_time,
            "the AAA server does not answer: others are asked meanwhile");
        if self.probe.is_some() {
            tokio::spawn(probe(Arc::downgrade(self), until));
        }
    }

    /// One Status-Server, and its reply until `end`. The first goes out at once: where the silence was of one realm, or
    /// somebody's making, the server is back after one round trip.
    async fn probe_once(&self, content: &Content, end: Instant) {
        // Without a socket the next probe is another try.
        let Ok(mut exchange) = self.pool.begin(content, &self.peer) else { return };
        self.peer.counts.probe();
        if timeout_at(end, exchange.run_once()).await.is_err() {
            exchange.give_up();
        }
    }

    fn silent(&self, dropped_before: u64) -> AaaError {
        let ServerConfig { name, address, .. } = &self.peer.config;
        let dropped = self.peer.counts.all_dropped().saturating_sub(dropped_before);
        AaaError::Silent { server: name.clone(), address: *address, limit: self.timings.limit, dropped }
    }

    fn explain(&self, full: Full) -> AaaError {
        let ServerConfig { name, address, .. } = &self.peer.config;
        match full {
            Full::Busy => AaaError::Busy { server: name.clone() },
            Full::Socket(source) => AaaError::Socket { server: name.clone(), address: *address, source },
        }
    }
}

/// Until the server is alive, has been dead for the dead-time, or has gone with its client.
async fn probe(server: Weak<Server>, until: Instant) {
    while let Some(server) = server.upgrade() {
        let Some(content) = &server.probe else { return };
        if !server.peer.health().is_dead_until(until, Instant::now()) {
            return;
        }
        let end = Instant::now() + server.timings.probe;
        server.probe_once(content, end).await;
        drop(server);
        sleep_until(end).await;
    }
}
