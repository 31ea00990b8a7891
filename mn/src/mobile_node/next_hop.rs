//! What the kernel says of the next hop towards the home agent (RFC 6275 section 11.5.1), and what the node makes of it: a reason to ask
//! the home agent, never to leave what works.

use std::time::{Duration, Instant};

use net::netlink::Answers;

use super::{MobileNode, Phase};
use crate::next_hop::Hint;

/// Between two hints of one kind that are heeded: however often the kernel changes its mind, the home agent is asked no more often.
const PAUSE: Duration = Duration::from_secs(1);

/// What is known of the next hop of the path in use.
#[derive(Debug, Default)]
pub(super) struct NextHop {
    /// It does not answer, as the kernel said last.
    is_gone: bool,
    /// What it said before, and when that was heeded.
    heeded: Vec<(Answers, Instant)>,
}

impl NextHop {
    /// Takes a hint of it; `true` where something is to be done.
    fn hear(&mut self, answers: Answers, now: Instant) -> bool {
        self.is_gone = answers == Answers::No;
        self.heeded.retain(|(_, before)| now.saturating_duration_since(*before) < PAUSE);
        let is_new = self.heeded.iter().all(|(said, _)| *said != answers);
        if is_new {
            self.heeded.push((answers, now));
        }
        is_new
    }

    /// Whether it does not answer, as far as is known.
    pub(super) fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// The home agent has answered over it, whatever the kernel says.
    pub(super) fn has_led_there(&mut self) {
        self.is_gone = false;
    }

    /// Another path is in use.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

impl MobileNode {
    /// The kernel says of a next hop whether it answers. Where it is not that of the attachment in use, that says nothing.
    pub fn handle_next_hop(&mut self, hint: Hint, now: Instant) {
        let is_in_use = self.handover.current().is_some_and(|(_, attachment)| {
            attachment.interface == hint.interface && attachment.care_of.0.is_ipv6() == hint.to_ipv6
        });
        let may_ask = self.sa_ends.is_some() && !self.leaving && self.handover.beside().is_none();
        if !is_in_use || !may_ask || !self.next_hop.hear(hint.answers, now) {
            return;
        }
        match hint.answers {
            Answers::Asked => self.doubt_forward_direction(now),
            Answers::No => self.ask_everywhere(now),
            // What waits for its next turn would wait for up to half a minute.
            Answers::Yes if self.phase() == Phase::Registering && self.registration.unanswered() > 1 => self.register(now),
            Answers::Yes => {}
        }
    }

    /// Over the attachment in use with a Binding Update, and over the others at the same time.
    fn ask_everywhere(&mut self, now: Instant) {
        if self.registration.is_settled() {
            self.send_binding_update(true, now);
        }
        if let Some((_, attachment)) = self.handover.current().cloned() {
            self.ask_over_others(&attachment);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_often_the_kernel_says_something_it_is_heeded_once_a_second() {
        let (mut hop, start) = (NextHop::default(), Instant::now());
        let heeded = (0..100).filter(|turn| hop.hear(Answers::No, start + Duration::from_millis(50) * *turn)).count();
        assert_eq!(heeded, 5);
        assert!(hop.is_gone());
        let soon = start + Duration::from_millis(4_999);
        assert!(hop.hear(Answers::Yes, soon) && !hop.is_gone());
        assert!(!hop.hear(Answers::No, soon) && hop.is_gone(), "it is known, but not heeded again");
    }
}
