//! The tunnel exit-point (RFC 2473 section 3.3): protected datagrams in, inner packets out. Owns the inbound SAs of its share
//! with their replay windows. Nothing but counters answers a datagram that is not authentic.
//!
//! A batch is handled in groups of datagrams of one SA that stand side by side: they are opened together, and each goes on by itself
//! in the order in which they came.

mod clear;
mod gate;
mod group;
mod open;
mod protected;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use self::gate::Gate;
use self::group::{Group, Kind};
use super::batch::Received;
use super::look_up::LookUps;
use super::{Command, Counters, DropReason, Event, Guard, ReceiveBatch, Share, SocketId, Volume};
use crate::sa::Role;
use crate::sa::inbound::InboundSa;
use crate::sa::sad::Sad;

/// What became of one datagram of a batch.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// An inner packet, at this range of the receive batch, for the TUN device.
    Deliver(Range<usize>),
    /// Signalling, which became an event, or a dummy packet.
    Consumed,
    /// Dropped, and counted.
    Drop(DropReason),
    /// Not looked at: it names an SA of this share.
    PassOn(u8),
}

/// The receiving half of all tunnels of one end.
pub struct ExitPoint {
    role: Role,
    share: Share,
    gate: Gate,
    sas: Sad<InboundSa>,
    look_ups: LookUps,
    group: Group,
    counters: Arc<Counters>,
    /// Taken in this batch, not counted yet.
    received: Volume,
    /// Of a mobile node: the sockets on which user data has come since the last `Move`, a bit each.
    heard: u64,
    events: VecDeque<Event>,
}

impl ExitPoint {
    /// An exit-point without any tunnel.
    pub fn new(role: Role, counters: Arc<Counters>) -> Self {
        let (gate, sas, look_ups) = (Gate::new(role), Sad::new(role), LookUps::default());
        let (group, received, events) = (Group::new(), Volume::default(), VecDeque::new());
        Self { role, share: Share::WHOLE, gate, sas, look_ups, group, counters, received, heard: 0, events }
    }

    /// Opens only what is under the SAs of `share`.
    #[must_use]
    pub fn for_share(self, share: Share) -> Self {
        Self { share, look_ups: LookUps::for_one_of(share.count()), ..self }
    }

    /// Lets through to the end's own addresses only what `guard` allows.
    #[must_use]
    pub fn guarded(mut self, guard: Guard) -> Self {
        self.gate.guard = guard;
        self
    }

    /// Obeys control.
    pub fn apply(&mut self, command: &Command) {
        match command {
            Command::Install(install) => {
                self.sas.insert(install);
            }
            Command::Uninstall(spi) => {
                self.sas.remove(*spi);
            }
            Command::Move { home, paths, sending, .. } => {
                let before = home.iter().find_map(|home| self.gate.tunnel(home));
                if before.is_none_or(|before| !before.paths.lead_alike(paths)) {
                    self.heard = 0;
                }
                self.gate.table.apply(command);
                // An SA at rest is woken for nothing else.
                if paths.are_several() {
                    self.sas.get_mut(*sending).into_iter().for_each(InboundSa::widen);
                }
            }
            Command::Remove(_) | Command::PathMtu { .. } | Command::Prefixes { .. } => self.gate.table.apply(command),
            Command::LookUpIn(blocks) => self.look_ups.set_blocks(blocks.clone()),
            Command::Guard(guard) => self.gate.guard = guard.clone(),
            Command::Mtu(mtu) => self.gate.mtu = *mtu,
            Command::Signal { .. } | Command::Probe { .. } | Command::Resend { .. } | Command::Keepalive { .. } => {}
        }
    }

    /// Opens each datagram in place: one verdict for each, in order.
    pub fn handle_datagrams(&mut self, datagrams: &mut ReceiveBatch, now: Instant, verdicts: &mut Vec<Verdict>) {
        verdicts.clear();
        let (mut rest, arena) = datagrams.split();
        while let Some((first, others)) = rest.split_first() {
            let octets = arena.get_mut(first.range.clone()).unwrap_or_default();
            rest = match Kind::of(octets) {
                Ok(Kind::Sealed(spi, ..)) if !self.share.has(spi) => {
                    verdicts.push(Verdict::PassOn(self.share.of(spi)));
                    others
                }
                Ok(Kind::Sealed(spi, ..)) => {
                    let (these, behind) = self.group.fill(spi, rest, arena);
                    self.handle_group(spi, these, arena, now, verdicts);
                    behind
                }
                Ok(Kind::Clear) => {
                    let taken = self.take_clear(first, octets).map(Some);
                    verdicts.push(verdict(first, taken, &self.counters));
                    others
                }
                Err(reason) => {
                    verdicts.push(verdict(first, Err(reason), &self.counters));
                    others
                }
            };
        }
        let Volume { packets, octets } = std::mem::take(&mut self.received);
        self.counters.count_received(packets, octets);
        self.sas.sweep(now);
    }

    /// User data has come on this socket.
    fn note_heard(&mut self, socket: SocketId) {
        let bit = 1_u64.checked_shl(socket.0.into()).unwrap_or_default();
        if self.role == Role::MobileNode && self.heard & bit != bit {
            self.heard |= bit;
            self.events.push_back(Event::Heard(socket));
        }
    }

    /// The next thing that control has to know; drained until `None`.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
}

/// Of a datagram in which an inner packet stands, or which ends here, or which is dropped.
fn verdict(received: &Received, taken: Result<Option<Range<usize>>, DropReason>, counters: &Counters) -> Verdict {
    match taken {
        Ok(Some(inner)) => Verdict::Deliver(received.range.start + inner.start..received.range.start + inner.end),
        Ok(None) => Verdict::Consumed,
        Err(reason) => {
            counters.count_drop(reason);
            Verdict::Drop(reason)
        }
    }
}
