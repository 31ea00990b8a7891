//! The machine was asleep, or the process stopped: nothing was sent, and what the node was told of meanwhile it did not hear.

use std::time::{Duration, Instant};

use super::report::Report;
use super::{Action, MobileNode};
use crate::movement::Attachment;

impl MobileNode {
    /// The machine is awake again after about `slept`; `usable` are the attachments as they are now, and `now` is of a clock that
    /// counted the sleep.
    ///
    /// An SA that ended meanwhile is ended first, so that nothing goes under it. A run of MHAuth that was in progress is given up,
    /// since its connection is as old as the sleep. Where the attachment in use is still there a Binding Update goes at once:
    /// translators on the way have forgotten the node, and the home agent perhaps too. It goes over UDP: a connection over TLS is as old as
    /// the sleep too.
    pub fn handle_resume(&mut self, slept: Duration, usable: Vec<Attachment>, now: Instant) {
        Report::resumed(slept);
        if self.sa_ends.take_if(|ends| *ends <= now).is_some() {
            self.end_sa();
            self.registration.pause();
        }
        if let Some(run) = self.bootstrap.resume(slept, now) {
            Report::bootstrap_abandoned();
            self.actions.push_back(Action::AbandonBootstrap(run));
        }
        // Whatever it says now, the link may be another.
        self.leave_home();
        if !self.leaving {
            self.leave_fallback(now);
        }
        self.handle_attachments(usable, now);
        if self.is_moving() {
            // The Binding Update goes from where it moves to.
            self.registration.pause();
        } else if self.sa_ends.is_some() && !self.leaving {
            self.leave_path(now);
            self.register(now);
        }
        self.handle_timeout(now);
    }

    fn is_moving(&self) -> bool {
        self.handover.target() != self.handover.current().map(|(_, attachment)| attachment)
    }
}
