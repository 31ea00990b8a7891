//! What the feed brings, taken into the register of SAs and passed on to the home agent. Pure; called by the gateway.

use std::time::Instant;

use feed::{Answer, Change, FromHac, Provisioned};

use crate::home_agent::{HomeAgent, Which};
use crate::sa_store::{Delivery, SaStore};

/// Takes one message of a subscription. What follows from it are the home agent's commands.
pub fn take(message: FromHac, store: &mut SaStore, home_agent: &mut HomeAgent, now: Instant) {
    match message {
        FromHac::Snapshot { associations, last, .. } => {
            store.note_snapshot_part(associations.iter().map(|provisioned| provisioned.sa.spi));
            associations.into_iter().for_each(|provisioned| install(provisioned, store, home_agent, now));
            if last {
                end_what_is_not_named(store, home_agent, now);
            }
        }
        FromHac::Delta { change: Change::Install(provisioned), .. } => install(*provisioned, store, home_agent, now),
        FromHac::Delta { change: Change::End(spi), .. } => {
            store.end(spi);
            home_agent.handle_sa_end(spi, now);
        }
        FromHac::SpiBlocks(blocks) => home_agent.handle_spi_blocks(blocks),
        FromHac::Answer(Answer::Found(provisioned)) => install(*provisioned, store, home_agent, now),
        FromHac::Answer(Answer::NotFound(spi)) => tracing::trace!(%spi, "the HAC does not know an SPI that was looked up"),
        FromHac::Renew(spi) => {
            let asked = home_agent.ask_for_new_sa(Which::One(spi), now);
            tracing::debug!(%spi, ?asked, "the HAC wants a new SA in the place of one");
        }
    }
}

/// The HAC has no record of this home agent any more: all that it delivered has ended, as after a snapshot that names nothing.
pub fn dismiss(store: &mut SaStore, home_agent: &mut HomeAgent, now: Instant) {
    store.begin_subscription();
    end_what_is_not_named(store, home_agent, now);
}

fn end_what_is_not_named(store: &mut SaStore, home_agent: &mut HomeAgent, now: Instant) {
    store.finish_snapshot().into_iter().for_each(|spi| home_agent.handle_sa_end(spi, now));
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

    /// What a home agent's process is fed with, and what its halves are told.
    struct Fed {
        store: SaStore,
        home_agent: HomeAgent,
        now: Instant,
    }

    impl Fed {
        fn new() -> Self {
            let config = HomeAgentConfig { longest_binding: Duration::from_secs(600), own_addresses: Vec::new() };
            let home_agent = HomeAgent::new(config, Arc::new(Counters::default()));
            Self { store: SaStore::default(), home_agent, now: Instant::now() }
        }

        /// The SPIs that the halves are told to install and to uninstall.
        fn takes(&mut self, message: FromHac) -> (Vec<u32>, Vec<u32>) {
            take(message, &mut self.store, &mut self.home_agent, self.now);
            self.commands()
        }

        fn commands(&mut self) -> (Vec<u32>, Vec<u32>) {
            let (mut installed, mut uninstalled) = (Vec::new(), Vec::new());
            while let Some(command) = self.home_agent.poll_command() {
                if let Command::Install(install) = &command {
                    installed.push(install.sa.spi.get());
                } else if let Command::Uninstall(spi) = command {
                    self.store.end(spi);
                    uninstalled.push(spi.get());
                } else {
                    panic!("{command:?}");
                }
            }
            (installed, uninstalled)
        }
    }

    fn provisioned(spi: u32) -> Provisioned {
        let sa = fixture::association(Spi::new(spi).unwrap(), CipherSuite::NullSha);
        Provisioned { sa, left: Duration::from_secs(60), lease: 0 }
    }

    fn snapshot(spis: &[u32], last: bool) -> FromHac {
        FromHac::Snapshot { revision: 1, associations: spis.iter().map(|spi| provisioned(*spi)).collect(), last }
    }

    fn delta(change: Change) -> FromHac {
        FromHac::Delta { revision: 2, change }
    }

    fn end(spi: u32) -> FromHac {
        delta(Change::End(Spi::new(spi).unwrap()))
    }

    fn found(spi: u32, lease: u32) -> FromHac {
        FromHac::Answer(Answer::Found(Box::new(Provisioned { lease, ..provisioned(spi) })))
    }

    #[test]
    fn a_snapshot_in_parts_installs_what_is_new_and_ends_what_no_part_names() {
        let mut fed = Fed::new();
        assert_eq!(fed.takes(snapshot(&[1, 2], false)), (vec![1, 2], vec![]));
        assert_eq!(fed.takes(snapshot(&[3], true)), (vec![3], vec![]));
        assert_eq!(fed.takes(end(2)), (vec![], vec![2]));
        assert_eq!(fed.takes(delta(Change::Install(Box::new(provisioned(4))))), (vec![4], vec![]));
        assert_eq!(fed.takes(snapshot(&[2, 3, 5], true)), (vec![5], vec![1, 4]), "2 has ended here and stays ended");
    }

    #[test]
    fn an_sa_that_was_looked_up_is_taken_once_with_its_lease_and_ends_like_any_other() {
        let mut fed = Fed::new();
        assert_eq!(fed.takes(FromHac::Answer(Answer::NotFound(Spi::new(6).unwrap()))), (vec![], vec![]));
        assert_eq!(fed.takes(found(6, 1)), (vec![6], vec![]));
        assert_eq!(fed.store.count(), (1, 1), "under lease 1 it only asks for re-initialisation");
        assert_eq!(fed.takes(delta(Change::Install(Box::new(provisioned(6))))), (vec![], vec![]), "the delta that was late");
        assert_eq!(fed.takes(snapshot(&[6], true)), (vec![], vec![]));
        assert_eq!(fed.takes(end(6)), (vec![], vec![6]));
        assert_eq!(fed.takes(found(6, 1)), (vec![], vec![]), "it has ended here and stays ended");
    }

    #[test]
    fn a_home_agent_that_is_dismissed_ends_everything_and_takes_nothing_of_it_again() {
        let mut fed = Fed::new();
        fed.takes(snapshot(&[1, 2], true));
        fed.takes(snapshot(&[1], false));
        dismiss(&mut fed.store, &mut fed.home_agent, fed.now);
        assert_eq!(fed.commands(), (vec![], vec![1, 2]), "also what half a snapshot had named");
        assert_eq!(fed.takes(snapshot(&[1, 2, 3], true)), (vec![3], vec![]));
    }

    #[test]
    fn a_wish_for_a_new_sa_is_the_home_agents_and_one_for_what_is_not_held_is_no_mistake() {
        let mut fed = Fed::new();
        fed.takes(snapshot(&[1, 2], true));
        for spi in [2, 9] {
            assert_eq!(fed.takes(FromHac::Renew(Spi::new(spi).unwrap())), (vec![], vec![]), "nobody is bound who could be asked");
        }
        let wanted = fed.home_agent.security_associations().filter(|sa| sa.is_renewal_wanted);
        assert_eq!(wanted.map(|sa| sa.install.sa.spi.get()).collect::<Vec<_>>(), [2]);
    }
}
