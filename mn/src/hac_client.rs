//! One run of MHAuth over TLS: finds the HAC, checks its certificate, says nothing before that, and returns the grant.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use net::tls::{self, TlsError};
use protocol::mhauth::initiator::{self, Offer};
use protocol::mhauth::{ChannelBinding, Failure, Grant, Nai, Psk, Status};
use protocol::wire::container;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::config::Policy;
use crate::granted;

/// The look-up of the name; TCP and TLS together.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// From the end of a request to the last octet of its response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

/// What is needed to ask a HAC.
#[derive(Clone)]
pub struct HacClient {
    /// The name that its certificate must have.
    pub name: String,
    /// Its TCP port.
    pub port: u16,
    /// Where to connect; empty: look the name up.
    pub addresses: Vec<IpAddr>,
    /// TLS, which believes the operator's CA certificates and remembers its sessions.
    pub tls: Arc<tls::Clients>,
    /// The firewall mark that keeps the connection out of the tunnel.
    pub fwmark: u32,
    /// This node's name.
    pub nai: Nai,
    /// Its key.
    pub psk: Psk,
    /// The profile that the HAC has for this node, suites in order of preference, what is proposed for user data.
    pub policy: Policy,
}

/// Why a run gave no grant.
#[derive(Debug, thiserror::Error)]
pub enum HacError {
    /// The name has no address.
    #[error("cannot look up the HAC {name}: {source}; check the network and `name` in [hac], or list `addresses` there")]
    LookUp {
        /// The HAC's name.
        name: String,
        /// What the resolver said.
        source: std::io::Error,
    },
    /// No TCP connection.
    #[error("cannot reach the HAC at {address}: {source}; is it running, and does the network let TCP through?")]
    Connect {
        /// Where it was tried.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// TLS failed, or the certificate is not the HAC's.
    #[error("the HAC at {address} was not trusted: {}", tls::explain_handshake(source))]
    Tls {
        /// Who it was.
        address: SocketAddr,
        /// What is wrong with it.
        source: std::io::Error,
    },
    /// The certificate gives no channel binding.
    #[error("the HAC's certificate cannot be bound to: {0}")]
    Binding(#[from] tls::EndPointError),
    /// The trust anchors cannot be used.
    #[error(transparent)]
    Configuration(#[from] TlsError),
    /// The connection broke.
    #[error("the connection to the HAC broke: {0}")]
    Broken(#[from] std::io::Error),
    /// It did not answer in time.
    #[error("the HAC did not answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// Nothing is left of the grant by this node's clock, since so long.
    #[error("the granted association ended {} s ago by this node's clock: set the clock (the HAC does not tell its own)", .0.as_secs())]
    Ended(Duration),
    /// MHAuth ended without a grant.
    #[error("{}", explain(.0))]
    Failure(#[from] Failure),
}

impl HacError {
    /// Whether trying again without a change of configuration is of no use.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Tls { source, .. } => source.get_ref().is_some_and(|error| error.is::<rustls::Error>()),
            Self::Binding(_) | Self::Configuration(_) => true,
            Self::Failure(Failure::Rejected(_)) => true,
            Self::Failure(Failure::Refused { status, .. }) => {
                matches!(status, Status::Malformed | Status::NotAuthenticated | Status::NotImplemented)
            }
            Self::LookUp { .. } | Self::Connect { .. } | Self::Broken(_) | Self::TimedOut(_) | Self::Ended(_) => false,
        }
    }

    /// When the HAC asked this node to come again: at least a second, at most an hour.
    pub fn retry_after(&self, wall: SystemTime) -> Option<Duration> {
        let Self::Failure(Failure::Refused { retry_after: Some(at), .. }) = self else { return None };
        let pause = at.duration_since(wall).unwrap_or_default();
        Some(pause.clamp(Duration::from_secs(1), Duration::from_secs(3600)))
    }
}

fn explain(failure: &Failure) -> String {
    use protocol::mhauth::Rejection;
    match failure {
        Failure::Rejected(Rejection::WrongAuth) => "the HAC does not know this node by this key: check `nai` and the key file \
             in [identity], and `profile` in [policy], against what `hac subscriber add` wrote, and with the operator whether the \
             subscriber is enabled (or someone stands between the two ends of TLS)"
            .to_owned(),
        Failure::Refused { status: Status::NotAuthenticated, .. } => {
            "the HAC refused this node (401): check `nai` and the key file in [identity], and with the operator whether the \
             subscriber is enabled"
                .to_owned()
        }
        Failure::Refused { status: Status::Unavailable, .. } => {
            "the HAC cannot serve this node now (503): no home agent is connected to it, or its pools are used up".to_owned()
        }
        Failure::Rejected(_) | Failure::Refused { .. } => failure.to_string(),
    }
}

impl HacClient {
    /// Runs MHAuth with the first address that accepts a connection; `connected` hears from which of this node's addresses, each
    /// time that one does.
    ///
    /// # Errors
    /// Why there is no grant; of several addresses the first one's that was reached, since that says most.
    pub async fn authenticate(&self, connected: impl Fn(IpAddr)) -> Result<Grant, HacError> {
        let mut reason = None;
        for address in self.look_up().await? {
            match self.connect(address, &connected).await {
                Ok(stream) => return self.exchange(stream).await,
                Err(error) if matches!(reason, None | Some(HacError::Connect { .. })) => reason = Some(error),
                Err(_) => {}
            }
        }
        Err(reason.unwrap_or_else(|| HacError::LookUp {
            name: self.name.clone(),
            source: std::io::Error::other("the name has no address"),
        }))
    }

    async fn look_up(&self) -> Result<Vec<SocketAddr>, HacError> {
        if !self.addresses.is_empty() {
            return Ok(self.addresses.iter().map(|ip| SocketAddr::new(*ip, self.port)).collect());
        }
        let found = timeout(HANDSHAKE_TIMEOUT, tokio::net::lookup_host((self.name.as_str(), self.port))).await;
        let found = found.map_err(|_| HacError::TimedOut(HANDSHAKE_TIMEOUT))?;
        Ok(found.map_err(|source| HacError::LookUp { name: self.name.clone(), source })?.collect())
    }

    async fn connect(&self, address: SocketAddr, connected: &impl Fn(IpAddr)) -> Result<TlsStream<TcpStream>, HacError> {
        let client = self.tls.client(&self.name, address.ip())?;
        let connector = TlsConnector::from(client.config.clone());
        let handshake = async {
            let tcp = tls::connect(address, Some(self.fwmark), HANDSHAKE_TIMEOUT)
                .await
                .map_err(|source| HacError::Connect { address, source })?;
            connected(tcp.local_addr()?.ip().to_canonical());
            let untrusted = |source| HacError::Tls { address, source };
            let stream = connector.connect(client.server_name.clone(), tcp).await.map_err(untrusted)?;
            client.confirm(stream.get_ref().1).map_err(untrusted)?;
            Ok(stream)
        };
        timeout(HANDSHAKE_TIMEOUT, handshake).await.map_err(|_| HacError::TimedOut(HANDSHAKE_TIMEOUT))?
    }

    async fn exchange(&self, mut stream: TlsStream<TcpStream>) -> Result<Grant, HacError> {
        let binding = binding_of(&stream)?;
        let offer = Offer {
            mn_id: self.nai.clone(),
            psk: self.psk.clone(),
            profile: self.policy.profile,
            suites: self.policy.suites.clone(),
            user_data: self.policy.user_data,
        };
        let (waiting, request) = initiator::start(offer, binding, &mut rand::rng());
        let response = ask(&mut stream, &request).await?;
        let (waiting, request) = waiting.handle(&response)?;
        let response = ask(&mut stream, &request).await?;
        let grant = waiting.handle(&response);
        // The exchange is over either way, and the HAC may have closed first: a failed close_notify changes nothing.
        let _closed = stream.shutdown().await;
        let grant = grant?;
        match granted::ended_since(&grant, SystemTime::now()) {
            Some(since) => Err(HacError::Ended(since)),
            None => Ok(grant),
        }
    }
}

fn binding_of(stream: &TlsStream<TcpStream>) -> Result<ChannelBinding, HacError> {
    Ok(tls::peer_channel_binding(stream.get_ref().1)?)
}

async fn ask(stream: &mut TlsStream<TcpStream>, request: &[u8]) -> Result<zeroize::Zeroizing<Vec<u8>>, HacError> {
    stream.write_all(request).await?;
    stream.flush().await?;
    let answer = timeout(RESPONSE_TIMEOUT, read_message(stream)).await;
    Ok(answer.map_err(|_| HacError::TimedOut(RESPONSE_TIMEOUT))??)
}

/// Reads one message. A response holds keys, so its octets are wiped.
async fn read_message(stream: &mut TlsStream<TcpStream>) -> std::io::Result<zeroize::Zeroizing<Vec<u8>>> {
    let mut header = [0; container::HEADER_LEN];
    stream.read_exact(&mut header).await?;
    let mut message = zeroize::Zeroizing::new(vec![0; container::frame_len(&header)]);
    let (head, content) = message.split_at_mut(container::HEADER_LEN);
    head.copy_from_slice(&header);
    stream.read_exact(content).await?;
    Ok(message)
}
