//! One mobile node's connection.
//!
//! TLS authenticates the home agent alone. The node is known by its first Binding Update; until that is accepted only
//! [`FIRST_DATAGRAMS`] datagrams of PType 8 are let in, and nothing else, and when it is not within [`FIRST_BINDING_UPDATE`] the
//! connection ends.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use net::relay::{self, RelayEnd};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use super::places::Place;
use super::{FIRST_BINDING_UPDATE, FIRST_DATAGRAMS, HANDSHAKE, RelayEvent, Standing, Surroundings};

/// Upper four bits of a datagram of PType 8 (RFC 6618 section 6.2).
const SIGNALLING: u8 = 8;

/// How a connection ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("no TLS handshake within {HANDSHAKE:?}")]
    NoHandshake,
    #[error("the TLS handshake failed: {0}")]
    Handshake(io::Error),
    #[error("no relay could be made: {0}")]
    NoRelay(#[from] io::Error),
    #[error("no Binding Update was accepted within {FIRST_BINDING_UPDATE:?}")]
    NoBindingUpdate,
    #[error("the node has a newer connection")]
    Superseded,
    #[error("the home agent stops")]
    Stopping,
    #[error(transparent)]
    Relay(RelayEnd),
}

/// What a node may say: little before it is known.
struct Gate {
    is_open: AtomicBool,
    left: AtomicU32,
}

impl Gate {
    fn new() -> Self {
        Self { is_open: AtomicBool::new(false), left: AtomicU32::new(FIRST_DATAGRAMS) }
    }

    fn may_pass(&self, datagram: &[u8]) -> bool {
        let is_signalling = datagram.first().is_some_and(|first| first >> 4 == SIGNALLING);
        let take = |left: u32| left.checked_sub(1);
        self.is_open.load(Relaxed) || is_signalling && self.left.fetch_update(Relaxed, Relaxed, take).is_ok()
    }
}

/// Serves a connection to its end.
pub(super) async fn run(stream: TcpStream, from: SocketAddr, mut place: Place, around: Arc<Surroundings>) {
    let _open = around.counters.count_open();
    let remote = SocketAddr::new(from.ip().to_canonical(), from.port());
    let gate = Gate::new();
    let end = serve(stream, remote, &mut place, &gate, &around).await;
    if gate.is_open.load(Relaxed) {
        tracing::info!(source = %remote, %end, "a node's connection ended");
    } else {
        around.counters.count_unbound();
        tracing::debug!(source = %remote, %end, "a connection ended before a node was known");
    }
}

async fn serve(stream: TcpStream, remote: SocketAddr, place: &mut Place, gate: &Gate, around: &Surroundings) -> End {
    match open(stream, around).await {
        Ok((stream, socket, relay)) => {
            let end = pass_on(stream, &socket, (relay, remote), place, gate, around).await;
            // While the socket is open its address is nobody else's.
            let _stopping = around.events.send(RelayEvent::Closed { relay }).await;
            end
        }
        Err(end) => end,
    }
}

/// TLS, and behind it a socket on loopback that is connected to the home agent's own.
async fn open(stream: TcpStream, around: &Surroundings) -> Result<(TlsStream<TcpStream>, UdpSocket, SocketAddr), End> {
    relay::prepare(&stream)?;
    let local = stream.local_addr()?.ip().to_canonical();
    let accepted = timeout(HANDSHAKE, around.acceptor.accept(stream)).await.map_err(|_| End::NoHandshake)?;
    let mut stream = accepted.map_err(End::Handshake)?;
    relay::bound(stream.get_mut().1);
    let udp = around.udp_for(local).ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))?;
    let socket = relay::bind(udp.ip()).await?;
    socket.connect(udp).await?;
    let relay = socket.local_addr()?;
    Ok((stream, socket, relay))
}

async fn pass_on(
    stream: TlsStream<TcpStream>,
    socket: &UdpSocket,
    (relay, remote): (SocketAddr, SocketAddr),
    place: &mut Place,
    gate: &Gate,
    around: &Surroundings,
) -> End {
    let (standing, mut heard) = watch::channel(Standing::Announced);
    let opened = RelayEvent::Opened { relay, remote, standing };
    if around.events.send(opened).await.is_err() || heard.wait_for(|standing| *standing != Standing::Announced).await.is_err() {
        return End::Stopping;
    }
    tokio::select! {
        end = relay::pump(stream, socket, |datagram| gate.may_pass(datagram), &around.counters.relays) => End::Relay(end),
        end = follow(&mut heard, place, gate) => end,
    }
}

/// Opens the gate when the node is known; ends when it is not in time, or has another connection.
async fn follow(heard: &mut watch::Receiver<Standing>, place: &mut Place, gate: &Gate) -> End {
    let known = timeout(FIRST_BINDING_UPDATE, heard.wait_for(|standing| *standing != Standing::Known)).await;
    match known.map(|heard| heard.map(|standing| *standing)) {
        Err(_) => return End::NoBindingUpdate,
        Ok(Err(_)) => return End::Stopping,
        Ok(Ok(_)) => {}
    }
    gate.is_open.store(true, Relaxed);
    place.is_bound();
    match heard.wait_for(|standing| *standing == Standing::Superseded).await {
        Ok(_) => End::Superseded,
        Err(_) => End::Stopping,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_a_node_is_known_it_may_send_a_few_datagrams_of_signalling_and_nothing_else() {
        let gate = Gate::new();
        for first in (0..=0xff).filter(|first| first >> 4 != SIGNALLING) {
            assert!(!gate.may_pass(&[first; 20]));
        }
        let passed = (0..20).filter(|low| gate.may_pass(&[0x80 | (low & 0xf); 20])).count();
        assert_eq!((passed, gate.may_pass(&[])), (FIRST_DATAGRAMS as usize, false));
        gate.is_open.store(true, Relaxed);
        assert!(gate.may_pass(&[0x10; 20]) && gate.may_pass(&[0x80; 20]));
    }
}
