//! logind says when the machine is about to sleep and when it is awake again (`org.freedesktop.login1(5)`).
//!
//! A machine without a system bus or without logind has not got it, and nothing is said about that: the clocks tell too.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::mpsc;

use super::Signal;
use crate::system_bus;

/// After the bus was lost, or is not there yet.
const PAUSE: Duration = Duration::from_secs(30);

#[zbus::proxy(
    interface = "org.freedesktop.login1.Manager",
    default_service = "org.freedesktop.login1",
    default_path = "/org/freedesktop/login1"
)]
trait Manager {
    /// `start` before the machine sleeps, not `start` when it is awake again.
    #[zbus(signal)]
    fn prepare_for_sleep(&self, start: bool) -> zbus::Result<()>;
}

/// Says what logind says, on whatever bus there is, until nobody hears it.
pub(super) async fn listen(said: mpsc::Sender<Signal>) {
    while !said.is_closed() {
        if let Err(error) = follow(&said).await {
            tracing::debug!(%error, "logind says nothing of sleep");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// A match on the bus: logind itself need not run yet, and may be started anew.
async fn follow(said: &mpsc::Sender<Signal>) -> zbus::Result<()> {
    let bus = system_bus::connect().await?;
    let manager = ManagerProxy::new(&bus).await?;
    let mut signals = manager.receive_prepare_for_sleep().await?;
    tracing::debug!("listening to logind");
    while let Some(signal) = signals.next().await {
        let signal = if *signal.args()?.start() { Signal::GoingToSleep } else { Signal::Awake };
        if said.send(signal).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}
