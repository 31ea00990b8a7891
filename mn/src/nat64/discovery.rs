//! The task that finds out which NAT64 there is: beside everything else, and only once somebody wants it, since a HAC and a home agent that
//! have IPv6 need none. Until then it only listens to routers, whose word is not repeated for a while.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use net::netlink::{Event, Monitor, Netlink, NetlinkError, Pref64Monitor};
use tokio::sync::{Notify, watch};

use super::Prefixes;
use super::look_up;
use super::table::{Answer, Question, Table};
use crate::clock::{self, sleep_until};
use crate::dns::NameServers;
use crate::link_monitor::{self, Inward};

/// After the kernel's socket has failed, before it is opened again.
const PAUSE: Duration = Duration::from_secs(1);
/// The kernel's lists are read so long behind the first of its events: a move, which reads them at once, is not to share the processor.
const SETTLES: Duration = Duration::from_millis(50);

/// What has been found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The prefixes.
    pub prefixes: Prefixes,
    /// Whether every network without IPv4 has been asked once.
    pub is_settled: bool,
}

/// Whether somebody wants to know.
#[derive(Debug, Default)]
struct Wish {
    is_there: AtomicBool,
    comes: Notify,
}

/// What has been found out, as it changes. By default nothing, and nothing will be.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    found: Option<watch::Receiver<Found>>,
    wish: Arc<Wish>,
}

impl Watch {
    /// These prefixes are known, and nothing changes any more.
    #[cfg(test)]
    pub(crate) fn of(prefixes: Prefixes) -> Self {
        Self { found: Some(watch::channel(Found { prefixes, is_settled: true }).1), wish: Arc::default() }
    }

    /// From here on it is looked for.
    pub fn want(&self) {
        if !self.wish.is_there.swap(true, Ordering::Relaxed) {
            self.wish.comes.notify_one();
        }
    }

    /// The prefixes that are known now, if they are wanted.
    pub fn prefixes(&self) -> Prefixes {
        self.found.as_ref().map(|found| found.borrow().prefixes.clone()).unwrap_or_default()
    }

    /// Wants them; the same once every network has been asked, or after `limit`.
    pub async fn settled(&mut self, limit: Duration) -> Prefixes {
        self.want();
        if let Some(found) = &mut self.found {
            // Late, or never: what is known by then.
            let _settled = tokio::time::timeout(limit, found.wait_for(|found| found.is_settled)).await;
        }
        self.prefixes()
    }

    /// Waits until something is different; for ever, where nothing will be. Safe to cancel.
    pub async fn changed(&mut self) -> Prefixes {
        let is_open = match &mut self.found {
            Some(found) => found.changed().await.is_ok(),
            None => false,
        };
        if !is_open {
            std::future::pending::<()>().await;
        }
        self.prefixes()
    }
}

/// Starts the task on the current tokio runtime. What `inward` has is asked nothing; look-ups ask `servers` and carry `mark`. It ends when
/// nobody watches any more.
///
/// # Errors
/// No netlink socket.
pub fn start(inward: Inward, servers: NameServers, mark: u32) -> Result<Watch, NetlinkError> {
    let (found, watch) = watch::channel(Found::default());
    let (netlink, servers, wish) = (Netlink::connect()?, Arc::new(servers), Arc::<Wish>::default());
    let discovery = Discovery { netlink, inward, servers, mark, found, wish: wish.clone(), table: Table::default() };
    tokio::spawn(discovery.run());
    Ok(Watch { found: Some(watch), wish })
}

struct Discovery {
    netlink: Netlink,
    inward: Inward,
    servers: Arc<NameServers>,
    mark: u32,
    found: watch::Sender<Found>,
    wish: Arc<Wish>,
    table: Table,
}

impl Discovery {
    async fn run(mut self) {
        while !self.found.is_closed() {
            if let Err(error) = self.watch().await {
                tracing::warn!(%error, "it cannot be seen whether networks have a NAT64; trying again");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    async fn watch(&mut self) -> Result<(), NetlinkError> {
        let (mut monitor, mut advertised) = (Monitor::open()?, Pref64Monitor::open()?);
        let (mut look_ups, wish) = (FuturesUnordered::new(), self.wish.clone());
        self.table.ask_again(clock::now());
        let mut read_at = Some(clock::now());
        loop {
            if read_at.take_if(|due| *due <= clock::now()).is_some() {
                self.read_kernel().await?;
            }
            let now = clock::now();
            while self.is_wanted()
                && let Some(question) = self.table.poll_question(now)
            {
                look_ups.push(look_up(question, self.servers.clone(), self.mark));
            }
            self.publish();
            tokio::select! {
                event = monitor.next() => {
                    self.forget_if_down(&event.map_err(lost)?);
                    read_at.get_or_insert_with(|| clock::now() + SETTLES);
                }
                () = wish.comes.notified() => read_at = Some(clock::now()),
                said = advertised.next() => {
                    let said = said.map_err(lost)?;
                    tracing::debug!(interface = said.interface, prefix = %said.pref64.prefix, lifetime = ?said.pref64.lifetime, "a router has a NAT64");
                    self.table.hear(said.interface, said.pref64, clock::now());
                }
                Some((question, answer)) = look_ups.next() => {
                    tracing::debug!(interface = question.name, ?answer, "name servers were asked for a NAT64");
                    self.table.take(&question, answer, clock::now());
                }
                () = sleep_until([self.table.due(now), read_at].into_iter().flatten().min()) => {}
                () = self.found.closed() => return Ok(()),
            }
        }
    }

    fn is_wanted(&self) -> bool {
        self.wish.is_there.load(Ordering::Relaxed)
    }

    fn forget_if_down(&mut self, event: &Event) {
        if let Event::LinkGone(link) | Event::Link(link) = event
            && (matches!(event, Event::LinkGone(_)) || !link.up || !link.carrier)
        {
            self.table.forget(link.index);
        }
    }

    /// Nothing is read before somebody wants to know: a move is not to wait for it.
    async fn read_kernel(&mut self) -> Result<(), NetlinkError> {
        if !self.is_wanted() {
            return Ok(());
        }
        let links = self.netlink.links().await?;
        let (attachments, _) = link_monitor::list(&self.inward, None)?;
        let up: Vec<u32> = links.iter().filter(|link| self.inward.leaves(link)).map(|link| link.index).collect();
        self.table.follow(&up, &attachments, clock::now());
        Ok(())
    }

    fn publish(&self) {
        if !self.is_wanted() {
            return;
        }
        let now = clock::now();
        let found = Found { prefixes: self.table.prefixes(now), is_settled: self.table.is_settled(now) };
        self.found.send_if_modified(|known| {
            let is_new = *known != found;
            *known = found;
            is_new
        });
    }
}

async fn look_up(question: Question, servers: Arc<NameServers>, mark: u32) -> (Question, Answer) {
    let answer = look_up::ask(&servers, mark, &question.name).await;
    (question, answer)
}

fn lost(source: io::Error) -> NetlinkError {
    NetlinkError::Refused { what: "read the kernel's events".to_owned(), source }
}
