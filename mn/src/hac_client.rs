//! One run of MHAuth over TLS: finds the HAC, connects to the first of its addresses that answers, checks its certificate, says
//! nothing before that, and returns the grant.
//!
//! `discovery` says where the HAC may be, `candidate` in which order it is tried, `race` connects, `memory` is what a run
//! leaves for the next, `nat64` how IPv4 is reached where there is none, and `error` what is said to the person who must act.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use net::tls;
use protocol::mhauth::initiator::eap::{self, Step};
use protocol::mhauth::initiator::{self, Offer};
use protocol::mhauth::{ChannelBinding, EapOffer, Grant, Nai, Psk};
use protocol::wire::container;
use service::config::{ConfigError, Findings, Located};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::clock;
use crate::config::{self, Config, Policy};
use crate::credentials::{Credentials, EapCredentials};
use crate::dns::NameServers;
use crate::granted;
use crate::nat64::Watch;

mod candidate;
mod discovery;
mod error;
mod memory;
mod nat64;
mod race;
mod resolver;

pub use candidate::{Candidate, MAX_CANDIDATES};
pub use discovery::{DEFAULT_PORT, DiscoveryError, Whereabouts};
pub use error::{HacError, Tried};
pub use memory::Memory;
pub(crate) use resolver::Resolver;

/// TCP, and TLS after it, each.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// From the end of a request to the last octet of its response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
/// For close_notify, which waits for nothing but room in the socket's buffer.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// After this no further address is asked: the next run begins with the same ones, and looks them up anew.
const RUN_LIMIT: Duration = Duration::from_secs(60);

/// What is needed to ask a HAC.
#[derive(Clone)]
pub struct HacClient {
    /// Where it may be, and the name that its certificate must have.
    pub whereabouts: Whereabouts,
    /// TLS, which believes the operator's CA certificates and remembers its sessions.
    pub tls: Arc<tls::Clients>,
    /// The firewall mark that keeps the connection, and the look-ups before it, out of the tunnel.
    pub fwmark: u32,
    /// Whom the look-ups ask.
    pub name_servers: NameServers,
    /// This node's name.
    pub nai: Nai,
    /// What it authenticates with.
    pub credentials: Credentials,
    /// The profile that the HAC has for this node, suites in order of preference, what is proposed for user data.
    pub policy: Policy,
    /// Which NAT64s there are, where somebody looks for them.
    pub nat64: Watch,
    /// What the runs before have left.
    pub memory: Arc<Mutex<Memory>>,
}

impl HacClient {
    /// What the configuration says of the HAC and of this node, with no run before.
    ///
    /// # Errors
    /// A value cannot be used, or a file that it names.
    pub fn configured(config: &Located<Config>) -> Result<Self, ConfigError> {
        config::check(config).check()?;
        let nai = config.identity.nai.parse().map_err(|error| config.refused_unseen("identity.nai", error));
        let whereabouts = Whereabouts {
            name: config.hac.name.clone(),
            port: config.hac.port.map(NonZeroU16::get),
            addresses: config.hac.addresses.clone(),
        };
        Ok(Self {
            whereabouts,
            tls: Arc::new(tls::Clients::new(config::read_authorities(config)?)),
            fwmark: config.tunnel.fwmark,
            name_servers: NameServers::beside(&config.tunnel.device),
            nai: nai.map_err(Findings::from)?,
            credentials: Credentials::read(config)?,
            policy: config.policy.clone(),
            nat64: Watch::default(),
            memory: Arc::default(),
        })
    }

    /// Runs MHAuth with the first address that gives a grant. `goes_from` hears from which of this node's addresses the run goes,
    /// and `None` when that is not known any more, since the next addresses are tried.
    ///
    /// # Errors
    /// Why there is no grant: the verdict of a HAC that was trusted, or what became of each address.
    pub async fn authenticate(&self, goes_from: impl Fn(Option<IpAddr>)) -> Result<Grant, HacError> {
        let begun = Instant::now();
        let mut tried = Tried::default();
        let found = self.through_nat64(self.find().await?).await;
        let mut left = self.open_ones(found.clone(), &mut tried);
        while let Some((address, tcp)) = self.reach(&mut left, &mut tried).await {
            goes_from(tcp.local_addr().ok().map(|local| local.ip().to_canonical()));
            match self.ask(address, self.own_address(address.ip(), &found), tcp).await {
                Ok(grant) => {
                    self.memory().granted(address);
                    return Ok(grant);
                }
                Err(error) if error.is_verdict() => return Err(error),
                Err(error) => {
                    self.note(address, &error);
                    tried.push(address, error);
                }
            }
            goes_from(None);
            if begun.elapsed() > RUN_LIMIT {
                left.drain(..).for_each(|candidate| tried.push(candidate.address, HacError::TimedOut(RUN_LIMIT)));
            }
        }
        Err(tried.into())
    }

    /// Asks every address in the next run, also those that want to be left alone.
    pub fn forget_pauses(&self) {
        self.memory().forget_pauses();
    }

    /// Up to `most` addresses at which it may be, the last good one first; none where DNS does not say.
    pub async fn addresses(&self, most: usize) -> Vec<IpAddr> {
        let mut addresses: Vec<IpAddr> = Vec::new();
        for candidate in self.find().await.unwrap_or_default() {
            let ip = candidate.address.ip();
            if addresses.len() < most && !addresses.contains(&ip) {
                addresses.push(ip);
            }
        }
        addresses
    }

    /// The candidates, the last good one first. When the look-up gets no answer, what an earlier one found.
    async fn find(&self) -> Result<Vec<Candidate>, DiscoveryError> {
        let found = self.whereabouts.find(&self.name_servers, self.fwmark).await;
        let mut memory = self.memory();
        let candidates = match found {
            Ok(candidates) => {
                memory.found(&candidates);
                candidates
            }
            Err(error) if error.is_unanswered() && !memory.last_found().is_empty() => {
                tracing::info!(%error, "the HAC's addresses of the last look-up are tried");
                memory.last_found().to_vec()
            }
            Err(error) => return Err(error),
        };
        let candidates = memory.preferring_last_good(candidates);
        let addresses: Vec<_> = candidates.iter().map(|candidate| candidate.address).collect();
        tracing::debug!(name = self.whereabouts.name, ?addresses, "where the HAC may be");
        Ok(candidates)
    }

    /// The candidates without those that want to be left alone.
    fn open_ones(&self, mut candidates: Vec<Candidate>, tried: &mut Tried) -> Vec<Candidate> {
        let (memory, now) = (self.memory(), clock::now());
        candidates.retain(|candidate| {
            let pause = memory.pause_of(candidate.address, now);
            if let Some(left) = pause {
                tried.push(candidate.address, HacError::Paused(left));
            }
            pause.is_none()
        });
        candidates
    }

    /// Connects to one of the addresses, and takes it and those that failed out of the list.
    async fn reach(&self, left: &mut Vec<Candidate>, tried: &mut Tried) -> Option<(SocketAddr, TcpStream)> {
        let candidates = std::mem::take(left);
        let mut failed = Vec::new();
        let connect = async |address| {
            tracing::debug!(%address, "connecting to the HAC");
            tls::connect(address, Some(self.fwmark), HANDSHAKE_TIMEOUT).await
        };
        let winner = race::race(&candidates, connect, |address, source| {
            tracing::debug!(%address, %source, "no connection to the HAC");
            failed.push(address);
            tried.push(address, HacError::Connect { address, source });
        })
        .await;
        let (address, _) = winner.as_ref()?;
        left.extend(candidates.iter().filter(|other| other.address != *address && !failed.contains(&other.address)));
        winner
    }

    /// Remembers when the HAC at `address` wants to be asked again.
    fn note(&self, address: SocketAddr, error: &HacError) {
        tracing::debug!(%address, %error, "no grant from the HAC there");
        if let Some(pause) = error.retry_after(SystemTime::now()) {
            self.memory().asked_to_wait(address, pause, clock::now());
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, address: SocketAddr, own: IpAddr, tcp: TcpStream) -> Result<Grant, HacError> {
        self.exchange(self.connect(address, own, tcp).await?).await
    }

    /// `own` is the HAC's address, which is not what is connected to where a NAT64 stands between.
    async fn connect(&self, address: SocketAddr, own: IpAddr, tcp: TcpStream) -> Result<TlsStream<TcpStream>, HacError> {
        let client = self.tls.client(&self.whereabouts.name, own)?;
        let handshake = TlsConnector::from(client.config.clone()).connect(client.server_name.clone(), tcp);
        let untrusted = |source| HacError::Tls { address, source };
        let stream = timeout(HANDSHAKE_TIMEOUT, handshake).await.map_err(|_| HacError::TimedOut(HANDSHAKE_TIMEOUT))?;
        let stream = stream.map_err(untrusted)?;
        client.confirm(stream.get_ref().1).map_err(untrusted)?;
        Ok(stream)
    }

    /// The exchange is over either way, and the HAC may have closed first: a failed close_notify changes nothing.
    async fn exchange(&self, mut stream: TlsStream<TcpStream>) -> Result<Grant, HacError> {
        let granted = self.run(&mut stream).await;
        let _closed = timeout(CLOSE_TIMEOUT, stream.shutdown()).await;
        let grant = granted?;
        match granted::ended_since(&grant, SystemTime::now()) {
            Some(since) => Err(HacError::Ended(since)),
            None => Ok(grant),
        }
    }

    async fn run(&self, stream: &mut TlsStream<TcpStream>) -> Result<Grant, HacError> {
        let binding = binding_of(stream)?;
        match &self.credentials {
            Credentials { psk, eap: Some(eap) } => self.run_eap(stream, binding, eap, psk.clone()).await,
            Credentials { psk: Some(psk), eap: None } => self.run_psk(stream, binding, psk.clone()).await,
            Credentials { psk: None, eap: None } => Err(HacError::NoCredentials),
        }
    }

    async fn run_psk(&self, stream: &mut TlsStream<TcpStream>, binding: ChannelBinding, psk: Psk) -> Result<Grant, HacError> {
        let Policy { profile, suites, user_data } = self.policy.clone();
        let offer = Offer { mn_id: self.nai.clone(), psk, profile, suites, user_data };
        let (waiting, request) = initiator::start(offer, binding, &mut rand::rng());
        let response = ask(stream, &request).await?;
        let (waiting, request) = waiting.handle(&response)?;
        let response = ask(stream, &request).await?;
        Ok(waiting.handle(&response)?)
    }

    /// One EAP packet a message, until the HAC says how it ended.
    async fn run_eap(
        &self,
        stream: &mut TlsStream<TcpStream>,
        binding: ChannelBinding,
        credentials: &EapCredentials,
        psk: Option<Psk>,
    ) -> Result<Grant, HacError> {
        let Policy { profile, suites, user_data } = self.policy.clone();
        let offer = EapOffer { mn_id: credentials.mn_id.clone(), peer: credentials.peer()?, psk, profile, suites, user_data };
        let (waiting, request) = eap::start(offer, binding, &mut rand::rng());
        let mut step = waiting.handle(&ask(stream, &request).await?, &mut rand::rng())?;
        loop {
            step = match step {
                Step::Mid(waiting, request) => waiting.handle(&ask(stream, &request).await?, &mut rand::rng())?,
                Step::Done(waiting, request) => waiting.handle(&ask(stream, &request).await?, &mut rand::rng())?,
                Step::Psk(waiting, request) => return Ok(waiting.handle(&ask(stream, &request).await?)?),
                Step::Granted(grant) => return Ok(*grant),
            };
        }
    }
}

fn binding_of(stream: &TlsStream<TcpStream>) -> Result<ChannelBinding, HacError> {
    Ok(tls::peer_channel_binding(stream.get_ref().1)?)
}

async fn ask(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: &[u8],
) -> Result<zeroize::Zeroizing<Vec<u8>>, HacError> {
    stream.write_all(request).await?;
    stream.flush().await?;
    let answer = timeout(RESPONSE_TIMEOUT, read_message(stream)).await;
    Ok(answer.map_err(|_| HacError::TimedOut(RESPONSE_TIMEOUT))??)
}

/// Reads one message. A response holds keys, so its octets are wiped.
async fn read_message(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<zeroize::Zeroizing<Vec<u8>>> {
    let mut header = [0; container::HEADER_LEN];
    stream.read_exact(&mut header).await?;
    let mut message = zeroize::Zeroizing::new(vec![0; container::frame_len(&header)]);
    let (head, content) = message.split_at_mut(container::HEADER_LEN);
    head.copy_from_slice(&header);
    stream.read_exact(content).await?;
    Ok(message)
}

#[cfg(test)]
mod tests;
