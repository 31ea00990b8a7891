//! A break loses what was sent on the old path behind it, and before the new path is known. Both ends have it at hand for a moment: the
//! node sends its own again as soon as it has moved, and tells the home agent how far it has heard (docs/why/break-before-make.md).

use std::time::{Duration, Instant};

use protocol::features::Features;
use protocol::sa::Spi;
use protocol::tunnel::{Command, Install, KEPT_FOR, Paths};
use protocol::wire::mobility::HighestReceived;

use super::{Action, MobileNode};

/// What left the node so long before the kernel said that the path is gone may not have left its interface.
const IN_THE_QUEUE: Duration = Duration::from_millis(5);

/// What is known of a break.
#[derive(Debug, Default)]
pub(super) struct Break {
    /// When the kernel said that the attachment in use is gone.
    began: Option<Instant>,
    /// How far the home agent was heard, and under which SA, until what it sent behind that has come or is lost.
    heard: Option<(Spi, HighestReceived)>,
}

impl MobileNode {
    /// The attachment in use is usable no more, unless that is known.
    pub(super) fn note_break(&mut self, now: Instant) {
        let current = self.handover.current();
        if current.is_some_and(|(_, attachment)| !attachment.is_among(&self.usable)) {
            self.broken.began.get_or_insert(self.noticed.unwrap_or(now));
        }
    }

    /// Packets may have been lost on the way to the node: the next Binding Updates say up to where none was.
    pub(super) fn ask_for_missed(&mut self) {
        let Some(install) = self.sa.as_ref().filter(|install| can_resend(install) && install.sa.features.has(Features::RESEND))
        else {
            return;
        };
        let spi = install.sa.spi;
        // Of two breaks in a row the first counts.
        if self.heard_up_to(spi).is_none() {
            self.broken.heard = self.counters.highest(spi).map(|highest| (spi, HighestReceived(highest)));
        }
    }

    /// What a Binding Update under this SA says of that.
    pub(super) fn heard_up_to(&self, spi: Spi) -> Option<HighestReceived> {
        self.broken.heard.filter(|(heard_under, _)| *heard_under == spi).map(|(_, highest)| highest)
    }

    /// The home agent has sent again what it could.
    pub(super) fn forget_break(&mut self) {
        self.broken.heard = None;
    }

    /// The node has moved, and nothing of before is used any more.
    pub(super) fn resend(&mut self, now: Instant) {
        let began = self.broken.began.take();
        let (Some(install), Some(path)) = (self.sa.as_ref().filter(|install| can_resend(install)), self.path()) else { return };
        let oldest = now.checked_sub(KEPT_FOR).unwrap_or(now);
        let since = began.and_then(|began| began.checked_sub(IN_THE_QUEUE)).map_or(oldest, |since| since.max(oldest));
        let (spi, paths) = (install.sa.spi, Paths::one(path));
        self.actions.push_back(Action::Command(Command::Resend { spi, paths, above: None, since, spared: 0 }));
    }
}

/// Where packets are not numbered, nobody could tell what came twice.
fn can_resend(install: &Install) -> bool {
    install.sa.is_numbered()
}
