//! PType 1 and 8: from the envelope to what is authentic.

use std::time::Instant;

use super::group::Group;
use super::protected::Authentic;
use super::{ExitPoint, Verdict, verdict};
use crate::sa::Role;
use crate::sa::cipher::LANES;
use crate::tunnel::{DropReason, Event, Volume};
use crate::wire::envelope::PType;

impl ExitPoint {
    /// Opens datagrams of one SA together; then each goes on by itself.
    pub(super) fn handle_group(&mut self, group: &Group<'_>, arena: &mut [u8], now: Instant, verdicts: &mut Vec<Verdict>) {
        let Some(sa) = self.sas.get_mut(group.spi) else { return self.miss(group, now, verdicts) };
        let mut opened = std::array::from_fn::<_, LANES, _>(|_| Err(DropReason::Truncated));
        sa.open_many(group.sealed(), arena, now, &mut opened);
        let mut carried = Volume::default();
        for ((sealed, received), opened) in group.iter().zip(opened) {
            let taken = opened.and_then(|opened| {
                self.received.add(opened.payload.len());
                if opened.is_wearing_out {
                    self.events.push_back(Event::WearingOut(group.spi));
                }
                let datagram = arena.get_mut(sealed.range.clone()).unwrap_or_default();
                let authentic = Authentic { spi: group.spi, sealed, received, opened };
                authentic.deliver(sa, &self.gate, datagram, now, &mut self.events)
            });
            if let Ok(Some(inner)) = &taken {
                carried.add(inner.len());
            }
            verdicts.push(verdict(received, taken, &self.counters));
        }
        sa.count_user_data(carried);
    }

    /// The node sends its Binding Update again: by then the SA may be here.
    #[cold]
    fn miss(&mut self, group: &Group<'_>, now: Instant, verdicts: &mut Vec<Verdict>) {
        for (sealed, received) in group.iter() {
            let may_be_update = sealed.ptype == PType::MobilityHeader && self.role == Role::HomeAgent;
            if may_be_update && self.look_ups.is_wanted(group.spi, sealed.range.len(), now) {
                self.events.push_back(Event::LookUp(group.spi));
            }
            verdicts.push(verdict(received, Err(DropReason::UnknownSpi), &self.counters));
        }
    }
}
