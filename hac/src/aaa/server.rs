//! One AAA server: asks it, finds it dead, and probes it until it is alive again.
//!
//! `conversation` asks; a probe is a task of its own, one for each time that the server is found dead, and ends with that.

use std::sync::{Arc, Weak};

use tokio::time::{Instant, sleep_until, timeout_at};

use super::client::Timings;
use super::error::AaaError;
use super::peer::{Peer, ServerConfig};
use super::pool::{Full, Pool};
use super::port::Broken;
use super::reply::Reply;
use super::request::Content;
use super::transport::Transport;

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
        let pool = Pool::new(timings, probe.clone());
        Self { peer: Arc::new(Peer::new(config)), pool, timings, probe }
    }

    pub(super) fn is_alive(&self) -> bool {
        self.peer.health().is_alive(Instant::now())
    }

    /// An authentic reply to this request, within the limit.
    pub(super) async fn ask(self: &Arc<Self>, content: &Content) -> Result<Reply, AaaError> {
        let (asked, dropped) = (Instant::now(), self.peer.counts.all_dropped());
        let end = asked + self.timings.limit;
        let mut is_counted = false;
        while Instant::now() < end {
            let mut exchange = match self.pool.begin(content, &self.peer) {
                Ok(exchange) => exchange,
                Err(Full::Later(time)) => {
                    sleep_until(time.min(end)).await;
                    continue;
                }
                Err(full) => return Err(self.explain(full)),
            };
            self.count(&mut is_counted);
            match timeout_at(end, exchange.run(self.timings.timeout)).await {
                Ok(Ok(reply)) => return Ok(reply),
                // The connection has ended: the request begins anew on another.
                Ok(Err(Broken)) => {}
                Err(_) => exchange.give_up(),
            }
        }
        self.found_silent(asked);
        Err(self.silent(dropped))
    }

    fn count(&self, is_counted: &mut bool) {
        if std::mem::replace(is_counted, true) {
            self.peer.counts.retransmission();
        } else {
            self.peer.counts.request();
        }
    }

    fn found_silent(self: &Arc<Self>, asked: Instant) {
        self.peer.counts.silence();
        let dead = self.peer.health().silent(asked, Instant::now(), self.timings.dead_time);
        let Some(until) = dead else { return };
        let config = &self.peer.config;
        tracing::warn!(server = config.name, dead_time = ?self.timings.dead_time,
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
        let ServerConfig { name, transport, .. } = &self.peer.config;
        let (server, limit) = (name.clone(), self.timings.limit);
        if let Some(reason) = self.peer.attempts().reason() {
            return AaaError::Unreachable { server, limit, reason: reason.to_owned() };
        }
        let dropped = self.peer.counts.all_dropped().saturating_sub(dropped_before);
        AaaError::Silent { server, over_tls: matches!(transport, Transport::Tls(_)), limit, dropped }
    }

    fn explain(&self, full: Full) -> AaaError {
        let server = self.peer.config.name.clone();
        match full {
            // No try is made before a time: there is no connection to begin on.
            Full::Busy | Full::Later(_) => AaaError::Busy { server },
            Full::Socket(source) => AaaError::Socket { server, source },
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
