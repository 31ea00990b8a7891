//! The sockets to one AAA server: as many as its requests under way need identifiers, up to a bound. Over TLS a socket is a
//! connection, which stays open until the server closes it.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::client::Timings;
use super::peer::Peer;
use super::port::{Exchange, Port, watchdog};
use super::request::Content;
use super::waiting::IDENTIFIERS;

/// Sockets to one server. Each is a file descriptor and a port.
pub const MAX_SOCKETS: usize = 16;
/// Requests to one server that may wait for replies: eight for each mobile node that may be connected.
pub const MAX_IN_FLIGHT: usize = MAX_SOCKETS * IDENTIFIERS;
const _: () = assert!(MAX_IN_FLIGHT >= 8 * crate::places::MAX_SESSIONS);

/// See the module.
pub(super) struct Pool {
    timings: Timings,
    /// What an idle connection is asked with whether it still leads to the server; `None` where it is not.
    probe: Option<Content>,
    ports: Mutex<Vec<Arc<Port>>>,
}

/// Why a request cannot begin.
#[derive(Debug)]
pub(super) enum Full {
    /// [`MAX_IN_FLIGHT`] wait.
    Busy,
    /// The system gives no socket.
    Socket(io::Error),
    /// There is no connection, and none is tried before this time.
    Later(Instant),
}

impl Pool {
    pub(super) fn new(timings: Timings, probe: Option<Content>) -> Self {
        Self { timings, probe, ports: Mutex::default() }
    }

    /// Begins a request on the first socket that has an identifier for it, or on a new one.
    pub(super) fn begin(&self, content: &Content, peer: &Arc<Peer>) -> Result<Exchange, Full> {
        let mut ports = self.ports();
        ports.retain(|port| !(port.is_over() || port.is_retired() && port.is_idle()));
        if let Some(exchange) = ports.iter().filter(|port| !port.is_retired()).find_map(|port| port.begin(content)) {
            return Ok(exchange);
        }
        if let Some(time) = peer.attempts().not_before(Instant::now()) {
            return Err(Full::Later(time));
        }
        if ports.len() >= MAX_SOCKETS {
            return Err(Full::Busy);
        }
        let port = self.open(peer).map_err(Full::Socket)?;
        ports.push(Arc::clone(&port));
        port.begin(content).ok_or_else(|| if port.is_over() { Full::Later(Instant::now()) } else { Full::Busy })
    }

    fn open(&self, peer: &Arc<Peer>) -> io::Result<Arc<Port>> {
        let port = Arc::new(Port::open(peer, self.timings.limit)?);
        if let (Some(probe), true) = (&self.probe, port.is_connection()) {
            tokio::spawn(watchdog::watch(Arc::downgrade(&port), probe.clone(), self.timings.probe));
        }
        Ok(port)
    }

    /// How many sockets are open, and on how many of them something is under way.
    pub(super) fn sockets(&self) -> (usize, usize) {
        let ports = self.ports();
        let open = ports.iter().filter(|port| !port.is_over());
        (open.clone().count(), open.filter(|port| !port.is_idle()).count())
    }

    /// The version of TLS of the first connection that stands.
    pub(super) fn tls_version(&self) -> Option<&'static str> {
        self.ports().iter().filter(|port| !port.is_over()).find_map(|port| port.tls_version())
    }

    fn ports(&self) -> MutexGuard<'_, Vec<Arc<Port>>> {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
