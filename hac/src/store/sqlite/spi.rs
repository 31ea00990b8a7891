//! The draw of an SPI after the plan in `protocol::sa::spi`: a group's blocks are filled in order, the number is drawn at
//! random among the block's free ones. A number is free when no row has it, so ended rows keep theirs through the quarantine. A
//! subscriber that has an SPI is given another one of the same class.

use protocol::sa::Spi;
use protocol::sa::spi::{HaGroup, SpiBlock, SpiBlocks};
use rand::{CryptoRng, RngExt};
use rusqlite::{Connection, OptionalExtension, Transaction};

use crate::store::{QUARANTINE, Result, StoreError};

/// Forgets associations whose validity end plus quarantine lies behind `now`: their SPIs are free again.
pub(super) fn purge(transaction: &Transaction<'_>, now: i64) -> Result<()> {
    let quarantine = i64::try_from(QUARANTINE.as_secs()).unwrap_or(i64::MAX);
    transaction
        .prepare_cached("DELETE FROM security_association WHERE valid_until < ?1")?
        .execute([now.saturating_sub(quarantine)])?;
    Ok(())
}

/// Open blocks in which a number of one class is looked for. Each block more costs the home agents memory and the draw a reading.
const BLOCKS_LOOKED_AT: usize = 2;

/// A free SPI of `group`. One of `class`, if it is given and one of the first open blocks has such a number free; any otherwise.
pub(super) fn draw(transaction: &Transaction<'_>, group: HaGroup, class: Option<u8>, rng: &mut dyn CryptoRng) -> Result<Spi> {
    let mut of_any_class = None;
    for block in open_blocks(transaction, group)? {
        let free = free_spis(transaction, block)?;
        let of_class = free.iter().copied().filter(|spi| class.is_none_or(|class| spi.class() == class)).collect();
        if let Some(spi) = one_of(of_class, rng) {
            return Ok(spi);
        }
        of_any_class.get_or_insert(free);
    }
    one_of(of_any_class.unwrap_or_default(), rng).ok_or(StoreError::SpisExhausted(group.get()))
}

/// The class of the association that the subscriber has in `group`: of the newest live one; where none is live, of the newest whose
/// SPI is not free yet, since the node may still send under it. `None` for a subscriber's first one.
pub(super) fn class_in_use(transaction: &Transaction<'_>, subscriber: i64, group: HaGroup, now: i64) -> Result<Option<u8>> {
    let query = "SELECT spi FROM security_association WHERE subscriber = ?1 AND spi >> 22 = ?2
         ORDER BY ended = 0 AND valid_until > ?3 DESC, created DESC, revision DESC LIMIT 1";
    let mut query = transaction.prepare_cached(query)?;
    let spi = query.query_row((subscriber, group.get(), now), |row| row.get(0)).optional()?;
    Ok(spi.and_then(Spi::new).map(Spi::class))
}

/// The blocks of `group` in which a number is taken.
pub(super) fn blocks(connection: &Connection, group: HaGroup) -> Result<SpiBlocks> {
    let mut query = connection.prepare_cached("SELECT block FROM spi_block WHERE block >> 10 = ?1 AND used > 0")?;
    let blocks = query.query_map([group.get()], |row| row.get::<_, u16>(0))?;
    Ok(blocks.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().filter_map(SpiBlock::new).collect())
}

/// The first blocks of `group` that have a free number, [`BLOCKS_LOOKED_AT`] at most.
fn open_blocks(transaction: &Transaction<'_>, group: HaGroup) -> Result<Vec<SpiBlock>> {
    let mut query = transaction.prepare_cached("SELECT used FROM spi_block WHERE block = ?1")?;
    let mut open = Vec::with_capacity(BLOCKS_LOOKED_AT);
    for block in group.blocks() {
        let index = i64::try_from(block.index()).unwrap_or(i64::MAX);
        let used = query.query_map([index], |row| row.get::<_, u16>(0))?.next().transpose()?.unwrap_or(0);
        if used < SpiBlock::LEN {
            open.push(block);
        }
        if open.len() == BLOCKS_LOOKED_AT {
            break;
        }
    }
    Ok(open)
}

fn free_spis(transaction: &Transaction<'_>, block: SpiBlock) -> Result<Vec<Spi>> {
    let mut taken = vec![false; usize::from(SpiBlock::LEN)];
    let first = i64::try_from(block.index()).unwrap_or(i64::MAX) << 12;
    let mut query = transaction.prepare_cached("SELECT spi - ?1 FROM security_association WHERE spi BETWEEN ?1 AND ?1 + 4095")?;
    for number in query.query_map([first], |row| row.get::<_, u16>(0))? {
        if let Some(slot) = taken.get_mut(usize::from(number?)) {
            *slot = true;
        }
    }
    let free = (0..SpiBlock::LEN).zip(taken).filter(|(_, taken)| !taken);
    Ok(free.filter_map(|(number, _)| block.spi(number)).collect())
}

/// At random; `None` when there is none.
fn one_of(spis: Vec<Spi>, rng: &mut dyn CryptoRng) -> Option<Spi> {
    spis.get(rng.random_range(0..spis.len().max(1))).copied()
}
