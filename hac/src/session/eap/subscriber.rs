//! Subscribers in a run with EAP: how the methods of the local server find their keys, and who it is whom an EAP server has authenticated.
//! Called by the run; it answers the mobile node nothing.

use std::time::Duration;

use protocol::eap::MethodError;
use protocol::eap::method::Directory;
use protocol::mhauth::Nai;
use protocol::sa::Secret;

use super::Authenticated;
use crate::authentication::{is_nobody, may_be};
use crate::session::{Authorised, Surroundings, look_up};
use crate::store::{Credentials, StoreAccess, StoreError, SubscriberPolicy};

/// Below this a mobile node would renew without end; 0, which some servers send for "no limit", would be over at once.
const SHORTEST_SESSION: Duration = Duration::from_secs(5);

/// Subscribers as the methods of the local server see them.
pub(super) struct Subscribers<'a, 'b> {
    pub(super) store: &'a mut StoreAccess<'b>,
}

impl Directory for Subscribers<'_, '_> {
    fn pre_shared_key(&mut self, identity: &str) -> Result<Secret, MethodError> {
        let holder = self.store.with(|store| look_up(store, identity)).map_err(|error| {
            tracing::error!(%error, "a pre-shared key cannot be read");
            MethodError::Unavailable
        })?;
        Ok(Secret::new(holder.psk.expose().to_vec()))
    }
}

/// The subscriber that was authenticated; `None` where he is not whom the mobile node named, or unknown or disabled here. One whom a AAA
/// server has authenticated is recorded where he is not yet: from then on his home addresses are his. The profile is the exchange's.
pub(super) fn authorise(
    mn_id: &str,
    who: &Authenticated,
    around: &mut Surroundings<'_>,
) -> Result<Option<Authorised>, StoreError> {
    if is_nobody(&who.identity) {
        tracing::warn!(
            "an EAP server names nobody, or a realm alone: have it send the name that it has authenticated as User-Name in its \
             Access-Accept, for sessions of TLS that are resumed too"
        );
        return Ok(None);
    }
    if !may_be(mn_id, &who.identity) || who.identity.parse::<Nai>().is_err() {
        tracing::debug!(identity = who.identity, mn_id, "a mobile node authenticated as somebody whom it had not named");
        return Ok(None);
    }
    let limit = who.word.as_ref().and_then(|word| word.limit);
    if limit.is_some_and(|limit| limit < SHORTEST_SESSION) {
        tracing::warn!(?limit, "a AAA server allows a session that is too short for an association: look at its Session-Timeout");
        return Ok(None);
    }
    let found = match who.word {
        Some(_) => around.store.with(|store| store.admit(&who.identity, around.wall, around.rng))?,
        None => around.store.with(|store| store.credentials(&who.identity))?,
    };
    let profile = Some(around.policy.profile);
    let authorised = |Credentials { key, policy, .. }| Authorised {
        name: who.identity.clone(),
        key,
        policy: SubscriberPolicy { profile, ..policy },
        limit,
        access: who.word.as_ref().map(|word| word.access(&who.identity)),
        framed: who.word.as_ref().map(|word| word.framed).unwrap_or_default(),
    };
    Ok(found.map(authorised))
}
