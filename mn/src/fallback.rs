//! The fallback where UDP is blocked: one TLS connection to the home agent that carries the tunnel's datagrams (docs/why/fallback.md).
//! When it is used is decided in [`crate::fallback_policy`].
//!
//! A task holds the connection and a socket on loopback; the tunnel has another socket there and sends to the task's. Each of the two
//! is connected to the other, or takes nothing but what comes from it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use net::relay::{self, RelayCounters, RelayEnd};
use net::tls::{self, Clients, LocalEnd, TlsError};
use protocol::mhauth::FallbackServer;
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::fallback_policy::Attempt;
use crate::movement::Attachment;

/// TCP, and TLS after it, each.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// What openings have to say may wait so long: each says two things, and there are no more than a few.
const EVENT_QUEUE: usize = 16;

/// What has become of an opening.
#[derive(Debug)]
pub enum FallbackEvent {
    /// TLS stands.
    Opened {
        /// Which.
        attempt: Attempt,
        /// Where the tunnel is to send.
        relay: SocketAddr,
        /// Where the address of the tunnel's socket is awaited: nothing is passed on before.
        tunnel: oneshot::Sender<SocketAddr>,
    },
    /// It could not be opened, or has broken off.
    Closed(Attempt),
}

/// Opens fallbacks and ends them, all with itself.
pub struct Fallbacks {
    tls: Arc<Clients>,
    fwmark: u32,
    server: Option<FallbackServer>,
    counters: Arc<RelayCounters>,
    running: Vec<(Attempt, AbortHandle)>,
    events: mpsc::Sender<FallbackEvent>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
enum FallbackError {
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Connect(io::Error),
    #[error("no TLS handshake within {HANDSHAKE_TIMEOUT:?}")]
    NoHandshake,
    #[error("{}", tls::explain_handshake(.0))]
    Handshake(io::Error),
    #[error("no socket on loopback: {0}")]
    Loopback(#[from] io::Error),
    #[error("the tunnel has no socket for it")]
    NoTunnel,
}

impl Fallbacks {
    /// None open. Believes whom `tls` believes; `fwmark` keeps connections out of the tunnel. Gives what will be said of them.
    pub fn new(tls: Arc<Clients>, fwmark: u32) -> (Self, mpsc::Receiver<FallbackEvent>) {
        let (events, said) = mpsc::channel(EVENT_QUEUE);
        (Self { tls, fwmark, server: None, counters: Arc::default(), running: Vec::new(), events }, said)
    }

    /// What the grant in use names.
    pub fn set_server(&mut self, server: Option<FallbackServer>) {
        self.server = server;
    }

    /// Connects from the attachment to the home agent's address; its [`FallbackEvent`]s follow.
    pub fn open(&mut self, attempt: Attempt, attachment: &Attachment, home_agent: IpAddr) {
        self.close(attempt);
        let Some(server) = self.server.clone() else { return };
        let opening = Opening {
            attempt,
            address: SocketAddr::new(home_agent, server.port()),
            server,
            from: LocalEnd { device: attachment.name.clone(), address: attachment.care_of.0 },
            mark: self.fwmark,
            tls: Arc::clone(&self.tls),
            counters: Arc::clone(&self.counters),
            events: self.events.clone(),
        };
        self.running.push((attempt, tokio::spawn(opening.run()).abort_handle()));
    }

    /// Ends one at once.
    pub fn close(&mut self, attempt: Attempt) {
        self.running.retain(|(running, task)| {
            let is_it = *running == attempt;
            if is_it {
                task.abort();
            }
            !is_it && !task.is_finished()
        });
    }

    /// What was passed on.
    pub fn counters(&self) -> &RelayCounters {
        &self.counters
    }
}

impl Drop for Fallbacks {
    fn drop(&mut self) {
        self.running.iter().for_each(|(_, task)| task.abort());
    }
}

/// What one task needs.
struct Opening {
    attempt: Attempt,
    address: SocketAddr,
    server: FallbackServer,
    from: LocalEnd,
    mark: u32,
    tls: Arc<Clients>,
    counters: Arc<RelayCounters>,
    events: mpsc::Sender<FallbackEvent>,
}

impl Opening {
    async fn run(self) {
        let (address, interface) = (self.address, self.from.device.clone());
        match self.carry().await {
            Ok(end) => tracing::info!(%address, interface, %end, "the connection over TLS to the home agent has ended"),
            Err(error) => tracing::info!(%address, interface, %error, "no connection over TLS to the home agent"),
        }
        // The receiver is gone only when the node has stopped.
        let _stopped = self.events.send(FallbackEvent::Closed(self.attempt)).await;
    }

    async fn carry(&self) -> Result<RelayEnd, FallbackError> {
        let stream = self.connect().await?;
        let socket = relay::bind(self.address.ip()).await?;
        socket.connect(self.tunnel(&socket).await?).await?;
        Ok(relay::pump(stream, &socket, |_| true, &self.counters).await)
    }

    async fn connect(&self) -> Result<TlsStream<TcpStream>, FallbackError> {
        let client = self.tls.client(self.server.name(), self.address.ip())?;
        let stream = tls::connect_from(Some(&self.from), self.address, Some(self.mark), HANDSHAKE_TIMEOUT).await;
        let stream = stream.map_err(FallbackError::Connect)?;
        relay::prepare(&stream)?;
        let handshake = TlsConnector::from(client.config.clone()).connect(client.server_name.clone(), stream);
        let stream = timeout(HANDSHAKE_TIMEOUT, handshake).await.map_err(|_| FallbackError::NoHandshake)?;
        let mut stream = stream.map_err(FallbackError::Handshake)?;
        let (_, connection) = stream.get_mut();
        client.confirm(connection).map_err(FallbackError::Handshake)?;
        relay::bound(connection);
        Ok(stream)
    }

    /// Says where the tunnel is to send, and hears from where it will.
    async fn tunnel(&self, socket: &UdpSocket) -> Result<SocketAddr, FallbackError> {
        let (tunnel, told) = oneshot::channel();
        let opened = FallbackEvent::Opened { attempt: self.attempt, relay: socket.local_addr()?, tunnel };
        self.events.send(opened).await.map_err(|_| FallbackError::NoTunnel)?;
        told.await.map_err(|_| FallbackError::NoTunnel)
    }
}
