//! The tunnel's datagrams over a stream, where a network lets no UDP through (docs/why/fallback.md).
//!
//! A relay stands between a stream (TLS over TCP) and a UDP socket on loopback that is connected to one of the tunnel's sockets. What
//! comes out of the stream goes to that one as the datagrams that they were, and what it sends to the relay goes into the stream. So
//! workers and security associations know nothing of TCP. What does not fit is dropped and counted: a stream never holds a tunnel up.

pub mod frame;
mod outbox;
mod pump;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rustls::ConnectionCommon;
use socket2::SockRef;
use tokio::net::{TcpStream, UdpSocket};

pub use outbox::{CAPACITY, Outbox};
pub use pump::{RelayEnd, pump};

/// Octets of a stream that the kernel holds and has not sent; what was sent waits for its acknowledgement besides.
pub const UNSENT: u32 = 64 << 10;
/// Octets that TLS holds encrypted: one record.
const ENCRYPTED: usize = 16 << 10;

/// What relays have passed on, of all of one process.
#[derive(Debug, Default)]
pub struct RelayCounters {
    from_stream: AtomicU64,
    to_stream: AtomicU64,
    dropped: AtomicU64,
    refused: AtomicU64,
}

impl RelayCounters {
    /// Datagrams out of streams.
    pub fn from_stream(&self) -> u64 {
        self.from_stream.load(Relaxed)
    }

    /// Datagrams into streams.
    pub fn to_stream(&self) -> u64 {
        self.to_stream.load(Relaxed)
    }

    /// Datagrams that found a queue full.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// Datagrams that the relay did not let in.
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }
}

/// A relay's own socket on loopback, in the family of `of`. Nobody reaches it until it is connected but who is told of it, and then the
/// one alone to which it is connected.
///
/// # Errors
/// The kernel's.
pub async fn bind(of: IpAddr) -> io::Result<UdpSocket> {
    UdpSocket::bind(SocketAddr::new(loopback(of), 0)).await
}

/// Loopback in the family of `of`.
pub fn loopback(of: IpAddr) -> IpAddr {
    match of {
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    }
}

/// Has a TCP connection send at once what it is given, hold little, and find out when its peer has gone.
///
/// # Errors
/// The kernel's.
pub fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_tcp_notsent_lowat(UNSENT)?;
    crate::tls::keep_alive(stream)
}

/// Bounds what TLS holds encrypted for a stream that takes no more.
pub fn bound<Side>(connection: &mut ConnectionCommon<Side>) {
    connection.set_buffer_limit(Some(ENCRYPTED));
}
