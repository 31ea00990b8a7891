//! Keeps what the node has set in the kernel: rules, routes, addresses and the guard's table, which others take away
//! (NetworkManager, systemd-networkd, `ip rule flush`, `nft flush ruleset`); and follows the networks that the host is attached
//! to. Driven by the kernel's events alone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use net::netlink::{Monitor, Netlink, NetlinkError, RulesetMonitor};
use tokio::sync::{Mutex, oneshot};

use crate::leak_guard::{GuardError, LeakGuard};
use crate::local_networks::{self, LocalNetwork};
use crate::routes::Routes;
use crate::status::SharedStatus;

/// From an event to the look at what is left: whoever takes one thing away takes the next at once.
const SETTLING: Duration = Duration::from_millis(20);
/// Between two looks, as long as nothing is missing.
const LEAST_PAUSE: Duration = Duration::from_millis(100);
/// The most that a quarrel with another program makes of it.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// After so long without anything missing, a quarrel is over.
const PEACE: Duration = Duration::from_secs(10);
/// After a socket of the kernel's has failed.
const RETRY: Duration = Duration::from_secs(1);

/// What is kept, shared with whoever changes it.
pub struct Upkeep {
    /// A connection of its own.
    pub netlink: Netlink,
    /// The tunnel's device.
    pub own: u32,
    /// Rules, routes and addresses.
    pub routes: Arc<Mutex<Routes>>,
    /// The guard's table.
    pub guard: Arc<Mutex<LeakGuard>>,
    /// Counts what was put back.
    pub status: SharedStatus,
}

/// Why a look failed.
#[derive(Debug, thiserror::Error)]
enum UpkeepError {
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    #[error(transparent)]
    Guard(#[from] GuardError),
    #[error("the kernel's events cannot be read: {0}")]
    Events(#[from] std::io::Error),
}

impl Upkeep {
    /// Ends when the other end of `stopped` is dropped, and never in the midst of putting something back: what is awaited then is
    /// there to be taken away.
    pub async fn run(self, mut stopped: oneshot::Receiver<()>) {
        let mut pace = Pace::default();
        while let Err(error) = self.watch(&mut pace, &mut stopped).await {
            tracing::warn!(%error, "rules, routes and guard are not watched for a moment");
            tokio::select! {
                () = tokio::time::sleep(RETRY) => {}
                _ = &mut stopped => return,
            }
        }
    }

    async fn watch(&self, pace: &mut Pace, stopped: &mut oneshot::Receiver<()>) -> Result<(), UpkeepError> {
        let (mut monitor, mut ruleset) = (Monitor::open_with_rules()?, self.ruleset().await?);
        loop {
            self.look(pace).await?;
            tokio::select! {
                event = monitor.next() => drop(event?),
                changed = changed(&mut ruleset) => changed?,
                _ = &mut *stopped => return Ok(()),
            }
            tokio::select! {
                () = tokio::time::sleep(pace.pause(Instant::now())) => {}
                _ = &mut *stopped => return Ok(()),
            }
            // What came meanwhile is seen by one look.
            while let Some(event) = monitor.next().now_or_never() {
                event?;
            }
            while let Some(change) = changed(&mut ruleset).now_or_never() {
                change?;
            }
        }
    }

    /// Without a guard nobody's rules are of interest.
    async fn ruleset(&self) -> Result<Option<RulesetMonitor>, UpkeepError> {
        let is_up = self.guard.lock().await.is_up();
        Ok(if is_up { Some(RulesetMonitor::open()?) } else { None })
    }

    async fn look(&self, pace: &mut Pace) -> Result<(), UpkeepError> {
        let mut gone = Vec::new();
        // What closes comes before what opens.
        if self.guard.lock().await.reassert().await? {
            gone.push("the guard's table".to_owned());
        }
        let local = self.local_networks().await?;
        let mut routes = self.routes.lock().await;
        gone.extend(routes.reassert().await?);
        routes.set_local(local.iter().map(|network| network.prefix).collect()).await?;
        drop(routes);
        self.guard.lock().await.set_local(local).await?;
        pace.looked(Instant::now(), !gone.is_empty());
        if !gone.is_empty() {
            let count = self.status.reasserted();
            tracing::warn!(gone = gone.join(", "), count, "somebody else took away what the tunnel needs; it is back");
        }
        Ok(())
    }
}

impl Upkeep {
    async fn local_networks(&self) -> Result<Vec<LocalNetwork>, UpkeepError> {
        if !self.guard.lock().await.allows_local() {
            return Ok(Vec::new());
        }
        Ok(local_networks::list(&self.netlink.links().await?, &self.netlink.addresses().await?, self.own))
    }
}

async fn changed(ruleset: &mut Option<RulesetMonitor>) -> std::io::Result<()> {
    match ruleset {
        Some(monitor) => monitor.changed().await,
        None => std::future::pending().await,
    }
}

/// How soon after an event is looked.
#[derive(Debug)]
struct Pace {
    pause: Duration,
    last_look: Option<Instant>,
    last_gone: Option<Instant>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { pause: LEAST_PAUSE, last_look: None, last_gone: None }
    }
}

impl Pace {
    /// From an event now to the next look: at most [`LONGEST_PAUSE`].
    fn pause(&self, now: Instant) -> Duration {
        let since = self.last_look.map_or(self.pause, |last| now.saturating_duration_since(last));
        self.pause.saturating_sub(since).max(SETTLING)
    }

    fn looked(&mut self, now: Instant, something_was_gone: bool) {
        self.last_look = Some(now);
        let in_peace = self.last_gone.is_none_or(|last| now.saturating_duration_since(last) >= PEACE);
        if something_was_gone {
            self.pause = if in_peace { LEAST_PAUSE } else { (self.pause * 2).min(LONGEST_PAUSE) };
            self.last_gone = Some(now);
        } else if in_peace {
            self.pause = LEAST_PAUSE;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_thing_that_is_missing_is_back_at_once_and_a_quarrel_has_a_bound() {
        let start = Instant::now();
        let mut pace = Pace::default();
        pace.looked(start, false);
        assert_eq!(pace.pause(start + Duration::from_secs(1)), SETTLING);
        let mut now = start + Duration::from_secs(1);
        let mut looks = 0;
        while now < start + Duration::from_secs(11) {
            // Somebody takes it away again as soon as it is back.
            pace.looked(now, true);
            looks += 1;
            let pause = pace.pause(now);
            assert!(pause <= LONGEST_PAUSE);
            now += pause;
        }
        assert!((20..=24).contains(&looks), "{looks} in 10 seconds");
        pace.looked(now + PEACE, false);
        assert_eq!(pace.pause(now + PEACE), LEAST_PAUSE);
    }
}
