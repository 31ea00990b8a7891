//! What a port has in common with what receives for it: who waits, and what was heard.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::aaa::peer::Peer;
use crate::aaa::reply::Dropped;
use crate::aaa::waiting::Waiting;

/// See the module.
pub(super) struct Shared {
    pub(super) peer: Arc<Peer>,
    waiting: Mutex<Waiting>,
    heard: AtomicU64,
    is_over: AtomicBool,
}

impl Shared {
    pub(super) fn new(peer: Arc<Peer>) -> Self {
        Self { peer, waiting: Mutex::default(), heard: AtomicU64::new(0), is_over: AtomicBool::new(false) }
    }

    pub(super) fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Signs of life so far.
    pub(super) fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Gives a packet to whom it is for.
    ///
    /// # Errors
    /// It is no reply, and is counted.
    pub(super) fn receive(&self, packet: &[u8]) -> Result<(), Dropped> {
        let received = self.waiting().receive(packet, &self.peer.config.secret);
        if matches!(received, Ok(_) | Err(Dropped::NoMessageAuthenticator)) {
            self.heard.fetch_add(1, Ordering::Relaxed);
        }
        self.peer.note(received.as_ref().map(|(reply, _)| reply).map_err(|reason| *reason));
        if let (reply, Some(waiter)) = received? {
            // Who has given up meanwhile wants no reply.
            let _given_up = waiter.send(reply);
        }
        Ok(())
    }

    /// Nothing will come any more: says so to all that wait, and how many they were.
    pub(super) fn end(&self) -> usize {
        let mut waiting = self.waiting();
        self.is_over.store(true, Ordering::Relaxed);
        waiting.abandon()
    }
}
