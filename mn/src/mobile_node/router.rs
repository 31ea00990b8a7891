//! The node as a mobile router (RFC 3963 section 5): it asks for the networks behind it in implicit mode, and does without them where the
//! home agent does not forward them.

use std::time::Instant;

use protocol::prefixes::MobileNetworkPrefixes;
use protocol::sa::{SecurityAssociation, Spi};
use protocol::tunnel::{Command, Install};
use protocol::wire::mobility::{BindingAcknowledgement, MobileRouter, Status};

use super::report::Report;
use super::{Action, MobileNode};
use crate::{config, mobile_router};

/// What the node is as a router.
#[derive(Debug, Default)]
pub(super) struct Router {
    config: Option<config::MobileRouter>,
    /// The SA under which the home agent does not forward: what is asked for under it is a host's.
    refused_under: Option<Spi>,
}

impl Router {
    /// The networks that are asked for under `sa`.
    fn networks(&self, sa: &SecurityAssociation) -> MobileNetworkPrefixes {
        let is_refused = self.refused_under == Some(sa.spi);
        if is_refused { MobileNetworkPrefixes::default() } else { mobile_router::networks_of(self.config.as_ref(), sa) }
    }
}

impl MobileNode {
    /// Whether there is a network behind the node.
    pub(super) fn is_router(&self) -> bool {
        self.router.config.is_some()
    }

    /// There is a network behind the node. To be said before anything else.
    pub fn be_router(&mut self, config: config::MobileRouter) {
        self.router.config = Some(config);
    }

    /// What a Binding Update under `sa` says of the networks behind the node.
    pub(super) fn as_router(&self, sa: &SecurityAssociation) -> MobileRouter {
        if self.router.networks(sa).is_empty() { MobileRouter::No } else { MobileRouter::Implicit }
    }

    /// Section 5.4.1: a home agent that refuses for the sake of the networks alone is asked again without them. In implicit mode 141
    /// and 142 are as fatal as 140 and 143 are without another home agent, which only the HAC chooses.
    pub(super) fn is_refused_as_router(&self, acknowledgement: &BindingAcknowledgement, install: &Install) -> bool {
        let refusals = Status::TYPE_CHANGE_DISALLOWED..=Status::FORWARDING_SETUP_FAILED;
        self.as_router(&install.sa).is_router() && refusals.contains(&acknowledgement.status)
    }

    /// Registers as a host, which is all that this home agent takes under the SA in use.
    pub(super) fn be_host(&mut self, status: Status, install: &Install, now: Instant) {
        Report::refused_as_router(status);
        self.router.refused_under = Some(install.sa.spi);
        self.send_binding_update(true, now);
    }

    /// Section 5.3: the networks whose packets the home agent forwards by what it acknowledges. The tunnel is told.
    pub(super) fn forwarded(&mut self, acknowledgement: &BindingAcknowledgement, install: &Install) -> MobileNetworkPrefixes {
        if self.router.config.is_none() {
            return MobileNetworkPrefixes::default();
        }
        let asked = self.router.networks(&install.sa);
        let prefixes = if acknowledgement.mobile_router { asked.clone() } else { MobileNetworkPrefixes::default() };
        if prefixes.is_empty() && !asked.is_empty() {
            Report::not_forwarded();
            self.router.refused_under = Some(install.sa.spi);
        }
        let command = Command::Prefixes { home: install.sa.home, prefixes: prefixes.clone() };
        self.actions.push_back(Action::Command(command));
        prefixes
    }
}
