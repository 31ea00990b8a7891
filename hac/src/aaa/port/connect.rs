//! Connects to a AAA server over TLS: looks its name up, tries its addresses in order, shakes hands.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use net::tls::explain_aaa;
use rustls::ProtocolVersion;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::aaa::transport::TlsServer;

/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 8;

/// A connection whose handshake is done, within `patience`. Each address that is left has an equal share of the time that is.
///
/// # Errors
/// Why not, of each address, with what to do.
pub(super) async fn connect(server: &TlsServer, patience: Duration) -> Result<TlsStream<TcpStream>, String> {
    let end = Instant::now() + patience;
    let addresses = look_up(server, patience).await?;
    let mut reasons = Vec::new();
    for (left, address) in (1..=addresses.len() as u32).rev().zip(addresses) {
        let share = end.saturating_duration_since(Instant::now()) / left;
        match timeout(share, shake_hands(server, address, share)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(reason)) => reasons.push(reason),
            Err(_) => {
                reasons.push(format!("{address} did not answer in {share:?}: is TCP to it let through, and is TLS served there?"))
            }
        }
    }
    Err(reasons.join("; "))
}

async fn look_up(server: &TlsServer, patience: Duration) -> Result<Vec<SocketAddr>, String> {
    let host = server.host.as_str();
    let remedy = "is the name right in [radius], and do the name servers of this host know it?";
    match timeout(patience, lookup_host((host, server.port))).await {
        Ok(Ok(found)) => {
            let addresses: Vec<_> = found.take(MAX_ADDRESSES).collect();
            if addresses.is_empty() { Err(format!("{host} has no address: {remedy}")) } else { Ok(addresses) }
        }
        Ok(Err(error)) => Err(format!("{host} has no address ({error}): {remedy}")),
        Err(_) => {
            Err(format!("the look-up of {host} was not answered in {patience:?}: do the name servers of this host answer?"))
        }
    }
}

async fn shake_hands(server: &TlsServer, address: SocketAddr, patience: Duration) -> Result<TlsStream<TcpStream>, String> {
    let stream = net::tls::connect(address, None, patience).await.map_err(|error| explain_tcp(&error))?;
    net::tls::keep_alive(&stream).map_err(|error| format!("{address}: {error}"))?;
    let client = &server.client;
    let shaken = TlsConnector::from(client.config.clone()).connect(client.server_name.clone(), stream).await;
    shaken.map_err(|error| format!("{address}: {}", explain_aaa(&error)))
}

fn explain_tcp(error: &io::Error) -> String {
    let is_refused = error.kind() == io::ErrorKind::ConnectionRefused;
    let remedy = if is_refused { "; is the server running, and does it serve TLS at that port?" } else { "" };
    format!("{error}{remedy}")
}

/// `1.2` or `1.3`.
pub(super) fn version(stream: &TlsStream<TcpStream>) -> &'static str {
    let is_12 = stream.get_ref().1.protocol_version() == Some(ProtocolVersion::TLSv1_2);
    if is_12 { "1.2" } else { "1.3" }
}
