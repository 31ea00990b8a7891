//! What a tunnel's halves count: dropped packets by reason, and what got through. Shared with `status` by reference.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::DropReason;
use crate::sa::Spi;

/// Counters of one process, written by the halves and read by whoever reports.
#[derive(Debug)]
pub struct Counters {
    dropped: Vec<AtomicU64>,
    sent_packets: AtomicU64,
    sent_octets: AtomicU64,
    sent_again: AtomicU64,
    received_packets: AtomicU64,
    received_octets: AtomicU64,
    /// Wraps: a number may come before another thread has counted that it was skipped.
    missing: AtomicU64,
    /// SPI and sequence number of what a mobile node has received last, in the upper and lower half.
    highest: AtomicU64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            dropped: DropReason::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
            sent_packets: AtomicU64::new(0),
            sent_octets: AtomicU64::new(0),
            sent_again: AtomicU64::new(0),
            received_packets: AtomicU64::new(0),
            received_octets: AtomicU64::new(0),
            missing: AtomicU64::new(0),
            highest: AtomicU64::new(0),
        }
    }
}

impl Counters {
    /// Counts a dropped packet.
    pub fn count_drop(&self, reason: DropReason) {
        if let Some(counter) = self.dropped.get(reason as usize) {
            counter.fetch_add(1, Relaxed);
        }
    }

    /// Counts sealed packets and the octets inside them.
    pub fn count_sent(&self, packets: u64, octets: u64) {
        self.sent_packets.fetch_add(packets, Relaxed);
        self.sent_octets.fetch_add(octets, Relaxed);
    }

    /// Counts datagrams that are sent once more.
    pub(crate) fn count_again(&self, datagrams: u64) {
        self.sent_again.fetch_add(datagrams, Relaxed);
    }

    /// Counts authenticated packets and the octets inside them.
    pub fn count_received(&self, packets: u64, octets: u64) {
        self.received_packets.fetch_add(packets, Relaxed);
        self.received_octets.fetch_add(octets, Relaxed);
    }

    /// Counts numbers that were skipped, or, below 0, that have come after all.
    pub(crate) fn count_missing(&self, change: i64) {
        if change != 0 {
            self.missing.fetch_add(change.cast_unsigned(), Relaxed);
        }
    }

    /// Packets that were sent to this end and have not come: skipped sequence numbers. Those of a peer with several workers are more by
    /// what these could not give back.
    pub fn missing(&self) -> u64 {
        self.missing.load(Relaxed).cast_signed().max(0).cast_unsigned()
    }

    /// Notes the highest sequence number that has come under an SA, which has packets now: told by a mobile node's exit-point.
    pub fn note_highest(&self, spi: Spi, sequence: u32) {
        self.highest.store(u64::from(spi.get()) << 32 | u64::from(sequence), Relaxed);
    }

    /// The highest sequence number that a mobile node has received under this SA, if none has brought a packet since.
    pub fn highest(&self, spi: Spi) -> Option<u32> {
        let highest = self.highest.load(Relaxed);
        (highest >> 32 == u64::from(spi.get())).then_some(highest as u32)
    }

    /// Packets dropped for `reason`.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped.get(reason as usize).map_or(0, |counter| counter.load(Relaxed))
    }

    /// Every reason that occurred, with its count.
    pub fn drops(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL.iter().map(|reason| (*reason, self.dropped(*reason))).filter(|(_, count)| *count > 0)
    }

    /// Packets and inner octets sent.
    pub fn sent(&self) -> (u64, u64) {
        (self.sent_packets.load(Relaxed), self.sent_octets.load(Relaxed))
    }

    /// Datagrams that were sent once more, behind a break.
    pub fn sent_again(&self) -> u64 {
        self.sent_again.load(Relaxed)
    }

    /// Authenticated packets and inner octets received.
    pub fn received(&self) -> (u64, u64) {
        (self.received_packets.load(Relaxed), self.received_octets.load(Relaxed))
    }
}
