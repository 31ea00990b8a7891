//! What the feed brings, taken into the register of SAs and passed on to the home agent. Pure; called by the gateway.

use std::time::Instant;

use feed::{Change, FromHac, Provisioned};

use crate::home_agent::HomeAgent;
use crate::sa_store::{Delivery, SaStore};

/// Takes one message of a subscription. What follows from it are the home agent's commands.
pub fn take(message: FromHac, store: &mut SaStore, home_agent: &mut HomeAgent, now: Instant) {
    match message {
        FromHac::Snapshot { associations, last, .. } => {
            store.note_snapshot_part(associations.iter().map(|provisioned| provisioned.sa.spi));
            associations.into_iter().for_each(|provisioned| install(provisioned, store, home_agent, now));
            if last {
                store.finish_snapshot().into_iter().for_each(|spi| home_agent.handle_sa_end(spi));
            }
        }
        FromHac::Delta { change: Change::Install(provisioned), .. } => install(*provisioned, store, home_agent, now),
        FromHac::Delta { change: Change::End(spi), .. } => {
            store.end(spi);
            home_agent.handle_sa_end(spi);
        }
    }
}

fn install(provisioned: Provisioned, store: &mut SaStore, home_agent: &mut HomeAgent, now: Instant) {
    let spi = provisioned.sa.spi;
    match store.deliver(provisioned, now) {
        Delivery::New(install) => {
            if !install.sa.is_numbered() {
                let suite = install.sa.suite;
                tracing::warn!(%spi, %suite, "packets under this SA have no replay protection (profile draft-04)");
            }
            home_agent.handle_sa(install, now);
        }
        Delivery::Held => {}
        Delivery::Ended => tracing::debug!(%spi, "an SA that has ended here was delivered again and is not taken"),
        Delivery::Expired => tracing::debug!(%spi, "an SA was delivered without any validity left"),
        Delivery::Full => tracing::error!(%spi, "no room for another SA: spread the subscribers over more groups"),
    }
}
