//! What a node has missed in a break is sent again, where it is now (docs/why/break-before-make.md).

use std::time::Instant;

use protocol::sa::Spi;
use protocol::tunnel::{Command, KEPT_FOR, Paths};
use protocol::wire::mobility::HighestReceived;

use super::HomeAgent;
use crate::path_check;

/// By how many numbers packets overtake each other, since several workers send under one SA and networks reorder: what comes twice by that
/// is dropped by the node's replay window.
const OVERTAKING: u32 = 16;

impl HomeAgent {
    /// The node of this SA has registered, and says how far it has heard before.
    pub(super) fn resend(&mut self, spi: Spi, received: HighestReceived, now: Instant) {
        let Some(held) = self.sas.get(&spi).filter(|held| held.sa().is_numbered()) else { return };
        let Some(binding) = self.cache.get(held.home()) else { return };
        let Some(latest) = path_check::paths(binding, &held.unproved, held.seen_at).iter().next().cloned() else { return };
        let since = now.checked_sub(KEPT_FOR).unwrap_or(now);
        let above = received.0.checked_sub(OVERTAKING);
        let spared = held.unproved.spared();
        self.commands.push_back(Command::Resend { spi, paths: Paths::one(latest), above, since, spared });
    }
}
