//! A UDP socket to a AAA server. It is connected: the kernel lets pass what comes from the server's address and port, and nothing
//! else.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::shared::Shared;
use crate::aaa::packet::MAX_LEN;

/// After an error of the socket, which ICMP brings: without, a server's host that refuses would keep a core busy.
const ERROR_PAUSE: Duration = Duration::from_millis(10);

/// See the module.
pub(super) struct Socket {
    socket: Arc<UdpSocket>,
    receiver: AbortHandle,
}

impl Socket {
    pub(super) fn open(address: SocketAddr, shared: &Arc<Shared>) -> io::Result<Self> {
        let socket = Arc::new(connect(address)?);
        let receiver = tokio::spawn(receive(Arc::clone(&socket), Arc::clone(shared))).abort_handle();
        Ok(Self { socket, receiver })
    }

    /// An error that ICMP brought earlier is told instead of sending: the second try sends.
    pub(super) async fn send(&self, octets: &[u8]) {
        let Err(_) = self.socket.send(octets).await else { return };
        if let Err(error) = self.socket.send(octets).await {
            tracing::debug!(%error, "a request to a AAA server could not be sent, and counts as lost");
        }
    }
}

impl Drop for Socket {
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

/// Longer datagrams are cut: what is beyond the longest packet is padding, or a Length that is malformed.
async fn receive(socket: Arc<UdpSocket>, shared: Arc<Shared>) {
    let mut buffer = vec![0; MAX_LEN];
    loop {
        match socket.recv(&mut buffer).await {
            Ok(len) => {
                // What is dropped is counted, and the request waits on.
                let _dropped = shared.receive(buffer.get(..len).unwrap_or_default());
            }
            Err(error) => {
                tracing::trace!(%error, "the socket to a AAA server has an error");
                sleep(ERROR_PAUSE).await;
            }
        }
    }
}
