//! The sending half of a security association: numbers packets, lays them out and seals them.

use std::ops::Range;
use std::sync::Arc;

use rand_core::CryptoRng;

use super::cipher::{KeyError, LANES, Transform, layout};
use super::rest::{Half, Rest};
use super::wear::Wear;
use super::{CipherSuite, Direction, Role, Spi};
use crate::tunnel::batch::disjoint;
use crate::tunnel::{DropReason, Install, SendBatch, TrafficCounters, Volume};
use crate::wire::envelope::{Envelope, PType};

/// Key schedules and counter of one direction, owned by an entry-point: the awake form of an outbound SA. The counter never wraps and
/// never restarts.
pub struct OutboundSa {
    transform: Transform,
    spi: Spi,
    numbers: Numbers,
    wear: Wear,
    direction: Direction,
    traffic: Arc<TrafficCounters>,
    was_used: bool,
}

/// Sequence numbers that may still be sent.
enum Numbers {
    /// From `next` to `last`.
    Left {
        /// The next one; above `last` nothing is sent any more.
        next: u64,
        /// The last one.
        last: u64,
    },
    /// Packets are not numbered: each has 0.
    Zero,
}

/// Lease 0 sends below this; each later lease has a run of numbers of its own above it.
const FIRST_LEASED: u64 = 0xF000_0000;
/// Numbers of one later lease: what a home agent without the counter may send to ask for a new SA.
const LEASE_RUN: u64 = 65_536;
/// The lease number at which no numbers are left.
pub const LAST_LEASE: u32 = 4_097;
const _: () = assert!(FIRST_LEASED + (LAST_LEASE as u64 - 1) * LEASE_RUN == 1 << 32);

impl Half for OutboundSa {
    fn first(install: &Install) -> Rest {
        let (next, _) = run_of_lease(install.lease);
        Rest { next, ..Rest::default() }
    }

    fn wake(install: &Install, role: Role, rest: Rest) -> Result<Self, KeyError> {
        let sa = &install.sa;
        let (_, last) = run_of_lease(install.lease);
        let direction = role.sends();
        Ok(Self {
            transform: Transform::new(sa.suite, sa.keys(direction))?,
            spi: sa.spi,
            numbers: if sa.is_numbered() { Numbers::Left { next: rest.next, last } } else { Numbers::Zero },
            wear: rest.wear,
            direction,
            traffic: install.traffic.clone(),
            was_used: false,
        })
    }

    fn rest(&self) -> Rest {
        let next = if let Numbers::Left { next, .. } = self.numbers { next } else { 0 };
        Rest { next, wear: self.wear }
    }

    fn was_used(&mut self) -> bool {
        std::mem::take(&mut self.was_used)
    }
}

impl OutboundSa {
    /// The sending half of `install` at the end `role`, before its first packet.
    ///
    /// # Errors
    /// When the keys do not fit the suite.
    pub fn new(install: &Install, role: Role) -> Result<Self, KeyError> {
        Self::wake(install, role, Self::first(install))
    }

    /// The suite, and with it every length.
    pub fn suite(&self) -> CipherSuite {
        self.transform.suite()
    }

    /// Which SA.
    pub fn spi(&self) -> Spi {
        self.spi
    }

    /// Whether packets are numbered; where not, user data does not go under this SA.
    pub fn is_numbered(&self) -> bool {
        matches!(self.numbers, Numbers::Left { .. })
    }

    /// As if all numbers below `number` had been sent.
    #[cfg(test)]
    pub(crate) fn skip_to(&mut self, number: u32) {
        if let Numbers::Left { next, .. } = &mut self.numbers {
            *next = number.into();
        }
    }

    /// Counts inner packets that were sent under this SA.
    pub fn count_user_data(&self, sent: Volume) {
        self.traffic.count(self.direction, sent);
    }

    /// A packet goes in the clear under this SA: it takes no number, and is a use all the same.
    pub fn keep_awake(&mut self) {
        self.was_used = true;
    }

    /// Takes the sequence number of a datagram of `octets`.
    ///
    /// # Errors
    /// [`DropReason::SaExhausted`] when none is left, or the cipher may protect no more; then none is taken.
    pub fn reserve(&mut self, octets: usize) -> Result<Reserved, DropReason> {
        let suite = self.suite();
        if !self.wear.has_room(suite, octets) {
            return Err(DropReason::SaExhausted);
        }
        let sequence = match &mut self.numbers {
            Numbers::Zero => 0,
            Numbers::Left { next, last } if *next <= *last => {
                *next += 1;
                *next - 1
            }
            Numbers::Left { .. } => return Err(DropReason::SaExhausted),
        };
        let sequence32 = u32::try_from(sequence).map_err(|_| DropReason::SaExhausted)?;
        self.was_used = true;
        Ok(Reserved { sequence: sequence32, is_wearing_out: self.wear.count(suite, octets, sequence) })
    }

    /// Lays out one packet in `datagram`, of [`layout::sealed_len`] octets, under a reserved number, and gives the place of its
    /// payload. Not sealed yet.
    pub fn frame<'a>(
        &self,
        ptype: PType,
        sequence: u32,
        next_header: u8,
        payload_len: usize,
        rng: &mut impl CryptoRng,
        datagram: &'a mut [u8],
    ) -> &'a mut [u8] {
        let head = Envelope::emit(ptype, self.spi, sequence);
        layout::frame(self.suite(), head, next_header, payload_len, rng, datagram)
    }

    /// Seals the datagrams that lie at `ranges` of the batch, [`LANES`] together.
    pub fn seal_batch(&self, batch: &mut SendBatch, mut ranges: impl Iterator<Item = Range<usize>> + Clone) {
        loop {
            let (mut datagrams, count) = disjoint::<LANES>(batch.arena(), ranges.clone());
            let Some(last) = count.checked_sub(1) else { break };
            self.transform.seal_many(datagrams.get_mut(..count).unwrap_or_default());
            ranges.nth(last);
        }
    }
}

/// A sequence number that is a packet's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// The number.
    pub sequence: u32,
    /// Whether a new SA is wanted; said once.
    pub is_wearing_out: bool,
}

/// First and last number that a lease may send; first above last when it may send none.
fn run_of_lease(lease: u32) -> (u64, u64) {
    match lease {
        0 => (0, FIRST_LEASED - 1),
        lease if lease < LAST_LEASE => {
            let first = FIRST_LEASED + u64::from(lease - 1) * LEASE_RUN;
            (first, first + LEASE_RUN - 1)
        }
        _ => (1 << 32, (1 << 32) - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_have_runs_that_do_not_touch_and_end_with_the_number_space() {
        assert_eq!(run_of_lease(0), (0, 0xEFFF_FFFF));
        assert_eq!(run_of_lease(1), (0xF000_0000, 0xF000_FFFF));
        assert_eq!(run_of_lease(4_096), (0xFFFF_0000, 0xFFFF_FFFF));
        for lease in 1..4_096 {
            assert_eq!(run_of_lease(lease).1 + 1, run_of_lease(lease + 1).0);
        }
        let (first, last) = run_of_lease(LAST_LEASE);
        assert!(first > last);
    }
}
