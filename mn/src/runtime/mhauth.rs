//! Runs of MHAuth, and what follows from a grant.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use protocol::mhauth::Grant;

use super::{Runtime, RuntimeError};
use crate::bootstrap::Run;
use crate::hac_client::HacError;
use crate::mobile_node::Phase;
use crate::{clock, granted, mobile_router};

/// What a run of MHAuth has to say.
pub(super) enum Heard {
    /// It goes from this address, or it is not known from which.
    GoesFrom(Option<IpAddr>),
    /// It is over.
    Ended(Box<Result<Grant, HacError>>),
}

impl Runtime {
    /// Runs MHAuth beside everything else.
    pub(super) fn bootstrap(&mut self, run: Run) {
        let (hac, heard) = (self.hac.clone(), self.heard_of_runs.clone());
        let task = tokio::spawn(async move {
            let goes_from = |address| {
                // An address that is not heard of costs a run that goes on although another network is gone.
                let _full = heard.try_send((run, Heard::GoesFrom(address)));
            };
            let outcome = hac.authenticate(goes_from).await;
            // The receiver is gone only when the node has stopped.
            let _stopped = heard.send((run, Heard::Ended(Box::new(outcome)))).await;
        });
        self.running = Some(task.abort_handle());
    }

    pub(super) async fn hear(&mut self, run: Run, heard: Heard) -> Result<(), RuntimeError> {
        match heard {
            Heard::GoesFrom(address) => self.node.handle_bootstrap_address(run, address),
            // Not even the device is to change for an answer that nobody waits for.
            Heard::Ended(outcome) if self.node.awaits(run) => self.take_outcome(run, *outcome).await?,
            Heard::Ended(_) => {}
        }
        Ok(())
    }

    async fn take_outcome(&mut self, run: Run, outcome: Result<Grant, HacError>) -> Result<(), RuntimeError> {
        let now = clock::now();
        match outcome {
            Ok(grant) => {
                let before = self.node.security_association().map(|install| install.sa.home);
                let install = Arc::new(granted::to_install(&grant, now, SystemTime::now()));
                self.guard.lock().await.set_homes(install.sa.home.iter().map(|home| home.0).collect()).await?;
                self.guard.lock().await.set_networks(mobile_router::networks_of(self.router.as_ref(), &install.sa)).await?;
                self.device.configure(&mut *self.routes.lock().await, &install.sa, before.as_ref()).await?;
                #[cfg(feature = "lab")]
                crate::esp_sa::export(&install.sa);
                self.dns.granted(&grant.dns);
                self.status.update(|shown| {
                    shown.dns.clone_from(&grant.dns);
                    shown.last_error = None;
                });
                self.node.offer_fallback(grant.fallback.is_some());
                self.fallbacks.set_server(grant.fallback);
                if install.sa.home_agent.ip6().is_none() {
                    self.hac.nat64.want();
                }
                self.home_agent.send_replace(Some(self.node.reach_of(install.sa.home_agent)));
                self.node.handle_grant(run, install, now, &mut rand::rng());
                Ok(())
            }
            Err(error) if error.is_final() && self.node.phase() == Phase::Bootstrapping => Err(error.into()),
            Err(error) => {
                self.status.update(|shown| shown.last_error = Some(error.to_string()));
                let retry_after = error.retry_after(SystemTime::now());
                self.node.handle_bootstrap_failure(run, &error, retry_after, now, &mut rand::rng());
                Ok(())
            }
        }
    }
}
