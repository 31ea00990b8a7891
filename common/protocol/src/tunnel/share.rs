//! Which inbound SAs a worker has, where several share the work of one end.

use std::num::NonZeroU8;

use crate::sa::Spi;

/// One of several equal shares of the SAs: those whose class falls to it. An inbound SA, with its replay window, is in one share; what
/// comes under it elsewhere is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    index: u8,
    count: NonZeroU8,
}

impl Share {
    /// All of them.
    pub const WHOLE: Self = Self { index: 0, count: NonZeroU8::MIN };

    /// The most shares: one for each class of SPIs.
    pub const MAX: u8 = Spi::CLASSES;

    /// Each of `count` shares, of which there are at most [`Self::MAX`]. A count that divides it makes them equal.
    pub fn all_of(count: NonZeroU8) -> impl Iterator<Item = Self> {
        let count = NonZeroU8::new(Self::MAX).map_or(count, |most| count.min(most));
        (0..count.get()).map(move |index| Self { index, count })
    }

    /// The index of the share that an SA is in, from 0 on.
    pub fn of(self, spi: Spi) -> u8 {
        spi.class() % self.count
    }

    /// Whether an SA is in this share.
    pub fn has(self, spi: Spi) -> bool {
        self.of(spi) == self.index
    }

    /// Which share this is, from 0 on.
    pub fn index(self) -> u8 {
        self.index
    }

    /// How many there are.
    pub fn count(self) -> NonZeroU8 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(count: u8) -> Vec<Share> {
        Share::all_of(NonZeroU8::new(count).unwrap()).collect()
    }

    #[test]
    fn each_spi_is_in_one_share_and_every_share_says_in_which() {
        for count in 1..=Share::MAX {
            let shares = shares(count);
            assert_eq!(shares.len(), usize::from(count));
            for spi in (0x12_3000..0x12_3080).map(|value| Spi::new(value).unwrap()) {
                let having: Vec<_> = shares.iter().filter(|share| share.has(spi)).map(|share| share.index()).collect();
                assert_eq!(having.len(), 1, "{spi} of {count}");
                assert!(shares.iter().all(|share| share.of(spi) == having[0]));
            }
        }
        assert_eq!(shares(1), [Share::WHOLE]);
    }

    #[test]
    fn there_are_no_more_shares_than_classes_and_what_divides_them_makes_equal_ones() {
        assert_eq!(shares(u8::MAX).len(), 64);
        for count in [1, 2, 4, 8, 16, 32, 64] {
            let spis = (0x1000..0x1040).map(|value| Spi::new(value).unwrap());
            let first = spis.filter(|spi| shares(count)[0].has(*spi)).count();
            assert_eq!(first, 64 / usize::from(count));
        }
    }
}
