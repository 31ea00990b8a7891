//! Keeps a subscription to the HAC's feed: connects, hands each message to the gateway, acknowledges a revision once it is
//! in force, looks SPIs up for the gateway, tells what nodes have registered under and how their sessions are, and connects again when the connection
//! ends. What the gateway has stays in force meanwhile, unless the HAC has dismissed this home agent.

mod to_hac;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::{Duration, Instant, SystemTime};

use feed::client::{FeedAddress, FeedError};
use feed::{Answer, FeedClient, FromHac, Hello, TlsFiles, Welcome};
use protocol::features::Features;
use protocol::sa::Spi;
use protocol::tunnel::look_up;
use rand::RngExt;
use tokio::sync::{mpsc, oneshot, watch};

pub use to_hac::{Said, ToHac, to_hac};

/// The first wait before connecting again; each further one is twice as long, up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// The longest wait before connecting again.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// The wait of a home agent that the HAC has no record of: somebody has to do something first.
const DISMISSED_WAIT: Duration = Duration::from_secs(30);
/// Look-ups without an answer: what an exit-point wants while it remembers the first of them. More are not sent.
const LOOK_UPS_IN_FLIGHT: usize = look_up::MOST_REMEMBERED;
/// From one message with what nodes have registered under to the next, and from one with reports of sessions to the next: the HAC writes
/// each to its disk, which mobile nodes wait for as well.
const TELLING_INTERVAL: Duration = Duration::from_millis(100);

/// What the gateway is told. It answers through the sender when both halves of the tunnels have it in force; a sender that
/// is dropped without an answer ends the subscription.
#[derive(Debug)]
pub enum FeedEvent {
    /// A subscription begins.
    Welcome(Welcome, oneshot::Sender<()>),
    /// What the HAC says next.
    Message(Box<FromHac>, oneshot::Sender<()>),
    /// The subscription, or an attempt at one, has ended; what was delivered stays in force.
    Lost(oneshot::Sender<()>),
    /// The same, and the HAC has no record of this home agent: all that was delivered has ended.
    Dismissed(oneshot::Sender<()>),
}

/// How the feed is, for `ha status`.
#[derive(Clone, Debug)]
pub struct FeedState {
    /// Whether a subscription is open.
    pub connected: bool,
    /// Since when it is so.
    pub since: SystemTime,
    /// The last revision that was acknowledged.
    pub revision: u64,
    /// Why the last subscription or attempt ended.
    pub last_error: Option<String>,
    /// Since the process began.
    pub look_ups: LookUpCounts,
}

/// How many SPIs were looked up.
#[derive(Clone, Copy, Debug, Default)]
pub struct LookUpCounts {
    /// The HAC was asked.
    pub asked: u64,
    /// It had an SA.
    pub found: u64,
}

impl FeedState {
    /// Before the first attempt.
    pub fn new() -> Self {
        Self { connected: false, since: SystemTime::now(), revision: 0, last_error: None, look_ups: LookUpCounts::default() }
    }
}

impl Default for FeedState {
    fn default() -> Self {
        Self::new()
    }
}

/// One home agent process's side of the feed.
#[derive(Debug)]
pub struct Subscriber {
    /// Where the HAC is.
    pub at: FeedAddress,
    /// Certificates and key.
    pub files: TlsFiles,
    /// This process; drawn once, since the HAC counts leases by it.
    pub instance: [u8; 16],
    /// To the gateway.
    pub events: mpsc::Sender<FeedEvent>,
    /// From the gateway.
    pub said: Said,
    /// For status.
    pub state: watch::Sender<FeedState>,
    /// What the HAC is told that this home agent can do.
    pub features: Features,
}

impl Subscriber {
    /// Subscribes again and again, until the gateway is gone.
    pub async fn run(mut self) {
        let mut wait = FIRST_WAIT;
        while !self.events.is_closed() {
            let mut in_force = false;
            let ended = match self.follow(&mut in_force).await {
                Err(ended) => ended,
                Ok(never) => match never {},
            };
            self.note_end(&ended);
            let event = if ended.is_dismissal() { FeedEvent::Dismissed } else { FeedEvent::Lost };
            // A gateway that is gone has nothing left to end.
            let _ = self.hand_over(event).await;
            wait = ended.wait(in_force, wait);
            tokio::time::sleep(with_jitter(wait)).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// One subscription, from connecting to its end; says whether a revision has come in force.
    async fn follow(&mut self, in_force: &mut bool) -> Result<Infallible, Ended> {
        let hello = Hello { instance: self.instance, known_revision: self.state.borrow().revision, features: self.features };
        let (mut client, welcome) = FeedClient::connect(&self.at, &self.files, hello).await?;
        self.state.send_modify(|state| (state.connected, state.since) = (true, SystemTime::now()));
        tracing::info!(hac = %self.at.address, group = welcome.group.get(), "subscribed to the feed");
        // Of an earlier subscription: all of it is told anew.
        while self.said.usage.try_recv().is_ok() {}
        self.hand_over(|applied| FeedEvent::Welcome(welcome, applied)).await?;
        // What was missed while there was nobody to ask: the nodes have come again, or gone.
        while self.said.look_ups.try_recv().is_ok() {}
        let (mut in_flight, mut may_tell, mut may_report) = (BTreeSet::new(), Instant::now(), Instant::now());
        loop {
            // Before the snapshot is whole, it is more likely to bring what is missed than a look-up.
            let message = tokio::select! {
                message = client.next() => message?,
                Some(spi) = self.said.look_ups.recv(), if *in_force => {
                    self.look_up(spi, &client, &mut in_flight).await;
                    continue;
                }
                Some(spis) = not_before(may_tell, &mut self.said.registered), if *in_force => {
                    client.registered(spis).await;
                    may_tell = Instant::now() + TELLING_INTERVAL;
                    continue;
                }
                Some(reports) = not_before(may_report, &mut self.said.usage), if *in_force => {
                    client.usage(reports).await;
                    may_report = Instant::now() + TELLING_INTERVAL;
                    continue;
                }
            };
            if let FromHac::Answer(answer) = &message {
                self.note_answer(answer, &mut in_flight);
            }
            *in_force |= self.put_in_force(&client, message).await?;
        }
    }

    /// Hands `message` to the gateway and acknowledges what is to be acknowledged; says whether that was a revision.
    async fn put_in_force(&self, client: &FeedClient, message: FromHac) -> Result<bool, Ended> {
        let acknowledged_as = message.acknowledged_as();
        let begun = Instant::now();
        self.hand_over(|applied| FeedEvent::Message(Box::new(message), applied)).await?;
        if let Some(revision) = acknowledged_as {
            client.acknowledge(revision).await;
            self.state.send_modify(|state| state.revision = revision);
            tracing::debug!(revision, micros = begun.elapsed().as_micros(), "a revision of the feed is in force");
        }
        Ok(acknowledged_as.is_some())
    }

    /// Asks the HAC for `spi`, unless it is being asked already.
    async fn look_up(&self, spi: Spi, client: &FeedClient, in_flight: &mut BTreeSet<Spi>) {
        if in_flight.len() < LOOK_UPS_IN_FLIGHT && in_flight.insert(spi) {
            client.look_up(spi).await;
            self.state.send_modify(|state| state.look_ups.asked += 1);
        }
    }

    fn note_answer(&self, answer: &Answer, in_flight: &mut BTreeSet<Spi>) {
        in_flight.remove(&answer.spi());
        if let Answer::Found(provisioned) = answer {
            self.state.send_modify(|state| state.look_ups.found += 1);
            tracing::debug!(spi = %answer.spi(), lease = provisioned.lease, "an SA was found by a look-up");
        }
    }

    /// Waits until the gateway has it in force.
    async fn hand_over(&self, event: impl FnOnce(oneshot::Sender<()>) -> FeedEvent) -> Result<(), Ended> {
        let (applied, in_force) = oneshot::channel();
        self.events.send(event(applied)).await.map_err(|_| Ended::GatewayGone)?;
        in_force.await.map_err(|_| Ended::GatewayGone)
    }

    fn note_end(&self, ended: &Ended) {
        let text = ended.to_string();
        let was_connected = self.state.borrow().connected;
        let is_news = was_connected || self.state.borrow().last_error.as_ref() != Some(&text);
        if is_news && ended.is_dismissal() {
            tracing::warn!(
                reason = text,
                "dismissed: every SA and binding is dropped; record this home agent at the HAC to use it again, or stop it"
            );
        } else if is_news {
            tracing::warn!(reason = text, "no subscription to the feed; what was delivered stays in force until it ends");
        }
        self.state.send_modify(|state| {
            if was_connected {
                (state.connected, state.since) = (false, SystemTime::now());
            }
            state.last_error = Some(text);
        });
    }
}

async fn not_before<T>(instant: Instant, queue: &mut mpsc::Receiver<T>) -> Option<T> {
    tokio::time::sleep_until(instant.into()).await;
    queue.recv().await
}

/// A quarter more or less, so that home agents that lost the same HAC do not come back in step.
fn with_jitter(wait: Duration) -> Duration {
    wait.mul_f64(rand::rng().random_range(0.75..1.25))
}

#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error("the home agent stops")]
    GatewayGone,
}

impl Ended {
    /// Whether the HAC has no record of this home agent.
    fn is_dismissal(&self) -> bool {
        matches!(self, Self::Feed(FeedError::Dismissed(_)))
    }

    /// How long to wait before the next attempt, when it is the turn of `wait`. Only a subscription that brought a revision in force
    /// counts as a success: one that is refused after its welcome must not be tried again five times a second.
    fn wait(&self, in_force: bool, wait: Duration) -> Duration {
        match self {
            Self::Feed(FeedError::Dismissed(_)) => DISMISSED_WAIT,
            Self::Feed(_) | Self::GatewayGone if in_force => FIRST_WAIT,
            Self::Feed(_) | Self::GatewayGone => wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::sa::Secret;

    use super::*;

    fn subscriber() -> Subscriber {
        let at = FeedAddress { address: "hac.example.org:7873".to_owned(), server_name: "hac.example.org".to_owned() };
        let files = TlsFiles { ca: String::new(), certificate: String::new(), key: Secret::empty() };
        let (events, said, state) = (mpsc::channel(1).0, to_hac().1, watch::channel(FeedState::new()).0);
        Subscriber { at, files, instance: [1; 16], events, said, state, features: Features::NONE }
    }

    fn dismissed() -> Ended {
        Ended::Feed(FeedError::Dismissed("\"ha1\" is not recorded".to_owned()))
    }

    #[test]
    fn a_home_agent_that_is_dismissed_says_once_what_to_do_and_tries_again_slowly() {
        let subscriber = subscriber();
        let (_, lines) = fixture::logged(|| [dismissed(), dismissed()].iter().for_each(|ended| subscriber.note_end(ended)));
        let [line] = &lines[..] else { panic!("{lines:?}") };
        assert!(
            line.contains("WARN") && line.contains("not recorded") && line.contains("record this home agent at the HAC"),
            "{line}"
        );
        assert_eq!([false, true].map(|in_force| dismissed().wait(in_force, FIRST_WAIT)), [DISMISSED_WAIT; 2]);
    }

    #[test]
    fn after_any_other_end_the_wait_starts_anew_when_a_revision_was_in_force_and_what_is_held_stays() {
        let ended = Ended::Feed(FeedError::Ended);
        assert_eq!([true, false].map(|in_force| ended.wait(in_force, LONGEST_WAIT)), [FIRST_WAIT, LONGEST_WAIT]);
        let (_, lines) = fixture::logged(|| subscriber().note_end(&ended));
        assert!(lines[0].contains("stays in force"), "{lines:?}");
    }
}
