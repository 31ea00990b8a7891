//! The home agent is asked by Heartbeats over networks that are not in use: over three at the same time while it does not answer over
//! the one in use, one of each network and address family before a second one, and over those that were left for that, from time to time,
//! whether they lead to it again.

use std::time::Instant;

use protocol::features::Features;
use protocol::tunnel::{Command, Install, Paths, SocketId};

use super::registration::COPIES;
use super::report::Report;
use super::{Action, MobileNode};
use crate::avoided::Due;
use crate::binding_messages;
use crate::handover::{Attached, Keep};
use crate::movement::Attachment;

impl MobileNode {
    /// Nothing has come back yet: other networks are asked at the same time whether they lead to the home agent, with each Binding
    /// Update anew, as many as [`Handover::ask`](crate::handover::Handover::ask) takes.
    pub(super) fn ask_over_others(&mut self, current: &Attachment) {
        let is_answered = self.sa.as_ref().is_some_and(|install| is_answered(install));
        if !is_answered || self.handover.beside().is_some() || self.registration.is_heard() {
            return;
        }
        for attachment in self.in_turn(current) {
            self.ask_by(attachment);
        }
    }

    /// The others that lead to the home agent. What an address of a dead interface did not bring, its next one will hardly bring: first
    /// come the first of each interface and family, and of these those that have not been found silent, those that are not deprecated and those
    /// of other interfaces.
    fn in_turn(&self, current: &Attachment) -> Vec<Attachment> {
        let leads_there = |other: &&Attachment| self.reached_from(other).is_some();
        let mut others: Vec<_> = self.usable.iter().filter(leads_there).filter(|other| !other.is_same_place(current)).collect();
        let is_worse = |other: &Attachment| (self.avoided.contains(other), other.deprecated);
        others.sort_by_key(|other| is_worse(other));
        let is_like = |one: &Attachment, other: &Attachment| {
            one.interface == other.interface && one.care_of.0.is_ipv6() == other.care_of.0.is_ipv6()
        };
        let before = |turn| std::iter::once(current).chain(others.iter().copied().take(turn));
        let ranked =
            others.iter().enumerate().map(|(turn, other)| (before(turn).filter(|one| is_like(one, other)).count(), *other));
        let mut ranked: Vec<_> = ranked.collect();
        ranked.sort_by_key(|(rank, other)| (*rank, is_worse(other), other.interface == current.interface));
        ranked.into_iter().map(|(_, other)| other.clone()).collect()
    }

    /// Those that were left because they were silent. Where the home agent answers no questions, they are tried after a while.
    pub(super) fn ask_about_avoided(&mut self, install: &Install, now: Instant) {
        if !is_answered(install) {
            self.avoided.forget_due(now);
            return;
        }
        let is_quiet = self.registered.is_some() && self.registration.is_settled() && self.handover.beside().is_none();
        if !is_quiet {
            return;
        }
        while let Some(due) = self.avoided.poll_due(now) {
            match due {
                Due::Ask(attachment) => self.ask_by(attachment),
                Due::Unanswered(attachment) => self.handover.ask_no_more_over(&attachment, now),
            }
        }
    }

    fn ask_by(&mut self, attachment: Attachment) {
        if let Some(asking) = self.handover.asking_over(&attachment).cloned() {
            self.ask_over(&asking);
            return;
        }
        let socket = self.handover.ask(&attachment);
        self.actions.extend(socket.map(|socket| Action::OpenPath { socket, attachment }));
    }

    /// The question itself, over a socket that is open.
    pub(super) fn ask_over(&mut self, asking: &Attached) {
        let (Some(install), Some(path)) = (self.sa.clone(), self.path_over(asking)) else { return };
        let (next_header, payload) = binding_messages::heartbeat(&install.sa, question_on(asking.0), 0, None);
        let (spi, paths) = (install.sa.spi, Paths::copies(path, COPIES));
        self.actions.push_back(Action::Command(Command::Signal { spi, paths, next_header, payload }));
    }

    /// A Heartbeat has been answered on this socket: where nothing has come back from the attachment in use, this one is used. `false`
    /// where that answers no question of this kind.
    pub(super) fn take_answer(&mut self, socket: SocketId, sequence: u32, now: Instant) -> bool {
        if sequence != question_on(socket) {
            return false;
        }
        let Some((_, attachment)) = self.handover.asking(socket).cloned() else { return true };
        if self.registration.is_settled() {
            self.consider_again(socket, &attachment, now);
            return true;
        }
        self.handover.note_answer(socket);
        if self.registration.unanswered() > 1 && !self.registration.is_heard() {
            self.take_other(now);
        }
        true
    }

    /// Nothing has come back from the attachment in use. `true` where the home agent has answered over another, which is used from now on.
    pub(super) fn take_other(&mut self, now: Instant) -> bool {
        let Some((socket, attachment)) = self.handover.answered().cloned() else { return false };
        let Some((_, current)) = self.handover.current().cloned() else { return false };
        Report::does_not_lead(&current.name);
        self.avoided.answered(&attachment);
        self.avoided.avoid(&current, now);
        self.use_asked(socket, current, Keep::Nothing, now)
    }

    /// One that was silent leads to the home agent again. Where it is the best of all, and it costs nothing, it is used again, be it for
    /// the sake of its address family alone (RFC 5555 section 4.4.1: IPv6 before IPv4).
    fn consider_again(&mut self, socket: SocketId, attachment: &Attachment, now: Instant) {
        let Some(install) = self.sa.clone().filter(|_| self.avoided.answered(attachment) && !self.leaving) else { return };
        let is_best = self.choose(None, &install).is_some_and(|best| best.is_same_place(attachment));
        let current = self.handover.current().map(|(_, current)| current.clone());
        match (current, self.to_keep()) {
            (Some(current), keep @ Keep::Current) if is_best && self.may_use_both(&install) => {
                self.use_asked(socket, current, keep, now);
            }
            _ => self.handover.ask_no_more_over(attachment, now),
        }
    }

    fn use_asked(&mut self, socket: SocketId, from: Attachment, keep: Keep, now: Instant) -> bool {
        let is_used = self.handover.adopt(socket, keep, now);
        if is_used {
            self.begin_move(Some(from), keep, now);
        }
        is_used
    }
}

/// Whether the home agent answers Heartbeats under this SA.
fn is_answered(install: &Install) -> bool {
    install.sa.features.has(Features::HEARTBEAT) && install.sa.is_numbered()
}

/// The sequence number of a question that goes over this socket: Heartbeats that search for the path's MTU have lower ones.
fn question_on(socket: SocketId) -> u32 {
    0x8000_0000 | u32::from(socket.0)
}
