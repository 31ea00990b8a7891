//! What one security association has carried: user data alone, each inner packet once, whatever it was wrapped in and on however many
//! paths it went.
//!
//! The two halves count while they hold the SA, each its own direction; control reads at any time, and after the SA has ended too.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::sa::Direction;

/// Inner packets and their octets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// How many.
    pub packets: u64,
    /// Their octets, inner IP header included.
    pub octets: u64,
}

/// What was carried either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// From the mobile node: what came out of the tunnel at the home agent, or went into it at the node.
    pub from_node: Volume,
    /// To the mobile node.
    pub to_node: Volume,
}

impl Volume {
    /// One packet more, of `octets`.
    pub(crate) fn add(&mut self, octets: usize) {
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(octets as u64);
    }

    /// What `more` holds on top.
    pub(crate) fn add_all(&mut self, more: Self) {
        self.packets = self.packets.wrapping_add(more.packets);
        self.octets = self.octets.wrapping_add(more.octets);
    }

    /// A single packet.
    pub(crate) fn of_one(octets: usize) -> Self {
        Self { packets: 1, octets: octets as u64 }
    }

    /// What came on top of `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        let (packets, octets) = (self.packets.saturating_sub(before.packets), self.octets.saturating_sub(before.octets));
        Self { packets, octets }
    }
}

impl Traffic {
    /// What came on top of `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self { from_node: self.from_node.since(before.from_node), to_node: self.to_node.since(before.to_node) }
    }
}

/// The counters of one SA. A direction has one writer, the half that carries it; so a load and a store do, and no packet waits for
/// a locked instruction. Both directions in one place: a million SAs at rest cost 32 octets each.
#[derive(Debug, Default)]
pub struct TrafficCounters {
    mn_to_ha: VolumeCounter,
    ha_to_mn: VolumeCounter,
}

#[derive(Debug, Default)]
struct VolumeCounter {
    packets: AtomicU64,
    octets: AtomicU64,
}

impl TrafficCounters {
    /// Counts inner packets. To be called by the half that carries `direction` alone.
    pub(crate) fn count(&self, direction: Direction, carried: Volume) {
        match direction {
            Direction::MnToHa => self.mn_to_ha.count(carried),
            Direction::HaToMn => self.ha_to_mn.count(carried),
        }
    }

    /// What was carried so far.
    pub fn read(&self) -> Traffic {
        Traffic { from_node: self.mn_to_ha.read(), to_node: self.ha_to_mn.read() }
    }
}

impl VolumeCounter {
    fn count(&self, carried: Volume) {
        self.packets.store(self.packets.load(Relaxed).wrapping_add(carried.packets), Relaxed);
        self.octets.store(self.octets.load(Relaxed).wrapping_add(carried.octets), Relaxed);
    }

    fn read(&self) -> Volume {
        Volume { packets: self.packets.load(Relaxed), octets: self.octets.load(Relaxed) }
    }
}
