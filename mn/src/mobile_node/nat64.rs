//! A home agent that has IPv4 alone, and a network that has none.

use std::net::IpAddr;
use std::time::Instant;

use protocol::addr::HomeAgentAddresses;
use protocol::nat64::Nat64Prefix;

use super::report::Report;
use super::{Action, MobileNode};
use crate::movement::Attachment;
use crate::nat64::{Prefixes, Reach};

impl MobileNode {
    /// Takes the prefixes that are known from here on. A run of MHAuth that failed, or has not reached the HAC yet, may want one.
    pub fn handle_nat64(&mut self, prefixes: Prefixes, now: Instant) {
        if self.nat64 == prefixes {
            return;
        }
        let remote = |node: &Self| node.udp_path().map(|path| path.remote);
        let before = remote(self);
        self.nat64 = prefixes;
        if before.is_some() && remote(self).is_some_and(|after| Some(after) != before) {
            // The same place, and another way from there.
            self.leave_path(now);
            self.register(now);
        }
        self.follow_movement(now);
        if let Some(run) = self.bootstrap.follow_way(now) {
            Report::bootstrap_goes_another_way();
            self.actions.push_back(Action::AbandonBootstrap(run));
        }
        self.bootstrap_if_due(now);
    }

    /// Where the home agent of the SA in use is reached.
    pub fn reach(&self) -> Option<Reach> {
        Some(self.reach_of(self.sa.as_ref()?.sa.home_agent))
    }

    /// Where a home agent with these addresses is.
    pub fn reach_of(&self, home_agent: HomeAgentAddresses) -> Reach {
        Reach { home_agent, nat64: self.nat64.clone() }
    }

    /// The home agent's address as packets go to it from here.
    pub(super) fn reached_from(&self, attachment: &Attachment) -> Option<IpAddr> {
        self.reach()?.seen_from(attachment.interface, attachment.care_of.0)
    }

    /// The home agent's address as the last acknowledged registration went to it.
    pub fn registered_at(&self) -> Option<IpAddr> {
        self.reached_from(&self.registered.as_ref()?.attachment)
    }

    /// The prefix through which the attachment in use leads to the home agent, where it does not natively.
    pub fn nat64_in_use(&self) -> Option<Nat64Prefix> {
        let (_, attachment) = self.handover.current()?;
        let reach = self.reach()?;
        let (interface, care_of) = (attachment.interface, attachment.care_of.0);
        let remote = reach.seen_from(interface, care_of).filter(|_| reach.is_through_nat64(interface, care_of))?;
        self.nat64.prefix_of(interface, remote)
    }
}
