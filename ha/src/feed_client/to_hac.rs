//! The queues from the gateway to the feed client: what the HAC is asked and told of the gateway's own accord.

use feed::SessionReport;
use protocol::sa::Spi;
use protocol::tunnel::look_up;
use tokio::sync::mpsc;

/// Look-ups that wait for the feed: what an exit-point wants within a second. More are dropped: the node comes again.
const LOOK_UP_QUEUE: usize = look_up::MOST_A_SECOND;
/// Messages with what nodes have registered under that wait: what comes meanwhile goes into the next one.
const REGISTERED_QUEUE: usize = 1;
/// Messages with reports of sessions that wait: the next one has the figures of then.
const USAGE_QUEUE: usize = 1;

/// Where the gateway puts what the HAC is to be told. Without a subscription nobody is told anything.
#[derive(Debug)]
pub struct ToHac {
    /// SPIs that it may know.
    pub look_ups: mpsc::Sender<Spi>,
    /// SAs that nodes have registered under, at most [`REGISTERED_PART`](feed::REGISTERED_PART).
    pub registered: mpsc::Sender<Vec<Spi>>,
    /// How sessions are, at most [`USAGE_PART`](feed::USAGE_PART).
    pub usage: mpsc::Sender<Vec<SessionReport>>,
}

/// Where it comes out.
#[derive(Debug)]
pub struct Said {
    pub(super) look_ups: mpsc::Receiver<Spi>,
    pub(super) registered: mpsc::Receiver<Vec<Spi>>,
    pub(super) usage: mpsc::Receiver<Vec<SessionReport>>,
}

/// From the gateway to its [`Subscriber`](super::Subscriber).
pub fn to_hac() -> (ToHac, Said) {
    let (look_ups, look_up_queue) = mpsc::channel(LOOK_UP_QUEUE);
    let (registered, registered_queue) = mpsc::channel(REGISTERED_QUEUE);
    let (usage, usage_queue) = mpsc::channel(USAGE_QUEUE);
    let said = Said { look_ups: look_up_queue, registered: registered_queue, usage: usage_queue };
    (ToHac { look_ups, registered, usage }, said)
}
