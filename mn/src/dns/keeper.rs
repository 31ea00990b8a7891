//! The task that keeps the host told: looks, tells anew what is lost, and puts everything back when the node ends.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use zbus::Connection;

use super::{Device, DnsError, Wanted, Way, changes, choose, file, is_left_at, network_manager, resolvconf, resolved};
use crate::config::DnsMode;
use crate::status::SharedStatus;
use crate::system_bus;

/// From a change until a look: they come many at a time, and with somebody who always takes away what was set this is how often it is.
const SETTLE: Duration = Duration::from_millis(300);
/// Where a file may have been written that is not watched, and after a failure.
const LOOK: Duration = Duration::from_secs(2);
/// Where changes are told of.
const RARE_LOOK: Duration = Duration::from_secs(60);
/// What the node can neither keep nor take away.
const NOT_PUT_BACK: &str =
    "those that this node or an earlier one has set are not put back: run `mn down` when the host's resolver is itself again";
/// Changes that may wait: they all say the same.
const QUEUE: usize = 1;

/// Keeps the host told of what `wishes` says, until nobody wishes any more; then everything is as before.
pub(super) async fn run(mode: DnsMode, device: Device, mut wishes: watch::Receiver<Wanted>, status: SharedStatus) {
    let (changed, mut changes) = mpsc::channel(QUEUE);
    let listener = tokio::spawn(changes::listen(changed));
    let mut keeper = Keeper { mode, entry: resolvconf::entry(&device.name), device, told: None, has_failed: false, status };
    loop {
        tokio::select! {
            wish = wishes.changed() => if wish.is_err() { break },
            Some(()) = changes.recv() => tokio::time::sleep(SETTLE).await,
            () = tokio::time::sleep(keeper.pause()) => {}
        }
        let wanted = wishes.borrow_and_update().clone();
        keeper.keep(&wanted).await;
    }
    listener.abort();
    keeper.put_back().await;
}

struct Keeper {
    mode: DnsMode,
    device: Device,
    /// Our name at resolvconf.
    entry: String,
    /// What the host was told, and through what.
    told: Option<(Way, Vec<std::net::IpAddr>)>,
    /// Whether what was tried last failed.
    has_failed: bool,
    status: SharedStatus,
}

impl Keeper {
    /// Looks whether what is wanted is so, and makes it so.
    async fn keep(&mut self, wanted: &Wanted) {
        if wanted.servers.is_empty() && self.told.is_none() || self.mode == DnsMode::Off {
            return;
        }
        let bus = system_bus::connect().await.ok();
        let way = if wanted.servers.is_empty() { None } else { choose::way(self.mode, bus.as_ref()).await };
        if let Some((old, _)) = self.told.take_if(|(old, _)| Some(*old) != way) {
            let undone = self.undo(old, bus.as_ref()).await;
            self.report(undone.map(|()| None));
        }
        let kept = match way {
            Some(way) => self.tell(way, wanted, bus.as_ref()).await.map(Some),
            None => Ok(None),
        };
        self.report(kept);
    }

    async fn tell(&mut self, way: Way, wanted: &Wanted, bus: Option<&Connection>) -> Result<Way, DnsError> {
        let servers = &wanted.servers;
        let stands = match way {
            Way::Resolved => resolved::stands(reached(bus)?, &self.device, servers).await?,
            Way::Resolvconf => resolvconf::stands(&self.entry, servers),
            Way::NetworkManager | Way::File => file::stands(servers),
        };
        if stands {
            self.told.get_or_insert_with(|| (way, servers.clone()));
            return Ok(way);
        }
        match way {
            Way::Resolved => resolved::set(reached(bus)?, &self.device, servers).await?,
            Way::Resolvconf => resolvconf::set(&self.entry, servers).await?,
            Way::NetworkManager | Way::File => file::set(servers)?,
        }
        let is_anew = self.told.replace((way, servers.clone())).is_some_and(|told| told == (way, servers.clone()));
        tracing::info!(%way, ?servers, is_anew, "the host asks these name servers, through the tunnel");
        Ok(way)
    }

    async fn undo(&self, way: Way, bus: Option<&Connection>) -> Result<(), DnsError> {
        match way {
            Way::Resolved => resolved::unset(reached(bus)?, &self.device).await,
            Way::Resolvconf => resolvconf::unset(&self.entry).await,
            Way::NetworkManager | Way::File => network_manager::put_back().await.map(drop),
        }
    }

    /// Of something that goes on failing it is said once.
    fn report(&mut self, kept: Result<Option<Way>, DnsError>) {
        let (way, error) = match kept {
            Ok(None) if is_left_at(&self.entry) => (None, Some(NOT_PUT_BACK.to_owned())),
            Ok(way) => (way.map(|way| way.to_string()), None),
            Err(error) => (None, Some(error.to_string())),
        };
        self.has_failed = error.is_some();
        self.status.update(|shown| {
            if error.is_some() && shown.dns_error != error {
                tracing::warn!(error, "the host does not ask the name servers that the HAC granted");
            }
            (shown.dns_through, shown.dns_error) = (way, error);
        });
    }

    /// Until the next look that nothing else causes.
    fn pause(&self) -> Duration {
        match self.told {
            Some((Way::Resolvconf | Way::NetworkManager | Way::File, _)) => LOOK,
            _ if self.has_failed => LOOK,
            Some((Way::Resolved, _)) | None => RARE_LOOK,
        }
    }

    async fn put_back(&mut self) {
        let Some((way, _)) = self.told.take() else { return };
        let bus = system_bus::connect().await.ok();
        match self.undo(way, bus.as_ref()).await {
            Ok(()) => tracing::debug!(%way, "the host asks the name servers that it asked before"),
            Err(error) => tracing::warn!(%error, "the host's name servers are not put back: run `mn down` once more"),
        }
    }
}

fn reached(bus: Option<&Connection>) -> Result<&Connection, DnsError> {
    let nowhere = || zbus::Error::from(std::io::Error::other("the system bus is not reached"));
    Ok(bus.ok_or_else(nowhere)?)
}
