//! A grant between the store and the mobile node: committed, and told only when its home agent has it.

use std::time::SystemTime;

use protocol::mhauth::{Grant, Status, responder};
use protocol::sa::Spi;
use zeroize::Zeroizing;

use super::RETRY_HOME_AGENT;
use crate::registry::Undelivered;
use crate::store::Revision;

/// A grant whose association is on disk and waits for its home agent. The caller delivers it and settles one way or the other.
pub struct PendingGrant {
    pub(super) authenticated: responder::Authenticated,
    pub(super) grant: Grant,
    pub(super) home_agent: String,
    pub(super) revision: Revision,
}

impl PendingGrant {
    /// The home agent that must acknowledge.
    pub fn home_agent(&self) -> &str {
        &self.home_agent
    }

    /// The place in the log that it must acknowledge.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The association's SPI.
    pub fn spi(&self) -> Spi {
        self.grant.sa.spi
    }

    /// What the mobile node is told, now that its home agent has acknowledged, or has not in time. One that is only late has its
    /// subscription: the association is on its way there, and it can look the SPI up when the mobile node is first.
    pub fn settle(self, delivered: Result<(), Undelivered>, wall: SystemTime) -> Settled {
        let (spi, home_agent) = (self.spi(), &self.home_agent);
        match delivered {
            Ok(()) => {}
            Err(late @ Undelivered::Late) => tracing::warn!(
                home_agent,
                %spi,
                reason = %late,
                "a mobile node is told of an association all the same: is that home agent overloaded? see `ha status` there"
            ),
            Err(gone @ Undelivered::Gone) => {
                tracing::warn!(
                    home_agent,
                    %spi,
                    reason = %gone,
                    "an association was taken back, and its mobile node told to come again: see `ha status` at the home agent"
                );
                let refusal = self.authenticated.refuse(Status::Unavailable, Some(wall + RETRY_HOME_AGENT));
                return Settled::TakenBack(spi, refusal.octets);
            }
        }
        Settled::Granted(Zeroizing::new(self.authenticated.grant(&self.grant)))
    }
}

/// How a grant was settled, with the final response.
pub enum Settled {
    /// Status 200.
    Granted(Zeroizing<Vec<u8>>),
    /// Status 503. The caller ends the association with this SPI in the store.
    TakenBack(Spi, Vec<u8>),
}
