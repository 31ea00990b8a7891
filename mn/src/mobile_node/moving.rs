//! How the node moves (RFC 6275 section 11.5), and how nothing is lost where both networks are up (RFC 5648): while a move is under way the
//! same sealed packets go over both, and the home agent, at which both care-of addresses are registered, does the same.

use std::time::{Duration, Instant};

use protocol::features::Features;
use protocol::sa::UserData;
use protocol::tunnel::{DropReason, Install, Paths, SocketId};
use protocol::wire::mobility::BindingId;

use super::report::Report;
use super::{Action, MobileNode};
use crate::flight_recorder::{Kind, Record, Tally};
use crate::handover::{Attached, Keep};
use crate::movement::{self, Attachment, Preference};

/// Both networks are used for so long after the home agent has acknowledged the new one: what is on its way over the old one comes no
/// later than that behind the new one's. The replay windows at both ends are made for it.
const OVERLAP: Duration = Duration::from_millis(250);
/// Binding Updates that go unanswered before a network is taken for one that does not lead to the home agent (RFC 5555 section 4.4.1).
const ATTEMPTS: u32 = 3;
/// And for how long they do: a round trip may be longer than the last one was.
const PATIENCE: Duration = Duration::from_secs(1);

impl MobileNode {
    /// The socket of an [`Action::OpenPath`] is open, or could not be opened.
    pub fn handle_path_opened(&mut self, socket: SocketId, opened: bool, now: Instant) {
        let (from, keep) = (self.handover.current().map(|(_, attachment)| attachment.clone()), self.to_keep());
        if !opened {
            self.handover.failed(socket);
        } else if let Some(asking) = self.handover.asking(socket).cloned() {
            self.ask_over(&asking);
        } else if self.handover.opened(socket, keep, now) {
            self.begin_move(from, keep, now);
        }
    }

    /// Another attachment is in use than before.
    pub(super) fn begin_move(&mut self, from: Option<Attachment>, keep: Keep, now: Instant) {
        let Some((socket, to)) = self.handover.current().cloned() else { return };
        let kind = match (&from, keep) {
            (None, _) => Kind::Attach,
            (Some(_), Keep::Nothing) => Kind::BreakBeforeMake,
            (Some(_), Keep::Current | Keep::Beside) => Kind::MakeBeforeBreak,
        };
        let left_while_it_worked = from.as_ref().is_some_and(|from| from.is_among(&self.usable) && !self.avoided.contains(from));
        let is_break = keep == Keep::Nothing && !left_while_it_worked && self.registered.is_some();
        let noticed = self.noticed.unwrap_or(now);
        self.recorder.begin(Record::beginning(kind, from, to, socket, noticed, now), self.tally());
        self.leave_fallback(now);
        self.leave_path(now);
        self.arrive();
        if is_break {
            self.ask_for_missed();
        }
        self.register(now);
        if is_break {
            self.resend(now);
        }
    }

    /// What the tunnel has counted of what a move may lose or double.
    pub(super) fn tally(&self) -> Tally {
        Tally { missing: self.counters.missing(), duplicates: self.counters.dropped(DropReason::ReplayedSequence) }
    }

    /// Moves to another attachment when the one in use is gone, or is to be left for a better one.
    pub(super) fn follow_movement(&mut self, now: Instant) {
        let Some(install) = self.sa.clone().filter(|_| !self.leaving) else { return };
        self.avoided.keep(&self.usable);
        self.handover.ask_over_usable_alone(&self.usable, now);
        self.ask_about_avoided(&install, now);
        self.follow_beside(now);
        let is_to_register = self.follow_home(now);
        // What was chosen before the way to the home agent was known is not kept for its own sake.
        let kept = self.handover.target().filter(|_| self.registered.is_some());
        let home = self.home_in_sight().map(|link| link.attachment);
        match home.or_else(|| self.choose(kept, &install)) {
            None => {
                if self.handover.detach(now) {
                    Report::detached();
                    self.recorder.abandoned(self.tally());
                }
                self.move_ends = None;
                self.leave_fallback(now);
                self.leave_path(now);
            }
            Some(chosen) if self.handover.target().is_some_and(|target| target.is_same_place(&chosen)) => {
                if is_to_register {
                    self.register(now);
                }
            }
            Some(chosen) if self.handover.beside().is_some_and(|(_, beside)| beside.is_same_place(&chosen)) => self.go_back(now),
            Some(chosen) => {
                let socket = self.handover.open(chosen.clone());
                self.actions.push_back(Action::OpenPath { socket, attachment: chosen });
            }
        }
    }

    /// The attachment to use, given one that is to be kept if it is good enough.
    pub(super) fn choose(&self, kept: Option<&Attachment>, install: &Install) -> Option<Attachment> {
        let reach = self.reach()?;
        let preference = Preference {
            home_agent: &reach,
            home: install.sa.home,
            leaves_for_better: self.may_use_both(install),
            is_acknowledged: self.is_found_here,
            avoided: &self.avoided.attachments(),
        };
        movement::choose(kept, &self.usable, &preference).cloned()
    }

    /// What is gone carries nothing any more, and the home agent is told at once.
    fn follow_beside(&mut self, now: Instant) {
        if self.handover.beside().is_some_and(|(_, beside)| !beside.is_among(&self.usable)) {
            self.end_move(now);
        }
    }

    /// Whether the home agent takes several care-of addresses, and copies of a packet can be told.
    pub(super) fn may_use_both(&self, install: &Install) -> bool {
        let can_tell = install.sa.is_numbered() && install.sa.user_data == UserData::Protected;
        install.sa.features.has(Features::MCOA) && can_tell && !self.is_plain
    }

    /// What goes on being used when the node moves now: what works.
    pub(super) fn to_keep(&self) -> Keep {
        let is_usable = |attached: Option<&Attached>| {
            attached.is_some_and(|(_, attachment)| attachment.is_among(&self.usable) && !self.avoided.contains(attachment))
        };
        match &self.sa {
            Some(install) if !self.may_use_both(install) => Keep::Nothing,
            _ if self.is_found_here && is_usable(self.handover.current()) => Keep::Current,
            _ if is_usable(self.handover.beside()) => Keep::Beside,
            _ => Keep::Nothing,
        }
    }

    /// The home agent has acknowledged the attachment in use, and knows that the node receives there.
    pub(super) fn note_proved(&mut self, now: Instant) {
        if self.handover.beside().is_some() {
            self.move_ends.get_or_insert(now + OVERLAP);
        }
    }

    /// Only the attachment in use is used from now on, and the home agent sends nowhere else.
    pub(super) fn end_move(&mut self, now: Instant) {
        self.move_ends = None;
        if self.handover.release(now) {
            self.recorder.ended(now);
            self.send_binding_update(true, now);
        }
    }

    /// The network that the node was about to move to is gone, or does not lead to the home agent; the old one works.
    fn go_back(&mut self, now: Instant) {
        self.move_ends = None;
        if self.handover.go_back(now) {
            self.recorder.abandoned(self.tally());
            self.leave_fallback(now);
            self.leave_path(now);
            self.arrive();
            self.register(now);
        }
    }

    /// Nothing has come back from the attachment in use. `true` when another one is used for that, or is to be.
    pub(super) fn leave_if_dead(&mut self, unanswered: u32, now: Instant) -> bool {
        let Some((_, attachment)) = self.handover.current().cloned() else { return false };
        if unanswered > 0 {
            let is_proof = unanswered > 1 || self.next_hop.is_gone();
            if is_proof && !self.registration.is_heard() && self.take_other(now) {
                return true;
            }
            self.ask_over_others(&attachment);
        }
        let is_dead = self.is_given_up(unanswered, now) && !self.avoided.contains(&attachment);
        let has_another = self.usable.iter().any(|other| !other.is_same_place(&attachment) && !self.avoided.contains(other));
        if !is_dead || !has_another {
            return false;
        }
        Report::does_not_lead(&attachment.name);
        self.avoided.avoid(&attachment, now);
        if self.handover.beside().is_some() {
            self.go_back(now);
        } else {
            self.follow_movement(now);
        }
        self.handover.target().is_some_and(|target| !target.is_same_place(&attachment))
    }

    /// Whether so many Binding Updates went out for so long, and nothing was said to them, that another way is worth a try.
    pub(super) fn is_given_up(&self, unanswered: u32, now: Instant) -> bool {
        let is_long = self.registration.waits_for(now) >= PATIENCE || self.next_hop.is_gone();
        unanswered >= ATTEMPTS && !self.registration.is_heard() && is_long
    }

    /// The number of the binding to the attachment in use, where the home agent takes numbers (RFC 5648 section 5.1).
    pub(super) fn binding_id(&self) -> Option<BindingId> {
        let install =
            self.sa.as_ref().filter(|install| self.may_use_both(install) && !self.leaving && !self.says_that_it_is_home())?;
        let (socket, _) = self.handover.current().filter(|_| install.sa.features.has(Features::MCOA))?;
        BindingId::new(u16::from(socket.0) + 1)
    }

    /// The home agent has no ear for numbers: it is spoken to without from now on.
    pub(super) fn speak_plainly(&mut self, now: Instant) {
        self.is_plain = true;
        self.move_ends = None;
        self.handover.release(now);
        self.send_binding_update(true, now);
    }

    /// Where the node's packets go: over the attachment in use first, and during a move over the other one as well.
    pub(super) fn paths(&self) -> Option<Paths> {
        let current = self.path()?;
        let beside = self.handover.beside().and_then(|attached| self.path_over(attached));
        Some(match beside {
            Some(beside) => Paths::two(current, beside),
            None => Paths::one(current),
        })
    }
}
