//! The applications' packets: each is sent once; how often each was delivered.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use protocol::addr::HomeAddresses;

use super::transition::Way;
use crate::sim::packet::{CORRESPONDENT4, CORRESPONDENT6, udp};

/// All packets of a walk.
#[derive(Default)]
pub(super) struct Packets {
    /// How often each was delivered.
    sent: BTreeMap<(Way, Vec<u8>), u32>,
    /// Those that have to arrive, and by when.
    promised: Vec<(Duration, Way, Vec<u8>)>,
}

impl Packets {
    /// A packet like no other of this walk, of either family in turn.
    pub(super) fn next(&mut self, way: Way, home: HomeAddresses, size: usize) -> Vec<u8> {
        let number = self.sent.len() as u64;
        let mut payload = number.to_be_bytes().to_vec();
        payload.resize(size.max(payload.len()), 0x77);
        let (home, correspondent) = match (home.ip6(), home.ip4()) {
            (_, Some(home4)) if number % 2 == 1 => (IpAddr::from(home4), IpAddr::from(CORRESPONDENT4)),
            (Some(home6), _) => (home6.into(), CORRESPONDENT6.into()),
            (None, home4) => (home4.map_or(IpAddr::from([0; 4]), IpAddr::from), CORRESPONDENT4.into()),
        };
        let packet = match way {
            Way::Up => udp(home, correspondent, &payload),
            Way::Down => udp(correspondent, home, &payload),
        };
        self.sent.insert((way, packet.clone()), 0);
        packet
    }

    /// It has to arrive by then.
    pub(super) fn promise(&mut self, by: Duration, way: Way, packet: Vec<u8>) {
        self.promised.push((by, way, packet));
    }

    /// Something is in the way now of what has not arrived yet.
    pub(super) fn forget_promises(&mut self) {
        self.promised.clear();
    }

    /// Whether it has arrived.
    pub(super) fn has_arrived(&self, way: Way, packet: &[u8]) -> bool {
        self.sent.get(&(way, packet.to_vec())).is_some_and(|delivered| *delivered > 0)
    }

    /// How often this one has been delivered, now once more; `None` when no application has sent it.
    pub(super) fn deliver(&mut self, way: Way, packet: Vec<u8>) -> Option<u32> {
        let delivered = self.sent.get_mut(&(way, packet))?;
        *delivered += 1;
        Some(*delivered)
    }

    /// Those that should have arrived by `now` and have not: which way, and by when.
    pub(super) fn broken_promises(&mut self, now: Duration) -> Vec<(Way, Duration)> {
        let due: Vec<_> = self.promised.extract_if(.., |(by, ..)| *by <= now).collect();
        due.into_iter().filter(|(_, way, packet)| !self.has_arrived(*way, packet)).map(|(by, way, _)| (way, by)).collect()
    }
}
