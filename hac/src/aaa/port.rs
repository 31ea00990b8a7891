//! One UDP socket to a AAA server, with its 256 identifiers, and what is under way on it.
//!
//! `pool` opens ports and gives their identifiers to requests. The socket is connected: the kernel lets pass what comes from the
//! server's address and port, and nothing else. Its receiver runs until the last holder has gone.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::Rng;
use tokio::net::UdpSocket;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::packet::{Authenticator, MAX_LEN};
use super::peer::Peer;
use super::reply::Reply;
use super::request::{Content, Request};
use super::retransmission::Retransmission;
use super::waiting::Waiting;

/// After an error of the socket, which ICMP brings: without, a server's host that refuses would keep a core busy.
const ERROR_PAUSE: Duration = Duration::from_millis(10);

/// See the module.
pub(super) struct Port {
    socket: Arc<UdpSocket>,
    waiting: Arc<Mutex<Waiting>>,
    is_retired: AtomicBool,
    receiver: AbortHandle,
}

impl Port {
    pub(super) fn open(peer: &Arc<Peer>) -> io::Result<Self> {
        let socket = Arc::new(connect(peer.config.address)?);
        let waiting = Arc::<Mutex<Waiting>>::default();
        let receiver = tokio::spawn(receive(Arc::clone(&socket), Arc::clone(&waiting), Arc::clone(peer))).abort_handle();
        Ok(Self { socket, waiting, is_retired: AtomicBool::new(false), receiver })
    }

    /// Gives a request an identifier and a fresh Request Authenticator; `None` when no identifier is free.
    pub(super) fn begin(self: &Arc<Self>, content: &Content, peer: &Arc<Peer>) -> Option<Exchange> {
        let mut waiting = lock(&self.waiting);
        let identifier = waiting.reserve()?;
        let mut authenticator = Authenticator::default();
        rand::rng().fill_bytes(&mut authenticator);
        let request = content.seal(identifier, authenticator, &peer.config.secret);
        let reply = waiting.wait(request.awaited());
        Some(Exchange { request, reply, port: Arc::clone(self), peer: Arc::clone(peer) })
    }

    /// Whether no request is to begin here any more: one has had no answer, and the reason may be the socket, whose own address
    /// is fixed and may be gone.
    pub(super) fn is_retired(&self) -> bool {
        self.is_retired.load(Ordering::Relaxed)
    }

    /// Whether nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        lock(&self.waiting).is_idle()
    }

    /// An error that ICMP brought earlier is told instead of sending: the second try sends.
    async fn send(&self, octets: &[u8]) {
        let Err(_) = self.socket.send(octets).await else { return };
        if let Err(error) = self.socket.send(octets).await {
            tracing::debug!(%error, "a request to a AAA server could not be sent, and counts as lost");
        }
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.receiver.abort();
    }
}

fn connect(address: SocketAddr) -> io::Result<UdpSocket> {
    let any = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = std::net::UdpSocket::bind(SocketAddr::new(any, 0))?;
    socket.connect(address)?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Longer datagrams are cut: what is beyond the longest packet is padding, or a Length that is malformed.
async fn receive(socket: Arc<UdpSocket>, waiting: Arc<Mutex<Waiting>>, peer: Arc<Peer>) {
    let mut buffer = vec![0; MAX_LEN];
    loop {
        match socket.recv(&mut buffer).await {
            Ok(len) => hand_over(buffer.get(..len).unwrap_or_default(), &waiting, &peer),
            Err(error) => {
                tracing::trace!(%error, "the socket to a AAA server has an error");
                sleep(ERROR_PAUSE).await;
            }
        }
    }
}

fn hand_over(datagram: &[u8], waiting: &Mutex<Waiting>, peer: &Peer) {
    let received = lock(waiting).receive(datagram, &peer.config.secret);
    peer.note(received.as_ref().map(|(reply, _)| reply).map_err(|reason| *reason));
    if let Ok((reply, waiter)) = received {
        // Who has given up meanwhile wants no reply.
        let _given_up = waiter.send(reply);
    }
}

/// One request that is under way. When dropped, nothing waits for its reply and its identifier is free.
pub(super) struct Exchange {
    request: Request,
    reply: oneshot::Receiver<Reply>,
    port: Arc<Port>,
    peer: Arc<Peer>,
}

impl Exchange {
    /// Sends the request, again and again, the same octets from the same port (RFC 5080 section 2.2.2: by them the server knows
    /// it again), until its reply comes.
    pub(super) async fn run(&mut self, first_wait: Duration) -> Reply {
        let mut waits = Retransmission::new(first_wait);
        loop {
            self.port.send(self.request.octets()).await;
            let wait = waits.next(&mut rand::rng());
            if let Ok(reply) = timeout(wait, self.reply()).await {
                return reply;
            }
            self.peer.counts.retransmission();
        }
    }

    /// Sends the request and waits for its reply: a Status-Server MUST NOT be sent again (RFC 5997 section 4.1).
    pub(super) async fn run_once(&mut self) -> Reply {
        self.port.send(self.request.octets()).await;
        self.reply().await
    }

    /// There was no reply within the limit: the socket is not used for another request.
    pub(super) fn give_up(self) {
        self.port.is_retired.store(true, Ordering::Relaxed);
    }

    async fn reply(&mut self) -> Reply {
        match (&mut self.reply).await {
            Ok(reply) => reply,
            // The receiver has ended, which it does with the runtime: there is no reply.
            Err(_) => std::future::pending().await,
        }
    }
}

/// The identifier of a request that was given up may be reused before that request would have timed out, though after all others:
/// the server tells the two apart by their authenticators (RFC 5080 section 2.2.2), and so does `reply`.
impl Drop for Exchange {
    fn drop(&mut self) {
        lock(&self.port.waiting).give_back(self.request.awaited().identifier);
    }
}
