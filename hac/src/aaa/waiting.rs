//! Who waits under which of a socket's 256 identifiers. Pure: `port` brings the packets.

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
    /// Replies that nobody waits for and that may still come.
    owed: usize,
}

struct Waiter {
    awaited: Awaited,
    /// `None` where nobody waits any more.
    reply: Option<oneshot::Sender<Reply>>,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { free: (0..=u8::MAX).collect(), by_identifier: BTreeMap::new(), owed: 0 }
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
        self.by_identifier.insert(awaited.identifier, Waiter { awaited, reply: Some(sender) });
        receiver
    }

    /// Nobody waits under this identifier any more, and it may be reserved again.
    pub(super) fn give_back(&mut self, identifier: u8) {
        self.by_identifier.remove(&identifier);
        self.free.push_back(identifier);
    }

    /// Nobody waits under this identifier any more, and it may be reserved again when its reply has come: on a connection it comes
    /// late, but it comes (RFC 6613 section 2.6.5). Says how many such replies may still come.
    pub(super) fn leave(&mut self, identifier: u8) -> usize {
        match self.by_identifier.get_mut(&identifier) {
            Some(waiter) => {
                waiter.reply = None;
                self.owed += 1;
            }
            None => self.free.push_back(identifier),
        }
        self.owed
    }

    /// No reply will come any more; those that wait hear of it. Says how many they were.
    pub(super) fn abandon(&mut self) -> usize {
        let waiters = self.waiters();
        self.by_identifier.clear();
        self.owed = 0;
        waiters
    }

    /// How many wait.
    pub(super) fn waiters(&self) -> usize {
        self.by_identifier.len().saturating_sub(self.owed)
    }

    /// Whether nothing waits and nothing is reserved but for replies that nobody waits for.
    pub(super) fn is_idle(&self) -> bool {
        self.free.len() + self.owed == IDENTIFIERS
    }

    /// Gives a packet to whom it is for, if he still waits, who then waits no longer. What does not verify leaves the waiter where
    /// it is.
    pub(super) fn receive(
        &mut self,
        datagram: &[u8],
        secret: &Secret,
    ) -> Result<(Reply, Option<oneshot::Sender<Reply>>), Dropped> {
        let identifier = *datagram.get(1).ok_or(Dropped::Malformed)?;
        let waiter = self.by_identifier.get(&identifier).ok_or(Dropped::Unexpected)?;
        let reply = reply::verify(datagram, &waiter.awaited, secret)?;
        let waiter = self.by_identifier.remove(&identifier).ok_or(Dropped::Unexpected)?;
        if waiter.reply.is_none() {
            self.free.push_back(identifier);
            self.owed = self.owed.saturating_sub(1);
        }
        Ok((reply, waiter.reply))
    }
}

#[cfg(test)]
mod tests {
    use super::super::packet::AttributeList;
    use super::super::reply::tests::{AWAITED, octets, secret};
    use super::*;

    fn asking(waiting: &mut Waiting) -> oneshot::Receiver<Reply> {
        while waiting.reserve().unwrap() != AWAITED.identifier {}
        waiting.wait(AWAITED)
    }

    #[test]
    fn an_identifier_that_was_left_is_free_when_its_reply_has_come() {
        let mut waiting = Waiting::default();
        drop(asking(&mut waiting));
        let reserved = IDENTIFIERS - waiting.free.len();
        assert_eq!(waiting.leave(AWAITED.identifier), 1);
        assert_eq!(waiting.free.len(), IDENTIFIERS - reserved, "its reply may still come");
        let (_, waiter) = waiting.receive(&octets(3, &AttributeList::default()), &secret()).unwrap();
        assert!(waiter.is_none());
        assert_eq!(waiting.free.back(), Some(&AWAITED.identifier));
        assert_eq!(waiting.receive(&octets(3, &AttributeList::default()), &secret()).err(), Some(Dropped::Unexpected));
    }

    #[test]
    fn an_identifier_whose_reply_has_come_is_free_at_once() {
        let mut waiting = Waiting::default();
        let _receiver = asking(&mut waiting);
        let (_, waiter) = waiting.receive(&octets(3, &AttributeList::default()), &secret()).unwrap();
        assert!(waiter.is_some());
        assert_eq!(waiting.leave(AWAITED.identifier), 0);
        assert_eq!(waiting.free.back(), Some(&AWAITED.identifier));
    }

    #[test]
    fn who_waits_hears_that_nothing_will_come_any_more() {
        let mut waiting = Waiting::default();
        let mut receiver = asking(&mut waiting);
        assert!(matches!(receiver.try_recv(), Err(oneshot::error::TryRecvError::Empty)));
        assert_eq!(waiting.abandon(), 1);
        assert!(matches!(receiver.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
        assert_eq!(waiting.abandon(), 0);
    }

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
