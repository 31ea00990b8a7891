//! What AAA servers have asked for and what came of it, for `hac status`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use super::answer::Verdict;
use super::order::ErrorCause;
use super::request::{Code, Dropped};

/// Counts since the start.
#[derive(Debug, Default)]
pub struct Counts {
    disconnects: AtomicU64,
    changes: AtomicU64,
    reauthorisations: AtomicU64,
    refusals: AtomicU64,
    duplicates: AtomicU64,
    dropped: [AtomicU64; Dropped::ALL.len()],
}

impl Counts {
    /// A request was answered.
    pub(super) fn settled(&self, code: Code, verdict: Verdict) {
        add(match (verdict, code) {
            (Verdict::Done, Code::Disconnect) => &self.disconnects,
            (Verdict::Done, Code::Change) => &self.changes,
            (Verdict::Refused(ErrorCause::RequestInitiated), _) => &self.reauthorisations,
            (Verdict::Refused(_), _) => &self.refusals,
        });
    }

    /// One was answered as before.
    pub(super) fn duplicate(&self) {
        add(&self.duplicates);
    }

    /// A datagram was dropped.
    pub(super) fn dropped(&self, reason: Dropped) {
        let place = Dropped::ALL.iter().position(|other| *other == reason);
        place.and_then(|place| self.dropped.get(place)).into_iter().for_each(add);
    }

    /// By name.
    pub fn snapshot(&self) -> BTreeMap<&'static str, u64> {
        let plain = [
            ("disconnects", &self.disconnects),
            ("changes", &self.changes),
            ("reauthorisations", &self.reauthorisations),
            ("refusals", &self.refusals),
            ("duplicates", &self.duplicates),
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
    fn what_came_is_counted_under_its_own_name() {
        let counts = Counts::default();
        for (index, reason) in Dropped::ALL.into_iter().enumerate() {
            (0..=index).for_each(|_| counts.dropped(reason));
        }
        counts.settled(Code::Change, Verdict::Refused(ErrorCause::RequestInitiated));
        counts.settled(Code::Change, Verdict::Refused(ErrorCause::MissingAttribute));
        counts.settled(Code::Change, Verdict::Done);
        let counted = counts.snapshot();
        let by_reason: Vec<_> = Dropped::ALL.iter().map(|reason| counted[reason.name()]).collect();
        assert_eq!(by_reason, [1, 2, 3, 4, 5, 6]);
        let settled = ["disconnects", "changes", "reauthorisations", "refusals", "duplicates"].map(|name| counted[name]);
        assert_eq!(settled, [0, 1, 1, 1, 0]);
    }
}
