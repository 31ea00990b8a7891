//! PType 1 and 8: from the envelope to what is authentic.

use std::time::Instant;

use super::protected::Authentic;
use super::{ExitPoint, Verdict, verdict};
use crate::sa::{Role, Spi};
use crate::tunnel::batch::Received;
use crate::tunnel::{DropReason, Event, Volume};
use crate::wire::envelope::PType;

impl ExitPoint {
    /// Opens the datagrams of the group, which name `spi`, together; then each goes on by itself.
    pub(super) fn handle_group(
        &mut self,
        spi: Spi,
        these: &[Received],
        arena: &mut [u8],
        now: Instant,
        verdicts: &mut Vec<Verdict>,
    ) {
        let Some(sa) = self.sas.get_mut(spi) else { return self.miss(spi, these, now, verdicts) };
        let (sealed, opened) = self.group.for_opening();
        sa.open_many(sealed, arena, now, opened);
        let mut carried = Volume::default();
        for ((sealed, opened), received) in self.group.opened().zip(these) {
            let taken = opened.and_then(|opened| {
                self.received.add(opened.payload.len());
                if opened.is_wearing_out {
                    self.events.push_back(Event::WearingOut(spi));
                }
                let datagram = arena.get_mut(sealed.range.clone()).unwrap_or_default();
                Authentic { spi, sealed, received, opened }.deliver(sa, &self.gate, datagram, now, &mut self.events)
            });
            if let Ok(Some(inner)) = &taken {
                carried.add(inner.len());
            }
            verdicts.push(verdict(received, taken, &self.counters));
        }
        sa.count_user_data(carried);
        self.counters.count_missing(sa.take_missing());
        if let (Role::MobileNode, Some(highest)) = (self.role, sa.highest()) {
            self.counters.note_highest(spi, highest);
        }
        if let (Some(received), true) = (these.last(), carried.packets > 0) {
            self.note_heard(received.socket);
        }
    }

    /// The node sends its Binding Update again: by then the SA may be here.
    #[cold]
    fn miss(&mut self, spi: Spi, these: &[Received], now: Instant, verdicts: &mut Vec<Verdict>) {
        for (sealed, received) in self.group.sealed().iter().zip(these) {
            let may_be_update = sealed.ptype == PType::MobilityHeader && self.role == Role::HomeAgent;
            if may_be_update && self.look_ups.is_wanted(spi, sealed.range.len(), now) {
                self.events.push_back(Event::LookUp(spi));
            }
            verdicts.push(verdict(received, Err(DropReason::UnknownSpi), &self.counters));
        }
    }
}
