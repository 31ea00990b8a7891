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
        Delivery::New(install) => home_agent.handle_sa(install, now),
        Delivery::Held => {}
        Delivery::Ended => tracing::debug!(%spi, "an SA that has ended here was delivered again and is not taken"),
        Delivery::Expired => tracing::debug!(%spi, "an SA was delivered without any validity left"),
        Delivery::Full => tracing::error!(%spi, "no room for another SA: spread the subscribers over more groups"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    use protocol::sa::{CipherSuite, Spi};
    use protocol::tunnel::{Command, Counters};

    use crate::home_agent::HomeAgentConfig;

    fn provisioned(spi: u32) -> Provisioned {
        let sa = fixture::association(Spi::new(spi).unwrap(), CipherSuite::NullSha);
        Provisioned { sa, left: Duration::from_secs(60), lease: 0 }
    }

    /// The SPIs that the halves are told to install and to uninstall.
    fn commands(home_agent: &mut HomeAgent) -> (Vec<u32>, Vec<u32>) {
        let (mut installed, mut uninstalled) = (Vec::new(), Vec::new());
        while let Some(command) = home_agent.poll_command() {
            if let Command::Install(install) = &command {
                installed.push(install.sa.spi.get());
            } else if let Command::Uninstall(spi) = command {
                uninstalled.push(spi.get());
            } else {
                panic!("{command:?}");
            }
        }
        (installed, uninstalled)
    }

    #[test]
    fn a_snapshot_in_parts_installs_what_is_new_and_ends_what_no_part_names() {
        let (mut store, now) = (SaStore::default(), Instant::now());
        let config = HomeAgentConfig { longest_binding: Duration::from_secs(600), own_addresses: Vec::new() };
        let mut home_agent = HomeAgent::new(config, Arc::new(Counters::default()));
        let mut take = |message| {
            super::take(message, &mut store, &mut home_agent, now);
            commands(&mut home_agent)
        };
        let part = |spis: &[u32], last| {
            let associations = spis.iter().map(|spi| provisioned(*spi)).collect();
            FromHac::Snapshot { revision: 1, associations, last }
        };
        let delta = |change| FromHac::Delta { revision: 2, change };
        assert_eq!(take(part(&[1, 2], false)), (vec![1, 2], vec![]));
        assert_eq!(take(part(&[3], true)), (vec![3], vec![]));
        assert_eq!(take(delta(Change::End(Spi::new(2).unwrap()))), (vec![], vec![2]));
        assert_eq!(take(delta(Change::Install(Box::new(provisioned(4))))), (vec![4], vec![]));
        assert_eq!(take(part(&[2, 3, 5], true)), (vec![5], vec![1, 4]), "2 has ended here and stays ended");
    }
}
