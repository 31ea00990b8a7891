//! What a AAA server was asked and what came from it, for `hac status`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use super::reply::{Decision, Dropped};

/// Counts since the start.
#[derive(Debug, Default)]
pub(super) struct Counts {
    requests: AtomicU64,
    retransmissions: AtomicU64,
    probes: AtomicU64,
    silences: AtomicU64,
    accepts: AtomicU64,
    rejects: AtomicU64,
    challenges: AtomicU64,
    records: AtomicU64,
    dropped: [AtomicU64; Dropped::ALL.len()],
}

impl Counts {
    /// A new request was sent.
    pub(super) fn request(&self) {
        add(&self.requests);
    }

    /// One was sent again.
    pub(super) fn retransmission(&self) {
        add(&self.retransmissions);
    }

    /// A Status-Server was sent.
    pub(super) fn probe(&self) {
        add(&self.probes);
    }

    /// A request had no answer within its limit.
    pub(super) fn silence(&self) {
        add(&self.silences);
    }

    /// An authentic reply came, to a Status-Server too.
    pub(super) fn reply(&self, decision: Decision) {
        add(match decision {
            Decision::Accept => &self.accepts,
            Decision::Reject => &self.rejects,
            Decision::Challenge => &self.challenges,
            Decision::Recorded => &self.records,
        });
    }

    /// A datagram was dropped.
    pub(super) fn dropped(&self, reason: Dropped) {
        let place = Dropped::ALL.iter().position(|other| *other == reason);
        place.and_then(|place| self.dropped.get(place)).into_iter().for_each(add);
    }

    /// Datagrams dropped, whatever for.
    pub(super) fn all_dropped(&self) -> u64 {
        self.dropped.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// By name.
    pub(super) fn snapshot(&self) -> BTreeMap<&'static str, u64> {
        let plain = [
            ("requests", &self.requests),
            ("retransmissions", &self.retransmissions),
            ("probes", &self.probes),
            ("silences", &self.silences),
            ("accepts", &self.accepts),
            ("rejects", &self.rejects),
            ("challenges", &self.challenges),
            ("records", &self.records),
        ];
        let dropped = Dropped::ALL.map(Dropped::name).into_iter().zip(&self.dropped);
        plain.into_iter().chain(dropped).map(|(name, count)| (name, count.load(Ordering::Relaxed))).collect()
    }
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_of_a_drop_is_counted_under_its_own_name() {
        let counts = Counts::default();
        for (index, reason) in Dropped::ALL.into_iter().enumerate() {
            (0..=index).for_each(|_| counts.dropped(reason));
        }
        let counted = counts.snapshot();
        let by_reason: Vec<_> = Dropped::ALL.iter().map(|reason| counted[reason.name()]).collect();
        assert_eq!(by_reason, [1, 2, 3, 4, 5, 6]);
        assert_eq!((counts.all_dropped(), counted["accepts"]), (21, 0));
    }
}
