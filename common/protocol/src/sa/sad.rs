//! The SA database of one half: SPI -> state, by two array indexes and no hashing (RFC 4301 section 4.4.2).

use super::Spi;
use super::spi::SpiBlock;

/// Blocks that hold at least one SA, each an array of its 4,096 numbers.
pub struct Sad<T> {
    blocks: Vec<Option<Block<T>>>,
    len: usize,
}

/// The 4,096 places of a block.
type Block<T> = Box<[Option<Box<T>>]>;

impl<T> Default for Sad<T> {
    fn default() -> Self {
        Self { blocks: Vec::new(), len: 0 }
    }
}

impl<T> Sad<T> {
    /// The state of `spi`.
    pub fn get_mut(&mut self, spi: Spi) -> Option<&mut T> {
        let block = self.blocks.get_mut(spi.block().index())?.as_deref_mut()?;
        block.get_mut(usize::from(spi.number()))?.as_deref_mut()
    }

    /// Installs `state`; an SA that is already there is kept, and `false` is returned.
    pub fn insert(&mut self, spi: Spi, state: T) -> bool {
        let index = spi.block().index();
        if index >= self.blocks.len() {
            self.blocks.resize_with(index + 1, || None);
        }
        let Some(block) = self.blocks.get_mut(index) else { return false };
        let block = block.get_or_insert_with(|| std::iter::repeat_with(|| None).take(SpiBlock::LEN.into()).collect());
        match block.get_mut(usize::from(spi.number())) {
            Some(slot @ None) => {
                *slot = Some(Box::new(state));
                self.len += 1;
                true
            }
            _ => false,
        }
    }

    /// Forgets an SA; its keys are wiped with it.
    pub fn remove(&mut self, spi: Spi) -> Option<T> {
        let block = self.blocks.get_mut(spi.block().index())?.as_deref_mut()?;
        let state = block.get_mut(usize::from(spi.number()))?.take()?;
        self.len -= 1;
        Some(*state)
    }

    /// How many SAs.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_sa_that_is_installed_again_keeps_its_state() {
        let mut sad = Sad::default();
        let spi = Spi::new(0x0c0_0123).unwrap();
        assert!(sad.insert(spi, 1));
        assert!(!sad.insert(spi, 2));
        assert_eq!(sad.get_mut(spi), Some(&mut 1));
        assert_eq!((sad.remove(spi), sad.remove(spi), sad.len()), (Some(1), None, 0));
    }

    #[test]
    fn every_spi_of_the_plan_has_a_place_of_its_own() {
        let mut sad = Sad::default();
        let spis = [4096, 4097, 0x40_0000, 0xfff_ffff].map(|value| Spi::new(value).unwrap());
        for spi in spis {
            assert!(sad.insert(spi, spi));
        }
        for spi in spis {
            assert_eq!(sad.get_mut(spi).copied(), Some(spi));
        }
    }
}
