//! The running HAC: sockets, tasks and what they share; started by `hac serve` and by tests on loopback.

mod status;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ::feed::TlsFiles;
use net::bind::{self, Transport};
use protocol::sa::Secret;
use service::config::{ConfigError, Located};
use service::control::ControlSocket;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::aaa_servers;
use crate::accounting::Accountant;
use crate::admission::Admission;
use crate::config::{Config, RadiusSection};
use crate::dynamic_authorization::{self, Executor};
use crate::eap_server;
use crate::feed::{Feed, Usage};
use crate::places::Places;
use crate::registry::Registry;
use crate::results::Results;
use crate::server::{self, MobileNodes};
use crate::store::sqlite::SqliteStore;
use crate::store::{SharedStore, StoreError};
use status::Shown;

/// How long running sessions may take to end when the HAC stops.
const FAREWELL: Duration = Duration::from_secs(5);

/// How often home agents say how each session is, where accounting servers are told: two reports come between two interim updates, and a
/// home agent that dies takes half a minute of figures with it.
const REPORTS: Duration = Duration::from_secs(30);
const _: () = assert!(2 * REPORTS.as_secs() <= crate::aaa::SHORTEST_INTERIM.as_secs());

/// Why the HAC cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A file that the configuration names cannot be used.
    #[error(transparent)]
    File(#[from] ConfigError),
    /// An address is taken or not ours.
    #[error("cannot listen for {whom}: {source}")]
    Listen {
        /// Mobile nodes, home agents or AAA servers.
        whom: &'static str,
        /// Which address, why, and what to do.
        source: io::Error,
    },
    /// The control socket cannot be made.
    #[error(transparent)]
    Control(#[from] service::control::ControlError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The feed went down.
    #[error(transparent)]
    Feed(#[from] ::feed::server::ServeError),
    /// Signals cannot be waited for.
    #[error("cannot wait for signals: {0}; raise the limit on open files (`ulimit -n`)")]
    Signals(io::Error),
}

/// A HAC that serves. Dropping it stops everything at once; [`Self::until`] lets running sessions end.
pub struct Running {
    mobile_nodes: Vec<SocketAddr>,
    home_agents: SocketAddr,
    dynamic_authorization: Option<SocketAddr>,
    shared: Arc<MobileNodes>,
    places: Places,
    accepting: JoinSet<()>,
    feed: tokio::task::JoinHandle<Result<(), ::feed::server::ServeError>>,
    stop_feed: watch::Sender<bool>,
}

/// Binds every socket and starts to serve. Must be called within a tokio runtime.
pub async fn start(config: &Located<Config>, store: SqliteStore) -> Result<Running, ServeError> {
    let certificate = config.read(&config.certificate)?;
    let key = Secret::new(config.read(&config.key)?.into_bytes());
    let tls = tls(config)?;
    crate::check::certificate::refuse_useless(config, SystemTime::now())?;
    let files = TlsFiles { ca: config.read(&config.ca)?, certificate, key };

    let authentication = eap_server::authentication(config)?;
    let aaa = aaa_servers::client(config)?;
    let accounting = aaa_servers::accounting_client(config)?;
    let control = ControlSocket::bind(&config.resolve(&config.control_socket))?;
    let feed_listener = listen(config.feed.listen, "home agents").await?;
    let home_agents = address(&feed_listener, config.feed.listen);
    let mut listeners = Vec::new();
    for address in &config.listen {
        listeners.push(listen(*address, "mobile nodes").await?);
    }
    let mobile_nodes = listeners.iter().zip(&config.listen).map(|(listener, asked)| address(listener, *asked)).collect();

    let (store, registry) = (SharedStore::new(store), Arc::new(Registry::default()));
    let shared = Arc::new(MobileNodes {
        store: store.clone(),
        registry: Arc::clone(&registry),
        policy: config.policy(),
        authentication,
        aaa,
        admission: Admission::default(),
        results: Results::default(),
        acceptor: TlsAcceptor::from(tls.config),
        binding: tls.binding,
    });
    let authority = authority(config, Executor::new(store.clone(), Arc::clone(&registry))).await?;
    let dynamic_authorization = authority.as_ref().and_then(|server| server.address().ok());
    let shown = Shown {
        shared: Arc::clone(&shared),
        accounting: accounting.clone(),
        dynamic_authorization: authority.as_ref().map(dynamic_authorization::Server::counts),
    };
    let reported = Arc::<Notify>::default();
    let usage = accounting.is_some().then(|| Usage { interval: REPORTS, reported: Arc::clone(&reported) });
    let feed = Arc::new(Feed::new(store.clone(), Arc::clone(&registry), config.pools(), usage));
    let places = Places::default();
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(server::serve(listener, Arc::clone(&shared), places.clone()));
    }
    accepting.spawn(Arc::clone(&feed).watch_log());
    accepting.spawn(status::serve(control, shown));
    if config.radius.is_some() {
        accepting.spawn(dynamic_authorization::end_due(store.clone(), registry));
    }
    if let Some(client) = accounting {
        let interim = config.radius.as_ref().and_then(RadiusSection::interim);
        accepting.spawn(Arc::new(Accountant { store, client, interim, reported }).run());
    }
    if let Some(authority) = authority {
        accepting.spawn(authority.serve());
    }
    let (stop_feed, mut stopping) = watch::channel(false);
    let feed = tokio::spawn(async move {
        let stop = async move {
            // A sender that is gone stops the feed like one that says so.
            let _stop = stopping.wait_for(|stop| *stop).await;
        };
        ::feed::server::serve(feed_listener, &files, feed, stop).await
    });
    Ok(Running { mobile_nodes, home_agents, dynamic_authorization, shared, places, accepting, feed, stop_feed })
}

impl Running {
    /// Where mobile nodes connect.
    pub fn mobile_nodes(&self) -> &[SocketAddr] {
        &self.mobile_nodes
    }

    /// Where home agents connect.
    pub fn home_agents(&self) -> SocketAddr {
        self.home_agents
    }

    /// Where AAA servers may ask for sessions to be ended or authorised anew.
    pub fn dynamic_authorization(&self) -> Option<SocketAddr> {
        self.dynamic_authorization
    }

    /// What sessions share: the registry and the store are looked at in tests.
    pub fn shared(&self) -> &Arc<MobileNodes> {
        &self.shared
    }

    /// Runs until `shutdown` ends or the feed fails; then accepts nothing more and lets running sessions end.
    pub async fn until(mut self, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let failed = tokio::select! {
            () = shutdown => None,
            ended = &mut self.feed => Some(ended),
        };
        self.accepting.abort_all();
        if tokio::time::timeout(FAREWELL, self.places.all_free()).await.is_err() {
            tracing::warn!("sessions that had not ended in 5 seconds were cut off");
        }
        self.stop_feed.send_replace(true);
        let ended = match failed {
            Some(ended) => ended,
            None => match tokio::time::timeout(FAREWELL, &mut self.feed).await {
                Ok(ended) => ended,
                Err(_) => return Ok(()),
            },
        };
        // A task that was cancelled or panicked has nothing to say about the feed.
        Ok(ended.unwrap_or(Ok(()))?)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.accepting.abort_all();
        self.feed.abort();
    }
}

/// Of the files that the configuration names; an error has the place of the key.
fn tls(config: &Located<Config>) -> Result<net::tls::Server, ConfigError> {
    let in_certificate = |error| config.refused_file(&config.certificate, error);
    net::tls::load_authorities(&config.resolve(&config.ca)).map_err(|error| config.refused_file(&config.ca, error))?;
    let chain = net::tls::load_certificates(&config.resolve(&config.certificate)).map_err(in_certificate)?;
    let key = net::tls::load_key(&config.resolve(&config.key)).map_err(|error| config.refused_file(&config.key, error))?;
    net::tls::server(chain, key).map_err(in_certificate)
}

/// Listens for AAA servers where the configuration says so.
async fn authority(config: &Located<Config>, executor: Executor) -> Result<Option<dynamic_authorization::Server>, ServeError> {
    let asked = config.radius.as_ref().and_then(|radius| Some((radius, radius.dynamic_authorization?)));
    let Some((radius, address)) = asked else { return Ok(None) };
    let clients = aaa_servers::dynamic_authorization_clients(config, radius)?;
    let failed = |error| ServeError::Listen { whom: "AAA servers", source: bind::explain(&error, Transport::Udp, address) };
    dynamic_authorization::Server::bind(address, clients, executor).await.map(Some).map_err(failed)
}

async fn listen(address: SocketAddr, whom: &'static str) -> Result<TcpListener, ServeError> {
    let failed = |error| ServeError::Listen { whom, source: bind::explain(&error, Transport::Tcp, address) };
    TcpListener::bind(address).await.map_err(failed)
}

fn address(listener: &TcpListener, asked: SocketAddr) -> SocketAddr {
    listener.local_addr().unwrap_or(asked)
}
