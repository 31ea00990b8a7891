//! The running HAC: sockets, tasks and what they share; started by `hac serve` and by tests on loopback.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use ::feed::TlsFiles;
use net::bind::{self, Transport};
use protocol::sa::Secret;
use serde_json::json;
use service::config::{ConfigError, Located};
use service::control::ControlSocket;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::aaa_servers;
use crate::admission::Admission;
use crate::config::Config;
use crate::eap_server;
use crate::feed::Feed;
use crate::places::Places;
use crate::registry::Registry;
use crate::results::Results;
use crate::server::{self, MobileNodes};
use crate::store::sqlite::SqliteStore;
use crate::store::{SharedStore, StoreError};

/// How long running sessions may take to end when the HAC stops.
const FAREWELL: Duration = Duration::from_secs(5);

/// Why the HAC cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A file that the configuration names cannot be used.
    #[error(transparent)]
    File(#[from] ConfigError),
    /// An address is taken or not ours.
    #[error("cannot listen for {whom}: {source}")]
    Listen {
        /// Mobile nodes or home agents.
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
        admission: Mutex::new(Admission::default()),
        results: Results::default(),
        acceptor: TlsAcceptor::from(tls.config),
        binding: tls.binding,
    });
    let feed = Arc::new(Feed::new(store, registry, config.pools(), None));
    let places = Places::default();
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(server::serve(listener, Arc::clone(&shared), places.clone()));
    }
    accepting.spawn(Arc::clone(&feed).watch_log());
    accepting.spawn(serve_control(control, Arc::clone(&shared)));
    let (stop_feed, mut stopping) = watch::channel(false);
    let feed = tokio::spawn(async move {
        let stop = async move {
            // A sender that is gone stops the feed like one that says so.
            let _stop = stopping.wait_for(|stop| *stop).await;
        };
        ::feed::server::serve(feed_listener, &files, feed, stop).await
    });
    Ok(Running { mobile_nodes, home_agents, shared, places, accepting, feed, stop_feed })
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

async fn listen(address: SocketAddr, whom: &'static str) -> Result<TcpListener, ServeError> {
    let failed = |error| ServeError::Listen { whom, source: bind::explain(&error, Transport::Tcp, address) };
    TcpListener::bind(address).await.map_err(failed)
}

fn address(listener: &TcpListener, asked: SocketAddr) -> SocketAddr {
    listener.local_addr().unwrap_or(asked)
}

async fn serve_control(control: ControlSocket, shared: Arc<MobileNodes>) {
    let since = Instant::now();
    let handler = move |request: service::control::Request| {
        let shared = Arc::clone(&shared);
        async move {
            match request.request.as_str() {
                "status" => status(&shared, since.elapsed()).await.map_err(|error| error.to_string()),
                other => Err(format!("unknown request \"{other}\": the HAC answers \"status\"")),
            }
        }
    };
    control.serve(handler).await;
}

fn aaa_status(shared: &MobileNodes) -> Vec<serde_json::Value> {
    let servers = shared.aaa.iter().flat_map(|client| client.status());
    servers.map(|server| json!({ "name": server.name, "alive": server.is_alive, "counts": server.counts })).collect()
}

async fn status(shared: &MobileNodes, uptime: Duration) -> Result<serde_json::Value, StoreError> {
    let read = |store: &mut dyn crate::store::Store| Ok::<_, StoreError>((store.counts(SystemTime::now())?, store.revision()?));
    let (counts, revision) = shared.store.run(read).await??;
    let home_agents: Vec<_> = shared
        .registry
        .connected()
        .into_iter()
        .map(|connected| json!({ "name": connected.name, "acknowledged": connected.acknowledged.0 }))
        .collect();
    Ok(json!({
        "running": true,
        "uptime_seconds": uptime.as_secs(),
        "subscribers": counts.subscribers,
        "home_agents": counts.home_agents,
        "associations": counts.live_sas,
        "waiting_sessions": counts.waiting_sessions,
        "revision": revision.0,
        "connected": home_agents,
        "sessions": shared.results.snapshot(),
        "aaa_servers": aaa_status(shared),
    }))
}
