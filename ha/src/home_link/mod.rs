//! A home link that is real: an Ethernet interface of this host, with the home network's prefixes on it. While a node is bound this
//! host answers there for its home addresses and passes what comes for them into the tunnel (RFC 6275 section 10.4.1, RFC 5555
//! section 4.5).
//!
//! ```text
//!  Gateway --orders--> keeper (task) --> kernel: proxy entries, host routes; link: announcements, probes
//!          <-verdicts-
//! ```

mod detector;
mod error;
mod keeper;
mod look;
mod settings;

use std::net::IpAddr;

use ipnet::IpNet;
use net::link_socket::LinkSocket;
use net::netlink::Netlink;
use net::tun::TunQueues;
use protocol::tunnel::Command;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::bound_addresses::{BoundAddresses, Changed};
use crate::home_agent::Detection;
pub use error::HomeLinkError;
use keeper::{Keeper, Order};
pub use look::{Look, look};
use settings::Settings;

/// Orders that wait for the kernel; the gateway waits when there are more.
const QUEUE: usize = 1024;

/// What was found out about a node's home addresses: those that somebody else has.
pub type Verdict = (Detection, Vec<IpAddr>);

/// The home link, as the gateway has it.
pub struct HomeLink {
    look: Look,
    bound: BoundAddresses,
    orders: mpsc::Sender<Order>,
    verdicts: mpsc::Receiver<Verdict>,
    keeper: JoinHandle<()>,
    /// Put back when it is dropped.
    _settings: Settings,
}

impl HomeLink {
    /// Begins to keep the interface `name`. What is bound is passed on to `tun`; `protocol` marks what is made in the kernel, by which
    /// what an earlier process has left there is known and deleted.
    ///
    /// # Errors
    /// The interface cannot be a home link, or the kernel refuses something.
    pub async fn open(name: &str, tun: &TunQueues, protocol: u8) -> Result<Self, HomeLinkError> {
        let netlink = Netlink::connect()?;
        let look = look(&netlink, name).await?;
        for left in netlink.proxies(look.index, protocol).await? {
            netlink.delete_proxy(look.index, left).await?;
        }
        let settings = Settings::make(name)?;
        let socket = LinkSocket::open(look.index, look.end.hardware).map_err(HomeLinkError::Socket)?;
        let (orders, order_queue) = mpsc::channel(QUEUE);
        let (verdict_sender, verdicts) = mpsc::channel(QUEUE);
        let keeper = Keeper::new(netlink, socket, &look, tun.index, protocol);
        let keeper = tokio::spawn(keeper.run(order_queue, verdict_sender));
        Ok(Self { look, bound: BoundAddresses::default(), orders, verdicts, keeper, _settings: settings })
    }

    /// The interface's name.
    pub fn interface(&self) -> &str {
        &self.look.name
    }

    /// Its prefixes.
    pub fn prefixes(&self) -> &[IpNet] {
        &self.look.prefixes
    }

    /// How many home addresses are answered for.
    pub fn answered_for(&self) -> usize {
        self.bound.iter().filter(|address| self.covers(&IpNet::from(*address))).count()
    }

    /// Whether the addresses of `pool` are on the link.
    pub fn covers(&self, pool: &IpNet) -> bool {
        self.look.prefixes.iter().any(|prefix| prefix.contains(pool))
    }

    /// Those of the `pools` that are on the link.
    ///
    /// # Errors
    /// None is.
    pub fn pools_on_it(&self, pools: &[IpNet]) -> Result<Vec<IpNet>, HomeLinkError> {
        let on_it: Vec<IpNet> = pools.iter().filter(|pool| self.covers(pool)).copied().collect();
        if on_it.is_empty() { Err(HomeLinkError::no_pool(&self.look, pools)) } else { Ok(on_it) }
    }

    /// Follows the commands that the tunnel's halves get. When it comes back, nothing is answered any more for what is not bound any
    /// more: only then may the node hear that it has its addresses for itself.
    pub async fn follow(&mut self, command: &Command) {
        let Changed { gone, new } = self.bound.follow(command);
        let on_link = |addresses: Vec<IpAddr>| -> Vec<IpAddr> {
            addresses.into_iter().filter(|address| self.covers(&IpNet::from(*address))).collect()
        };
        let (gone, new) = (on_link(gone), on_link(new));
        if !gone.is_empty() {
            let (done, is_done) = oneshot::channel();
            self.order(Order::Release(gone, done)).await;
            let _ = is_done.await;
        }
        if !new.is_empty() {
            self.order(Order::Intercept(new)).await;
        }
    }

    /// Looks whether another node has what is to be bound; [`Self::verdict`] says it later.
    pub async fn detect(&self, detection: Detection) {
        self.order(Order::Detect(detection)).await;
    }

    /// The next verdict. Safe to cancel.
    pub async fn verdict(&mut self) -> Option<Verdict> {
        self.verdicts.recv().await
    }

    /// Releases everything.
    pub async fn close(self) {
        drop(self.orders);
        let _ = self.keeper.await;
    }

    async fn order(&self, order: Order) {
        if self.orders.send(order).await.is_err() {
            tracing::error!(interface = self.look.name, "the task that keeps the home link has ended");
        }
    }
}
