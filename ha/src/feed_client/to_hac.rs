//! The queues from the gateway to the feed client: what the HAC is asked and told of the gateway's own accord.

use protocol::sa::Spi;
use protocol::tunnel::look_up;
use tokio::sync::mpsc;

/// Look-ups that wait for the feed: what an exit-point wants within a second. More are dropped: the node comes again.
const LOOK_UP_QUEUE: usize = look_up::MOST_A_SECOND;
/// Messages with what nodes have registered under that wait: what comes meanwhile goes into the next one.
const REGISTERED_QUEUE: usize = 1;

/// Where the gateway puts what the HAC is to be told. Without a subscription nobody is told anything.
#[derive(Debug)]
pub struct ToHac {
    /// SPIs that it may know.
    pub look_ups: mpsc::Sender<Spi>,
    /// SAs that nodes have registered under, at most [`REGISTERED_PART`](feed::REGISTERED_PART).
    pub registered: mpsc::Sender<Vec<Spi>>,
}

/// Where it comes out.
#[derive(Debug)]
pub struct Said {
    pub(super) look_ups: mpsc::Receiver<Spi>,
    pub(super) registered: mpsc::Receiver<Vec<Spi>>,
}

/// From the gateway to its [`Subscriber`](super::Subscriber).
pub fn to_hac() -> (ToHac, Said) {
    let (look_ups, look_up_queue) = mpsc::channel(LOOK_UP_QUEUE);
    let (registered, registered_queue) = mpsc::channel(REGISTERED_QUEUE);
    (ToHac { look_ups, registered }, Said { look_ups: look_up_queue, registered: registered_queue })
}
