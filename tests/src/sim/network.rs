//! The network between mobile node and home agent: delay, loss, doubling and reordering by number, a translator for one access
//! network, and a record of all that crossed it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::nat::Nat;

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

/// What happens to a datagram, by its number, counted from 1.
pub type ByNumber<T> = Box<dyn Fn(u64) -> T>;

/// Datagrams under way.
pub struct Network {
    /// One way.
    pub delay: Duration,
    /// Those that this accepts are lost.
    pub loses: ByNumber<bool>,
    /// Those that this accepts arrive twice.
    pub doubles: ByNumber<bool>,
    /// How much longer than `delay` one takes: what differs from number to number puts them out of order.
    pub detains: ByNumber<Duration>,
    /// All that was sent, lost ones included, as it is between the translator and the home agent.
    pub record: Vec<Datagram>,
    /// The translator before the IPv4 network, when there is one.
    pub nat: Option<Nat>,
    under_way: BTreeMap<(Instant, u64, bool), Datagram>,
}

impl Network {
    /// Nothing under way, nothing lost, nobody translated.
    pub fn new(delay: Duration) -> Self {
        Self {
            delay,
            loses: Box::new(|_| false),
            doubles: Box::new(|_| false),
            detains: Box::new(|_| Duration::ZERO),
            record: Vec::new(),
            nat: None,
            under_way: BTreeMap::new(),
        }
    }

    /// Sends a datagram.
    pub fn carry(&mut self, mut datagram: Datagram, now: Instant) {
        if let Some(nat) = &mut self.nat {
            datagram.from = nat.translate_outward(datagram.from, now);
        }
        self.record.push(datagram.clone());
        let number = self.record.len() as u64;
        if (self.loses)(number) {
            return;
        }
        let arrival = now + self.delay + (self.detains)(number);
        if (self.doubles)(number) {
            self.under_way.insert((arrival, number, true), datagram.clone());
        }
        self.under_way.insert((arrival, number, false), datagram);
    }

    /// When the next datagram arrives.
    pub fn next_arrival(&self) -> Option<Instant> {
        self.under_way.keys().next().map(|(at, ..)| *at)
    }

    /// Those that have arrived, in order.
    pub fn arrivals(&mut self, now: Instant) -> Vec<Datagram> {
        let mut arrived = Vec::new();
        while let Some(first) = self.under_way.first_entry().filter(|first| first.key().0 <= now) {
            let mut datagram = first.remove();
            let inside = match &mut self.nat {
                Some(nat) => nat.translate_inward(datagram.to, now),
                None => Some(datagram.to),
            };
            if let Some(to) = inside {
                datagram.to = to;
                arrived.push(datagram);
            }
        }
        arrived
    }
}
