//! The anti-replay window (RFC 4303 section 3.4.3), from sequence number 0 on.
//!
//! A ring of bits that slides by whole words (the technique of RFC 6479): moving costs a word's clearing, never a shift.

use crate::tunnel::DropReason;

/// Which sequence numbers of one direction have been received.
pub struct ReplayWindow {
    /// A power of two of them.
    words: Box<[u64]>,
    /// One above the highest number received.
    next: u64,
}

const BITS: u64 = u64::BITS as u64;
/// Words of a window on one path: 512 octets.
const WORDS: usize = 64;
/// Numbers that are remembered behind the highest one: the word that is being filled does not count.
const LEN: u64 = (WORDS as u64 - 1) * BITS;
/// What PROFILE-conformant peers may rely on.
const LEAST: u64 = 2048;
const _: () = assert!(LEN >= LEAST && WORDS.is_power_of_two());

/// The most packets a second that one SA was seen to carry (64 octets each, docs/performance.md).
const HIGHEST_RATE: u64 = 130_000;
/// The largest difference between the delays of two paths over which the same packets go, in milliseconds.
const LARGEST_DIFFERENCE: u64 = 250;
/// Words of a window while packets come over two paths: on the slower one they are so much older. 4 KiB.
const WIDE_WORDS: usize = 512;
const WIDE_LEN: u64 = (WIDE_WORDS as u64 - 1) * BITS;
const _: () = assert!(WIDE_LEN >= HIGHEST_RATE * LARGEST_DIFFERENCE / 1000 && WIDE_WORDS.is_power_of_two());

impl Default for ReplayWindow {
    fn default() -> Self {
        Self { words: vec![0; WORDS].into(), next: 0 }
    }
}

/// A window that takes numbers from `next` on, and no lower one: as if all of them had been received.
impl From<u64> for ReplayWindow {
    fn from(next: u64) -> Self {
        Self::all_received(next, WORDS)
    }
}

impl ReplayWindow {
    fn all_received(next: u64, words: usize) -> Self {
        let mut window = Self { words: vec![u64::MAX; words].into(), next };
        *window.word_mut(next) = bit(next) - 1;
        window
    }

    /// One above the highest number received; 0 before the first.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Remembers more numbers from now on, for packets that come over two paths: what the window has forgotten already counts as received.
    pub fn widen(&mut self) {
        if self.words.len() >= WIDE_WORDS {
            return;
        }
        let mut wide = Self::all_received(self.next, WIDE_WORDS);
        for number in (self.next.saturating_sub(self.len())..self.next).step_by(BITS as usize).chain(self.next.checked_sub(1)) {
            *wide.word_mut(number) = self.word(number);
        }
        *self = wide;
    }

    /// Whether `sequence` could be accepted: asked before the ICV is computed, changes nothing.
    ///
    /// # Errors
    /// [`DropReason::ReplayedSequence`] or [`DropReason::OutsideWindow`].
    pub fn check(&self, sequence: u32) -> Result<(), DropReason> {
        let sequence = u64::from(sequence);
        if sequence >= self.next {
            return Ok(());
        }
        if self.next - sequence > self.len() {
            return Err(DropReason::OutsideWindow);
        }
        if self.word(sequence) & bit(sequence) != 0 { Err(DropReason::ReplayedSequence) } else { Ok(()) }
    }

    /// Accepts `sequence` once: checks and sets in one step, after the ICV has passed. Gives by how much the count of missing numbers
    /// changes: how many were skipped, or -1 where one of those comes after all. A jump beyond the window skips nothing: it is another
    /// lease's run of numbers.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn mark(&mut self, sequence: u32) -> Result<i64, DropReason> {
        self.check(sequence)?;
        let sequence = u64::from(sequence);
        let missing = match sequence.checked_sub(self.next) {
            None => -1,
            Some(skipped) if skipped > self.len() => 0,
            Some(skipped) => skipped as i64,
        };
        if sequence >= self.next {
            self.advance_to(sequence);
        }
        *self.word_mut(sequence) |= bit(sequence);
        Ok(missing)
    }

    /// Numbers that are remembered behind the highest one.
    fn len(&self) -> u64 {
        (self.words.len() as u64 - 1) * BITS
    }

    fn advance_to(&mut self, sequence: u64) {
        // The word of `next - 1` is in use; every word from the following one up to that of `sequence` becomes new.
        let first_new = self.next.div_ceil(BITS);
        let last = sequence / BITS;
        let count = (last + 1).saturating_sub(first_new).min(self.words.len() as u64);
        for word_number in (last + 1 - count)..=last {
            if count > 0 {
                *self.word_mut(word_number * BITS) = 0;
            }
        }
        self.next = sequence + 1;
    }

    fn word(&self, sequence: u64) -> u64 {
        self.words[self.place(sequence)]
    }

    fn word_mut(&mut self, sequence: u64) -> &mut u64 {
        let place = self.place(sequence);
        &mut self.words[place]
    }

    /// Always one of the words: their number is a power of two.
    fn place(&self, sequence: u64) -> usize {
        (sequence / BITS) as usize & (self.words.len() - 1)
    }
}

fn bit(sequence: u64) -> u64 {
    1 << (sequence % BITS)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_packet_has_number_zero_and_is_taken_once() {
        let mut window = ReplayWindow::default();
        assert_eq!(window.mark(0), Ok(0));
        assert_eq!(window.mark(0), Err(DropReason::ReplayedSequence));
    }

    #[test]
    fn a_number_just_inside_the_window_is_taken_and_one_further_is_not() {
        let mut window = ReplayWindow::default();
        window.mark(100_000).unwrap();
        let oldest = (100_001 - LEN) as u32;
        assert_eq!(window.mark(oldest), Ok(-1));
        assert_eq!(window.mark(oldest - 1), Err(DropReason::OutsideWindow));
    }

    #[test]
    fn the_last_number_of_all_is_taken() {
        let mut window = ReplayWindow::default();
        assert_eq!(window.mark(u32::MAX), Ok(0));
        assert_eq!(window.mark(u32::MAX), Err(DropReason::ReplayedSequence));
        assert_eq!(window.mark(u32::MAX - 1), Ok(-1));
    }

    #[test]
    fn a_window_that_was_folded_takes_nothing_below_its_edge_and_everything_from_there_on_once() {
        for next in [0, 1, 63, 64, 65, 4_031, 4_032, 4_033, 100_000, 1 << 32] {
            let mut window = ReplayWindow::from(next);
            let below = next.saturating_sub(LEN + 2)..next;
            for sequence in below {
                let reason = if next - sequence > LEN { DropReason::OutsideWindow } else { DropReason::ReplayedSequence };
                assert_eq!(window.mark(sequence as u32), Err(reason), "{sequence} under an edge of {next}");
            }
            for sequence in (next..(next + 200).min(1 << 32)).rev() {
                assert!(window.mark(sequence as u32).is_ok(), "{sequence} from an edge of {next} on");
                assert_eq!(window.mark(sequence as u32), Err(DropReason::ReplayedSequence));
            }
        }
    }

    #[test]
    fn what_is_skipped_is_missing_until_it_comes_and_another_leases_numbers_are_not() {
        let mut window = ReplayWindow::default();
        let missing: i64 = [0, 1, 5, 3, 9, 2].iter().map(|sequence| window.mark(*sequence).unwrap()).sum();
        assert_eq!(missing, 4, "4, 6, 7, 8");
        assert_eq!(window.mark(0xF000_0000), Ok(0));
    }

    #[test]
    fn a_wide_window_takes_what_comes_250_ms_late_at_the_highest_rate_and_nothing_twice() {
        for next in [1, 64, 65, 4_000, 4_032, 4_033, 100_000, 0xFFFF_FF00] {
            let (mut narrow, mut wide) = (ReplayWindow::default(), ReplayWindow::default());
            for sequence in (next - 1_u32).saturating_sub(5_000)..next {
                // Every third is missing.
                if sequence % 3 != 0 {
                    narrow.mark(sequence).unwrap();
                    wide.mark(sequence).unwrap();
                }
            }
            wide.widen();
            for sequence in (next - 1).saturating_sub(6_000)..next {
                match narrow.check(sequence) {
                    // Forgotten before it was widened: taken for received, but for what stood in the last word.
                    Err(DropReason::OutsideWindow) => assert!(wide.check(sequence).is_err() || sequence % 3 == 0, "{sequence}"),
                    known => assert_eq!(wide.check(sequence), known, "{sequence} under {next}"),
                }
            }
        }
        let mut window = ReplayWindow::default();
        window.widen();
        window.mark(100_000).unwrap();
        let late = 100_000 - (HIGHEST_RATE * LARGEST_DIFFERENCE / 1000) as u32;
        assert_eq!(window.mark(late), Ok(-1));
        assert_eq!(window.mark(late), Err(DropReason::ReplayedSequence));
        assert_eq!(window.mark((100_000 - WIDE_LEN) as u32), Err(DropReason::OutsideWindow));
    }

    fn jumps() -> impl Strategy<Value = Vec<i64>> {
        let jump = prop_oneof![8 => -70_i64..70, 2 => -5000_i64..5000, 1 => -100_000_i64..100_000];
        proptest::collection::vec(jump, 1..400)
    }

    proptest! {
        /// RFC 4303 section 3.4.3 as a set: taken if and only if new and not left of the window. Folded at any time, it takes nothing
        /// below its highest number any more.
        #[test]
        fn the_window_agrees_with_a_set_of_all_numbers(
            jumps in jumps(),
            folds in proptest::collection::vec(0..400_usize, 0..4),
            is_wide in any::<bool>(),
        ) {
            let mut window = ReplayWindow::default();
            let len = if is_wide { WIDE_LEN } else { LEN };
            let (mut seen, mut at, mut edge) = (BTreeSet::new(), 1000_i64, 0);
            if is_wide {
                window.widen();
            }
            for (index, jump) in jumps.into_iter().enumerate() {
                let highest = seen.last().copied().unwrap_or(-1);
                if folds.contains(&index) {
                    window = ReplayWindow::from(window.next());
                    edge = highest + 1;
                    if is_wide {
                        window.widen();
                    }
                }
                at = (at + jump).clamp(0, i64::from(u32::MAX));
                let expected = if at <= highest - len as i64 {
                    Err(DropReason::OutsideWindow)
                } else if seen.contains(&at) || at < edge {
                    Err(DropReason::ReplayedSequence)
                } else {
                    Ok(())
                };
                prop_assert_eq!(window.mark(at as u32).map(|_| ()), expected);
                if expected.is_ok() {
                    seen.insert(at);
                }
            }
        }
    }
}
