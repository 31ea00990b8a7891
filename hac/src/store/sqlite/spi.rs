//! The draw of an SPI after the plan in `protocol::sa::spi`: a group's blocks are filled in order, the number is drawn at
//! random among the block's free ones. A number is free when no row has it, so ended rows keep theirs through the quarantine.

use protocol::sa::Spi;
use protocol::sa::spi::{HaGroup, SpiBlock, SpiBlocks};
use rand::{CryptoRng, RngExt};
use rusqlite::{Connection, Transaction};

use crate::store::{QUARANTINE, Result, StoreError};

/// Forgets associations whose validity end plus quarantine lies behind `now`: their SPIs are free again.
pub(super) fn purge(transaction: &Transaction<'_>, now: i64) -> Result<()> {
    let quarantine = i64::try_from(QUARANTINE.as_secs()).unwrap_or(i64::MAX);
    transaction
        .prepare_cached("DELETE FROM security_association WHERE valid_until < ?1")?
        .execute([now.saturating_sub(quarantine)])?;
    Ok(())
}

/// A free SPI of `group`.
pub(super) fn draw(transaction: &Transaction<'_>, group: HaGroup, rng: &mut dyn CryptoRng) -> Result<Spi> {
    let exhausted = || StoreError::SpisExhausted(group.get());
    let block = first_open_block(transaction, group)?.ok_or_else(exhausted)?;
    let free = free_numbers(transaction, block)?;
    let drawn = free.get(rng.random_range(0..free.len().max(1))).ok_or_else(exhausted)?;
    block.spi(*drawn).ok_or_else(exhausted)
}

/// The blocks of `group` in which a number is taken.
pub(super) fn blocks(connection: &Connection, group: HaGroup) -> Result<SpiBlocks> {
    let mut query = connection.prepare_cached("SELECT block FROM spi_block WHERE block >> 10 = ?1 AND used > 0")?;
    let blocks = query.query_map([group.get()], |row| row.get::<_, u16>(0))?;
    Ok(blocks.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().filter_map(SpiBlock::new).collect())
}

fn first_open_block(transaction: &Transaction<'_>, group: HaGroup) -> Result<Option<SpiBlock>> {
    let mut query = transaction.prepare_cached("SELECT used FROM spi_block WHERE block = ?1")?;
    for block in group.blocks() {
        let index = i64::try_from(block.index()).unwrap_or(i64::MAX);
        let used = query.query_map([index], |row| row.get::<_, u16>(0))?.next().transpose()?.unwrap_or(0);
        if used < SpiBlock::LEN {
            return Ok(Some(block));
        }
    }
    Ok(None)
}

fn free_numbers(transaction: &Transaction<'_>, block: SpiBlock) -> Result<Vec<u16>> {
    let mut taken = vec![false; usize::from(SpiBlock::LEN)];
    let first = i64::try_from(block.index()).unwrap_or(i64::MAX) << 12;
    let mut query = transaction.prepare_cached("SELECT spi - ?1 FROM security_association WHERE spi BETWEEN ?1 AND ?1 + 4095")?;
    for number in query.query_map([first], |row| row.get::<_, u16>(0))? {
        if let Some(slot) = taken.get_mut(usize::from(number?)) {
            *slot = true;
        }
    }
    Ok((0..SpiBlock::LEN).filter(|number| !taken.get(usize::from(*number)).copied().unwrap_or(true)).collect())
}
