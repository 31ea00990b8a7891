//! Tells accounting servers of sessions (RFC 2866): what is to be told stands in the store until a server has acknowledged it, so that
//! neither a silent server nor the end of this process loses a record.
//!
//! [`Accountant::run`] is started by `serve` where `[radius] accounting` names servers; `feed` wakes it when a home agent has reported.
//! Up to [`AT_ONCE`] sessions are told of at a time. One that no server takes waits for a minute and holds nobody up; while all servers
//! are silent one session at a time is tried, another one each time.

mod queue;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use crate::aaa::{Account, AccountStatus, AccountingClient, TerminateCause};
use crate::store::{SessionCause, SessionRecord, SharedStore, Told};
use queue::Queue;

pub use queue::AT_ONCE;

/// How often it is looked whether something is to be told: an Interim is due by time alone.
const DUE: Duration = Duration::from_secs(1);
/// How often sessions are ended of which no home agent has told the end.
const STALE: Duration = Duration::from_secs(60);

/// See the module.
pub struct Accountant {
    /// What is to be told.
    pub store: SharedStore,
    /// Whom.
    pub client: Arc<AccountingClient>,
    /// Between two Interims of a session, whatever its AAA server has said (RFC 2869 section 2.1).
    pub interim: Option<Duration>,
    /// Somebody has reported.
    pub reported: Arc<Notify>,
}

/// What has become of one record.
struct Attempt {
    id: String,
    is_told: bool,
}

impl Accountant {
    /// Tells until the future is dropped.
    pub async fn run(self: Arc<Self>) {
        let (mut queue, mut telling) = (Queue::default(), JoinSet::new());
        let [mut due, mut stale] = [DUE, STALE].map(ticks);
        loop {
            tokio::select! {
                Some(attempt) = telling.join_next() => self.settle(attempt.ok(), &mut queue),
                () = self.reported.notified() => {}
                _ = due.tick() => {}
                _ = stale.tick() => self.end_stale().await,
            }
            while let Some(attempt) = telling.try_join_next() {
                self.settle(attempt.ok(), &mut queue);
            }
            self.begin(&mut queue, &mut telling).await;
        }
    }

    /// Begins to tell what is due, as far as there are places.
    async fn begin(self: &Arc<Self>, queue: &mut Queue, telling: &mut JoinSet<Attempt>) {
        let now = Instant::now();
        let free = queue.free(now);
        if free == 0 {
            return;
        }
        let (interim, limit) = (self.interim, queue.known() + free);
        let due = self.store.run(move |store| store.accounting_due(interim, limit, SystemTime::now())).await.flatten();
        let due = due.unwrap_or_else(|error| {
            tracing::error!(%error, "what accounting servers are to be told cannot be read");
            Vec::new()
        });
        for (record, told) in due.into_iter().filter(|(record, _)| queue.begin(&record.id, now)).take(free) {
            let accountant = Arc::clone(self);
            telling.spawn(async move { accountant.tell(record, told).await });
        }
    }

    /// One record, until a server has it or none takes it. It is told anew where the store does not take that it was: servers know a
    /// record again by Acct-Session-Id.
    async fn tell(&self, record: SessionRecord, told: Told) -> Attempt {
        let outcome = self.client.tell(&account(&record, told)).await;
        if let Err(error) = &outcome {
            tracing::debug!(%error, session = record.id, "an accounting server is told later");
            return Attempt { id: record.id, is_told: false };
        }
        let id = record.id.clone();
        let noted = self.store.run(move |store| store.accounting_told(&id, told, SystemTime::now())).await.flatten();
        if let Err(error) = noted {
            tracing::error!(%error, session = record.id, "an accounting server will be told the same again");
        }
        Attempt { id: record.id, is_told: true }
    }

    /// `None` of a task that panicked: its session keeps its place until the process ends.
    fn settle(&self, attempt: Option<Attempt>, queue: &mut Queue) {
        let Some(Attempt { id, is_told }) = attempt else { return };
        if is_told {
            if queue.told(&id) {
                tracing::info!("accounting servers answer again: they are told what was kept");
            }
        } else if queue.untold(&id, self.client.is_any_alive(), Instant::now()) {
            tracing::warn!(
                "no accounting server answers: what they are to be told is kept in the database; are they running, and do they know \
                 this HAC as a client, with the same secret?"
            );
        }
    }

    async fn end_stale(&self) {
        match self.store.run(|store| store.end_stale_sessions(SystemTime::now())).await.flatten() {
            Ok(0) => {}
            Ok(sessions) => tracing::debug!(sessions, "sessions have ended of which no home agent has told the end"),
            Err(error) => tracing::error!(%error, "sessions of which no home agent tells the end go on for accounting servers"),
        }
    }
}

fn ticks(period: Duration) -> tokio::time::Interval {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// A session in the words of RFC 2866.
fn account(record: &SessionRecord, told: Told) -> Account<'_> {
    let status = match told {
        Told::Start => AccountStatus::Start,
        Told::Interim => AccountStatus::Interim,
        Told::Stop => AccountStatus::Stop(record.ended.map_or(TerminateCause::LostService, terminate_cause)),
    };
    Account {
        status,
        session_id: &record.id,
        user_name: &record.access.user_name,
        class: &record.access.class,
        framed_ip4: record.home.ip4(),
        framed_ip6: record.home.ip6(),
        home_agent: &record.home_agent,
        care_of: IpAddr::to_canonical(&record.care_of.ip()),
        at: if told == Told::Start { record.began } else { record.reported },
        time: Duration::from_secs(record.seconds),
        input: record.traffic.from_node,
        output: record.traffic.to_node,
    }
}

/// RFC 2866 section 5.10. A node that has registered under a newer association goes on: its older session ends without an error, for a
/// reason that has no name there.
fn terminate_cause(cause: SessionCause) -> TerminateCause {
    match cause {
        SessionCause::Deregistered => TerminateCause::UserRequest,
        SessionCause::BindingExpired => TerminateCause::LostCarrier,
        SessionCause::Superseded => TerminateCause::NasRequest,
        SessionCause::Revoked | SessionCause::Disconnected => TerminateCause::AdminReset,
        SessionCause::Expired => TerminateCause::SessionTimeout,
        SessionCause::HomeAgentRestarted => TerminateCause::NasReboot,
        SessionCause::HomeAgentGone => TerminateCause::LostService,
    }
}

#[cfg(test)]
mod tests;
