//! When to use the fallback over TLS. Pure; which Binding Updates were sent and answered comes in, what to do comes out.
//!
//! UDP comes first on every network. A Binding Update that UDP has not answered for [`PATIENCE`] opens the fallback beside further
//! tries; the first answer decides. While the fallback is in use UDP is tried again, at once on a new network and else at a growing
//! interval: by a Binding Update over UDP whose repetition goes over the fallback.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use protocol::tunnel::{Path, SocketId};

/// How long Binding Updates over UDP may go unanswered: the first, two repetitions of it, and a long round trip.
pub const PATIENCE: Duration = Duration::from_millis(1500);
/// From the fallback's first use to the next try of UDP; doubled each time.
pub const FIRST_TRY: Duration = Duration::from_secs(5);
/// The longest interval between tries: a network that lets UDP through again is used so soon at the latest.
pub const LONGEST_INTERVAL: Duration = Duration::from_secs(300);
/// Before the fallback is opened again that came to nothing; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Packets that are on their way over a fallback that was left are still taken for this long.
const GRACE: Duration = Duration::from_secs(3);
/// The first number of the fallback's sockets: none that a socket of a network has.
const FIRST_SOCKET: u8 = 200;
/// Their numbers are used in turn, so that one in its grace and one that is being opened differ.
const SOCKETS: u8 = 4;

/// One opening of the fallback; its number is that of its tunnel's socket.
pub type Attempt = SocketId;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Open the fallback.
    Open(Attempt),
    /// Close it.
    Close(Attempt),
    /// Send a Binding Update over UDP.
    TryUdp,
}

/// The fallback, as the node decides about it.
#[derive(Debug, Default)]
pub struct FallbackPolicy {
    /// Whether the grant names one.
    is_offered: bool,
    /// The first Binding Update over UDP that was not answered.
    unanswered_since: Option<Instant>,
    state: State,
    /// Not before this is it opened again.
    not_before: Option<Instant>,
    failures: u32,
    closing: Vec<(Instant, Attempt)>,
    next: u8,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Closed,
    Opening(Attempt),
    Open(Open),
}

#[derive(Debug)]
struct Open {
    attempt: Attempt,
    relay: SocketAddr,
    /// Whether a Binding Acknowledgement has come over it.
    is_answered: bool,
    next_try: Instant,
    interval: Duration,
}

impl FallbackPolicy {
    /// The grant in use names a fallback, or none. One that is in use is used on.
    pub fn offer(&mut self, is_offered: bool) {
        self.is_offered = is_offered;
    }

    /// The way through the fallback, where that is in use.
    pub fn path(&self) -> Option<Path> {
        match &self.state {
            State::Open(open) => Some(Path::proved(open.attempt, open.relay)),
            State::Closed | State::Opening(_) => None,
        }
    }

    /// A Binding Update goes out, over the fallback where that is in use.
    pub fn sent(&mut self, now: Instant) {
        if self.path().is_none() {
            self.unanswered_since.get_or_insert(now);
        }
    }

    /// A Binding Acknowledgement has come in on `socket`. `true` where the node goes back to UDP by it.
    pub fn answered(&mut self, socket: SocketId, now: Instant) -> bool {
        match &mut self.state {
            State::Open(open) if open.attempt == socket => {
                open.is_answered = true;
                (self.failures, self.not_before) = (0, None);
                return false;
            }
            // Late, over one that was left.
            _ if (FIRST_SOCKET..FIRST_SOCKET + SOCKETS).contains(&socket.0) => return false,
            State::Closed | State::Opening(_) | State::Open(_) => {}
        }
        let was_open = self.path().is_some();
        self.leave(now);
        was_open
    }

    /// The fallback is open, its relay at `relay`. `false` for one that is not wanted any more.
    pub fn opened(&mut self, attempt: Attempt, relay: SocketAddr, now: Instant) -> bool {
        if !matches!(self.state, State::Opening(opening) if opening == attempt) {
            return false;
        }
        let open = Open { attempt, relay, is_answered: false, next_try: now + FIRST_TRY, interval: FIRST_TRY };
        self.state = State::Open(open);
        self.unanswered_since = None;
        true
    }

    /// The fallback could not be opened, or has broken off. `true` where it was in use: the node is to register over UDP.
    pub fn closed(&mut self, attempt: Attempt, now: Instant) -> bool {
        self.closing.retain(|(_, closing)| *closing != attempt);
        let (was_in_use, was_good) = match &self.state {
            State::Opening(opening) if *opening == attempt => (false, false),
            State::Open(open) if open.attempt == attempt => (true, open.is_answered),
            State::Closed | State::Opening(_) | State::Open(_) => return false,
        };
        self.state = State::Closed;
        if was_good {
            // UDP had its tries; what is good is opened again beside the next one.
            self.unanswered_since = now.checked_sub(PATIENCE);
        } else {
            let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.failures.min(8))).min(LONGEST_PAUSE);
            self.failures = self.failures.saturating_add(1);
            self.not_before = Some(now + pause);
        }
        was_in_use
    }

    /// The node is on another network, or on none, or UDP has answered: it goes over UDP.
    pub fn leave(&mut self, now: Instant) {
        match std::mem::take(&mut self.state) {
            State::Closed => {}
            State::Opening(attempt) => self.closing.push((now, attempt)),
            State::Open(open) => self.closing.push((now + GRACE, open.attempt)),
        }
        (self.unanswered_since, self.not_before, self.failures) = (None, None, 0);
    }

    /// When [`Self::poll_due`] has something.
    pub fn due(&self) -> Option<Instant> {
        let closing = self.closing.iter().map(|(due, _)| *due).min();
        [self.opens_at(), self.tries_at(), closing].into_iter().flatten().min()
    }

    /// What is due; drained until `None`.
    pub fn poll_due(&mut self, now: Instant) -> Option<Step> {
        if let Some(index) = self.closing.iter().position(|(due, _)| *due <= now) {
            return Some(Step::Close(self.closing.swap_remove(index).1));
        }
        if self.opens_at().is_some_and(|due| due <= now) {
            let attempt = SocketId(FIRST_SOCKET + self.next);
            self.next = (self.next + 1) % SOCKETS;
            self.closing.retain(|(_, closing)| *closing != attempt);
            self.state = State::Opening(attempt);
            return Some(Step::Open(attempt));
        }
        match &mut self.state {
            State::Open(open) if open.next_try <= now => {
                open.interval = (open.interval * 2).min(LONGEST_INTERVAL);
                open.next_try = now + open.interval;
                Some(Step::TryUdp)
            }
            State::Closed | State::Opening(_) | State::Open(_) => None,
        }
    }

    fn opens_at(&self) -> Option<Instant> {
        let since = self.unanswered_since.filter(|_| self.is_offered && matches!(self.state, State::Closed))?;
        Some((since + PATIENCE).max(self.not_before.unwrap_or(since)))
    }

    fn tries_at(&self) -> Option<Instant> {
        match &self.state {
            State::Open(open) => Some(open.next_try),
            State::Closed | State::Opening(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UDP: SocketId = SocketId(0);
    const FIRST: Attempt = SocketId(FIRST_SOCKET);

    struct Story {
        policy: FallbackPolicy,
        start: Instant,
        now: Instant,
    }

    impl Story {
        /// A Binding Update has gone out over UDP.
        fn new() -> Self {
            let now = Instant::now();
            let mut policy = FallbackPolicy::default();
            policy.offer(true);
            policy.sent(now);
            Self { policy, start: now, now }
        }

        /// On the fallback.
        fn fallen_back() -> Self {
            let mut story = Self::new();
            assert_eq!(story.passes(PATIENCE), [(1500, Step::Open(FIRST))]);
            assert!(story.policy.opened(FIRST, relay(), story.now));
            assert!(!story.policy.answered(FIRST, story.now));
            story
        }

        /// What is done, each with the milliseconds from the start.
        fn passes(&mut self, time: Duration) -> Vec<(u128, Step)> {
            let (end, mut done) = (self.now + time, Vec::new());
            while let Some(due) = self.policy.due().filter(|due| *due <= end) {
                self.now = due.max(self.now);
                while let Some(step) = self.policy.poll_due(self.now) {
                    done.push(((self.now - self.start).as_millis(), step));
                }
            }
            self.now = end;
            done
        }
    }

    fn relay() -> SocketAddr {
        ([127, 0, 0, 1], 5000).into()
    }

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn it_opens_when_udp_has_not_answered_for_one_and_a_half_seconds_and_only_where_there_is_one() {
        let mut story = Story::new();
        for _ in 0..3 {
            assert_eq!(story.passes(Duration::from_millis(499)), []);
            story.policy.sent(story.now);
        }
        assert_eq!(story.passes(seconds(60)), [(1500, Step::Open(FIRST))], "repetitions begin nothing anew");
        let mut story = Story::new();
        story.policy.offer(false);
        assert_eq!(story.passes(seconds(60)), []);
        story.policy.offer(true);
        assert_eq!(story.passes(Duration::ZERO), [(60_000, Step::Open(FIRST))], "a grant may come that names one");
    }

    #[test]
    fn an_answer_over_udp_that_is_in_time_opens_nothing_and_one_that_is_late_closes_it() {
        let mut story = Story::new();
        assert!(!story.policy.answered(UDP, story.now));
        assert_eq!(story.passes(seconds(60)), []);
        let mut story = Story::new();
        assert_eq!(story.passes(PATIENCE), [(1500, Step::Open(FIRST))]);
        assert!(!story.policy.answered(UDP, story.now), "it was not in use");
        assert_eq!(story.passes(seconds(60)), [(1500, Step::Close(FIRST))]);
        assert!(!story.policy.opened(FIRST, relay(), story.now) && story.policy.path().is_none());
    }

    #[test]
    fn udp_is_tried_again_at_a_growing_interval_and_an_answer_to_that_leads_back_with_a_grace() {
        let mut story = Story::fallen_back();
        assert_eq!(story.policy.path(), Some(Path::proved(FIRST, relay())));
        let tries: Vec<_> = story.passes(seconds(2000)).iter().map(|(at, step)| (at - 1500, *step)).collect();
        let expected = [5, 15, 35, 75, 155, 315, 615, 915, 1215, 1515, 1815].map(|at| (at * 1000, Step::TryUdp));
        assert_eq!(tries, expected);
        assert!(!story.policy.answered(FIRST, story.now), "the repetition was answered over the fallback");
        let now = (story.now - story.start).as_millis();
        assert!(story.policy.answered(UDP, story.now) && story.policy.path().is_none());
        assert_eq!(story.passes(seconds(60)), [(now + 3000, Step::Close(FIRST))]);
    }

    #[test]
    fn another_network_begins_with_udp() {
        let mut story = Story::fallen_back();
        story.policy.leave(story.now);
        story.policy.sent(story.now);
        let expected = [(3000, Step::Open(SocketId(FIRST_SOCKET + 1))), (4500, Step::Close(FIRST))];
        assert_eq!(story.passes(seconds(60)), expected);
        assert!(!story.policy.answered(FIRST, story.now), "what was left answers late");
    }

    #[test]
    fn one_that_comes_to_nothing_is_opened_again_after_growing_pauses() {
        let (mut story, mut opened) = (Story::new(), Vec::new());
        for _ in 0..7 {
            let steps = story.passes(seconds(100));
            let [(at, Step::Open(attempt))] = steps[..] else { panic!("{steps:?}") };
            opened.push(at);
            story.now = story.start + Duration::from_millis(u64::try_from(at).unwrap());
            assert!(!story.policy.closed(attempt, story.now));
            assert!(!story.policy.closed(attempt, story.now), "it has ended already");
        }
        assert_eq!(opened, [0, 5, 15, 35, 75, 135, 195].map(|after| after * 1000 + 1500));
    }

    #[test]
    fn one_that_was_good_and_breaks_off_is_opened_again_at_once_and_one_that_never_answered_is_not() {
        let mut story = Story::fallen_back();
        assert!(story.policy.closed(FIRST, story.now), "the node registers over UDP");
        story.policy.sent(story.now);
        assert_eq!(story.passes(Duration::ZERO), [(1500, Step::Open(SocketId(FIRST_SOCKET + 1)))]);
        let second = SocketId(FIRST_SOCKET + 1);
        assert!(story.policy.opened(second, relay(), story.now) && story.policy.closed(second, story.now));
        story.policy.sent(story.now);
        assert_eq!(story.passes(seconds(60)), [(6500, Step::Open(SocketId(FIRST_SOCKET + 2)))]);
    }
}
