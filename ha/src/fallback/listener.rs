//! The sockets that mobile nodes connect to.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use net::bind::{self, Transport};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::places::Places;
use super::{Surroundings, connection};

/// After an error of the kernel, such as no file descriptor left.
const PAUSE: Duration = Duration::from_millis(100);

/// The sockets that systemd has opened for this process (sd_listen_fds(3)), or where there are none those of `addresses`.
///
/// # Errors
/// An address cannot be listened on; the text says what to do.
pub async fn listen(addresses: &[SocketAddr]) -> io::Result<Vec<TcpListener>> {
    let handed_over = bind::handed_over()?;
    if !handed_over.is_empty() {
        return handed_over.into_iter().map(TcpListener::from_std).collect();
    }
    let mut listeners = Vec::with_capacity(addresses.len());
    for address in addresses {
        let listener = TcpListener::bind(address).await;
        listeners.push(listener.map_err(|error| bind::explain(&error, Transport::Tcp, *address))?);
    }
    Ok(listeners)
}

/// Serves at most `connections` connections at a time until it is dropped, and ends them then.
pub async fn serve(listeners: Vec<TcpListener>, connections: usize, around: Surroundings) {
    let (places, mut accepting) = (Places::new(connections), JoinSet::new());
    for listener in listeners {
        accepting.spawn(accept(listener, places.clone(), around.clone()));
    }
    while accepting.join_next().await.is_some() {}
}

async fn accept(listener: TcpListener, places: Places, around: Surroundings) {
    let (around, mut running) = (Arc::new(around), JoinSet::new());
    loop {
        tokio::select! {
            Some(_ended) = running.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => match places.take(from.ip()) {
                    Some(place) => _ = running.spawn(connection::run(stream, from, place, Arc::clone(&around))),
                    None => refuse(&stream, from, &around),
                },
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a mobile node's connection");
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
    }
}

/// Reset instead of closed: what is refused shall not stay in TIME_WAIT.
fn refuse(stream: &TcpStream, from: SocketAddr, around: &Surroundings) {
    around.counters.count_refused();
    tracing::debug!(source = %from, "a connection was refused: there is no room for it");
    if let Err(error) = stream.set_zero_linger() {
        tracing::debug!(%error, "a refused connection is closed in the ordinary way");
    }
}
