//! Keeps a subscription to the HAC's feed: connects, hands each message to the gateway, acknowledges a revision once it is
//! in force, and connects again when the connection ends. What the gateway has stays in force meanwhile.

use std::convert::Infallible;
use std::time::{Duration, Instant, SystemTime};

use feed::client::{FeedAddress, FeedError};
use feed::{FeedClient, FromHac, Hello, TlsFiles, Welcome};
use rand::RngExt;
use tokio::sync::{mpsc, oneshot, watch};

/// The first wait before connecting again; each further one is twice as long, up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// The longest wait before connecting again.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What the gateway is told. It answers through the sender when both halves of the tunnels have it in force; a sender that
/// is dropped without an answer ends the subscription.
#[derive(Debug)]
pub enum FeedEvent {
    /// A subscription begins.
    Welcome(Welcome, oneshot::Sender<()>),
    /// A part of a snapshot, or a delta.
    Message(Box<FromHac>, oneshot::Sender<()>),
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
}

impl FeedState {
    /// Before the first attempt.
    pub fn new() -> Self {
        Self { connected: false, since: SystemTime::now(), revision: 0, last_error: None }
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
    /// For status.
    pub state: watch::Sender<FeedState>,
}

impl Subscriber {
    /// Subscribes again and again, until the gateway is gone.
    pub async fn run(self) {
        let mut wait = FIRST_WAIT;
        while !self.events.is_closed() {
            let mut in_force = false;
            let ended = match self.follow(&mut in_force).await {
                Err(ended) => ended,
                Ok(never) => match never {},
            };
            self.note_end(&ended);
            // Only a subscription that brought a revision in force counts as a success: one that is refused after its
            // welcome must not be tried again five times a second.
            wait = if in_force { FIRST_WAIT } else { wait };
            tokio::time::sleep(with_jitter(wait)).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// One subscription, from connecting to its end; says whether a revision has come in force.
    async fn follow(&self, in_force: &mut bool) -> Result<Infallible, Ended> {
        let hello = Hello { instance: self.instance, known_revision: self.state.borrow().revision };
        let (mut client, welcome) = FeedClient::connect(&self.at, &self.files, hello).await?;
        self.state.send_modify(|state| (state.connected, state.since) = (true, SystemTime::now()));
        tracing::info!(hac = %self.at.address, group = welcome.group.get(), "subscribed to the feed");
        self.hand_over(|applied| FeedEvent::Welcome(welcome, applied)).await?;
        loop {
            let message = client.next().await?;
            let revision = message.revision();
            let whole = !matches!(message, FromHac::Snapshot { last: false, .. });
            let begun = Instant::now();
            self.hand_over(|applied| FeedEvent::Message(Box::new(message), applied)).await?;
            if whole {
                client.acknowledge(revision).await?;
                self.state.send_modify(|state| state.revision = revision);
                *in_force = true;
                tracing::debug!(revision, micros = begun.elapsed().as_micros(), "a revision of the feed is in force");
            }
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
        if is_news {
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
