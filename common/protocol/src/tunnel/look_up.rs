//! Which unknown SPIs a home agent looks up at its HAC: those that what may be a Binding Update names, in SPI blocks that its
//! group has, each once in ten seconds, a hundred a second in all.
//!
//! Nothing of this is authenticated, so it is decided in the exit-point, before anything waits in control's queue, and what is
//! remembered has a bound. Entered for an unknown SPI alone.

use std::collections::VecDeque;
use std::num::NonZeroU8;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use crate::sa::cipher::layout::{MAX_PADDING, sealed_len};
use crate::sa::spi::SpiBlocks;
use crate::sa::{CipherSuite, Spi};

/// The most look-ups that the exit-points of one end want within any second; of several each has its share of it.
pub const MOST_A_SECOND: usize = 100;
/// An SPI that was looked up is not looked up again for so long, whatever the answer was.
pub const REMEMBERED: Duration = Duration::from_secs(10);
/// SPIs that are remembered: what may be looked up in that time.
pub const MOST_REMEMBERED: usize = MOST_A_SECOND * REMEMBERED.as_secs() as usize;
const SECOND: Duration = Duration::from_secs(1);

/// The shortest payload that is taken for a Binding Update: a bare Mobility Header, its 12 octets before the options and an IPv4
/// Care-of Address option of 8, in units of 8 (RFC 6275 section 6.1.7, RFC 5555 section 3.1.2).
const SHORTEST_PAYLOAD: usize = (12_usize + 8).next_multiple_of(8);
/// The longest: a Destination Options header and a Mobility Header, each as long as its length octet can say (256 units of 8).
const LONGEST_PAYLOAD: usize = 2 * 256 * 8;
/// Datagrams that can be Binding Updates under any suite, with as much padding as its sender may have put in.
const PLAUSIBLE: RangeInclusive<usize> = plausible();

const fn plausible() -> RangeInclusive<usize> {
    let (mut shortest, mut longest, mut index) = (usize::MAX, 0, 0);
    while index < CipherSuite::ALL.len() {
        let suite = CipherSuite::ALL[index];
        let (short, long) = (sealed_len(suite, SHORTEST_PAYLOAD), sealed_len(suite, LONGEST_PAYLOAD + MAX_PADDING));
        shortest = if short < shortest { short } else { shortest };
        longest = if long > longest { long } else { longest };
        index += 1;
    }
    shortest..=longest
}

/// What was looked up of late, and where anything may be.
#[derive(Debug)]
pub(super) struct LookUps {
    blocks: SpiBlocks,
    most_a_second: usize,
    /// Oldest first, at most [`MOST_REMEMBERED`]: no more than `most_a_second` of them lie within a second, and none is [`REMEMBERED`] old.
    asked: VecDeque<(Instant, Spi)>,
}

impl Default for LookUps {
    fn default() -> Self {
        Self::for_one_of(NonZeroU8::MIN)
    }
}

impl LookUps {
    /// Without any block, for one of `count` exit-points.
    pub(super) fn for_one_of(count: NonZeroU8) -> Self {
        let most_a_second = (MOST_A_SECOND / usize::from(count.get())).max(1);
        Self { blocks: SpiBlocks::default(), most_a_second, asked: VecDeque::new() }
    }

    pub(super) fn set_blocks(&mut self, blocks: SpiBlocks) {
        self.blocks = blocks;
    }

    /// Whether `spi`, which a PType 8 datagram of `len` octets named, is to be looked up; if so, that is remembered.
    pub(super) fn is_wanted(&mut self, spi: Spi, len: usize, now: Instant) -> bool {
        if !PLAUSIBLE.contains(&len) || !self.blocks.contains(spi.block()) || self.is_too_soon(now) {
            return false;
        }
        while self.asked.pop_front_if(|(at, _)| *at + REMEMBERED <= now).is_some() {}
        if self.asked.iter().any(|(_, asked)| *asked == spi) {
            return false;
        }
        self.asked.push_back((now, spi));
        true
    }

    fn is_too_soon(&self, now: Instant) -> bool {
        let before_the_latest = self.asked.len().checked_sub(self.most_a_second).and_then(|index| self.asked.get(index));
        before_the_latest.is_some_and(|(at, _)| now < *at + SECOND)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sa::spi::{HaGroup, SpiBlock};

    /// A length that every suite's Binding Updates have.
    const LEN: usize = 120;

    fn blocks(count: usize) -> impl Iterator<Item = SpiBlock> {
        HaGroup::new(5).unwrap().blocks().take(count)
    }

    fn spis(count: usize) -> impl Iterator<Item = Spi> {
        blocks(count).flat_map(|block| (0..SpiBlock::LEN).filter_map(move |number| block.spi(number)))
    }

    fn look_ups() -> (LookUps, Instant) {
        let mut look_ups = LookUps::default();
        look_ups.set_blocks(blocks(8).collect());
        #[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
        let now = Instant::now();
        (look_ups, now)
    }

    #[test]
    fn only_what_can_be_a_binding_update_in_a_block_of_the_group_is_looked_up() {
        let (mut look_ups, now) = look_ups();
        let spi = spis(1).next().unwrap();
        let elsewhere = blocks(9).last().unwrap().spi(0).unwrap();
        for len in [0, 8, PLAUSIBLE.start() - 1, PLAUSIBLE.end() + 1, 9_216] {
            assert!(!look_ups.is_wanted(spi, len, now), "{len}");
        }
        assert!(!look_ups.is_wanted(elsewhere, LEN, now), "a block that the group does not have");
        assert!(look_ups.is_wanted(spi, *PLAUSIBLE.start(), now));
        assert!(!LookUps::default().is_wanted(spi, LEN, now), "an end that no HAC has told of blocks");
    }

    #[test]
    fn several_exit_points_look_up_no_more_than_one_in_all() {
        for count in [2, 7, 64] {
            let mut look_ups = LookUps::for_one_of(NonZeroU8::new(count).unwrap());
            look_ups.set_blocks(blocks(8).collect());
            let (_, now) = self::look_ups();
            let asked = spis(1).filter(|spi| look_ups.is_wanted(*spi, LEN, now)).count();
            assert_eq!(asked, 100 / usize::from(count));
        }
    }

    #[test]
    fn an_spi_is_looked_up_once_in_ten_seconds() {
        let (mut look_ups, now) = look_ups();
        let spi = spis(1).next().unwrap();
        let asked = (0..200).filter(|tenths| look_ups.is_wanted(spi, LEN, now + Duration::from_millis(100) * *tenths));
        assert_eq!(asked.collect::<Vec<_>>(), [0, 100]);
    }

    #[test]
    fn a_flood_of_forged_spis_gets_a_hundred_look_ups_in_any_second_and_no_more_memory_than_a_thousand() {
        let (mut look_ups, start) = look_ups();
        let mut asked = Vec::new();
        for (number, spi) in (0..).zip(spis(8)) {
            let at = start + Duration::from_micros(997) * number;
            if look_ups.is_wanted(spi, LEN, at) {
                asked.push(at);
            }
            assert!(look_ups.asked.len() <= MOST_REMEMBERED);
        }
        assert!(asked.windows(MOST_A_SECOND + 1).all(|these| these[MOST_A_SECOND] - these[0] >= SECOND), "101 in a second");
        assert_eq!(asked.len(), 33 * MOST_A_SECOND, "8 blocks in 32.7 seconds");
        assert_eq!(look_ups.asked.len(), MOST_REMEMBERED);
    }
}
