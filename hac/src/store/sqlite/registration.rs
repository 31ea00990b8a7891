//! Which associations mobile nodes have registered under, as their home agents say. Nothing here is a change of the log: no home
//! agent has to hear of it.

use protocol::sa::Spi;
use rusqlite::Transaction;

use crate::store::{Recipient, Result};

/// Notes each that is live and of the home agent's group; what is noted already costs no write. The subscriber's older ones are in
/// use no more. A newer one stays: a home agent that the node has left may tell of its binding late.
pub(super) fn note(transaction: &Transaction<'_>, from: &Recipient<'_>, spis: &[Spi], now: i64) -> Result<()> {
    let query = "UPDATE security_association AS other SET registered = other.spi = it.spi
         FROM (SELECT spi, subscriber, revision FROM security_association WHERE spi = ?1 AND ended = 0 AND valid_until > ?2) AS it
         WHERE other.subscriber = it.subscriber AND other.revision <= it.revision AND other.registered <> (other.spi = it.spi)";
    let mut query = transaction.prepare_cached(query)?;
    for spi in spis.iter().filter(|spi| spi.group() == from.group) {
        query.execute((spi.get(), now))?;
    }
    Ok(())
}
