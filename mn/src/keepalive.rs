//! Keeps a NAT's mapping alive (RFC 5555 section 4.3): a node that has sent nothing for the refresh time sends something.
//!
//! Pure: told by `MobileNode` what the Binding Acknowledgement said and, from time to time, how much was sent.

use std::time::{Duration, Instant};

use protocol::wire::mobility::NatDetection;

/// NATKATIMEOUT (RFC 5555 section 6), where the home agent leaves the refresh time to the node.
const DEFAULT: Duration = Duration::from_secs(110);
/// A home agent cannot make a node send without end, nor lose a mapping of the shortest usual time (RFC 4787 section 4.3).
const SHORTEST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(600);
/// No NAT was found (RFC 5555 section 3.2.2).
const NEVER: u32 = u32::MAX;

/// When to send, on the one path in use.
#[derive(Debug, Default)]
pub struct Keepalive {
    running: Option<Running>,
    /// Packets sent, as counted last.
    sent: u64,
    count: u64,
}

#[derive(Debug)]
struct Running {
    every: Duration,
    quiet_since: Instant,
}

impl Keepalive {
    /// The home agent has answered on this path, with its NAT Detection option if there is a NAT.
    pub fn start(&mut self, nat: Option<NatDetection>, now: Instant) {
        self.running = refresh_time(nat).map(|every| Running { every, quiet_since: now });
    }

    /// The path is not used any more.
    pub fn stop(&mut self) {
        self.running = None;
    }

    /// Whether a NAT is on the path in use.
    pub fn is_behind_nat(&self) -> bool {
        self.running.is_some()
    }

    /// Takes the number of packets sent so far; `true` when a keepalive is to be sent now.
    pub fn observe(&mut self, sent: u64, now: Instant) -> bool {
        let is_quiet = std::mem::replace(&mut self.sent, sent) == sent;
        let Some(running) = &mut self.running else { return false };
        let is_due = is_quiet && now.saturating_duration_since(running.quiet_since) >= running.every;
        if is_due || !is_quiet {
            running.quiet_since = now;
        }
        self.count += u64::from(is_due);
        is_due
    }

    /// Keepalives since the start.
    pub fn count(&self) -> u64 {
        self.count
    }
}

fn refresh_time(nat: Option<NatDetection>) -> Option<Duration> {
    match nat?.refresh_seconds {
        NEVER => None,
        0 => Some(DEFAULT),
        seconds => Some(Duration::from_secs(seconds.into()).clamp(SHORTEST, LONGEST)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nat(refresh_seconds: u32) -> Option<NatDetection> {
        Some(NatDetection { refresh_seconds })
    }

    #[test]
    fn the_refresh_time_is_the_home_agents_within_bounds_or_110_seconds() {
        let seconds = |nat| refresh_time(nat).map(|time| time.as_secs());
        assert_eq!([nat(0), nat(1), nat(110), nat(90), nat(100_000)].map(seconds), [110, 10, 110, 90, 600].map(Some));
        assert_eq!([nat(u32::MAX), None].map(seconds), [None, None]);
    }

    #[test]
    fn only_a_quiet_node_behind_a_nat_sends_keepalives() {
        let (start, mut keepalive) = (Instant::now(), Keepalive::default());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(!keepalive.observe(1, at(500)), "no NAT is known");
        keepalive.start(nat(60), at(500));
        assert!(!keepalive.observe(1, at(559)) && keepalive.observe(1, at(560)));
        assert!(!keepalive.observe(2, at(561)), "the keepalive itself is counted");
        assert!(!keepalive.observe(3, at(600)) && !keepalive.observe(3, at(659)) && keepalive.observe(3, at(660)));
        keepalive.stop();
        assert!(!keepalive.observe(3, at(9000)));
        assert_eq!(keepalive.count(), 2);
    }
}
