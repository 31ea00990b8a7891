//! Who waits under which of a socket's 256 identifiers. Pure: `port` brings the datagrams.

use std::collections::{BTreeMap, VecDeque};

use protocol::sa::Secret;
use tokio::sync::oneshot;

use super::reply::{self, Awaited, Dropped, Reply};

/// Identifiers of one socket: the field has 8 bits.
pub(super) const IDENTIFIERS: usize = 256;

/// The requests of one socket that wait for their replies.
pub(super) struct Waiting {
    /// The longest unused first (RFC 5080 section 2.2.2), so that late replies mostly find nobody under their identifier.
    free: VecDeque<u8>,
    by_identifier: BTreeMap<u8, Waiter>,
}

struct Waiter {
    awaited: Awaited,
    reply: oneshot::Sender<Reply>,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { free: (0..=u8::MAX).collect(), by_identifier: BTreeMap::new() }
    }
}

impl Waiting {
    /// An identifier for a new request, until it is given back; `None` when all are in use.
    pub(super) fn reserve(&mut self) -> Option<u8> {
        self.free.pop_front()
    }

    /// Waits for the reply to a request under its reserved identifier.
    pub(super) fn wait(&mut self, awaited: Awaited) -> oneshot::Receiver<Reply> {
        let (sender, receiver) = oneshot::channel();
        self.by_identifier.insert(awaited.identifier, Waiter { awaited, reply: sender });
        receiver
    }

    /// Nobody waits under this identifier any more, and it may be reserved again.
    pub(super) fn give_back(&mut self, identifier: u8) {
        self.by_identifier.remove(&identifier);
        self.free.push_back(identifier);
    }

    /// Whether nothing waits and nothing is reserved.
    pub(super) fn is_idle(&self) -> bool {
        self.free.len() == IDENTIFIERS
    }

    /// Gives a datagram to whom it is for, who then waits no longer. What does not verify leaves the waiter where it is.
    pub(super) fn receive(&mut self, datagram: &[u8], secret: &Secret) -> Result<(Reply, oneshot::Sender<Reply>), Dropped> {
        let identifier = *datagram.get(1).ok_or(Dropped::Malformed)?;
        let waiter = self.by_identifier.get(&identifier).ok_or(Dropped::Unexpected)?;
        let reply = reply::verify(datagram, &waiter.awaited, secret)?;
        let waiter = self.by_identifier.remove(&identifier).ok_or(Dropped::Unexpected)?;
        Ok((reply, waiter.reply))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identifier_that_is_longest_unused_comes_next() {
        let mut waiting = Waiting::default();
        let first = waiting.reserve().unwrap();
        waiting.give_back(first);
        let order: Vec<u8> = std::iter::from_fn(|| waiting.reserve()).collect();
        assert_eq!(order.len(), IDENTIFIERS);
        assert_eq!(order.last(), Some(&first));
        assert!(!waiting.is_idle());
        order.into_iter().for_each(|identifier| waiting.give_back(identifier));
        assert!(waiting.is_idle());
    }
}
