//! Mobile nodes whose network lets no UDP through: their datagrams over TLS (docs/why/fallback.md).
//!
//! - `listener`: accepts, and asks `places` whether there is room.
//! - `connection`: one mobile node's connection, from the TLS handshake to its end. Its relay gives the datagrams to the home agent's
//!   own UDP port, so that workers, associations and bindings see a node at a loopback address.
//! - `open_relays`: the gateway's side: which relays are open, and whose. What a relay's address means is known to
//!   [`crate::home_agent::HomeAgent`] alone.

mod connection;
mod counters;
mod listener;
mod open_relays;
mod places;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;

pub use counters::FallbackCounters;
pub use listener::{listen, serve};
pub use open_relays::OpenRelays;
pub use places::{MAX_PENDING, MAX_PENDING_OF_SOURCE};

/// For the TLS handshake.
pub const HANDSHAKE: Duration = Duration::from_secs(5);
/// From the handshake's end to an accepted Binding Update.
pub const FIRST_BINDING_UPDATE: Duration = Duration::from_secs(2);
/// PType 8 datagrams that are let in before it: two copies of each of a few repetitions.
pub const FIRST_DATAGRAMS: u32 = 8;
/// Connections at a time, unless the configuration says otherwise: each has two file descriptors, and half of the 1,024 that a process
/// may open by default are for them; each has 150 KiB, 38 MiB in all.
pub const DEFAULT_CONNECTIONS: u16 = 256;
/// Word of relays that waits for the gateway.
const EVENT_QUEUE: usize = 64;

/// What a relay says to the gateway, in this order.
#[derive(Debug)]
pub enum RelayEvent {
    /// It is about to pass on what a node sends.
    Opened {
        /// Its own address, on loopback: the outer source that the workers see.
        relay: SocketAddr,
        /// Where the node's connection comes from.
        remote: SocketAddr,
        /// Where it hears how it stands.
        standing: watch::Sender<Standing>,
    },
    /// It has ended; its address means nothing any more.
    Closed {
        /// Its own address.
        relay: SocketAddr,
    },
}

/// How a relay stands with the home agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The home agent does not know of it yet: what came from it would be refused.
    Announced,
    /// Signalling from it is heard.
    Known,
    /// A Binding Update that came by it was accepted: it is an outer source like another.
    Bound,
    /// Its node has another relay.
    Superseded,
}

/// What all connections share.
#[derive(Clone)]
pub struct Surroundings {
    /// TLS with the home agent's certificate.
    pub acceptor: TlsAcceptor,
    /// The addresses of the home agent's UDP sockets.
    pub udp: Arc<[SocketAddr]>,
    /// What is told to the gateway.
    pub events: mpsc::Sender<RelayEvent>,
    /// What has become of connections.
    pub counters: Arc<FallbackCounters>,
}

/// The queue of [`Surroundings::events`].
pub fn events() -> (mpsc::Sender<RelayEvent>, mpsc::Receiver<RelayEvent>) {
    mpsc::channel(EVENT_QUEUE)
}

impl Surroundings {
    /// The home agent's UDP address for a connection that came to `local`: that one, or one of its family, or any.
    fn udp_for(&self, local: IpAddr) -> Option<SocketAddr> {
        let same = self.udp.iter().find(|udp| udp.ip() == local);
        let like = || self.udp.iter().find(|udp| udp.is_ipv4() == local.is_ipv4());
        same.or_else(like).or_else(|| self.udp.first()).copied()
    }
}
