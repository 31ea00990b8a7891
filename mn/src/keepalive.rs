//! Keeps a NAT's mapping alive (RFC 5555 section 4.3): a node that has sent nothing for a while sends something.
//!
//! For how long is learnt on each network ([`crate::mapping_lifetime`]), and is never longer than the home agent says. A silence whose
//! length is tried ends with a Binding Update: the acknowledgement says whether it came from another source than the one before.
//! Any other ends with a dummy, and the home agent says so by itself when that came from elsewhere.
//!
//! Pure: told by `MobileNode` what the home agent said and, from time to time, how much was sent and received.

use std::time::{Duration, Instant};

use protocol::wire::mobility::NatDetection;

use crate::mapping_lifetime::{MappingLifetimes, Network, SHORTEST};

/// NATKATIMEOUT (RFC 5555 section 6), where the home agent leaves the refresh time to the node.
const DEFAULT: Duration = Duration::from_secs(110);
/// A home agent cannot make a node lose every mapping.
const LONGEST: Duration = Duration::from_secs(600);
/// No NAT was found (RFC 5555 section 3.2.2).
const NEVER: u32 = u32::MAX;
/// What the home agent says of a new source so soon after a keepalive, it says of the keepalive.
const ANSWERED: Duration = Duration::from_secs(5);

/// When to send, on the one path in use.
#[derive(Debug, Default)]
pub struct Keepalive {
    lifetimes: MappingLifetimes,
    running: Option<Running>,
    latest: Option<Sent>,
    /// Packets sent and received, as counted last.
    counted: (u64, u64),
    count: u64,
}

#[derive(Debug)]
struct Running {
    /// As the home agent says.
    most: Duration,
    /// Since the node has sent nothing.
    quiet_since: Instant,
    /// Since it has received nothing: that keeps some NATs' mappings alive too.
    heard: Instant,
}

/// A keepalive, and which silence it ended.
#[derive(Clone, Copy, Debug)]
struct Sent {
    at: Instant,
    kind: Kind,
    /// In which nothing was sent.
    quiet: Duration,
    /// In which nothing went either way.
    silent: Duration,
}

/// What is to be sent for a NAT's sake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something that nobody answers.
    Dummy,
    /// A Binding Update, since its answer tells whether the mapping was lost.
    Update,
}

impl Keepalive {
    /// The home agent has acknowledged a Binding Update from `network`, with its NAT Detection option if there is a NAT. `is_new`: the
    /// acknowledgement asks for a proof, so that the Binding Update came from a new source.
    pub fn acknowledged(&mut self, network: Network, nat: Option<NatDetection>, is_new: bool, now: Instant) {
        match self.latest.take() {
            Some(sent) if is_new => self.lost(sent, now),
            Some(sent) if sent.kind == Kind::Update => self.lifetimes.survived(sent.silent),
            Some(_) | None => {}
        }
        self.lifetimes.enter(network);
        self.running = refresh_time(nat).map(|most| Running { most, quiet_since: now, heard: now });
    }

    /// The home agent has seen the node at a new source.
    pub fn seen_elsewhere(&mut self, now: Instant) {
        if let Some(sent) = self.latest.take() {
            self.lost(sent, now);
        }
    }

    fn lost(&mut self, sent: Sent, now: Instant) {
        if now.saturating_duration_since(sent.at) <= ANSWERED {
            self.lifetimes.lost(sent.quiet);
        }
    }

    /// The path is not used any more.
    pub fn stop(&mut self) {
        self.running = None;
        self.latest = None;
    }

    /// Whether a NAT is on the path in use.
    pub fn is_behind_nat(&self) -> bool {
        self.running.is_some()
    }

    /// After which silence the node sends, if a NAT is on the path in use.
    pub fn interval(&self) -> Option<Duration> {
        self.running.as_ref().map(|running| self.lifetimes.interval(running.most).every)
    }

    /// Takes the numbers of packets sent and received so far; gives what is to be sent now.
    pub fn observe(&mut self, sent: u64, received: u64, now: Instant) -> Option<Kind> {
        let before = std::mem::replace(&mut self.counted, (sent, received));
        let running = self.running.as_mut()?;
        if received != before.1 {
            running.heard = now;
        }
        if sent != before.0 {
            running.quiet_since = now;
            return None;
        }
        let quiet = now.saturating_duration_since(running.quiet_since);
        let interval = self.lifetimes.interval(running.most);
        if quiet < interval.every {
            return None;
        }
        let kind = if interval.is_trial { Kind::Update } else { Kind::Dummy };
        let silent = quiet.min(now.saturating_duration_since(running.heard));
        running.quiet_since = now;
        // Nothing was said of a dummy until now: its mapping was there.
        if self.latest.is_some_and(|before| before.kind == Kind::Dummy) {
            self.lifetimes.held();
        }
        self.latest = Some(Sent { at: now, kind, quiet, silent });
        self.count += 1;
        Some(kind)
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
    use protocol::addr::CareOfAddress;

    use super::*;
    use crate::movement::Attachment;

    fn nat(refresh_seconds: u32) -> Option<NatDetection> {
        Some(NatDetection { refresh_seconds })
    }

    fn network() -> Network {
        let care_of = CareOfAddress([198, 51, 100, 7].into());
        Network::of(&Attachment { interface: 1, name: "if".to_owned(), care_of, metric: 0, deprecated: false })
    }

    struct Node {
        keepalive: Keepalive,
        now: Instant,
        sent: u64,
        received: u64,
    }

    impl Node {
        fn behind(refresh_seconds: u32) -> Self {
            let mut node = Self { keepalive: Keepalive::default(), now: Instant::now(), sent: 1, received: 1 };
            node.acknowledged(refresh_seconds, false);
            node.looks();
            node
        }

        fn acknowledged(&mut self, refresh_seconds: u32, is_new: bool) {
            self.keepalive.acknowledged(network(), nat(refresh_seconds), is_new, self.now);
        }

        fn looks(&mut self) -> Option<Kind> {
            let kind = self.keepalive.observe(self.sent, self.received, self.now);
            self.sent += u64::from(kind.is_some());
            kind
        }

        /// The seconds until something is to be sent, and what.
        fn waits(&mut self) -> (f64, Option<Kind>) {
            let start = self.now;
            loop {
                self.now += Duration::from_millis(500);
                let kind = self.looks();
                let waited = self.now - start;
                if kind.is_some() || waited > Duration::from_secs(1_000) {
                    return (waited.as_secs_f64(), kind);
                }
            }
        }
    }

    #[test]
    fn the_home_agents_refresh_time_is_the_most_within_bounds_and_110_seconds_where_it_has_none() {
        let seconds = |nat| refresh_time(nat).map(|time| time.as_secs());
        assert_eq!([nat(0), nat(1), nat(110), nat(90), nat(100_000)].map(seconds), [110, 10, 110, 90, 600].map(Some));
        assert_eq!([nat(u32::MAX), None].map(seconds), [None, None]);
    }

    #[test]
    fn only_a_quiet_node_behind_a_nat_sends_keepalives() {
        let mut node = Node::behind(NEVER);
        assert_eq!(node.waits().1, None);
        let mut node = Node::behind(10);
        assert_eq!(node.waits(), (10.0, Some(Kind::Dummy)));
        for _ in 0..100 {
            node.now += Duration::from_secs(5);
            node.sent += 1;
            assert_eq!(node.looks(), None, "what it sends keeps the mapping alive");
        }
        assert_eq!((node.waits(), node.keepalive.count()), ((10.0, Some(Kind::Dummy)), 2));
        node.keepalive.stop();
        assert_eq!((node.waits().1, node.keepalive.interval()), (None, None));
    }

    #[test]
    fn trials_are_binding_updates_and_what_holds_is_kept_up_by_dummies() {
        let mut node = Node::behind(40);
        for seconds in [22.5, 34.0, 40.0] {
            assert_eq!(node.waits(), (seconds, Some(Kind::Update)));
            node.acknowledged(40, false);
            node.looks();
        }
        assert_eq!(node.waits(), (39.0, Some(Kind::Dummy)));
    }

    #[test]
    fn a_mapping_that_was_lost_in_a_trial_makes_the_next_silence_shorter() {
        let mut node = Node::behind(110);
        assert_eq!(node.waits(), (22.5, Some(Kind::Update)));
        node.acknowledged(110, true);
        node.looks();
        assert_eq!(node.waits(), (19.0, Some(Kind::Update)));
    }

    #[test]
    fn what_was_received_meanwhile_may_have_kept_the_mapping_alive_and_teaches_nothing() {
        let mut node = Node::behind(110);
        for _ in 0..3 {
            node.now += Duration::from_secs(20);
            node.received += 1;
            assert_eq!(node.looks(), None);
            assert_eq!(node.waits(), (2.5, Some(Kind::Update)));
            node.acknowledged(110, false);
            node.looks();
        }
    }

    #[test]
    fn a_new_source_is_laid_to_the_keepalive_only_soon_after_it() {
        let interval = |pause, refresh| {
            let mut node = Node::behind(refresh);
            while node.keepalive.lifetimes.interval(Duration::from_secs(40)).is_trial {
                node.waits();
                node.acknowledged(refresh, false);
            }
            for _ in 0..2 {
                assert_eq!(node.waits().1, Some(Kind::Dummy));
                node.now += Duration::from_secs(pause);
                node.keepalive.seen_elsewhere(node.now);
            }
            node.keepalive.interval().unwrap()
        };
        assert!(interval(1, 40) < Duration::from_secs(35), "two in a row were lost");
        assert!(interval(6, 40) > Duration::from_secs(35));
    }
}
