//! Does what a AAA server asks for: in the store, and then at the home agents.
//!
//! To have the AAA server decide anew is to have the home agent ask the node for a new association: the node runs MHAuth with EAP again,
//! and what the AAA server answers then holds. The old association ends at a time of its own, by which the node has the new one.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use protocol::sa::Spi;
use tokio::time::MissedTickBehavior;

use super::answer::Verdict;
use super::order::{Action, ErrorCause, Order, Sessions};
use crate::registry::Registry;
use crate::store::{AccessChange, Result, SessionQuery, SharedStore, Store};

/// Sessions that one request may be about: each is written on its own.
pub const MAX_SESSIONS: usize = 64;
/// How long an association lasts that is to be authorised anew: a node far away, which is asked twice, has another by then.
pub const REAUTHORISATION: Duration = Duration::from_secs(60);
/// How often it is looked whether the time of an association is over.
const DUE: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Clone)]
pub struct Executor {
    store: SharedStore,
    registry: Arc<Registry>,
}

/// What is to be told to home agents.
enum Applied {
    /// These have ended.
    Ended,
    /// These stay as they are for them.
    Changed,
    /// The nodes of these are to be asked for new ones.
    Renew(Vec<Spi>),
}

impl Executor {
    /// On this store and these home agents.
    pub fn new(store: SharedStore, registry: Arc<Registry>) -> Self {
        Self { store, registry }
    }

    /// Does it, and says what has become of it once that is on disk.
    pub async fn carry_out(&self, order: Order, now: SystemTime) -> Verdict {
        let is_reauthorisation = order.action == Action::Reauthorise;
        let applied = self.store.run(move |store| apply(store, order, now)).await.flatten();
        match applied {
            Ok(Ok(Applied::Ended)) => announce(&self.store, &self.registry).await,
            Ok(Ok(Applied::Renew(spis))) => spis.into_iter().for_each(|spi| self.registry.renew(spi)),
            Ok(Ok(Applied::Changed)) => {}
            Ok(Err(cause)) => return Verdict::Refused(cause),
            Err(error) => {
                tracing::error!(%error, "what a AAA server asks for is not done");
                return Verdict::Refused(ErrorCause::ResourcesUnavailable);
            }
        }
        // RFC 5176 section 3.2: it MUST NOT be an ACK.
        if is_reauthorisation { Verdict::Refused(ErrorCause::RequestInitiated) } else { Verdict::Done }
    }
}

fn apply(store: &mut dyn Store, order: Order, now: SystemTime) -> Result<std::result::Result<Applied, ErrorCause>> {
    let spis = store.authorised(&query(&order.sessions), MAX_SESSIONS + 1, now)?;
    if spis.is_empty() {
        return Ok(Err(ErrorCause::SessionContextNotFound));
    }
    if spis.len() > MAX_SESSIONS {
        return Ok(Err(ErrorCause::ResourcesUnavailable));
    }
    let applied = match order.action {
        Action::Disconnect { class } => {
            if class.is_some() {
                change(store, &spis, &AccessChange { class, ..AccessChange::default() }, now)?;
            }
            store.disconnect(&spis, now)?;
            Applied::Ended
        }
        Action::Reauthorise => {
            let ends = now.checked_add(REAUTHORISATION);
            change(store, &spis, &AccessChange { ends, ..AccessChange::default() }, now)?;
            Applied::Renew(spis)
        }
        Action::Change { ends_in, class, interim } => {
            let ends = ends_in.and_then(|left| now.checked_add(left));
            change(store, &spis, &AccessChange { ends, class, interim }, now)?;
            if ends.is_some() { Applied::Renew(spis) } else { Applied::Changed }
        }
    };
    Ok(Ok(applied))
}

fn change(store: &mut dyn Store, spis: &[Spi], change: &AccessChange, now: SystemTime) -> Result<()> {
    spis.iter().try_for_each(|spi| store.reauthorise(*spi, change, now))
}

fn query(sessions: &Sessions) -> SessionQuery<'_> {
    SessionQuery {
        session_id: sessions.session_id.as_deref(),
        user_name: sessions.user_name.as_deref(),
        home4: sessions.home4,
        home6: sessions.home6,
    }
}

/// Ends associations when the time is over that a AAA server has set since, until the future is dropped.
pub async fn end_due(store: SharedStore, registry: Arc<Registry>) {
    let mut interval = tokio::time::interval(DUE);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        match store.run(|store| store.end_due(SystemTime::now())).await.flatten() {
            Ok(ended) if ended.is_empty() => {}
            Ok(_) => announce(&store, &registry).await,
            Err(error) => tracing::error!(%error, "associations whose time is over stay: `hac sa revoke` ends them"),
        }
    }
}

/// Home agents hear of what has ended. Without this they would within half a second (`feed` looks at the log).
async fn announce(store: &SharedStore, registry: &Registry) {
    match store.run(|store| store.revision()).await.flatten() {
        Ok(revision) => registry.announce(revision),
        Err(error) => tracing::error!(%error, "the log cannot be read: home agents hear later of what has ended"),
    }
}
