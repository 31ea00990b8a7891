//! The gateway's answers to the control socket: what is reported of its state, and what an operator asks for.

use std::time::Instant;

use net::offloads;
use net::worker::Workers;

use super::Gateway;
use crate::control::{MAX_LISTED, Question};
use crate::report::{BindingCounts, FallbackReport, HomeLinkReport, Listed, SaCounts, StatusReport};

impl Gateway {
    /// Answers; whoever asked may have gone.
    pub(super) fn answer(&mut self, question: Question) {
        match question {
            Question::Status(answer) => _ = answer.send(Box::new(self.status())),
            Question::Bindings(answer) => {
                let traffic = |spi| self.home_agent.sessions().traffic(spi);
                let bindings = self.home_agent.bindings().map(|binding| (binding.clone(), traffic(binding.spi)));
                _ = answer.send(Listed::new(bindings, MAX_LISTED));
            }
            Question::SecurityAssociations(answer) => {
                _ = answer.send(Listed::new(self.home_agent.security_associations(), MAX_LISTED));
            }
            Question::Renew(which, answer) => {
                let asked = self.home_agent.ask_for_new_sa(which, Instant::now());
                tracing::info!(?which, ?asked, "an operator wants new SAs");
                _ = answer.send(asked);
            }
        }
    }

    fn status(&self) -> StatusReport {
        let home_agent = &self.home_agent;
        StatusReport {
            name: self.config.name.clone(),
            uptime: self.started.elapsed(),
            listen: self.config.listen.clone(),
            device: self.config.tunnel.device.clone(),
            workers: self.workers.as_ref().map_or(0, Workers::count),
            offloads: offloads::in_use(self.tun.segments, self.sockets.iter().flatten()),
            group: self.welcome.as_ref().map(|welcome| welcome.group.get()),
            pools: self.welcome.as_ref().map(|welcome| welcome.pools.clone()).unwrap_or_default(),
            feed_address: self.config.feed.address.clone(),
            feed: self.feed_state.borrow().clone(),
            associations: SaCounts::new(self.store.count(), home_agent.security_associations()),
            bindings: BindingCounts::new(home_agent.bindings()),
            sent: self.counters.sent(),
            sent_again: self.counters.sent_again(),
            received: self.counters.received(),
            missing: self.counters.missing(),
            drops: self.counters.drops().collect(),
            home_link: self.home_link.link().map(HomeLinkReport::from),
            fallback: self.relays.counters.as_deref().map(FallbackReport::from),
            io: self.workers.as_ref().map(|workers| workers.io().into()).unwrap_or_default(),
        }
    }
}
