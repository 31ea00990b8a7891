//! Notices that the node sends and hears nothing: perhaps the home agent has forgotten it.
//!
//! Under `mip6-sas` 0 what comes as PType 0 from the home agent's address counts as heard, though nothing proves it: who may
//! forge it may forge the user data itself, and if only signalling counted, every busy node would send a Binding Update every
//! two seconds.

use std::time::{Duration, Instant};

/// A node that sends and hears nothing authentic for this long asks with a Binding Update: two seconds, less what a look may come early,
/// so that it need not wait for the next one.
const SILENCE: Duration = Duration::from_millis(1_900);
/// Looks that lie further apart say nothing of what was between them: the node may have slept.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What was sent and heard last, and since when nothing more was heard.
#[derive(Debug, Default)]
pub struct Silence {
    sent: u64,
    received: u64,
    looked: Option<Instant>,
    heard: Option<Instant>,
    since: Option<Instant>,
}

impl Silence {
    /// Takes the tunnel's counters, `sent` without keepalives, since nobody answers them; `true` once for every two seconds in
    /// which packets went out and none came in.
    pub fn observe(&mut self, sent: u64, received: u64, now: Instant) -> bool {
        let looked = self.looked.replace(now).filter(|before| now.saturating_duration_since(*before) <= LONGEST_PAUSE);
        if received > self.received {
            self.heard = Some(now);
            self.since = None;
        } else if sent > self.sent {
            // It began between the last look, when something had been heard, and this one.
            self.since.get_or_insert(looked.unwrap_or(now));
        }
        // A keepalive may be known here before the tunnel has counted it: `sent` then falls by one and rises again.
        (self.sent, self.received) = (self.sent.max(sent), received);
        self.since.take_if(|since| now.saturating_duration_since(*since) >= SILENCE).is_some()
    }

    /// Whether a look after `start` has found that something had come in.
    pub fn is_broken_since(&self, start: Instant) -> bool {
        self.heard.is_some_and(|heard| heard > start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sending_without_hearing_is_silence() {
        let (start, mut silence) = (Instant::now(), Silence::default());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(!silence.observe(0, 0, at(100)), "who says nothing expects nothing");
        assert!(!silence.observe(1, 0, at(200)) && !silence.observe(2, 0, at(201)));
        assert!(!silence.observe(3, 1, at(202)), "something was heard");
        assert!(!silence.observe(4, 1, at(300)) && silence.observe(5, 1, at(302)));
        assert!(!silence.observe(6, 1, at(303)), "asked once, it waits again");
    }

    #[test]
    fn silence_is_noticed_two_seconds_after_the_last_look_at_which_something_had_been_heard() {
        let (start, mut silence) = (Instant::now(), Silence::default());
        let noticed = (0..20).find(|look| {
            let heard = if *look < 4 { *look } else { 3 };
            silence.observe(look + 1, heard, start + Duration::from_millis(500) * *look as u32)
        });
        assert_eq!(noticed, Some(7), "heard at 1,500 ms, asked at 3,500 ms");
    }

    #[test]
    fn a_look_that_comes_a_moment_early_counts() {
        let (start, mut silence) = (Instant::now(), Silence::default());
        let looks = [0, 500, 1_003, 1_500, 2_000, 2_499, 3_002];
        let said = looks.map(|at| silence.observe(at + 1, at.min(500), start + Duration::from_millis(at)));
        assert_eq!(said, [false, false, false, false, false, true, false]);
    }

    #[test]
    fn what_breaks_the_silence_counts_from_the_look_at_which_it_is_known() {
        let (start, mut silence) = (Instant::now(), Silence::default());
        silence.observe(1, 1, start);
        silence.observe(2, 1, start + Duration::from_millis(500));
        assert!(!silence.is_broken_since(start));
        silence.observe(3, 2, start + Duration::from_millis(1_000));
        assert!(silence.is_broken_since(start) && !silence.is_broken_since(start + Duration::from_millis(1_000)));
    }

    #[test]
    fn a_count_that_falls_and_rises_again_is_nothing_sent() {
        let (start, mut silence) = (Instant::now(), Silence::default());
        silence.observe(5, 5, start);
        silence.observe(4, 5, start);
        for seconds in 0..10 {
            assert!(!silence.observe(5, 5, start + Duration::from_secs(seconds)));
        }
    }
}
