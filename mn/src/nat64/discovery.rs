//! The task that finds out which NAT64 there is: beside everything else, and only where a network has no IPv4.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use net::netlink::{Monitor, Netlink, NetlinkError, Pref64Monitor};
use tokio::sync::watch;

use super::Prefixes;
use super::look_up;
use super::table::{Answer, Question, Table};
use crate::clock::{self, sleep_until};
use crate::dns::NameServers;
use crate::link_monitor;

/// After the kernel's socket has failed, before it is opened again.
const PAUSE: Duration = Duration::from_secs(1);

/// What has been found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The prefixes.
    pub prefixes: Prefixes,
    /// Whether every network without IPv4 has been asked once.
    pub is_settled: bool,
}

/// What has been found out, as it changes. By default nothing, and nothing will be.
#[derive(Clone, Debug, Default)]
pub struct Watch(Option<watch::Receiver<Found>>);

impl Watch {
    /// These prefixes are known, and nothing changes any more.
    #[cfg(test)]
    pub(crate) fn of(prefixes: Prefixes) -> Self {
        Self(Some(watch::channel(Found { prefixes, is_settled: true }).1))
    }

    /// The prefixes that are known now.
    pub fn prefixes(&self) -> Prefixes {
        self.0.as_ref().map(|found| found.borrow().prefixes.clone()).unwrap_or_default()
    }

    /// The same once every network has been asked, or after `limit`.
    pub async fn settled(&mut self, limit: Duration) -> Prefixes {
        if let Some(found) = &mut self.0 {
            // Late, or never: what is known by then.
            let _settled = tokio::time::timeout(limit, found.wait_for(|found| found.is_settled)).await;
        }
        self.prefixes()
    }

    /// Waits until something is different; for ever, where nothing will be. Safe to cancel.
    pub async fn changed(&mut self) -> Prefixes {
        let is_open = match &mut self.0 {
            Some(found) => found.changed().await.is_ok(),
            None => false,
        };
        if !is_open {
            std::future::pending::<()>().await;
        }
        self.prefixes()
    }
}

/// Starts the task on the current tokio runtime. `own` is the tunnel's device; look-ups ask `servers` and carry `mark`. It ends when
/// nobody watches any more.
///
/// # Errors
/// No netlink socket.
pub fn start(own: u32, servers: NameServers, mark: u32) -> Result<Watch, NetlinkError> {
    let (found, watch) = watch::channel(Found::default());
    let discovery =
        Discovery { netlink: Netlink::connect()?, own, servers: Arc::new(servers), mark, found, table: Table::default() };
    tokio::spawn(discovery.run());
    Ok(Watch(Some(watch)))
}

struct Discovery {
    netlink: Netlink,
    own: u32,
    servers: Arc<NameServers>,
    mark: u32,
    found: watch::Sender<Found>,
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
        let mut look_ups = FuturesUnordered::new();
        self.table.ask_again(clock::now());
        self.read_kernel().await?;
        loop {
            let now = clock::now();
            while let Some(question) = self.table.poll_question(now) {
                look_ups.push(look_up(question, self.servers.clone(), self.mark));
            }
            self.publish();
            tokio::select! {
                event = monitor.next() => {
                    event.map_err(lost)?;
                    self.read_kernel().await?;
                }
                said = advertised.next() => {
                    let said = said.map_err(lost)?;
                    tracing::debug!(interface = said.interface, prefix = %said.pref64.prefix, lifetime = ?said.pref64.lifetime, "a router has a NAT64");
                    self.table.hear(said.interface, said.pref64, clock::now());
                }
                Some((question, answer)) = look_ups.next() => {
                    tracing::debug!(interface = question.name, ?answer, "name servers were asked for a NAT64");
                    self.table.take(&question, answer, clock::now());
                }
                () = sleep_until(self.table.due(now)) => {}
                () = self.found.closed() => return Ok(()),
            }
        }
    }

    async fn read_kernel(&mut self) -> Result<(), NetlinkError> {
        let links = self.netlink.links().await?;
        let attachments = link_monitor::list(&self.netlink, self.own, None).await?;
        let is_up = |link: &&net::netlink::Link| link.up && link.carrier && !link.loopback && link.index != self.own;
        let up: Vec<u32> = links.iter().filter(is_up).map(|link| link.index).collect();
        self.table.follow(&up, &attachments, clock::now());
        Ok(())
    }

    fn publish(&self) {
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
