//! The network between mobile node and home agent: delay, loss by number, and a record of all that crossed it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A UDP datagram on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Outer source.
    pub from: SocketAddr,
    /// Outer destination.
    pub to: SocketAddr,
    /// UDP payload.
    pub octets: Vec<u8>,
}

/// Datagrams under way.
pub struct Network {
    /// One way.
    pub delay: Duration,
    /// Every datagram whose number, counted from 1, this accepts is lost.
    pub loses: Box<dyn Fn(u64) -> bool>,
    /// All that was sent, lost ones included.
    pub record: Vec<Datagram>,
    under_way: BTreeMap<(Instant, u64), Datagram>,
}

impl Network {
    /// Nothing under way, nothing lost.
    pub fn new(delay: Duration) -> Self {
        Self { delay, loses: Box::new(|_| false), record: Vec::new(), under_way: BTreeMap::new() }
    }

    /// Sends a datagram.
    pub fn carry(&mut self, datagram: Datagram, now: Instant) {
        self.record.push(datagram.clone());
        let number = self.record.len() as u64;
        if !(self.loses)(number) {
            self.under_way.insert((now + self.delay, number), datagram);
        }
    }

    /// When the next datagram arrives.
    pub fn next_arrival(&self) -> Option<Instant> {
        self.under_way.keys().next().map(|(at, _)| *at)
    }

    /// Those that have arrived, in order.
    pub fn arrivals(&mut self, now: Instant) -> Vec<Datagram> {
        let mut arrived = Vec::new();
        while let Some(first) = self.under_way.first_entry().filter(|first| first.key().0 <= now) {
            arrived.push(first.remove());
        }
        arrived
    }
}
