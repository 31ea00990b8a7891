//! What both halves of a worker have to do with: its TUN queue, its sockets, and the ways to control and to the other workers.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use protocol::tunnel::{Counters, DropReason, Event};

use super::IoCounters;
use super::queue::{Stray, StrayQueue};
use crate::tun::Tun;
use crate::udp::Sockets;

pub(super) struct Ports {
    pub(super) tun: Arc<Tun>,
    pub(super) sockets: Sockets,
    pub(super) counters: Arc<Counters>,
    pub(super) io: Arc<IoCounters>,
    pub(super) events: tokio::sync::mpsc::Sender<Event>,
    /// Of each share, this worker's own too.
    pub(super) others: Arc<[StrayQueue]>,
}

impl Ports {
    /// Tells control. Never waits: packets do not stop because control is behind.
    pub(super) fn tell(&self, event: Event) {
        if self.events.try_send(event).is_err() {
            self.counters.count_drop(DropReason::EventQueueFull);
        }
    }

    /// To the worker that has `share`. Never waits, either.
    pub(super) fn pass_on(&self, share: u8, stray: Stray) {
        if !self.others.get(usize::from(share)).is_some_and(|queue| queue.pass_on(stray)) {
            self.counters.count_drop(DropReason::WorkerQueueFull);
        }
    }

    /// Packets that the TUN device refused.
    pub(super) fn count_unwritten(&self, packets: usize) {
        self.io.unwritten.fetch_add(packets as u64, Relaxed);
    }
}
