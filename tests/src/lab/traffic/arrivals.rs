//! What the receiver of a numbered stream has seen: which numbers, how often, and the longest time without any.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// One direction of a stream, as its receiver saw it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OneWay {
    /// Packets that the sender sent.
    pub sent: u64,
    /// Packets that arrived, each counted once.
    pub received: u64,
    /// Packets that never arrived.
    pub lost: u64,
    /// Packets that arrived more than once.
    pub duplicates: u64,
    /// The longest time between two arrivals, or between the last arrival and the end.
    pub longest_gap_ms: f64,
    /// When, in seconds after the first arrival, the longest gap began.
    pub gap_began_s: f64,
}

/// A receiver's memory, a bit for each number.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    seen: Vec<u64>,
    received: u64,
    duplicates: u64,
    first: Option<Instant>,
    last: Option<Instant>,
    gap: Duration,
    gap_began: Duration,
}

/// Numbers beyond this are nobody's: a day at 40,000 a second.
const END: u64 = 1 << 32;

impl Arrivals {
    pub(super) fn note(&mut self, number: u64, now: Instant) {
        self.end(now);
        if self.is_new(number) {
            self.received += 1;
        } else {
            self.duplicates += 1;
        }
        self.first.get_or_insert(now);
        self.last = Some(now);
    }

    fn is_new(&mut self, number: u64) -> bool {
        let (word, bit) = ((number.min(END) / 64) as usize, 1 << (number % 64));
        if self.seen.len() <= word {
            self.seen.resize(word + 1, 0);
        }
        let new = self.seen[word] & bit == 0;
        self.seen[word] |= bit;
        new
    }

    /// Takes the time since the last arrival as a gap.
    pub(super) fn end(&mut self, now: Instant) {
        let Some((first, last)) = self.first.zip(self.last) else { return };
        if now.duration_since(last) > self.gap {
            self.gap = now.duration_since(last);
            self.gap_began = last.duration_since(first);
        }
    }

    pub(super) fn report(&self, sent: u64) -> OneWay {
        OneWay {
            sent,
            received: self.received,
            lost: sent.saturating_sub(self.received),
            duplicates: self.duplicates,
            longest_gap_ms: self.gap.as_secs_f64() * 1e3,
            gap_began_s: self.gap_began.as_secs_f64(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_counts_once_and_the_longest_silence_is_found() {
        let mut arrivals = Arrivals::default();
        let start = Instant::now();
        for (number, ms) in [(0, 0), (1, 10), (200, 20), (64, 520), (64, 530), (65, 540)] {
            arrivals.note(number, start + Duration::from_millis(ms));
        }
        let report = arrivals.report(7);
        assert_eq!((report.received, report.lost, report.duplicates), (5, 2, 1));
        assert_eq!((report.longest_gap_ms, report.gap_began_s), (500.0, 0.02));
    }
}
