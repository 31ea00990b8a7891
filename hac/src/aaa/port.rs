//! One UDP socket or TLS connection to a AAA server, with its 256 identifiers, and what is under way on it.
//!
//! `pool` opens ports and gives their identifiers to requests. What differs between the two stands in `udp` and `tls`; `shared` has
//! what receives. It runs until the last holder has gone, over TLS until the connection ends.

mod connect;
mod shared;
mod tls;
mod udp;
pub(super) mod watchdog;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::Rng;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::packet::Authenticator;
use super::peer::Peer;
use super::reply::Reply;
use super::request::{Content, Request};
use super::retransmission::Retransmission;
use super::transport::Transport;
use super::waiting::IDENTIFIERS;

use shared::Shared;

/// Replies that a connection owes to nobody any more and may still bring: with more it is left for another one, while half of its
/// identifiers are free.
const MAX_OWED: usize = IDENTIFIERS / 2;

/// See the module.
pub(super) struct Port {
    link: Link,
    shared: Arc<Shared>,
    is_retired: AtomicBool,
}

enum Link {
    Udp(udp::Socket),
    Tls(tls::Connection),
}

/// The connection has ended before the reply came: the request may begin anew on another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Broken;

impl Port {
    /// `limit`: how long a request may take.
    pub(super) fn open(peer: &Arc<Peer>, limit: Duration) -> io::Result<Self> {
        let shared = Arc::new(Shared::new(Arc::clone(peer)));
        let link = match &peer.config.transport {
            Transport::Udp(address) => Link::Udp(udp::Socket::open(*address, &shared)?),
            Transport::Tls(server) => Link::Tls(tls::Connection::open(server, &shared, limit)),
        };
        Ok(Self { link, shared, is_retired: AtomicBool::new(false) })
    }

    /// Gives a request an identifier and a fresh Request Authenticator; `None` when no identifier is free, or the connection has
    /// ended.
    pub(super) fn begin(self: &Arc<Self>, content: &Content) -> Option<Exchange> {
        let mut waiting = self.shared.waiting();
        // Under the lock, since who ends a connection wakes those that wait then.
        if self.is_over() {
            return None;
        }
        let identifier = waiting.reserve()?;
        let mut authenticator = Authenticator::default();
        rand::rng().fill_bytes(&mut authenticator);
        let request = content.seal(identifier, authenticator, &self.shared.peer.config.secret);
        let reply = waiting.wait(request.awaited());
        Some(Exchange { request, reply, port: Arc::clone(self), heard_before: self.shared.heard() })
    }

    /// Whether no request is to begin here any more: one has had no answer while nothing came, and the reason may be the socket,
    /// whose own address is fixed and may be gone, or the connection, whose other end may be.
    pub(super) fn is_retired(&self) -> bool {
        self.is_retired.load(Ordering::Relaxed)
    }

    /// Whether the connection has ended.
    pub(super) fn is_over(&self) -> bool {
        self.shared.is_over()
    }

    /// Whether nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.shared.waiting().is_idle()
    }

    pub(super) fn is_connection(&self) -> bool {
        matches!(self.link, Link::Tls(_))
    }

    /// Of a connection that stands: `1.2` or `1.3`.
    pub(super) fn tls_version(&self) -> Option<&'static str> {
        match &self.link {
            Link::Udp(_) => None,
            Link::Tls(connection) => connection.version(),
        }
    }

    fn retire(&self) {
        self.is_retired.store(true, Ordering::Relaxed);
    }
}

/// One request that is under way. When dropped, nothing waits for its reply.
pub(super) struct Exchange {
    request: Request,
    reply: oneshot::Receiver<Reply>,
    port: Arc<Port>,
    heard_before: u64,
}

impl Exchange {
    /// Sends the request until its reply comes: over UDP again and again, the same octets from the same port (RFC 5080 section
    /// 2.2.2: by them the server knows it again); over TLS once, since TCP sees to it (RFC 6613 section 2.6.1).
    pub(super) async fn run(&mut self, first_wait: Duration) -> Result<Reply, Broken> {
        if self.port.is_connection() {
            return self.run_once().await;
        }
        let mut waits = Retransmission::new(first_wait);
        loop {
            self.send().await?;
            let wait = waits.next(&mut rand::rng());
            if let Ok(reply) = timeout(wait, self.reply()).await {
                return reply;
            }
            self.port.shared.peer.counts.retransmission();
        }
    }

    /// Sends the request and waits for its reply: a Status-Server MUST NOT be sent again (RFC 5997 section 4.1).
    pub(super) async fn run_once(&mut self) -> Result<Reply, Broken> {
        self.send().await?;
        self.reply().await
    }

    /// There was no reply within the limit. Where nothing else came either, the socket is not used for another request.
    pub(super) fn give_up(self) {
        if self.port.shared.heard() == self.heard_before {
            self.port.retire();
        }
    }

    async fn send(&self) -> Result<(), Broken> {
        match &self.port.link {
            Link::Udp(socket) => {
                socket.send(self.request.octets()).await;
                Ok(())
            }
            Link::Tls(connection) => connection.send(self.request.octets()),
        }
    }

    async fn reply(&mut self) -> Result<Reply, Broken> {
        (&mut self.reply).await.map_err(|_| Broken)
    }
}

/// Over UDP the identifier of a request that was given up may be reused before that request would have timed out, though after all
/// others: the server tells the two apart by their authenticators (RFC 5080 section 2.2.2), and so does `reply`. Over TLS it is
/// not used again before its reply has come, which it does or the connection ends.
impl Drop for Exchange {
    fn drop(&mut self) {
        let identifier = self.request.awaited().identifier;
        let mut waiting = self.port.shared.waiting();
        match self.port.link {
            Link::Udp(_) => waiting.give_back(identifier),
            Link::Tls(_) if waiting.leave(identifier) > MAX_OWED => self.port.retire(),
            Link::Tls(_) => {}
        }
    }
}
