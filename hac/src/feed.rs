//! The HAC's side of the feed: what one home agent is sent, and what its acknowledgements mean.
//!
//! Runs once for each subscription that `feed::server` has authenticated. Order: welcome, snapshot at revision N, then
//! changes behind N as they come, and answers to look-ups between them. Leases are committed by the store before anything is sent.
//! What one task reads from the store it sends before it reads again, so that no answer overtakes the end of what it names.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ::feed::{Answer, FromHa, Refusal, SessionReport, Subscription, SubscriptionHandler, Welcome};
use ipnet::IpNet;
use protocol::sa::Spi;
use protocol::sa::spi::SpiBlocks;
use tokio::sync::Notify;
use tokio::time::{Interval, MissedTickBehavior, timeout};

use crate::registry::{Membership, Registry, Wanted};
use crate::store::{Change, Delivery, HomeAgent, InstanceId, Pools, Recipient, Revision, SharedStore, StoreError};

/// Associations in one transaction of a snapshot.
const PAGE: usize = 512;
/// Changes in one transaction.
const CHANGES: usize = 256;
/// How long a home agent may take to put its snapshot in force: a million associations at 10 µs, three times over.
const SNAPSHOT_ACKNOWLEDGEMENT: Duration = Duration::from_secs(30);
/// How often log and records are looked at for what another process wrote: a revocation or a removal on the command line is out
/// within a second.
const LOG_INTERVAL: Duration = Duration::from_millis(500);

/// Feeds home agents.
pub struct Feed {
    store: SharedStore,
    registry: Arc<Registry>,
    pools: Pools,
    usage: Option<Usage>,
}

/// How often home agents are to say how each session is, and who is woken then.
pub struct Usage {
    /// In whole seconds.
    pub interval: Duration,
    /// A report is in the store.
    pub reported: Arc<Notify>,
}

impl Feed {
    /// For home agents that serve addresses of `pools`; with `usage` they tell of sessions.
    pub fn new(store: SharedStore, registry: Arc<Registry>, pools: Pools, usage: Option<Usage>) -> Self {
        Self { store, registry, pools, usage }
    }

    /// Announces what is new in the log until the future is dropped.
    pub async fn watch_log(self: Arc<Self>) {
        let mut interval = log_interval();
        loop {
            interval.tick().await;
            match self.store.run(|store| store.revision()).await.flatten() {
                Ok(revision) => self.registry.announce(revision),
                Err(error) => tracing::error!(%error, "the log cannot be read: home agents hear of nothing new"),
            }
        }
    }

    fn welcome(&self, home_agent: &HomeAgent, spi_blocks: SpiBlocks) -> Welcome {
        let prefixes = self.pools.ip6.map(IpNet::V6).into_iter().chain(self.pools.ip4.map(IpNet::V4));
        let pools: Vec<IpNet> = prefixes.collect();
        let own_addresses = pools.iter().map(first_usable).collect();
        Welcome {
            group: home_agent.group,
            pools,
            own_addresses,
            spi_blocks,
            usage_interval: self.usage.as_ref().map(|usage| usage.interval),
        }
    }

    /// The home agent's record and the SPI blocks of its group; refused when there is none.
    async fn record(&self, name: &str) -> Result<(HomeAgent, SpiBlocks), Refusal> {
        let read = self.store.run({
            let name = name.to_owned();
            move |store| {
                let Some(home_agent) = store.home_agent(&name)? else { return Ok(None) };
                let blocks = store.spi_blocks(home_agent.group)?;
                Ok(Some((home_agent, blocks)))
            }
        });
        let unknown = || {
            self.registry.forget_features(name);
            Refusal::Unknown(format!("\"{name}\" is not recorded at the HAC: run `hac ha add {name}` there"))
        };
        read.await.flatten().map_err(internal)?.ok_or_else(unknown)
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

    /// Reads until the home agent has acknowledged its snapshot.
    async fn acknowledged_up_to(
        &self,
        to: &Addressee,
        subscription: &mut Subscription,
        revision: Revision,
    ) -> Result<(), Refusal> {
        loop {
            match subscription.next().await? {
                FromHa::Acknowledge(reached) if reached >= revision.0 => return Ok(()),
                FromHa::Acknowledge(_) => {}
                FromHa::LookUp(spi) => self.answer(to, subscription, spi).await?,
                FromHa::Registered(spis) => self.note_registered(to, spis).await,
                FromHa::Usage(reports) => self.note_usage(to, reports).await,
            }
        }
    }

    /// Sends what is wanted, answers look-ups and passes acknowledgements on, until the home agent goes, a newer subscription comes
    /// or its record is another.
    async fn follow(
        &self,
        to: &Addressee,
        mut subscription: Subscription,
        mut place: Membership,
        mut told: Told,
    ) -> Result<(), Refusal> {
        let mut record = log_interval();
        self.send_changes(to, &subscription, &mut told).await?;
        loop {
            tokio::select! {
                said = subscription.next() => match said? {
                    FromHa::Acknowledge(revision) => place.acknowledge(Revision(revision)),
                    FromHa::LookUp(spi) => self.answer(to, &subscription, spi).await?,
                    FromHa::Registered(spis) => self.note_registered(to, spis).await,
                    FromHa::Usage(reports) => self.note_usage(to, reports).await,
                },
                wanted = place.next() => {
                    let newer = || Refusal::Ended("a newer subscription of this home agent has taken its place".to_owned());
                    match wanted.ok_or_else(newer)? {
                        Wanted::UpTo(wanted) => {
                            self.send_changes(to, &subscription, &mut told).await?;
                            // What lies before it and was not sent is not for this home agent.
                            told.revision = told.revision.max(wanted);
                        }
                        Wanted::Renewal(spi) => subscription.renew(spi).await?,
                    }
                }
                _ = record.tick() => self.check_record(to, &subscription, &mut told).await?,
            }
        }
    }

    /// Sends every change behind what was told.
    async fn send_changes(&self, to: &Addressee, subscription: &Subscription, told: &mut Told) -> Result<(), Refusal> {
        loop {
            let (addressee, after) = (to.clone(), told.revision);
            let changes = self.store.run(move |store| store.changes(&addressee.recipient(), after, CHANGES, SystemTime::now()));
            let changes = changes.await.flatten().map_err(internal)?;
            let is_last = changes.len() < CHANGES;
            for change in changes {
                let revision = change.revision();
                subscription.delta(revision.0, outgoing_change(change, SystemTime::now())).await?;
                told.revision = revision;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    async fn answer(&self, to: &Addressee, subscription: &Subscription, spi: Spi) -> Result<(), Refusal> {
        let addressee = to.clone();
        let found = self.store.run(move |store| store.look_up(&addressee.recipient(), spi, SystemTime::now()));
        let found = found.await.flatten().map_err(internal)?;
        tracing::debug!(home_agent = to.home_agent.name, %spi, is_found = found.is_some(), "a home agent looks an SPI up");
        let found = found.map(|delivery| Answer::Found(Box::new(outgoing(delivery, SystemTime::now()))));
        Ok(subscription.answer(found.unwrap_or(Answer::NotFound(spi))).await?)
    }

    /// Notes what nodes have registered under. A database that does not take it costs nobody his subscription: the next one tells it
    /// anew.
    async fn note_registered(&self, to: &Addressee, spis: Vec<Spi>) {
        let addressee = to.clone();
        let noted = self.store.run(move |store| store.note_registered(&addressee.recipient(), &spis, SystemTime::now()));
        if let Err(error) = noted.await.flatten() {
            tracing::error!(%error, "which associations are in use is not recorded: a new one may take the place of one in use");
        }
    }

    /// Records what a home agent says of sessions, and has accounting look at it. A database that does not take it costs nobody his
    /// subscription: a session that goes on is told of again.
    async fn note_usage(&self, to: &Addressee, reports: Vec<SessionReport>) {
        let (addressee, sessions) = (to.clone(), reports.len());
        let noted = self.store.run(move |store| store.note_usage(&addressee.recipient(), &reports, SystemTime::now()));
        match noted.await.flatten() {
            Ok(()) => self.usage.iter().for_each(|usage| usage.reported.notify_one()),
            Err(error) => tracing::error!(%error, sessions, "what a home agent tells of sessions is not recorded"),
        }
    }

    /// Ends the subscription of a home agent that is not recorded any more, or otherwise; else tells it of new SPI blocks.
    async fn check_record(&self, to: &Addressee, subscription: &Subscription, told: &mut Told) -> Result<(), Refusal> {
        let (home_agent, blocks) = self.record(&to.home_agent.name).await?;
        if home_agent != *to.home_agent {
            return Err(Refusal::Ended("the record of this home agent has changed at the HAC".to_owned()));
        }
        if blocks != told.blocks {
            subscription.spi_blocks(&blocks).await?;
            told.blocks = blocks;
        }
        Ok(())
    }
}

impl SubscriptionHandler for Feed {
    async fn serve(&self, mut subscription: Subscription) -> Result<(), Refusal> {
        let name = subscription.home_agent().to_owned();
        let (home_agent, blocks) = self.record(&name).await?;
        let to = Addressee { instance: InstanceId(subscription.hello().instance), home_agent: Arc::new(home_agent) };

        self.registry.note_features(&name, to.home_agent.group, subscription.hello().features);
        subscription.welcome(&self.welcome(&to.home_agent, blocks.clone())).await?;
        let (revision, associations) = self.snapshot(&to).await.map_err(internal)?;
        subscription.snapshot(revision.0, &associations).await?;
        let sent_associations = associations.len();
        drop(associations);
        timeout(SNAPSHOT_ACKNOWLEDGEMENT, self.acknowledged_up_to(&to, &mut subscription, revision))
            .await
            .map_err(|_| Refusal::Ended("the snapshot was not acknowledged in 30 seconds".to_owned()))??;
        tracing::info!(home_agent = name, associations = sent_associations, revision = revision.0, "a home agent is connected");

        if self.usage.is_some() {
            // Sessions of a process before this one have ended, whether or not this one has any.
            self.note_usage(&to, Vec::new()).await;
        }
        let place = self.registry.enter(&name, to.instance, revision);
        let ended = self.follow(&to, subscription, place, Told { revision, blocks }).await;
        tracing::info!(home_agent = name, "a home agent is no longer connected");
        ended
    }
}

/// How far a subscription has got.
struct Told {
    /// Every change up to this place in the log was sent.
    revision: Revision,
    /// The SPI blocks that were sent last.
    blocks: SpiBlocks,
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

fn log_interval() -> Interval {
    let mut interval = tokio::time::interval(LOG_INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
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
    Refusal::Ended("the HAC cannot read its database; its log says more".to_owned())
}
