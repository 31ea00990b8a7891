//! Looks for a portal as long as the node does not get through, and says when one is there and when it has gone.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::check::{self, Outcome};
use super::{Portal, Window, page_of};
use crate::hac_client::HacClient;
use crate::status::SharedStatus;

/// A node that is not registered for so long asks whether a login is wanted; a move or a first run of MHAuth takes less.
const TROUBLE: Duration = Duration::from_secs(1);
/// From one answer to the next question.
const AGAIN: Duration = Duration::from_secs(2);
/// As many of the HAC's addresses are asked at a time.
const ADDRESSES: usize = 4;

/// What the runtime has of the watch.
pub struct Portals {
    trouble: watch::Sender<bool>,
}

impl Portals {
    /// Begins. `done` hears each time that the login may be done: the node should try again at once.
    pub fn start(hac: HacClient, status: SharedStatus, window: Arc<Window>, done: mpsc::Sender<()>) -> Self {
        let (trouble, heard) = watch::channel(false);
        tokio::spawn(Watch { hac, status, window, done, trouble: heard }.run());
        Self { trouble }
    }

    /// Whether the node has a network and does not get through over it.
    pub fn set_trouble(&self, trouble: bool) {
        self.trouble.send_if_modified(|before| std::mem::replace(before, trouble) != trouble);
    }
}

struct Watch {
    hac: HacClient,
    status: SharedStatus,
    window: Arc<Window>,
    done: mpsc::Sender<()>,
    trouble: watch::Receiver<bool>,
}

impl Watch {
    /// Until the runtime is gone.
    async fn run(mut self) {
        while self.trouble.wait_for(|trouble| *trouble).await.is_ok() {
            let mut over = self.trouble.clone();
            let ended = tokio::select! {
                over = over.wait_for(|trouble| !trouble) => over.is_err(),
                () = self.look() => false,
            };
            self.window.close();
            self.show(None);
            if ended {
                return;
            }
        }
        self.window.close();
    }

    /// Asks again and again.
    async fn look(&self) {
        sleep(TROUBLE).await;
        let mut is_found = false;
        loop {
            let outcome = self.ask().await;
            if let Outcome::Portal(page) = outcome {
                let url = page.unwrap_or_else(|| page_of(&self.hac.whereabouts.name));
                self.show(Some(Portal { url }));
                is_found = true;
            } else {
                if outcome == Outcome::NoPortal {
                    self.show(None);
                }
                if is_found {
                    // Where the channel is full the runtime has not heard of the last time yet.
                    let _known = self.done.try_send(());
                }
            }
            sleep(AGAIN).await;
        }
    }

    /// At several of the HAC's addresses: of one family there may be no way.
    async fn ask(&self) -> Outcome {
        let addresses = self.hac.addresses(ADDRESSES).await;
        let name = &self.hac.whereabouts.name;
        let outcomes = join_all(addresses.into_iter().map(|address| check::ask(address, name, self.hac.fwmark))).await;
        let portal = outcomes.iter().find(|outcome| matches!(outcome, Outcome::Portal(_)));
        let answer = portal.or_else(|| outcomes.iter().find(|outcome| **outcome == Outcome::NoPortal));
        answer.cloned().unwrap_or(Outcome::Silence)
    }

    fn show(&self, portal: Option<Portal>) {
        self.status.update(|shown| {
            if shown.captive_portal != portal {
                match &portal {
                    Some(Portal { url }) => {
                        tracing::warn!(url, "this network wants a login before it lets anything through: run `mn portal`");
                    }
                    None => tracing::info!("no login is wanted any more"),
                }
            }
            shown.captive_portal = portal;
        });
    }
}
