//! A network address and port translator (RFC 4787): a mapping for each inner address and port, whoever is addressed, kept
//! alive by what goes out alone (section 4.3).

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

/// Ports are given from the next one on.
const FIRST_PORT: u16 = 1_024;

/// A translator between inner addresses and one outer address.
pub struct Nat {
    /// What goes out from here is translated.
    pub inner: RangeInclusive<IpAddr>,
    /// What stands outside instead.
    pub outer: IpAddr,
    /// How long a mapping outlives the last datagram that went out through it.
    pub lifetime: Duration,
    /// Datagrams from outside that no mapping led further.
    pub unmapped: u64,
    mappings: BTreeMap<u16, Mapping>,
    newest_port: u16,
}

struct Mapping {
    inner: SocketAddr,
    used: Instant,
}

impl Nat {
    /// A translator that knows nobody yet.
    pub fn new(inner: IpAddr, outer: IpAddr, lifetime: Duration) -> Self {
        Self::of_many(inner..=inner, outer, lifetime)
    }

    /// The same before many.
    pub fn of_many(inner: RangeInclusive<IpAddr>, outer: IpAddr, lifetime: Duration) -> Self {
        Self { inner, outer, lifetime, unmapped: 0, mappings: BTreeMap::new(), newest_port: FIRST_PORT }
    }

    /// The next datagram from behind it gets another port, and what is sent to the old one goes nowhere.
    pub fn forget_mappings(&mut self) {
        self.mappings.clear();
    }

    /// As when it was new: who comes first gets the first port.
    pub fn restart(&mut self) {
        self.forget_mappings();
        self.newest_port = FIRST_PORT;
    }

    /// Whether somebody behind it has that port.
    pub(super) fn has(&self, port: u16, now: Instant) -> bool {
        self.mappings.get(&port).is_some_and(|mapping| now < mapping.used + self.lifetime)
    }

    /// The outer source of what is sent from `from`, which may be somebody else's.
    pub(super) fn translate_outward(&mut self, from: SocketAddr, now: Instant) -> SocketAddr {
        if !self.inner.contains(&from.ip()) {
            return from;
        }
        let lifetime = self.lifetime;
        self.mappings.retain(|_, mapping| now < mapping.used + lifetime);
        let known = self.mappings.iter_mut().find(|(_, mapping)| mapping.inner == from);
        let port = if let Some((port, mapping)) = known {
            mapping.used = now;
            *port
        } else {
            self.newest_port += 1;
            self.mappings.insert(self.newest_port, Mapping { inner: from, used: now });
            self.newest_port
        };
        SocketAddr::new(self.outer, port)
    }

    /// Where a datagram to `to` goes, which may be somebody else's; `None` when nobody behind it has that port, and when it is an
    /// address that has a meaning only behind it.
    pub(super) fn translate_inward(&mut self, to: SocketAddr, now: Instant) -> Option<SocketAddr> {
        if self.inner.contains(&to.ip()) {
            return None;
        }
        if to.ip() != self.outer {
            return Some(to);
        }
        let alive = self.mappings.get(&to.port()).filter(|mapping| now < mapping.used + self.lifetime);
        let inner = alive.map(|mapping| mapping.inner);
        self.unmapped += u64::from(inner.is_none());
        inner
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_mapping_holds_while_it_is_used_from_inside_and_no_longer() {
        let inner: SocketAddr = "10.0.0.2:5000".parse().unwrap();
        let mut nat = Nat::new(inner.ip(), "192.0.2.1".parse().unwrap(), SECOND * 30);
        let start = Instant::now();
        let outer = nat.translate_outward(inner, start);
        assert_eq!((outer.ip(), nat.translate_inward(outer, start + SECOND * 29)), (nat.outer, Some(inner)));
        assert_eq!(nat.translate_outward(inner, start + SECOND * 29), outer);
        assert_eq!((nat.translate_inward(outer, start + SECOND * 60), nat.unmapped), (None, 1));
        assert_ne!(nat.translate_outward(inner, start + SECOND * 60), outer);
    }

    #[test]
    fn a_forgotten_mapping_is_another_port_and_the_old_one_is_dead() {
        let inner: SocketAddr = "10.0.0.2:5000".parse().unwrap();
        let mut nat = Nat::new(inner.ip(), "192.0.2.1".parse().unwrap(), SECOND);
        let now = Instant::now();
        let outer = nat.translate_outward(inner, now);
        nat.forget_mappings();
        assert_ne!(nat.translate_outward(inner, now), outer);
        assert_eq!(nat.translate_inward(outer, now), None);
    }

    #[test]
    fn others_pass_as_they_are() {
        let mut nat = Nat::new("10.0.0.2".parse().unwrap(), "192.0.2.1".parse().unwrap(), SECOND);
        let other: SocketAddr = "[2001:db8::1]:7".parse().unwrap();
        assert_eq!(nat.translate_outward(other, Instant::now()), other);
        assert_eq!(nat.translate_inward(other, Instant::now()), Some(other));
    }
}
