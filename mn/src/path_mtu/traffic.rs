//! When to ask whether long packets still come through: now and then while there are many, and at once when they stop.

use std::time::{Duration, Instant};

/// Octets in one look from which on a direction is busy.
const BUSY: u64 = 64 << 10;
/// Octets of its mean packet from which on it carries long ones.
const LONG: u64 = 512;
/// A busy direction has broken down when so many times less goes through it in the next look.
const BREAKDOWN: u64 = 4;
/// While long packets flow, the size in use is asked for so often.
const CONFIRMATION: Duration = Duration::from_secs(15);
/// And never more often than this.
const SHORTEST_PAUSE: Duration = Duration::from_secs(2);

/// Packets and octets of one direction, as counted.
type Count = (u64, u64);

/// Both directions of the tunnel as they were at the last look.
#[derive(Debug, Default)]
pub struct Traffic {
    sent: Direction,
    received: Direction,
    asked: Option<Instant>,
}

#[derive(Debug, Default)]
struct Direction {
    count: Count,
    /// In the last look, when long packets kept it busy.
    busy_octets: Option<u64>,
}

impl Traffic {
    /// Takes what was counted since the start, some times a second; `true` when the size in use is to be asked for.
    pub fn observe(&mut self, sent: Count, received: Count, now: Instant) -> bool {
        // Both, so that each knows what there was.
        let broke = [self.sent.observe(sent), self.received.observe(received)].contains(&true);
        let is_busy = self.sent.busy_octets.is_some() || self.received.busy_octets.is_some();
        if !broke && !is_busy {
            return false;
        }
        let pause = self.asked.map(|asked| now.saturating_duration_since(asked));
        let is_due = pause.is_none_or(|pause| pause >= if broke { SHORTEST_PAUSE } else { CONFIRMATION });
        if is_due {
            self.asked = Some(now);
        }
        is_due
    }
}

impl Direction {
    /// Whether long packets kept it busy until now, and do not any more.
    fn observe(&mut self, count: Count) -> bool {
        let (packets, octets) = (count.0.saturating_sub(self.count.0), count.1.saturating_sub(self.count.1));
        self.count = count;
        let broke = self.busy_octets.is_some_and(|before| octets < before / BREAKDOWN);
        let is_busy = octets >= BUSY && octets / packets.max(1) >= LONG;
        self.busy_octets = is_busy.then_some(octets);
        broke
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks half a second apart, each with the octets in packets of that length that were received since the last.
    fn asked(looks: &[(u64, u64)]) -> Vec<bool> {
        let (start, mut traffic, mut count) = (Instant::now(), Traffic::default(), (0, 0));
        let mut look = |(index, (octets, len)): (usize, &(u64, u64))| {
            count = (count.0 + octets.div_ceil(*len), count.1 + octets);
            traffic.observe((0, 0), count, start + Duration::from_millis(500) * index as u32)
        };
        looks.iter().enumerate().map(&mut look).collect()
    }

    #[test]
    fn a_breakdown_of_long_packets_is_asked_about_at_once_and_not_again_and_again() {
        let mut looks = vec![(1 << 20, 1_400); 6];
        looks.extend([(0, 1), (1 << 20, 1_400), (0, 1), (0, 1)]);
        let asked = asked(&looks);
        assert!(asked[0], "once when it begins");
        assert_eq!(asked[1..], [false, false, false, false, false, true, false, false, false]);
    }

    #[test]
    fn short_packets_and_little_of_anything_are_no_reason() {
        assert!(!asked(&[(1 << 20, 200), (0, 1), (1 << 15, 1_400), (0, 1)]).contains(&true));
    }

    #[test]
    fn while_long_packets_flow_it_is_asked_about_every_fifteen_seconds() {
        let asked = asked(&[(1 << 20, 1_400); 70]);
        let when: Vec<_> = (0..asked.len()).filter(|index| asked[*index]).collect();
        assert_eq!(when, [0, 30, 60]);
    }
}
