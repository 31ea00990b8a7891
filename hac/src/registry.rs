//! Which home agents are connected, and how far each has acknowledged the log.
//!
//! `feed` enters a home agent when it has acknowledged its snapshot; `server` asks for the connected ones and waits here until
//! the chosen one has acknowledged a new association. `dynamic_authorization` has them ask a node for a new one. One home agent has one
//! place: a newer subscription takes it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::features::Features;
use protocol::sa::Spi;
use protocol::sa::spi::HaGroup;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::store::{InstanceId, Revision};

/// How long a home agent may take to acknowledge before the mobile node is answered all the same.
pub const ACKNOWLEDGEMENT: Duration = Duration::from_secs(2);

/// Nodes that one home agent is to ask and has not been told of: what a AAA server asks for at once.
const MAX_RENEWALS: usize = 256;

/// The connected home agents.
#[derive(Default)]
pub struct Registry {
    places: Mutex<BTreeMap<String, Place>>,
    /// What each home agent said that it can do, also when it is not connected any more, with its group.
    features: Mutex<BTreeMap<String, (HaGroup, Features)>>,
}

struct Place {
    instance: InstanceId,
    wanted: watch::Sender<Revision>,
    acknowledged: Arc<watch::Sender<Revision>>,
    renewals: mpsc::Sender<Spi>,
}

/// Why an association did not reach its home agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undelivered {
    /// Its subscription has ended.
    #[error("the home agent is not connected any more")]
    Gone,
    /// No acknowledgement within [`ACKNOWLEDGEMENT`], though its subscription is there: the change is on its way.
    #[error("the home agent did not acknowledge in 2 seconds")]
    Late,
}

/// A connected home agent, for `hac status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    /// Its name.
    pub name: String,
    /// Its process.
    pub instance: InstanceId,
    /// How far it has acknowledged.
    pub acknowledged: Revision,
}

impl Registry {
    /// Names of the connected home agents.
    pub fn names(&self) -> Vec<String> {
        self.places().keys().cloned().collect()
    }

    /// The connected home agents with what they have acknowledged.
    pub fn connected(&self) -> Vec<Connected> {
        let of = |(name, place): (&String, &Place)| Connected {
            name: name.clone(),
            instance: place.instance,
            acknowledged: *place.acknowledged.borrow(),
        };
        self.places().iter().map(of).collect()
    }

    /// Notes what a home agent says that it can do.
    pub fn note_features(&self, name: &str, group: HaGroup, features: Features) {
        self.noted().insert(name.to_owned(), (group, features));
    }

    /// Forgets what a home agent said: it is not recorded any more.
    pub fn forget_features(&self, name: &str) {
        self.noted().remove(name);
    }

    /// What every home agent of a group can do that has been heard of since this process started: any of them may take an association
    /// of its group over.
    pub fn features(&self) -> BTreeMap<HaGroup, Features> {
        let mut common = BTreeMap::new();
        for (group, features) in self.noted().values() {
            common.entry(*group).and_modify(|all: &mut Features| *all = all.and(*features)).or_insert(*features);
        }
        common
    }

    /// Has the feed send everything up to `revision` to this home agent and waits for its acknowledgement.
    pub async fn deliver(&self, home_agent: &str, revision: Revision) -> Result<(), Undelivered> {
        let mut acknowledged = {
            let places = self.places();
            let place = places.get(home_agent).ok_or(Undelivered::Gone)?;
            want(&place.wanted, revision);
            place.acknowledged.subscribe()
        };
        let reached = timeout(ACKNOWLEDGEMENT, acknowledged.wait_for(|reached| *reached >= revision)).await;
        match reached {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(Undelivered::Gone),
            Err(_) => Err(Undelivered::Late),
        }
    }

    /// Has the feed send everything up to `revision` to every home agent.
    pub fn announce(&self, revision: Revision) {
        for place in self.places().values() {
            want(&place.wanted, revision);
        }
    }

    /// Has every home agent that serves this association ask its node for a new one. One that has too many to ask already asks for
    /// this one no more: the node comes anew when the association ends.
    pub fn renew(&self, spi: Spi) {
        for (home_agent, place) in self.places().iter() {
            if place.renewals.try_send(spi).is_err() {
                tracing::debug!(home_agent, %spi, "a node is not asked for a new association");
            }
        }
    }

    /// Enters a home agent's process that has put everything up to `reached` in force. Who was in its place learns it from
    /// [`Membership::next`].
    pub fn enter(self: &Arc<Self>, name: &str, instance: InstanceId, reached: Revision) -> Membership {
        let (wanted, wanted_by_others) = watch::channel(reached);
        let acknowledged = Arc::new(watch::Sender::new(reached));
        let (renewals, renewals_of_others) = mpsc::channel(MAX_RENEWALS);
        let place = Place { instance, wanted, acknowledged: Arc::clone(&acknowledged), renewals };
        self.places().insert(name.to_owned(), place);
        Membership {
            registry: Arc::clone(self),
            name: name.to_owned(),
            wanted: wanted_by_others,
            acknowledged,
            renewals: renewals_of_others,
        }
    }

    fn noted(&self) -> MutexGuard<'_, BTreeMap<String, (HaGroup, Features)>> {
        self.features.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn places(&self) -> MutexGuard<'_, BTreeMap<String, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn want(wanted: &watch::Sender<Revision>, revision: Revision) {
    wanted.send_if_modified(|newest| {
        let is_newer = revision > *newest;
        *newest = revision.max(*newest);
        is_newer
    });
}

/// A home agent's place, held by the task that feeds it; given up when dropped.
pub struct Membership {
    registry: Arc<Registry>,
    name: String,
    wanted: watch::Receiver<Revision>,
    acknowledged: Arc<watch::Sender<Revision>>,
    renewals: mpsc::Receiver<Spi>,
}

/// What a home agent is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Everything up to this place in the log.
    UpTo(Revision),
    /// To ask the node of this association for a new one.
    Renewal(Spi),
}

impl Membership {
    /// Waits until somebody wants more than before to be told; `None` when a newer subscription took the place.
    pub async fn next(&mut self) -> Option<Wanted> {
        tokio::select! {
            changed = self.wanted.changed() => {
                changed.ok()?;
                Some(Wanted::UpTo(*self.wanted.borrow_and_update()))
            }
            Some(spi) = self.renewals.recv() => Some(Wanted::Renewal(spi)),
        }
    }

    /// The home agent has put everything up to `revision` in force.
    pub fn acknowledge(&self, revision: Revision) {
        want(&self.acknowledged, revision);
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let mut places = self.registry.places();
        let is_own = places.get(&self.name).is_some_and(|place| Arc::ptr_eq(&place.acknowledged, &self.acknowledged));
        if is_own {
            places.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSTANCE: InstanceId = InstanceId([1; 16]);

    #[tokio::test]
    async fn a_delivery_waits_for_the_acknowledgement_of_its_revision() {
        let registry = Arc::new(Registry::default());
        let mut place = registry.enter("ha1", INSTANCE, Revision(3));
        let feed = tokio::spawn(async move {
            assert_eq!(place.next().await, Some(Wanted::UpTo(Revision(5))));
            place.acknowledge(Revision(4));
            tokio::time::sleep(Duration::from_millis(20)).await;
            place.acknowledge(Revision(5));
            place
        });
        assert_eq!(registry.deliver("ha1", Revision(5)).await, Ok(()));
        assert_eq!(registry.connected()[0].acknowledged, Revision(5));
        assert_eq!(registry.deliver("ha1", Revision(2)).await, Ok(()), "acknowledged long ago");
        drop(feed.await.unwrap());
        assert_eq!(registry.deliver("ha1", Revision(2)).await, Err(Undelivered::Gone));
    }

    #[tokio::test(start_paused = true)]
    async fn a_home_agent_that_is_late_or_goes_away_is_told_apart() {
        let registry = Arc::new(Registry::default());
        let place = registry.enter("ha1", INSTANCE, Revision(0));
        assert_eq!(registry.deliver("ha1", Revision(1)).await, Err(Undelivered::Late));
        let waiting = registry.clone();
        let delivery = tokio::spawn(async move { waiting.deliver("ha1", Revision(1)).await });
        tokio::task::yield_now().await;
        drop(place);
        assert_eq!(delivery.await.unwrap(), Err(Undelivered::Gone));
    }

    #[tokio::test]
    async fn every_home_agent_hears_which_node_to_ask_and_too_many_are_not_kept() {
        let registry = Arc::new(Registry::default());
        let mut places = ["ha1", "ha2"].map(|name| registry.enter(name, INSTANCE, Revision(0)));
        let spi = |number| Spi::new(1 + number as u32).unwrap();
        (0..=MAX_RENEWALS).for_each(|number| registry.renew(spi(number)));
        for place in &mut places {
            for number in 0..MAX_RENEWALS {
                assert_eq!(place.next().await, Some(Wanted::Renewal(spi(number))));
            }
        }
        registry.announce(Revision(1));
        for place in &mut places {
            assert_eq!(place.next().await, Some(Wanted::UpTo(Revision(1))));
        }
    }

    #[test]
    fn a_group_can_do_what_each_of_its_home_agents_can_connected_or_not() {
        let registry = Registry::default();
        let [one, two] = [1, 2].map(|group| HaGroup::new(group).unwrap());
        let (both, heartbeat) = (Features::MCOA.or(Features::HEARTBEAT), Features::HEARTBEAT);
        for (name, group, features) in [("ha1", one, both), ("ha2", one, heartbeat), ("ha3", two, both)] {
            registry.note_features(name, group, features);
        }
        assert_eq!(registry.features(), [(one, heartbeat), (two, both)].into());
        registry.note_features("ha2", one, Features::NONE);
        assert_eq!(registry.features(), [(one, Features::NONE), (two, both)].into());
        registry.forget_features("ha2");
        registry.forget_features("ha3");
        assert_eq!(registry.features(), [(one, both)].into());
    }

    #[tokio::test]
    async fn a_newer_subscription_takes_the_place_and_keeps_it_when_the_older_ends() {
        let registry = Arc::new(Registry::default());
        let mut older = registry.enter("ha1", INSTANCE, Revision(1));
        let newer = registry.enter("ha1", InstanceId([2; 16]), Revision(2));
        assert_eq!(older.next().await, None);
        drop(older);
        assert_eq!(registry.connected()[0].instance, InstanceId([2; 16]));
        drop(newer);
        assert!(registry.names().is_empty());
    }
}
