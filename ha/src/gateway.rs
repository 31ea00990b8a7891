//! The home agent's process: TUN device, sockets, the worker threads, and the one bridge between them and tokio.
//!
//! ```text
//!  feed_client --messages--> +---------+ --commands--> each worker (thread)
//!  control     --questions-> | Gateway | <--events---- each
//!  timers      ------------> +---------+
//! ```
//! What is decided is decided in [`HomeAgent`] and [`SaStore`], which are pure; this moves inputs to them and their
//! commands to the workers, and sees no packet but signalling.

mod answers;
mod error;
mod feed;
mod home_link;
mod relays;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::feed::client::FeedAddress;
use ::feed::{TlsFiles, Welcome};
use ipnet::IpNet;
use net::netlink::Netlink;
use net::offloads::Offloads;
use net::tun::{Tun, TunQueues};
use net::udp::{SocketOptions, UdpSocket};
use net::worker::Workers;
use protocol::features::Features;
use protocol::tunnel::entry::IcmpSources;
use protocol::tunnel::{Command, Counters, Event, Guard};
use rand::Rng;
use service::config::{ConfigError, Located};
use service::control::ControlSocket;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep_until;

use crate::config::{self, Config};
use crate::control::{self, Question};
use crate::feed_client::{FeedEvent, FeedState, Said, Subscriber, ToHac, to_hac};
use crate::home_agent::{FEATURES, HomeAgent, HomeAgentConfig};
use crate::own_addresses;
use crate::routes::{BindingRoutes, NetworkRoutes, Routes};
use crate::sa_store::SaStore;
use crate::unreported::Unreported;
pub use error::GatewayError;
use home_link::GatewayHomeLink;
use relays::GatewayRelays;

/// The longest binding that is granted; an MN refreshes it at 80 %.
const LONGEST_BINDING: Duration = Duration::from_secs(600);
/// Events that wait for control: a second of 1,000 handovers. More are dropped and counted by the workers.
const EVENT_QUEUE: usize = 1024;
/// Messages of the feed that wait: each is acknowledged before the next.
const FEED_QUEUE: usize = 1;
/// Questions of the control socket that wait.
const QUESTION_QUEUE: usize = 16;
/// Events taken in one turn before anything else gets one.
const EVENT_TURN: usize = 64;

/// How often the worker threads are looked at.
const HEALTH_INTERVAL: Duration = Duration::from_secs(1);

/// Runs a home agent until `shutdown` ends. Needs CAP_NET_ADMIN and a tokio runtime.
///
/// # Errors
/// What cannot be set up, or a worker thread that has ended.
pub async fn run(config: Located<Config>, shutdown: impl Future) -> Result<(), GatewayError> {
    config::check(&config).check().map_err(ConfigError::from)?;
    net::priority::answer_first();
    let files = config::tls_files(&config)?;
    let control = ControlSocket::bind(&config.resolve(&config.control_socket))?;
    let (questions, question_queue) = mpsc::channel(QUESTION_QUEUE);
    let (events, event_queue) = mpsc::channel(FEED_QUEUE);
    let (state, feed_state) = watch::channel(FeedState::new());
    let (to_hac, said) = to_hac();
    let netlink = Netlink::connect()?;
    let (own, own_addresses) = watch::channel(own_addresses::read(&netlink).await?);
    let mut gateway = Gateway::new(&config, feed_state, to_hac, own_addresses)?;
    home_link::open(&mut gateway).await?;
    let mut tasks = tokio::task::JoinSet::new();
    if let Some(fallback) = relays::start(&config, &mut gateway).await? {
        tasks.spawn(fallback);
    }
    tasks.spawn(control::serve(control, questions));
    tasks.spawn(own_addresses::follow(netlink, own));
    tasks.spawn(subscriber(&config, files, events, said, state).run());
    tracing::info!(name = config.name, listen = ?config.listen, device = config.tunnel.device, "home agent started");
    let ended = gateway.serve(event_queue, question_queue, shutdown).await;
    tasks.shutdown().await;
    gateway.home_link.close().await;
    ended
}

fn subscriber(
    config: &Config,
    files: TlsFiles,
    events: mpsc::Sender<FeedEvent>,
    said: Said,
    state: watch::Sender<FeedState>,
) -> Subscriber {
    let at = FeedAddress { address: config.feed.address.clone(), server_name: config.feed.server_name.clone() };
    let mut instance = [0; 16];
    rand::rng().fill_bytes(&mut instance);
    let features = if config.home_link.is_some() { FEATURES.or(Features::HOME_LINK) } else { FEATURES };
    Subscriber { at, files, instance, events, said, state, features }
}

/// Everything that one home agent process is, seen from control.
struct Gateway {
    config: Config,
    started: Instant,
    feed_state: watch::Receiver<FeedState>,
    to_hac: ToHac,
    unreported: Unreported,
    /// Whether a subscription is open that has brought a revision: reports taken out go to the HAC.
    is_subscribed: bool,
    own_addresses: watch::Receiver<Vec<IpNet>>,
    home_agent: HomeAgent,
    store: SaStore,
    counters: Arc<Counters>,
    /// From the latest Welcome; without one there is no SA, and nothing to carry.
    welcome: Option<Welcome>,
    tun: TunQueues,
    /// Of each address that is listened on, one for each worker.
    sockets: Vec<Vec<Arc<UdpSocket>>>,
    routes: Routes,
    binding_routes: Option<BindingRoutes>,
    network_routes: NetworkRoutes,
    workers: Option<Workers>,
    events: mpsc::Sender<Event>,
    event_queue: mpsc::Receiver<Event>,
    relays: GatewayRelays,
    home_link: GatewayHomeLink,
}

impl Gateway {
    fn new(
        config: &Config,
        feed_state: watch::Receiver<FeedState>,
        to_hac: ToHac,
        own_addresses: watch::Receiver<Vec<IpNet>>,
    ) -> Result<Self, GatewayError> {
        let offloads = Offloads::all_or_none(config.tunnel.offloads);
        let workers = config.tunnel.workers();
        let tun = Tun::create_queues(&config.tunnel.device, config.tunnel.mtu, offloads, workers).map_err(GatewayError::Tun)?;
        let options = SocketOptions { offloads, receive_buffer: config.tunnel.receive_buffer, ..SocketOptions::default() };
        let bind = |address: &SocketAddr| -> io::Result<Vec<_>> {
            Ok(UdpSocket::bind_shares(*address, &options, workers)?.into_iter().map(Arc::new).collect())
        };
        let sockets = config.listen.iter().map(bind).collect::<io::Result<Vec<_>>>().map_err(GatewayError::Socket)?;
        let routes = Routes::new(&tun, config.routes.protocol)?;
        let binding_routes = config.routes.per_binding.then(|| BindingRoutes::new(routes.clone()));
        let network_routes = NetworkRoutes::new(routes.clone());
        let listening = config.listen.iter().map(|address| address.ip()).collect();
        let counters = Arc::new(Counters::default());
        let home_agent_config = HomeAgentConfig { longest_binding: LONGEST_BINDING, own_addresses: listening };
        let home_agent = HomeAgent::new(home_agent_config, counters.clone());
        let (events, event_queue) = mpsc::channel(EVENT_QUEUE);
        Ok(Self {
            config: config.clone(),
            started: Instant::now(),
            feed_state,
            to_hac,
            unreported: Unreported::default(),
            is_subscribed: false,
            own_addresses,
            home_agent,
            store: SaStore::default(),
            counters,
            welcome: None,
            tun,
            sockets,
            routes,
            binding_routes,
            network_routes,
            workers: None,
            events,
            event_queue,
            relays: GatewayRelays::default(),
            home_link: GatewayHomeLink::default(),
        })
    }

    async fn serve(
        &mut self,
        mut feed: mpsc::Receiver<FeedEvent>,
        mut questions: mpsc::Receiver<Question>,
        shutdown: impl Future,
    ) -> Result<(), GatewayError> {
        tokio::pin!(shutdown);
        let mut received = Vec::with_capacity(EVENT_TURN);
        let mut health = tokio::time::interval(HEALTH_INTERVAL);
        let (registered, usage) = (self.to_hac.registered.clone(), self.to_hac.usage.clone());
        loop {
            let timeout = self.home_agent.poll_timeout().map(|(due, _)| due);
            let report_due = self.report_due();
            tokio::select! {
                _ = &mut shutdown => return Ok(()),
                _ = self.event_queue.recv_many(&mut received, EVENT_TURN) => {
                    let now = Instant::now();
                    received.drain(..).for_each(|event| self.handle_event(&event, now));
                }
                Some(event) = self.relays.next() => self.handle_relay(event),
                Some(verdict) = self.home_link.verdict() => self.handle_verdict(verdict),
                Some(message) = feed.recv() => self.handle_feed(message).await?,
                Some(question) = questions.recv() => self.answer(question),
                Ok(place) = registered.reserve(), if !self.unreported.is_empty() => place.send(self.unreported.take()),
                Ok(place) = place_when(report_due, &usage) => self.tell_of_sessions(place),
                Ok(()) = self.own_addresses.changed() => self.guard_own_addresses()?,
                () = due(timeout) => self.home_agent.handle_timeout(Instant::now()),
                _ = health.tick() => self.check_health()?,
            }
            self.pass_commands_on().await?;
        }
    }

    /// A thread that has ended with nothing to be told would be missed otherwise.
    fn check_health(&mut self) -> Result<(), GatewayError> {
        if self.is_subscribed {
            self.home_agent.sessions_mut().note_alive(Instant::now());
        }
        if self.workers.as_ref().is_none_or(Workers::are_running) { Ok(()) } else { Err(GatewayError::WorkerGone) }
    }

    /// What is known is not looked up: it has ended here and stays ended, or the exit-point is being told of it.
    fn handle_event(&mut self, event: &Event, now: Instant) {
        let Event::LookUp(spi) = event else { return self.home_agent.handle_event(event, now, &mut rand::rng()) };
        if !self.store.knows(*spi) {
            // Where there is no room the node's next Binding Update is looked up.
            let _ = self.to_hac.look_ups.try_send(*spi);
        }
    }

    /// Without workers no packet comes in; they start with the addresses of then.
    fn guard_own_addresses(&self) -> Result<(), GatewayError> {
        let (Some(workers), Some(welcome)) = (&self.workers, &self.welcome) else { return Ok(()) };
        Ok(workers.apply(&Command::Guard(self.guard(&welcome.own_addresses)))?)
    }

    /// Of every address of the host; the kernel may be about to take those `inside` into use.
    fn guard(&self, inside: &[IpAddr]) -> Guard {
        let inside = inside.iter().copied().map(IpNet::from);
        let guard = Guard::new(self.own_addresses.borrow().iter().copied().chain(inside));
        if self.config.tunnel.host_services { guard.with_services() } else { guard }
    }

    /// Drains what the home agent wants to be looked for, and its commands to both halves.
    async fn pass_commands_on(&mut self) -> Result<(), GatewayError> {
        self.detect().await;
        while let Some(command) = self.home_agent.poll_command() {
            if let Command::Uninstall(spi) = command {
                self.store.end(spi);
                self.unreported.remove(spi);
            }
            if let Some(routes) = &mut self.binding_routes {
                routes.follow(&command).await;
            }
            self.network_routes.follow(&command).await;
            self.home_link.follow(&command).await;
            if let Some(workers) = &self.workers {
                workers.apply(&command)?;
            }
        }
        self.note_registrations();
        self.bind_relays();
        Ok(())
    }
}

fn icmp_sources(welcome: &Welcome) -> IcmpSources {
    let mut sources = IcmpSources::default();
    for address in &welcome.own_addresses {
        match address {
            IpAddr::V6(ip) => _ = sources.ip6.get_or_insert(*ip),
            IpAddr::V4(ip) => _ = sources.ip4.get_or_insert(*ip),
        }
    }
    sources
}

/// A place in the queue, once something is due.
async fn place_when<T>(
    timeout: Option<Instant>,
    queue: &mpsc::Sender<T>,
) -> Result<mpsc::Permit<'_, T>, mpsc::error::SendError<()>> {
    due(timeout).await;
    queue.reserve().await
}

async fn due(timeout: Option<Instant>) {
    match timeout {
        Some(instant) => sleep_until(instant.into()).await,
        None => std::future::pending().await,
    }
}
