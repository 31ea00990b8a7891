//! The task that keeps the host told: looks, tells anew what is lost, and puts everything back when the node ends.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::{mpsc, watch};
use zbus::{Connection, MatchRule, MessageStream};

use super::{Device, DnsError, Wanted, Way, choose, file, resolvconf, resolved};
use crate::config::DnsMode;
use crate::status::SharedStatus;
use crate::system_bus;

/// From a signal until a look: they come many at a time, and with somebody who always takes away what was set this is how often it is.
const SETTLE: Duration = Duration::from_millis(300);
/// Where no signal tells that somebody has written a file, and after a failure.
const LOOK: Duration = Duration::from_secs(2);
/// Where one does.
const RARE_LOOK: Duration = Duration::from_secs(60);
/// After the bus was lost, or is not there yet.
const PAUSE: Duration = Duration::from_secs(5);
/// Signals that may wait: they all say the same.
const QUEUE: usize = 1;

/// Keeps the host told of what `wishes` says, until nobody wishes any more; then everything is as before.
pub(super) async fn run(mode: DnsMode, device: Device, mut wishes: watch::Receiver<Wanted>, status: SharedStatus) {
    let (changed, mut changes) = mpsc::channel(QUEUE);
    let listener = tokio::spawn(listen(changed));
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

/// Says that something has changed that the system bus knows of: systemd-resolved came, went, or was told something.
async fn listen(changed: mpsc::Sender<()>) {
    while !changed.is_closed() {
        if let Err(error) = follow(&changed).await {
            tracing::debug!(%error, "the system bus tells nothing of name servers");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn follow(changed: &mpsc::Sender<()>) -> zbus::Result<()> {
    let bus = system_bus::connect().await?;
    let signals = || MatchRule::builder().msg_type(zbus::message::Type::Signal);
    let of_bus = signals().interface("org.freedesktop.DBus").member("NameOwnerChanged").add_arg(resolved::NAME).build()?;
    let of_resolved = signals().interface("org.freedesktop.DBus.Properties").path("/org/freedesktop/resolve1").build()?;
    let names = MessageStream::for_match_rule(of_bus, &bus, None).await?;
    let properties = MessageStream::for_match_rule(of_resolved, &bus, None).await?;
    let mut signals = futures_util::stream::select(names, properties);
    // What changed before it could be heard.
    let _known = changed.try_send(());
    while let Some(signal) = signals.next().await {
        signal?;
        let _known = changed.try_send(());
    }
    Ok(())
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
            Way::File => file::stands(servers),
        };
        if stands {
            self.told.get_or_insert_with(|| (way, servers.clone()));
            return Ok(way);
        }
        match way {
            Way::Resolved => resolved::set(reached(bus)?, &self.device, servers).await?,
            Way::Resolvconf => resolvconf::set(&self.entry, servers).await?,
            Way::File => file::set(servers)?,
        }
        let is_anew = self.told.replace((way, servers.clone())).is_some_and(|told| told == (way, servers.clone()));
        tracing::info!(%way, ?servers, is_anew, "the host asks these name servers, through the tunnel");
        Ok(way)
    }

    async fn undo(&self, way: Way, bus: Option<&Connection>) -> Result<(), DnsError> {
        match way {
            Way::Resolved => resolved::unset(reached(bus)?, &self.device).await,
            Way::Resolvconf => resolvconf::unset(&self.entry).await,
            Way::File => file::put_back().map(drop),
        }
    }

    /// Of something that goes on failing it is said once.
    fn report(&mut self, kept: Result<Option<Way>, DnsError>) {
        let (way, error) = match kept {
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
            Some((Way::Resolvconf | Way::File, _)) => LOOK,
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
