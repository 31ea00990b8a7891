//! The network between mobile node and home agent: two links, a translator for one of them, faults that a story chooses datagram
//! by datagram, and a record of all that both ends have sent.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;

use super::gateway::HA4;
use super::{Access, Nat};
use crate::link::Link;

/// An attacker stands nearer to everybody than they to each other.
const ATTACKER_DELAY: Duration = Duration::from_millis(1);

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

impl Datagram {
    /// Whether it goes to a home agent.
    pub fn is_up(&self) -> bool {
        self.to.port() == HA4.port()
    }

    /// The envelope's PType (RFC 6618 section 6.1).
    pub fn ptype(&self) -> u8 {
        self.octets[0] >> 4
    }

    /// PType 8.
    pub fn is_signalling(&self) -> bool {
        self.ptype() == 8
    }

    /// SPI, whether it goes up, and sequence number: one key and one number under it.
    pub fn number(&self) -> (u32, bool, u32) {
        let word = |at: usize| u32::from_be_bytes([0, 1, 2, 3].map(|octet| self.octets[at + octet]));
        (word(0) & 0x0fff_ffff, self.is_up(), word(4))
    }
}

/// What happens to a datagram, by its number, counted from 1.
pub type ByNumber<T> = Box<dyn Fn(u64) -> T>;

/// Datagrams under way.
pub struct Network {
    /// The IPv4 network.
    pub wifi: Link,
    /// The IPv6 network.
    pub lte: Link,
    /// Those that this accepts are lost, whatever the link does.
    pub loses: ByNumber<bool>,
    /// Those that this accepts are lost as well, for what they look like: a middlebox.
    pub blocks: Box<dyn Fn(&Datagram) -> bool>,
    /// Those that this accepts arrive twice.
    pub doubles: ByNumber<bool>,
    /// How much longer than on its link one takes: what differs from number to number puts them out of order.
    pub detains: ByNumber<Duration>,
    /// All that both ends sent, lost ones included, as it is between the translator and the home agent.
    pub record: Vec<Datagram>,
    /// The translator before the IPv4 network, when there is one.
    pub nat: Option<Nat>,
    under_way: BTreeMap<(Instant, u64), Datagram>,
    arrivals_so_far: u64,
}

impl Network {
    /// Nothing under way, nothing lost, nobody translated.
    pub(super) fn new(delay: Duration) -> Self {
        Self {
            wifi: Link::calm(delay),
            lte: Link::calm(delay),
            loses: Box::new(|_| false),
            blocks: Box::new(|_| false),
            doubles: Box::new(|_| false),
            detains: Box::new(|_| Duration::ZERO),
            record: Vec::new(),
            nat: None,
            under_way: BTreeMap::new(),
            arrivals_so_far: 0,
        }
    }

    /// Changes both links.
    pub fn change_links(&mut self, change: impl Fn(&mut Link)) {
        change(&mut self.wifi);
        change(&mut self.lte);
    }

    /// The link of an access network.
    pub fn link(&self, access: Access) -> &Link {
        match access {
            Access::Wifi => &self.wifi,
            Access::Lte | Access::Home => &self.lte,
        }
    }

    /// Takes what an end sends.
    pub(super) fn carry(&mut self, mut datagram: Datagram, now: Instant, rng: &mut StdRng) {
        if let Some(nat) = &mut self.nat {
            datagram.from = nat.translate_outward(datagram.from, now);
        }
        self.record.push(datagram.clone());
        let number = self.record.len() as u64;
        if (self.loses)(number) || (self.blocks)(&datagram) {
            return;
        }
        let access = if datagram.to.is_ipv4() { Access::Wifi } else { Access::Lte };
        let mut transits = self.link(access).transits(rng);
        if (self.doubles)(number) {
            transits.extend(transits.first().copied());
        }
        let detained = (self.detains)(number);
        for transit in transits {
            self.send(datagram.clone(), now + transit + detained);
        }
    }

    /// Takes what somebody else sends, who is not on any link.
    pub(super) fn inject(&mut self, datagram: Datagram, now: Instant) {
        self.send(datagram, now + ATTACKER_DELAY);
    }

    /// When the next datagram arrives.
    pub(super) fn next_arrival(&self) -> Option<Instant> {
        self.under_way.keys().next().map(|(at, _)| *at)
    }

    /// Those that have arrived, in order.
    pub(super) fn arrivals(&mut self, now: Instant) -> Vec<Datagram> {
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

    fn send(&mut self, datagram: Datagram, arrival: Instant) {
        self.arrivals_so_far += 1;
        self.under_way.insert((arrival, self.arrivals_so_far), datagram);
    }
}
