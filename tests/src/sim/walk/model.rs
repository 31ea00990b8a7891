//! What a walk's world owes at any time: small, and knowing nothing of how the machines work.
//!
//! The world is calm once it was set right and packets crossed in both directions. From then on every packet arrives until
//! something disturbs that. A move disturbs for seconds, most else for good: until the world is set right again.

use std::time::Duration;

use super::transition::{Attack, Transition};
use crate::link::Link;
use crate::sim::Access;

/// After a move or a copied Binding Update: one first retransmission, at most a second later, the wait that the rate of Binding
/// Updates may ask for, and the round trips of a path check on the slowest link.
const RECOVERY: Duration = Duration::from_secs(4);

/// What was done to the world, and what it owes.
pub(super) struct Model {
    pub(super) is_hac_up: bool,
    does_aaa_answer: bool,
    pub(super) is_home_agent_up: bool,
    pub(super) is_enabled: bool,
    pub(super) access: &'static [Access],
    pub(super) link: Link,
    calm: Option<Calm>,
    /// MHAuth may fail and Binding Updates stay without an answer: something stood in their way since they were begun.
    pub(super) may_fail: bool,
    /// MHAuth may be refused for good, since the subscriber was disabled after it was begun.
    pub(super) may_be_refused: bool,
}

/// From when to when every packet arrives.
#[derive(Clone, Copy, Debug)]
struct Calm {
    from: Duration,
    until: Option<Duration>,
}

impl Model {
    pub(super) fn new() -> Self {
        Self {
            is_hac_up: true,
            does_aaa_answer: true,
            is_home_agent_up: true,
            is_enabled: true,
            access: &[Access::Wifi],
            link: Link::calm(crate::sim::DELAY),
            calm: None,
            may_fail: false,
            may_be_refused: false,
        }
    }

    /// Whether a packet that is sent now arrives.
    pub(super) fn is_calm(&self, now: Duration) -> bool {
        self.calm.is_some_and(|calm| calm.from <= now && calm.until.is_none_or(|until| now < until))
    }

    /// Packets cross in both directions, and nothing stands in their way.
    pub(super) fn becomes_calm(&mut self, now: Duration, until: Duration) {
        self.calm = Some(Calm { from: now, until: Some(until) });
    }

    /// The mobile node has a new SA, and the HAC is there for the next, with the AAA server that it may ask.
    pub(super) fn renewed(&mut self) {
        if let Some(calm) = self.calm.as_mut().filter(|_| self.is_hac_up && self.does_aaa_answer) {
            calm.until = None;
        }
    }

    /// No run of MHAuth is left that was begun before the world was set right.
    pub(super) fn is_unhindered(&mut self) {
        (self.may_fail, self.may_be_refused) = (false, false);
    }

    /// Notes what happens now; the SA in use ends at `sa_ends`.
    pub(super) fn note(&mut self, transition: &Transition, now: Duration, sa_ends: Option<Duration>) {
        match transition {
            Transition::Passes(_) | Transition::Sends(..) | Transition::NodeRenews | Transition::HomeAgentAsks => {}
            Transition::Attaches(access) => self.moves(access, now),
            Transition::Nat(_) | Transition::NatForgets => self.calm = None,
            Transition::Links(link) => self.links(*link),
            Transition::NodeBoots | Transition::NodeDies | Transition::NodeLeaves => self.calm = None,
            Transition::HomeAgentStarts => self.home_agent(true),
            Transition::HomeAgentDies => self.home_agent(false),
            Transition::HacStarts => {
                self.is_hac_up = true;
                self.grants_nothing_new(sa_ends);
            }
            Transition::HacDies => {
                self.is_hac_up = false;
                self.grants_nothing_new(sa_ends);
            }
            Transition::AaaAnswers(answers) => {
                self.does_aaa_answer = *answers;
                self.grants_nothing_new(sa_ends);
            }
            Transition::Subscriber(is_enabled) => self.subscriber(*is_enabled),
            // Who plays back from his own address may do so before the datagram itself arrives.
            Transition::Attacks(Attack::CopiesBindingUpdate | Attack::CopiesLast | Attack::ReplaysElsewhere(_)) => {
                self.disturb(now);
            }
            Transition::Attacks(Attack::Replays | Attack::Reflects(_) | Attack::Flips(_)) => {}
            Transition::SetRight(access, delay) => {
                (self.access, self.link, self.calm) = (access, Link::calm(*delay), None);
                (self.is_hac_up, self.does_aaa_answer) = (true, true);
                (self.is_home_agent_up, self.is_enabled) = (true, true);
                // A connection on a network that is gone is noticed later.
                self.may_fail = true;
            }
        }
    }

    fn moves(&mut self, access: &'static [Access], now: Duration) {
        self.access = access;
        self.may_fail = true;
        if access.is_empty() {
            self.calm = None;
        }
        self.disturb(now);
    }

    fn links(&mut self, link: Link) {
        self.link = link;
        if !is_perfect(&link) {
            self.calm = None;
            self.may_fail = true;
        }
    }

    fn home_agent(&mut self, is_up: bool) {
        (self.is_home_agent_up, self.calm, self.may_fail) = (is_up, None, true);
    }

    /// Without the HAC, or whom it asks, a home agent serves the SAs that it has until they end. Who was refused meanwhile waits on.
    fn grants_nothing_new(&mut self, sa_ends: Option<Duration>) {
        self.may_fail = true;
        if let Some(calm) = &mut self.calm {
            let ends = sa_ends.unwrap_or_default();
            calm.until = Some(calm.until.map_or(ends, |until| until.min(ends)));
        }
    }

    fn subscriber(&mut self, is_enabled: bool) {
        self.is_enabled = is_enabled;
        if !is_enabled {
            (self.calm, self.may_fail, self.may_be_refused) = (None, true, true);
        }
    }

    fn disturb(&mut self, now: Duration) {
        if let Some(calm) = &mut self.calm {
            calm.from = calm.from.max(now + RECOVERY);
        }
    }

    /// Whether this line of the log has a reason in what was done to the world.
    pub(super) fn explains(&self, line: &str, is_numbered: bool) -> bool {
        let fails = [
            "MHAuth failed; it will be tried again",
            "an association was taken back",
            "an authenticated mobile node was refused",
            "a mobile node is not authenticated",
            "the home agent does not answer",
        ];
        if fails.iter().any(|text| line.contains(text)) {
            return self.may_fail;
        }
        match line {
            line if line.contains("the mobile node gives up") => self.may_be_refused,
            line if line.contains("no replay protection") => !is_numbered,
            _ => false,
        }
    }
}

fn is_perfect(link: &Link) -> bool {
    link.loss == 0.0 && link.duplication == 0.0 && link.jitter.is_zero()
}
