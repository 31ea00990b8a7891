//! The sending half of a security association: numbers packets, lays them out and seals them.

use std::ops::Range;
use std::sync::Arc;

use rand_core::CryptoRng;

use super::cipher::{KeyError, LANES, Transform, layout};
use super::rest::Half;
use super::sequence_counter::run_of_lease;
use super::{CipherSuite, Direction, Role, Spi};
use crate::tunnel::batch::disjoint;
use crate::tunnel::{DropReason, Install, SendBatch, Volume};
use crate::wire::envelope::{Envelope, PType};

/// Key schedules of one direction, owned by an entry-point: the awake form of an outbound SA. What several entry-points share of it
/// is the counter in its [`Install`].
pub struct OutboundSa {
    transform: Transform,
    install: Arc<Install>,
    numbers: Numbers,
    direction: Direction,
    was_used: bool,
}

/// Sequence numbers that may still be sent.
enum Numbers {
    /// Those that were taken from the counter and not used yet, and the last one that may be taken.
    Counted {
        /// Empty behind a batch.
        taken: Range<u64>,
        /// Above it nothing is sent any more.
        last: u64,
    },
    /// Packets are not numbered: each has 0.
    Zero,
}

impl Half for OutboundSa {
    /// All that changes is in the counter.
    type Rest = ();

    fn wake(install: &Arc<Install>, role: Role, (): ()) -> Result<Self, KeyError> {
        let (sa, direction) = (&install.sa, role.sends());
        let (_, last) = run_of_lease(install.lease);
        Ok(Self {
            transform: Transform::new(sa.suite, sa.keys(direction))?,
            numbers: if sa.is_numbered() { Numbers::Counted { taken: 0..0, last } } else { Numbers::Zero },
            install: install.clone(),
            direction,
            was_used: false,
        })
    }

    fn rest(&mut self) {
        self.give_back();
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
    pub fn new(install: &Arc<Install>, role: Role) -> Result<Self, KeyError> {
        Self::wake(install, role, ())
    }

    /// The suite, and with it every length.
    pub fn suite(&self) -> CipherSuite {
        self.transform.suite()
    }

    /// Which SA.
    pub fn spi(&self) -> Spi {
        self.install.sa.spi
    }

    /// Whether packets are numbered; where not, user data does not go under this SA.
    pub fn is_numbered(&self) -> bool {
        matches!(self.numbers, Numbers::Counted { .. })
    }

    /// As if all numbers below `number` had been sent.
    #[cfg(test)]
    pub(crate) fn skip_to(&mut self, number: u32) {
        self.give_back();
        let next = self.install.counter.take(0, u64::MAX >> 1).start;
        self.install.counter.take(u64::from(number) - next, u64::MAX >> 1);
    }

    /// Counts inner packets that were sent under this SA.
    pub fn count_user_data(&self, sent: Volume) {
        self.install.traffic.count(self.direction, sent);
    }

    /// A packet goes in the clear under this SA: it takes no number, and is a use all the same.
    pub fn keep_awake(&mut self) {
        self.was_used = true;
    }

    /// Takes the sequence number of a datagram of `octets`. That `ahead` more datagrams may follow at once lets it ask the counter, which
    /// others ask too, for all of them; [`Self::give_back`] ends that.
    ///
    /// # Errors
    /// [`DropReason::SaExhausted`] when none is left, or the cipher may protect no more; then none is taken.
    pub fn reserve(&mut self, octets: usize, ahead: usize) -> Result<Reserved, DropReason> {
        let (suite, counter) = (self.suite(), &self.install.counter);
        if !counter.has_room(suite, octets) {
            return Err(DropReason::SaExhausted);
        }
        let sequence = match &mut self.numbers {
            Numbers::Zero => 0,
            Numbers::Counted { taken, last } => {
                if taken.is_empty() {
                    *taken = counter.take(1 + ahead as u64, *last);
                }
                taken.next().ok_or(DropReason::SaExhausted)?
            }
        };
        self.was_used = true;
        let is_wearing_out = counter.is_wearing_out(suite, octets, sequence);
        let sequence = u32::try_from(sequence).map_err(|_| DropReason::SaExhausted)?;
        Ok(Reserved { sequence, is_wearing_out })
    }

    /// Behind a batch: numbers that were taken for more than came are another's to use.
    pub fn give_back(&mut self) {
        if let Numbers::Counted { taken, .. } = &mut self.numbers
            && !taken.is_empty()
        {
            self.install.counter.give_back(std::mem::take(taken));
        }
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
        let head = Envelope::emit(ptype, self.spi(), sequence);
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
