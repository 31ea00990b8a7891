//! How a AAA server is reached.

use std::net::SocketAddr;

use net::tls::MutualClient;
use protocol::sa::Secret;

/// The secret of every server over TLS (RFC 6614 section 2.3): TLS protects, not it.
const TLS_SECRET: &[u8] = b"radsec";

/// Where a server is.
#[derive(Clone, Debug)]
pub enum Transport {
    /// RADIUS over UDP (RFC 2865).
    Udp(SocketAddr),
    /// RADIUS over TLS (RFC 6614).
    Tls(TlsServer),
}

/// A server over TLS.
#[derive(Clone, Debug)]
pub struct TlsServer {
    /// A DNS name, which is looked up for each connection, or an address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// What it is shown, and which certificate it must have.
    pub client: MutualClient,
}

impl Transport {
    /// `udp` or `tls`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Udp(_) => "udp",
            Self::Tls(_) => "tls",
        }
    }
}

/// What keys are hidden with and hashes made of over TLS.
pub(super) fn tls_secret() -> Secret {
    Secret::new(TLS_SECRET.to_vec())
}
