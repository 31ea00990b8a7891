//! Says that something has changed of what the host is told through: systemd-resolved came, went, or was told something, or somebody
//! has written `/etc/resolv.conf`.

use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use net::file_watch::FileWatch;
use tokio::sync::mpsc;
use zbus::{MatchRule, MessageStream};

use super::file::RESOLV_CONF;
use super::resolved;
use crate::system_bus;

/// After the bus or the folder was lost, or is not there yet.
const PAUSE: Duration = Duration::from_secs(5);

/// Ends when nobody wants to know any more. Of a full queue the receiver does all that there is to do.
pub(super) async fn listen(changed: mpsc::Sender<()>) {
    tokio::join!(listen_to_bus(&changed), listen_to_folder(&changed));
}

async fn listen_to_bus(changed: &mpsc::Sender<()>) {
    while !changed.is_closed() {
        if let Err(error) = follow_bus(changed).await {
            tracing::debug!(%error, "the system bus tells nothing of name servers");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn follow_bus(changed: &mpsc::Sender<()>) -> zbus::Result<()> {
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

async fn listen_to_folder(changed: &mpsc::Sender<()>) {
    while !changed.is_closed() {
        if let Err(error) = follow_folder(changed).await {
            tracing::debug!(%error, "who writes {RESOLV_CONF} is seen late");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn follow_folder(changed: &mpsc::Sender<()>) -> std::io::Result<()> {
    let watch = FileWatch::new(Path::new(RESOLV_CONF))?;
    loop {
        watch.changed().await?;
        let _known = changed.try_send(());
    }
}
