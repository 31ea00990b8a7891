//! Security Parameters Indexes: 28 bits (RFC 6618 section 6.2), chosen by the HAC after a plan that never changes.
//!
//! ```text
//!  27      22 21          12 11            0
//! +----------+--------------+---------------+
//! | HA group |    block     |    number     |
//! |  6 bits  |   10 bits    |    12 bits    |
//! +----------+--------------+---------------+
//! ```
//! A home agent finds an SA by three array indexes and no hashing; the number is drawn at random among a block's free ones.
//! Block 0 of group 0 is never used, so no SPI is 0 or one of RFC 4303's reserved values.

use std::fmt;

/// A group of home agents that share the SAs of one SPI range: 0 to 63.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HaGroup(u8);

impl HaGroup {
    /// How many groups the plan has.
    pub const COUNT: u8 = 64;

    /// `None` above 63.
    pub const fn new(group: u8) -> Option<Self> {
        if group < Self::COUNT { Some(Self(group)) } else { None }
    }

    /// 0 to 63.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The blocks of this group, in the order in which they are filled.
    pub fn blocks(self) -> impl Iterator<Item = SpiBlock> {
        (0..SpiBlock::PER_GROUP)
            .map(move |block| SpiBlock(u16::from(self.0) << 10 | block))
            .filter(|block| *block != SpiBlock::RESERVED)
    }
}

/// A block of 4,096 SPIs: group and block number together, 16 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SpiBlock(u16);

impl SpiBlock {
    /// Blocks in a group.
    pub const PER_GROUP: u16 = 1 << 10;
    /// SPIs in a block.
    pub const LEN: u16 = 1 << 12;
    /// Block 0 of group 0.
    const RESERVED: Self = Self(0);

    /// The block with this dense index; `None` for block 0 of group 0.
    pub const fn new(index: u16) -> Option<Self> {
        if index == Self::RESERVED.0 { None } else { Some(Self(index)) }
    }

    /// The SPI with this number in the block; `None` for a number above 4,095.
    pub const fn spi(self, number: u16) -> Option<Spi> {
        if number < Self::LEN { Some(Spi((self.0 as u32) << 12 | number as u32)) } else { None }
    }

    /// The dense index of the block: 0 to 65,535.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A set of blocks: those of a group in which SPIs have been given out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpiBlocks(Vec<SpiBlock>);

impl SpiBlocks {
    /// Whether `block` is one of them.
    pub fn contains(&self, block: SpiBlock) -> bool {
        self.0.binary_search(&block).is_ok()
    }

    /// Each of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = SpiBlock> {
        self.0.iter().copied()
    }
}

impl FromIterator<SpiBlock> for SpiBlocks {
    fn from_iter<T: IntoIterator<Item = SpiBlock>>(blocks: T) -> Self {
        let mut blocks: Vec<_> = blocks.into_iter().collect();
        blocks.sort_unstable();
        blocks.dedup();
        Self(blocks)
    }
}

/// A Security Parameters Index: 1 to 2^28 - 1. Ours follow the plan above; another HAC's may be any.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spi(u32);

impl Spi {
    /// `None` for 0, which stands for "no SA" (RFC 6618 section 6.2), and above 28 bits.
    pub const fn new(value: u32) -> Option<Self> {
        if value > 0 && value < 1 << 28 { Some(Self(value)) } else { None }
    }

    /// The 28-bit value.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The home agents that serve it.
    pub const fn group(self) -> HaGroup {
        HaGroup((self.0 >> 22) as u8)
    }

    /// Its block.
    pub const fn block(self) -> SpiBlock {
        SpiBlock((self.0 >> 12) as u16)
    }

    /// Its number in the block: 0 to 4,095.
    pub const fn number(self) -> u16 {
        (self.0 & 0xfff) as u16
    }

    /// The lowest six bits of its number, by which the cores of an end share its inbound SAs. A new SA of a node that has one already
    /// is in the class of the old one, so that what is sent under both stays in order.
    pub const fn class(self) -> u8 {
        self.0 as u8 % Self::CLASSES
    }

    /// How many classes there are: as many cores can share the SAs of an end.
    pub const CLASSES: u8 = 64;
}

impl fmt::Debug for Spi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Spi({self})")
    }
}

impl fmt::Display for Spi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:07x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_spi_is_group_block_and_number() {
        let spi = Spi::new(0x123_4567).unwrap();
        assert_eq!((spi.group().get(), spi.block().index(), spi.number()), (4, 0x1234, 0x567));
        assert_eq!(spi.block().spi(spi.number()), Some(spi));
        assert_eq!(spi.class(), 0x27);
    }

    #[test]
    fn a_set_of_blocks_has_those_that_it_was_made_of_and_no_other() {
        let block = |index| SpiBlock::new(index).unwrap();
        let blocks: SpiBlocks = [7, 3, 0xffff, 3].map(block).into_iter().collect();
        assert_eq!(blocks.iter().collect::<Vec<_>>(), [3, 7, 0xffff].map(block));
        assert!([3, 7, 0xffff].map(block).iter().all(|block| blocks.contains(*block)));
        assert!([1, 4, 8, 0xfffe].map(block).iter().all(|other| !blocks.contains(*other)));
        assert_eq!(SpiBlock::new(0), None, "no SPI is in the reserved block");
    }

    #[test]
    fn zero_and_values_above_28_bits_are_no_spi_and_the_reserved_block_is_not_in_the_plan() {
        for value in [0, 1 << 28, u32::MAX] {
            assert_eq!(Spi::new(value), None, "{value}");
        }
        assert!(HaGroup::new(0).unwrap().blocks().all(|block| block != Spi::new(4095).unwrap().block()));
        assert_eq!(HaGroup::new(0).unwrap().blocks().count(), 1023);
        assert_eq!(HaGroup::new(63).unwrap().blocks().count(), 1024);
        assert_eq!(HaGroup::new(64), None);
    }
}
