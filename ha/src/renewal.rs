//! Renewal of a security association: when a mobile node is asked for a new one. Pure, one for each SA.
//!
//! The home agent sends Binding Refresh Requests until a Binding Update comes, and answers that and every later one under
//! the SA with status 176 as well (RFC 6618 section 8.2). That answer may be lost, so it goes on asking, slowly, until the node has
//! registered under another SA.

use std::time::{Duration, Instant};

use protocol::sa::CipherSuite;

/// Binding Refresh Requests go out after 1 s, 2 s, 4 s … (the intervals of RFC 6275 section 11.8).
const FIRST_INTERVAL: Duration = Duration::from_secs(1);
/// MAX_BINDACK_TIMEOUT of RFC 6275 section 12.
const LONGEST_INTERVAL: Duration = Duration::from_secs(32);
/// A suite whose key wears out by octets would otherwise be renewed as often as traffic is fast.
const SHORTEST_USE: Duration = Duration::from_secs(60);

/// Whether a new SA is wanted in the place of this one, and how far its node was asked.
#[derive(Clone, Copy, Debug)]
pub struct Renewal {
    is_wanted: bool,
    interval: Duration,
}

impl Renewal {
    /// Not wanted.
    pub fn new() -> Self {
        Self { is_wanted: false, interval: FIRST_INTERVAL }
    }

    /// Whether Binding Updates are answered with 176 as well. Once it is so it stays so.
    pub fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// A new SA is wanted from now on; the intervals begin anew.
    pub fn begin(&mut self) {
        *self = Self { is_wanted: true, interval: FIRST_INTERVAL };
    }

    /// A request goes out now: gives when the next one is due.
    pub fn next_request(&mut self, now: Instant) -> Instant {
        let next = now + self.interval;
        self.interval = (self.interval * 2).min(LONGEST_INTERVAL);
        next
    }

    /// A Binding Update was answered with 176: gives when the node is asked again, should it not have heard that.
    pub fn answered(&mut self, now: Instant) -> Instant {
        self.interval = LONGEST_INTERVAL;
        now + LONGEST_INTERVAL
    }
}

impl Default for Renewal {
    fn default() -> Self {
        Self::new()
    }
}

/// When an SA that is wearing out may be renewed.
pub fn earliest(suite: CipherSuite, installed: Instant, now: Instant) -> Instant {
    match suite.octet_limits() {
        Some(_) => now.max(installed + SHORTEST_USE),
        None => now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_double_up_to_32_seconds_and_begin_anew_with_a_new_wish() {
        let (mut renewal, now) = (Renewal::new(), Instant::now());
        renewal.begin();
        let waits: Vec<u64> = (0..7).map(|_| (renewal.next_request(now) - now).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 32]);
        renewal.begin();
        assert_eq!(renewal.next_request(now) - now, FIRST_INTERVAL);
    }

    #[test]
    fn only_a_suite_with_limits_of_octets_waits_a_minute() {
        let installed = Instant::now();
        let now = installed + Duration::from_secs(5);
        for suite in CipherSuite::ALL {
            let least = if suite.octet_limits().is_some() { installed + SHORTEST_USE } else { now };
            assert_eq!(earliest(suite, installed, now), least, "{suite}");
        }
    }
}
