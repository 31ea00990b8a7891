//! The running mobile node: the one bridge between the pure machine, the worker threads, the kernel and the HAC.
//!
//! ```text
//!  link monitor ── attachments ──┐
//!  HAC client  ── grant, error ──┼──> MobileNode ── actions ── commands ──> workers (TUN <-> UDP)
//!  workers     ── events ────────┤
//!  timers, counters, control ────┘
//! ```

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use net::netlink::{Netlink, NetlinkError};
use net::worker::WorkerGone;
use protocol::tunnel::{Counters, Event};
use tokio::sync::{Mutex, Notify, mpsc, oneshot, watch};
use tokio::task::AbortHandle;

use crate::bootstrap::Run;
use crate::captive_portal::{Portals, Window};
use crate::clock::{self, sleep_until};
use crate::config::{self, Guard, Tunnel};
use crate::dns::{self, Dns};
use crate::fallback::{FallbackEvent, Fallbacks};
use crate::hac_client::{HacClient, HacError, MAX_CANDIDATES};
use crate::leak_guard::{GuardError, LeakGuard};
use crate::link_monitor::{self, Found, Inward, Listeners};
use crate::mobile_node::{Action, MobileNode, Registered};
use crate::mobile_router;
use crate::nat64::{self as nat64s, Reach, Watch};
use crate::next_hop::{self, Hint};
use crate::resume::{self, Resumed};
use crate::routes::Routes;
use crate::status::{SharedStatus, milliseconds};
use crate::tunnel_device::TunnelDevice;
use crate::upkeep::Upkeep;
use mhauth::Heard;

mod fallback;
mod home;
mod mhauth;
mod nat64;
mod report;
mod resumption;

/// How often the tunnel's counters are looked at.
const ACTIVITY_INTERVAL: Duration = Duration::from_millis(500);
/// What a run of MHAuth has to say may wait so long: for each of the HAC's addresses from which of our own it goes and that it goes
/// from there no more, and how it ended.
const BOOTSTRAP_QUEUE: usize = 2 * MAX_CANDIDATES + 1;
/// Lists of attachments that may wait: the newest one counts.
const ATTACHMENT_QUEUE: usize = 4;

/// Why the node stopped without being asked.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The HAC's answer will not change by asking again.
    #[error(transparent)]
    Hac(#[from] HacError),
    /// The kernel refused.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// The TUN device or a thread could not be made.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A worker thread ended.
    #[error(transparent)]
    Worker(#[from] WorkerGone),
    /// The leak guard cannot be put up, or not be kept.
    #[error(transparent)]
    Guard(#[from] GuardError),
}

/// What the operator wants of the host.
pub struct Host {
    /// The TUN device and what is routed to it.
    pub tunnel: Tunnel,
    /// What may go past it.
    pub guard: Guard,
    /// Whom the host asks for names.
    pub dns: config::Dns,
    /// For logins that networks want.
    pub window: Arc<Window>,
    /// The network behind it.
    pub router: Option<config::MobileRouter>,
}

/// A mobile node that runs.
pub struct Runtime {
    node: MobileNode,
    hac: HacClient,
    device: TunnelDevice,
    inward: Inward,
    netlink: Netlink,
    routes: Arc<Mutex<Routes>>,
    guard: Arc<Mutex<LeakGuard>>,
    dns: Dns,
    status: SharedStatus,
    counters: Arc<Counters>,
    home_agent: watch::Sender<Option<Reach>>,
    heard_of_runs: mpsc::Sender<(Run, Heard)>,
    running: Option<AbortHandle>,
    finished: bool,
    /// Of the moves, as they were shown last.
    shown_changes: u64,
    fallbacks: Fallbacks,
    portals: Portals,
    router: Option<config::MobileRouter>,
    announcing: Option<AbortHandle>,
}

/// What comes in.
struct Inputs {
    runs: mpsc::Receiver<(Run, Heard)>,
    attachments: mpsc::Receiver<Found>,
    events: mpsc::Receiver<Event>,
    resumed: mpsc::Receiver<Resumed>,
    fallbacks: mpsc::Receiver<FallbackEvent>,
    logins: mpsc::Receiver<()>,
    nat64: Watch,
    hints: mpsc::Receiver<Hint>,
}

/// Runs a mobile node until `shutdown` ends, then de-registers and puts everything back. `renew` asks it for a new SA.
///
/// # Errors
/// Why it stopped by itself. Whatever the reason, rules, routes and device are as they were before; so is the firewall, unless
/// the node was registered or has found a guard that an earlier run had left: then the leak guard stays, as it does when the process
/// is killed.
pub async fn run(
    hac: HacClient,
    host: Host,
    counters: Arc<Counters>,
    status: SharedStatus,
    renew: &Notify,
    shutdown: impl Future<Output = ()>,
) -> Result<(), RuntimeError> {
    net::priority::answer_first();
    let lan = host.router.as_ref().map(|router| router.lan.clone());
    let guard = Arc::new(Mutex::new(LeakGuard::new(host.guard.clone(), host.tunnel.clone()).with_lan(lan)));
    let stood = guard.lock().await.put_up().await?;
    let result = run_guarded(hac, host, guard.clone(), counters, status.clone(), renew, shutdown).await;
    let mut guard = guard.lock().await;
    if result.is_err() && (stood || status.was_registered()) && guard.is_up() {
        tracing::error!("the node ends by itself: its leak guard stays, and nothing leaves past it, until `mn up` or `mn down`");
        return result;
    }
    let taken_down = guard.take_down().await;
    result.and(taken_down.map(drop).map_err(RuntimeError::from))
}

async fn run_guarded(
    hac: HacClient,
    Host { tunnel, dns, window, router, .. }: Host,
    guard: Arc<Mutex<LeakGuard>>,
    counters: Arc<Counters>,
    status: SharedStatus,
    renew: &Notify,
    shutdown: impl Future<Output = ()>,
) -> Result<(), RuntimeError> {
    // One each: the kernel refuses a second list on one connection while the first is being read.
    let (netlink, of_upkeep) = (Netlink::connect()?, Netlink::connect()?);
    let routes = Routes::new(netlink.clone(), tunnel.clone());
    let (rules, left) = routes.clean_up().await?;
    if rules + left > 0 {
        tracing::info!(rules, routes = left, "took back what an earlier run had left");
    }
    put_name_servers_back(&tunnel, &status).await;
    let (device, events) = TunnelDevice::open(&tunnel, &counters)?;
    let inward = Inward { device: device.interface(), lan: router.as_ref().map(|router| router.lan.clone()) };
    let nat64 = nat64s::start(inward.clone(), hac.name_servers.clone(), tunnel.fwmark)?;
    let hac = HacClient { nat64: nat64.clone(), ..hac };
    let (home_agent, home_agent_known) = watch::channel(None);
    let (usable, attachments) = mpsc::channel(ATTACHMENT_QUEUE);
    let routes = Arc::new(Mutex::new(routes));
    let upkeep = Upkeep {
        netlink: of_upkeep,
        own: device.interface(),
        routes: routes.clone(),
        guard: guard.clone(),
        status: status.clone(),
    };
    let (stop_upkeep, stopped) = oneshot::channel();
    let upkeep = tokio::spawn(upkeep.run(stopped));
    let (next_hops, hints) = next_hop::watch();
    let listeners = Listeners { usable, next_hops };
    let monitor = tokio::spawn(link_monitor::run(inward.clone(), home_agent_known, listeners));
    let (heard_of_runs, runs) = mpsc::channel(BOOTSTRAP_QUEUE);
    let dns = Dns::start(dns, &tunnel, device.interface(), &status);
    let (fallbacks, of_fallbacks) = Fallbacks::new(hac.tls.clone(), tunnel.fwmark);
    let (logged_in, logins) = mpsc::channel(1);
    let portals = Portals::start(hac.clone(), status.clone(), window, logged_in);
    let mut runtime = Runtime {
        node: MobileNode::new(counters.clone(), clock::now(), &mut rand::rng()),
        hac,
        device,
        inward,
        netlink,
        routes,
        guard,
        dns,
        status,
        counters,
        home_agent,
        heard_of_runs,
        running: None,
        finished: false,
        shown_changes: 0,
        fallbacks,
        portals,
        router: router.clone(),
        announcing: None,
    };
    if tunnel.mtu.is_some() {
        runtime.node.fix_mtu();
    }
    if let Some(router) = router {
        mobile_router::warn_of_settings(&router);
        runtime.node.be_router(router);
    }
    let inputs = Inputs { runs, attachments, events, resumed: resume::watch(), fallbacks: of_fallbacks, logins, nat64, hints };
    let result = runtime.drive(inputs, renew, shutdown).await;
    monitor.abort();
    runtime.dns.put_back().await;
    drop(stop_upkeep);
    // What it just puts back would stay.
    let _ended = upkeep.await;
    let cleaned = runtime.routes.lock().await.clean_up().await;
    result.and(cleaned.map(|_| ()).map_err(RuntimeError::from))
}

/// What an earlier run has left of name servers stands in nobody's way but the host's own: what comes is put in its place.
async fn put_name_servers_back(tunnel: &Tunnel, status: &SharedStatus) {
    match dns::clean_up(tunnel).await {
        Ok(true) => tracing::info!("put the host's name servers back, which an earlier run had changed"),
        Ok(false) => {}
        Err(error) => {
            tracing::warn!(%error, "the host's name servers, which an earlier run had changed, are not put back");
            status.update(|shown| shown.dns_error = Some(format!("what an earlier run had changed is not put back: {error}")));
        }
    }
}

impl Runtime {
    async fn drive(
        &mut self,
        mut inputs: Inputs,
        renew: &Notify,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), RuntimeError> {
        let mut activity = tokio::time::interval(ACTIVITY_INTERVAL);
        activity.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        tokio::pin!(shutdown);
        let mut asked = false;
        self.drain().await?;
        while !self.finished {
            let due = self.node.poll_timeout().map(|(due, _)| due);
            tokio::select! {
                Some((run, heard)) = inputs.runs.recv() => self.hear(run, heard).await?,
                Some(Found { usable, on_link, noticed }) = inputs.attachments.recv() => {
                    self.node.note_kernel_event(noticed);
                    self.node.note_links(on_link);
                    self.node.handle_attachments(usable, clock::now());
                }
                Some(hint) = inputs.hints.recv() => self.node.handle_next_hop(hint, clock::now()),
                Some(event) = inputs.events.recv() => self.node.handle_event(&event, clock::now()),
                Some(resumed) = inputs.resumed.recv() => self.handle_resume(resumed).await?,
                Some(event) = inputs.fallbacks.recv() => self.hear_of_fallback(event)?,
                Some(()) = inputs.logins.recv() => {
                    self.hac.forget_pauses();
                    self.node.handle_way_open(clock::now());
                }
                prefixes = inputs.nat64.changed() => self.take_nat64(prefixes),
                () = sleep_until(due) => self.node.handle_timeout(clock::now()),
                _ = activity.tick() => {
                    let ((sent, _), (received, _)) = (self.counters.sent(), self.counters.received());
                    self.node.handle_activity(sent, received, clock::now());
                }
                () = renew.notified() => {
                    self.hac.forget_pauses();
                    self.node.handle_renew(clock::now());
                }
                () = &mut shutdown, if !asked => {
                    asked = true;
                    self.node.handle_down(clock::now());
                }
            }
            self.drain().await?;
        }
        Ok(())
    }

    async fn drain(&mut self) -> Result<(), RuntimeError> {
        while let Some(action) = self.node.poll_action() {
            self.carry_out(action).await?;
        }
        self.report();
        Ok(())
    }

    async fn carry_out(&mut self, action: Action) -> Result<(), RuntimeError> {
        match action {
            Action::Bootstrap(run) => self.bootstrap(run),
            Action::AbandonBootstrap(_) => self.running.take().iter().for_each(AbortHandle::abort),
            Action::OpenPath { socket, attachment } => {
                let opened = self.device.open_path(socket, &attachment)?;
                self.node.handle_path_opened(socket, opened, clock::now());
            }
            Action::ClosePath(socket) => self.device.close_path(socket)?,
            Action::OpenFallback { attempt, attachment, home_agent } => self.fallbacks.open(attempt, &attachment, home_agent),
            Action::CloseFallback(attempt) => {
                self.fallbacks.close(attempt);
                self.device.close_path(attempt)?;
            }
            Action::Command(command) => self.device.apply(&command)?,
            Action::Registered(registered) => self.registered(&registered).await?,
            Action::Mtu(mtu) => self.device.follow_path(&mut *self.routes.lock().await, mtu).await?,
            Action::Refused(status) => {
                self.status.update(|shown| shown.last_error = Some(format!("the home agent refused the binding: {status}")));
            }
            Action::Home(step) => self.take_home_step(step).await?,
            Action::Finished => self.finished = true,
        }
        Ok(())
    }

    async fn registered(&mut self, registered: &Registered) -> Result<(), RuntimeError> {
        let mut routes = self.routes.lock().await;
        routes.set_networks(registered.prefixes.iter().map(Into::into).collect()).await?;
        routes.lead_to(self.device.interface(), &registered.bound).await?;
        drop(routes);
        self.dns.registered(&registered.bound);
        self.status.registered_first(clock::now());
        let refused = registered.ipv4_refused.map(|why| format!("the home agent did not bind the IPv4 home address: {why}"));
        let sa = self.node.security_association();
        let refused = refused.or_else(|| mobile_router::problem(self.router.as_ref(), &sa?.sa, &registered.prefixes));
        self.status.update(|shown| {
            shown.mobile_network_prefixes = registered.prefixes.iter().map(|prefix| prefix.to_string()).collect();
            let care_of = Some(registered.attachment.care_of.0);
            shown.moves += u64::from(shown.care_of.is_some() && shown.care_of != care_of);
            shown.care_of = care_of;
            shown.interface = Some(registered.attachment.name.clone());
            shown.nat = registered.nat;
            shown.ipv4_bound = registered.bound.iter().any(|home| home.0.is_ipv4());
            shown.last_registration_ms = Some(milliseconds(registered.took));
            shown.last_error = refused;
        });
        Ok(())
    }
}
