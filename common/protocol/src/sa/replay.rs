//! The anti-replay window (RFC 4303 section 3.4.3), from sequence number 0 on.
//!
//! A ring of bits that slides by whole words (the technique of RFC 6479): moving costs a word's clearing, never a shift.

use crate::tunnel::DropReason;

/// Which sequence numbers of one direction have been received. 520 octets.
pub struct ReplayWindow {
    words: [u64; WORDS],
    /// One above the highest number received.
    next: u64,
}

const BITS: u64 = u64::BITS as u64;
const WORDS: usize = 64;
/// Numbers that are remembered behind the highest one: the word that is being filled does not count.
const LEN: u64 = (WORDS as u64 - 1) * BITS;
/// What PROFILE-conformant peers may rely on.
const LEAST: u64 = 2048;
const _: () = assert!(LEN >= LEAST && WORDS.is_power_of_two());

impl Default for ReplayWindow {
    fn default() -> Self {
        Self { words: [0; WORDS], next: 0 }
    }
}

/// A window that takes numbers from `next` on, and no lower one: as if all of them had been received.
impl From<u64> for ReplayWindow {
    fn from(next: u64) -> Self {
        let mut window = Self { words: [u64::MAX; WORDS], next };
        if let Some(filling) = window.words.get_mut((next / BITS) as usize & (WORDS - 1)) {
            *filling = bit(next) - 1;
        }
        window
    }
}

impl ReplayWindow {
    /// One above the highest number received; 0 before the first.
    pub fn next(&self) -> u64 {
        self.next
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
        if self.next - sequence > LEN {
            return Err(DropReason::OutsideWindow);
        }
        if self.words[word(sequence)] & bit(sequence) != 0 { Err(DropReason::ReplayedSequence) } else { Ok(()) }
    }

    /// Accepts `sequence` once: checks and sets in one step, after the ICV has passed.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn mark(&mut self, sequence: u32) -> Result<(), DropReason> {
        self.check(sequence)?;
        let sequence = u64::from(sequence);
        if sequence >= self.next {
            self.advance_to(sequence);
        }
        self.words[word(sequence)] |= bit(sequence);
        Ok(())
    }

    fn advance_to(&mut self, sequence: u64) {
        // The word of `next - 1` is in use; every word from the following one up to that of `sequence` becomes new.
        let first_new = self.next.div_ceil(BITS);
        let last = sequence / BITS;
        let count = (last + 1).saturating_sub(first_new).min(WORDS as u64);
        for word_number in (last + 1 - count)..=last {
            if count > 0 {
                self.words[(word_number as usize) & (WORDS - 1)] = 0;
            }
        }
        self.next = sequence + 1;
    }
}

fn word(sequence: u64) -> usize {
    (sequence / BITS) as usize & (WORDS - 1)
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
        assert_eq!(window.mark(0), Ok(()));
        assert_eq!(window.mark(0), Err(DropReason::ReplayedSequence));
    }

    #[test]
    fn a_number_just_inside_the_window_is_taken_and_one_further_is_not() {
        let mut window = ReplayWindow::default();
        window.mark(100_000).unwrap();
        let oldest = (100_001 - LEN) as u32;
        assert_eq!(window.mark(oldest), Ok(()));
        assert_eq!(window.mark(oldest - 1), Err(DropReason::OutsideWindow));
    }

    #[test]
    fn the_last_number_of_all_is_taken() {
        let mut window = ReplayWindow::default();
        assert_eq!(window.mark(u32::MAX), Ok(()));
        assert_eq!(window.mark(u32::MAX), Err(DropReason::ReplayedSequence));
        assert_eq!(window.mark(u32::MAX - 1), Ok(()));
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
                assert_eq!(window.mark(sequence as u32), Ok(()), "{sequence} from an edge of {next} on");
                assert_eq!(window.mark(sequence as u32), Err(DropReason::ReplayedSequence));
            }
        }
    }

    fn jumps() -> impl Strategy<Value = Vec<i64>> {
        let jump = prop_oneof![8 => -70_i64..70, 2 => -5000_i64..5000, 1 => -100_000_i64..100_000];
        proptest::collection::vec(jump, 1..400)
    }

    proptest! {
        /// RFC 4303 section 3.4.3 as a set: taken if and only if new and not left of the window. Folded at any time, it takes nothing
        /// below its highest number any more.
        #[test]
        fn the_window_agrees_with_a_set_of_all_numbers(jumps in jumps(), folds in proptest::collection::vec(0..400_usize, 0..4)) {
            let mut window = ReplayWindow::default();
            let (mut seen, mut at, mut edge) = (BTreeSet::new(), 1000_i64, 0);
            for (index, jump) in jumps.into_iter().enumerate() {
                let highest = seen.last().copied().unwrap_or(-1);
                if folds.contains(&index) {
                    window = ReplayWindow::from(window.next());
                    edge = highest + 1;
                }
                at = (at + jump).clamp(0, i64::from(u32::MAX));
                let expected = if at <= highest - LEN as i64 {
                    Err(DropReason::OutsideWindow)
                } else if seen.contains(&at) || at < edge {
                    Err(DropReason::ReplayedSequence)
                } else {
                    Ok(())
                };
                prop_assert_eq!(window.mark(at as u32), expected);
                if expected.is_ok() {
                    seen.insert(at);
                }
            }
        }
    }
}
