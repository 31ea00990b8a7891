//! The feed between HAC and home agent: messages on their way, in order, while the subscription lives.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use feed::{FromHac, SessionReport};
use hac::store::{InstanceId, Revision};
use protocol::sa::Spi;

/// From the HAC's host to the home agent's and back it takes twice this.
const DELAY: Duration = Duration::from_millis(1);
/// How long a home agent that could not subscribe waits before it tries again.
const RETRY: Duration = Duration::from_secs(1);

/// One message.
#[derive(Debug)]
pub(super) enum Message {
    /// A process of the home agent wants to be told everything, and then what changes.
    Subscribe(InstanceId),
    /// To that process: how often the HAC wants to hear of a session.
    Welcome(InstanceId, Option<Duration>),
    /// To that process.
    FromHac(InstanceId, FromHac),
    /// That process has put everything up to there in force.
    Acknowledge(InstanceId, Revision),
    /// That process wants the SA with this SPI.
    LookUp(InstanceId, Spi),
    /// Nodes have registered under these SAs at that process.
    Registered(InstanceId, Vec<Spi>),
    /// How sessions at that process are.
    Usage(InstanceId, Vec<SessionReport>),
}

/// What is on its way. One connection: nothing overtakes anything.
#[derive(Debug, Default)]
pub(super) struct Feed(VecDeque<(Instant, Message)>);

impl Feed {
    pub(super) fn send(&mut self, message: Message, now: Instant) {
        self.push(now + DELAY, message);
    }

    pub(super) fn subscribe_later(&mut self, instance: InstanceId, now: Instant) {
        self.push(now + RETRY, Message::Subscribe(instance));
    }

    /// One of the two processes has died, and with it the connection.
    pub(super) fn cut(&mut self) {
        self.0.clear();
    }

    pub(super) fn next_arrival(&self) -> Option<Instant> {
        self.0.front().map(|(at, _)| *at)
    }

    pub(super) fn arrival(&mut self, now: Instant) -> Option<Message> {
        self.0.pop_front_if(|(at, _)| *at <= now).map(|(_, message)| message)
    }

    fn push(&mut self, at: Instant, message: Message) {
        let at = self.0.back().map_or(at, |(before, _)| at.max(*before));
        self.0.push_back((at, message));
    }
}
