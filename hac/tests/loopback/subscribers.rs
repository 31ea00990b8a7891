//! Thousands of subscribers, in one transaction: each of `hac subscriber add` waits for the disk.

use hac::store::sealing::Context;

use super::*;

/// Somebody whom the HAC may know.
#[derive(Clone)]
pub(super) struct Person {
    pub(super) nai: String,
    pub(super) key: [u8; 32],
}

/// Records `people`, enabled or not.
pub(super) fn add(world: &World, people: &[Person], enabled: bool) {
    let kek = world.kek();
    let mut database = rusqlite::Connection::open(world.path("hac/hac.db")).unwrap();
    let transaction = database.transaction().unwrap();
    for Person { nai, key } in people {
        let psk = kek.seal(&Secret::new(key.to_vec()), &Context::psk(nai), &mut rand::rng()).unwrap();
        let row = "INSERT INTO subscriber (nai, psk, enabled, created) VALUES (?1, ?2, ?3, 0)";
        transaction.prepare_cached(row).unwrap().execute((nai, psk, enabled)).unwrap();
    }
    transaction.commit().unwrap();
}
