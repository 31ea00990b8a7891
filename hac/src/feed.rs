//! The HAC's side of the feed: what one home agent is sent, and what its acknowledgements mean.
//!
//! Runs once for each subscription that `feed::server` has authenticated. Order: welcome, snapshot at revision N, then
//! changes behind N as they come. Leases are committed by the store before anything is sent.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ::feed::{Refusal, Subscription, SubscriptionHandler, Welcome};
use ipnet::IpNet;
use protocol::sa::Spi;
use tokio::time::timeout;

use crate::registry::{Membership, Registry};
use crate::store::{Change, Delivery, HomeAgent, InstanceId, Pools, Recipient, Revision, SharedStore, StoreError};

/// Associations in one transaction of a snapshot.
const PAGE: usize = 512;
/// Changes in one transaction.
const CHANGES: usize = 256;
/// How long a home agent may take to put its snapshot in force: a million associations at 10 µs, three times over.
const SNAPSHOT_ACKNOWLEDGEMENT: Duration = Duration::from_secs(30);
/// How often the log is looked at for what another process wrote: a revocation on the command line is out within a second.
const LOG_INTERVAL: Duration = Duration::from_millis(500);

/// Feeds home agents.
pub struct Feed {
    store: SharedStore,
    registry: Arc<Registry>,
    pools: Pools,
}

impl Feed {
    /// For home agents that serve addresses of `pools`.
    pub fn new(store: SharedStore, registry: Arc<Registry>, pools: Pools) -> Self {
        Self { store, registry, pools }
    }

    /// Announces what is new in the log until the future is dropped.
    pub async fn watch_log(self: Arc<Self>) {
        let mut interval = tokio::time::interval(LOG_INTERVAL);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            match self.store.run(|store| store.revision()).await.flatten() {
                Ok(revision) => self.registry.announce(revision),
                Err(error) => tracing::error!(%error, "the log cannot be read: home agents hear of nothing new"),
            }
        }
    }

    async fn snapshot(&self, to: &Addressee) -> Result<(Revision, Vec<::feed::Provisioned>), StoreError> {
        let revision = self.store.run(|store| store.revision()).await??;
        let (mut associations, mut after) = (Vec::new(), None::<Spi>);
        loop {
            let addressee = to.clone();
            let page = self.store.run(move |store| store.snapshot_page(&addressee.recipient(), after, PAGE, SystemTime::now()));
            let page = page.await??;
            let now = SystemTime::now();
            associations.extend(page.deliveries.into_iter().map(|delivery| outgoing(delivery, now)));
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok((revision, associations)),
            }
        }
    }

    /// Sends every change behind `sent`; gives the place that was reached.
    async fn send_changes(&self, to: &Addressee, subscription: &Subscription, mut sent: Revision) -> Result<Revision, Refusal> {
        loop {
            let addressee = to.clone();
            let changes = self.store.run(move |store| store.changes(&addressee.recipient(), sent, CHANGES, SystemTime::now()));
            let changes = changes.await.flatten().map_err(internal)?;
            let is_last = changes.len() < CHANGES;
            for change in changes {
                let revision = change.revision();
                subscription.delta(revision.0, outgoing_change(change, SystemTime::now())).await?;
                sent = revision;
            }
            if is_last {
                return Ok(sent);
            }
        }
    }

    /// Sends what is wanted and passes acknowledgements on, until the home agent goes or a newer subscription comes.
    async fn follow(
        &self,
        to: &Addressee,
        mut subscription: Subscription,
        mut place: Membership,
        mut sent: Revision,
    ) -> Result<(), Refusal> {
        loop {
            tokio::select! {
                acknowledged = subscription.acknowledged() => place.acknowledge(Revision(acknowledged?)),
                wanted = place.wanted() => {
                    let newer = || Refusal("a newer subscription of this home agent has taken its place".to_owned());
                    wanted.ok_or_else(newer)?;
                    sent = self.send_changes(to, &subscription, sent).await?;
                }
            }
        }
    }
}

impl SubscriptionHandler for Feed {
    async fn serve(&self, mut subscription: Subscription) -> Result<(), Refusal> {
        let name = subscription.home_agent().to_owned();
        let home_agent = self.store.run({
            let name = name.clone();
            move |store| store.home_agent(&name)
        });
        let unknown = || Refusal(format!("\"{name}\" is not recorded at the HAC: run `hac ha add {name}` there"));
        let home_agent = home_agent.await.flatten().map_err(internal)?.ok_or_else(unknown)?;
        let to = Addressee { instance: InstanceId(subscription.hello().instance), home_agent: Arc::new(home_agent) };

        subscription.welcome(&welcome(&to.home_agent, &self.pools)).await?;
        let (revision, associations) = self.snapshot(&to).await.map_err(internal)?;
        subscription.snapshot(revision.0, &associations).await?;
        let sent_associations = associations.len();
        drop(associations);
        timeout(SNAPSHOT_ACKNOWLEDGEMENT, acknowledged_up_to(&mut subscription, revision))
            .await
            .map_err(|_| Refusal("the snapshot was not acknowledged in 30 seconds".to_owned()))??;
        tracing::info!(home_agent = name, associations = sent_associations, revision = revision.0, "a home agent is connected");

        let place = self.registry.enter(&name, to.instance, revision);
        let sent = self.send_changes(&to, &subscription, revision).await?;
        let ended = self.follow(&to, subscription, place, sent).await;
        tracing::info!(home_agent = name, "a home agent is no longer connected");
        ended
    }
}

async fn acknowledged_up_to(subscription: &mut Subscription, revision: Revision) -> Result<(), Refusal> {
    while subscription.acknowledged().await? < revision.0 {}
    Ok(())
}

/// The home agent's process that one subscription feeds.
#[derive(Clone)]
struct Addressee {
    home_agent: Arc<HomeAgent>,
    instance: InstanceId,
}

impl Addressee {
    fn recipient(&self) -> Recipient<'_> {
        Recipient { home_agent: &self.home_agent.name, group: self.home_agent.group, instance: self.instance }
    }
}

fn welcome(home_agent: &HomeAgent, pools: &Pools) -> Welcome {
    let prefixes: Vec<IpNet> = pools.ip6.map(IpNet::V6).into_iter().chain(pools.ip4.map(IpNet::V4)).collect();
    Welcome { group: home_agent.group, own_addresses: prefixes.iter().map(first_usable).collect(), pools: prefixes }
}

/// Network + 1: the home agent's own inner address.
fn first_usable(pool: &IpNet) -> IpAddr {
    match pool {
        IpNet::V6(pool) => IpAddr::V6((u128::from(pool.network()) | 1).into()),
        IpNet::V4(pool) => IpAddr::V4((u32::from(pool.network()) | 1).into()),
    }
}

/// An entry of the log as it goes to a home agent.
pub fn outgoing_change(change: Change, now: SystemTime) -> ::feed::Change {
    match change {
        Change::Install(delivery) => ::feed::Change::Install(Box::new(outgoing(delivery, now))),
        Change::Ended(spi, _) => ::feed::Change::End(spi),
    }
}

/// An association as it goes to a home agent. The time left is told, not the date, so that the home agent's clock does not
/// matter.
pub fn outgoing(delivery: Delivery, now: SystemTime) -> ::feed::Provisioned {
    let left = delivery.valid_until.duration_since(now).unwrap_or_default();
    ::feed::Provisioned { sa: delivery.sa, left, lease: delivery.lease }
}

fn internal(error: StoreError) -> Refusal {
    tracing::error!(%error, "the feed cannot read the store");
    Refusal("the HAC cannot read its database; its log says more".to_owned())
}
