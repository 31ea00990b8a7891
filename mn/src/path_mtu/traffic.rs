//! When to ask whether long packets still come through: now and then while there are many, and at once when they stop.

use std::time::{Duration, Instant};

/// Octets in one look from which on a direction is busy.
const BUSY: u64 = 64 << 10;
/// Octets in one look from which on it is used: more than probes alone come to.
const USED: u64 = 8 << 10;
/// Octets of its mean packet from which on it carries long ones.
const LONG: u64 = 512;
/// A busy direction has broken down when so many times less goes through it than in one of the two looks before: a path that becomes
/// smaller amid one look leaves some of what that had.
const BREAKDOWN: u64 = 4;
/// What long packets use is asked for so often.
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
    /// A direction has broken down since then. What is stalled does not break down again, so that it is kept.
    broke: bool,
    /// Long packets were sent or received since then. Few are no breakdown when they stop, but may be as lost.
    is_used: bool,
}

#[derive(Debug, Default)]
struct Direction {
    count: Count,
    /// In the last two looks, when long packets kept it busy; else 0.
    busy_octets: [u64; 2],
}

/// What a look at one direction shows.
struct Look {
    /// Long packets kept it busy until now, and do not any more.
    broke: bool,
    /// It carries long packets.
    is_used: bool,
}

impl Traffic {
    /// Takes what was counted since the start, some times a second; `true` when the size in use is to be asked for.
    pub fn observe(&mut self, sent: Count, received: Count, now: Instant) -> bool {
        for look in [self.sent.observe(sent), self.received.observe(received)] {
            self.broke |= look.broke;
            self.is_used |= look.is_used;
        }
        let pause = match (self.broke, self.is_used) {
            (true, _) => SHORTEST_PAUSE,
            (false, true) => CONFIRMATION,
            (false, false) => return false,
        };
        let is_due = self.asked.is_none_or(|asked| now.saturating_duration_since(asked) >= pause);
        if is_due {
            (self.asked, self.broke, self.is_used) = (Some(now), false, false);
        }
        is_due
    }
}

impl Direction {
    fn observe(&mut self, count: Count) -> Look {
        let (packets, octets) = (count.0.saturating_sub(self.count.0), count.1.saturating_sub(self.count.1));
        self.count = count;
        let [before, last] = self.busy_octets;
        let broke = octets < before.max(last) / BREAKDOWN;
        let is_long = octets / packets.max(1) >= LONG;
        let busy_octets = if is_long && octets >= BUSY { octets } else { 0 };
        // One breakdown is told once.
        self.busy_octets = [if broke { 0 } else { last }, busy_octets];
        Look { broke, is_used: is_long && octets >= USED }
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
        assert_eq!(asked[1..], [false, false, false, false, false, true, false, false, false], "the second has to wait");
    }

    #[test]
    fn a_breakdown_right_behind_a_question_is_asked_about_when_the_pause_is_over() {
        let mut looks = vec![(1 << 20, 1_400); 3];
        looks.extend([(0, 1); 40]);
        let asked = asked(&looks);
        let when: Vec<_> = (0..asked.len()).filter(|index| asked[*index]).collect();
        assert_eq!(when, [0, 4], "two seconds after the first, and then there is nothing to ask about");
    }

    #[test]
    fn a_path_that_becomes_smaller_amid_a_look_has_broken_down_in_the_next() {
        // Of what was 100 KiB: still busy, not busy and no breakdown, a breakdown.
        for rest in [90 << 10, 30 << 10, 20 << 10] {
            let mut looks = vec![(100 << 10, 1_400); 6];
            looks[5].0 = rest;
            looks.extend([(1_400, 1_400), (0, 1)]);
            assert!(asked(&looks)[5..].contains(&true), "{rest}");
        }
    }

    #[test]
    fn a_slow_stream_that_stops_is_asked_about_too() {
        let mut looks = vec![(16 << 10, 1_400); 10];
        looks.extend([(0, 1); 40]);
        let asked = asked(&looks);
        let when: Vec<_> = (0..asked.len()).filter(|index| asked[*index]).collect();
        assert_eq!(when, [0, 30]);
    }

    #[test]
    fn short_packets_and_little_of_anything_are_no_reason() {
        assert!(!asked(&[(1 << 20, 200), (0, 1), (1 << 12, 1_400), (0, 1)]).contains(&true));
    }

    #[test]
    fn while_long_packets_flow_it_is_asked_about_every_fifteen_seconds() {
        let asked = asked(&[(1 << 20, 1_400); 70]);
        let when: Vec<_> = (0..asked.len()).filter(|index| asked[*index]).collect();
        assert_eq!(when, [0, 30, 60]);
    }
}
