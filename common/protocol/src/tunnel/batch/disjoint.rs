//! Several datagrams of one arena at once, each to be changed in place.

use std::mem::take;
use std::ops::Range;

/// The octets at the first of `ranges`, at most `N`: as many as lie one behind the other, so that each place is named once. Gives them
/// and how many there are; where a range is not in the arena, no octets. A first range is always taken.
pub(crate) fn disjoint<const N: usize>(arena: &mut [u8], ranges: impl Iterator<Item = Range<usize>>) -> ([&mut [u8]; N], usize) {
    let mut slices: [&mut [u8]; N] = std::array::from_fn(|_| Default::default());
    let (mut rest, mut at, mut count) = (arena, 0, 0);
    for (slice, range) in slices.iter_mut().zip(ranges) {
        let Some(gap) = range.start.checked_sub(at) else { break };
        let (_, behind) = take(&mut rest).split_at_mut_checked(gap).unwrap_or_default();
        (*slice, rest) = behind.split_at_mut_checked(range.len()).unwrap_or_default();
        at = range.end.max(range.start);
        count += 1;
    }
    (slices, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(octets: &mut [u8], ranges: &[Range<usize>]) -> Vec<Vec<u8>> {
        let (slices, count) = disjoint::<3>(octets, ranges.iter().cloned());
        slices.iter().take(count).map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn ranges_that_ascend_are_taken_up_to_the_most_and_gaps_are_left_out() {
        let mut octets = *b"0123456789";
        assert_eq!(taken(&mut octets, &[0..2, 3..3, 4..7, 8..9]), [b"01".to_vec(), vec![], b"456".to_vec()]);
        assert_eq!(taken(&mut octets, &[]), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn a_range_that_begins_before_the_last_ended_ends_the_row() {
        let mut octets = *b"0123456789";
        assert_eq!(taken(&mut octets, &[4..7, 6..9]), [b"456"]);
        assert_eq!(taken(&mut octets, &[4..7, 0..2]), [b"456"]);
    }

    #[test]
    fn a_range_outside_the_arena_has_no_octets() {
        let mut octets = *b"0123456789";
        assert_eq!(taken(&mut octets, &[4..7, 8..11]), [b"456".to_vec(), vec![]]);
        assert_eq!(taken(&mut octets, &[11..12, usize::MAX - 1..usize::MAX]), [vec![], vec![]]);
    }
}
