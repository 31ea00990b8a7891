//! The sockets to one AAA server: as many as its requests under way need identifiers, up to a bound.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::peer::Peer;
use super::port::{Exchange, Port};
use super::request::Content;
use super::waiting::IDENTIFIERS;

/// Sockets to one server. Each is a file descriptor and a port.
pub const MAX_SOCKETS: usize = 16;
/// Requests to one server that may wait for replies: eight for each mobile node that may be connected.
pub const MAX_IN_FLIGHT: usize = MAX_SOCKETS * IDENTIFIERS;
const _: () = assert!(MAX_IN_FLIGHT >= 8 * crate::places::MAX_SESSIONS);

/// See the module.
#[derive(Default)]
pub(super) struct Pool {
    ports: Mutex<Vec<Arc<Port>>>,
}

/// Why a request cannot begin.
#[derive(Debug)]
pub(super) enum Full {
    /// [`MAX_IN_FLIGHT`] wait.
    Busy,
    /// The system gives no socket.
    Socket(io::Error),
}

impl Pool {
    /// Begins a request on the first socket that has an identifier for it, or on a new one.
    pub(super) fn begin(&self, content: &Content, peer: &Arc<Peer>) -> Result<Exchange, Full> {
        let mut ports = self.ports();
        ports.retain(|port| !port.is_retired() || !port.is_idle());
        if let Some(exchange) = ports.iter().filter(|port| !port.is_retired()).find_map(|port| port.begin(content, peer)) {
            return Ok(exchange);
        }
        if ports.len() >= MAX_SOCKETS {
            return Err(Full::Busy);
        }
        let port = Arc::new(Port::open(peer).map_err(Full::Socket)?);
        ports.push(Arc::clone(&port));
        port.begin(content, peer).ok_or(Full::Busy)
    }

    /// How many sockets are open, and on how many of them something is under way.
    pub(super) fn sockets(&self) -> (usize, usize) {
        let ports = self.ports();
        (ports.len(), ports.iter().filter(|port| !port.is_idle()).count())
    }

    fn ports(&self) -> MutexGuard<'_, Vec<Arc<Port>>> {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
