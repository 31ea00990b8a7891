//! The binding update list (RFC 6275 section 11.1): the one home registration, its sequence numbers and retransmissions.

use std::time::{Duration, Instant};

use protocol::time::Lifetime;
use protocol::wire::mobility::{BindingAcknowledgement, Status};

/// The home registration of this node.
#[derive(Debug)]
pub struct HomeRegistration {
    /// The number of the last Binding Update sent.
    sequence: u16,
    outstanding: Option<Outstanding>,
    /// Answers 135 in a row.
    resynchronised: u32,
    round_trip: Option<Duration>,
    refresh_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Outstanding {
    first_sent: Instant,
    sent: Instant,
    timeout: Duration,
    transmissions: u32,
}

/// What an acknowledgement means for the registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The binding stands.
    Accepted {
        /// How long it is held.
        lifetime: Lifetime,
        /// From the Binding Update to this acknowledgement.
        took: Duration,
    },
    /// Send a Binding Update again at once.
    SendAgain,
    /// REINIT_SA_WITH_HAC: run MHAuth.
    Reinitialise,
    /// Refused; the retransmission timer repeats it.
    Refused(Status),
    /// Not an answer to the last Binding Update.
    Ignored,
}

/// RFC 6275 section 12.
const INITIAL_BINDACK_TIMEOUT: Duration = Duration::from_secs(1);
const MAX_BINDACK_TIMEOUT: Duration = Duration::from_secs(32);
/// Added to three round trips for the first timeout: a handover cannot wait for a fixed second.
const MARGIN: Duration = Duration::from_millis(50);
/// An honest home agent needs one answer 135; more in a row are somebody's mistake.
const MOST_RESYNCHRONISATIONS: u32 = 3;

impl HomeRegistration {
    /// Nothing sent yet; numbers start behind `sequence`.
    pub fn new(sequence: u16) -> Self {
        Self { sequence, outstanding: None, resynchronised: 0, round_trip: None, refresh_at: None }
    }

    /// Takes the number of a Binding Update that is sent now. With `anew` it starts a registration; else it repeats one.
    pub fn send(&mut self, anew: bool, now: Instant) -> u16 {
        self.sequence = self.sequence.wrapping_add(1);
        let before = self.outstanding.filter(|_| !anew);
        let first_timeout = self.round_trip.map_or(INITIAL_BINDACK_TIMEOUT, |rtt| rtt * 3 + MARGIN);
        self.outstanding = Some(Outstanding {
            first_sent: before.map_or(now, |before| before.first_sent),
            sent: now,
            timeout: before
                .map_or(first_timeout.min(INITIAL_BINDACK_TIMEOUT), |before| (before.timeout * 2).min(MAX_BINDACK_TIMEOUT)),
            transmissions: before.map_or(1, |before| before.transmissions + 1),
        });
        self.sequence
    }

    /// Takes a Binding Acknowledgement.
    pub fn handle(&mut self, acknowledgement: &BindingAcknowledgement, now: Instant) -> Outcome {
        if acknowledgement.status == Status::SEQUENCE_OUT_OF_WINDOW {
            return self.resynchronise(acknowledgement.sequence);
        }
        if acknowledgement.sequence != self.sequence {
            return Outcome::Ignored;
        }
        match (acknowledgement.status, self.outstanding) {
            (Status::REINIT_SA_WITH_HAC, _) => Outcome::Reinitialise,
            (status, Some(outstanding)) if status.is_accepted() => self.settle(acknowledgement.lifetime, outstanding, now),
            (status, Some(_)) => Outcome::Refused(status),
            (_, None) => Outcome::Ignored,
        }
    }

    /// When a Binding Update is to be sent again, or the binding to be refreshed.
    pub fn due(&self) -> Option<Instant> {
        self.outstanding.map(|outstanding| outstanding.sent + outstanding.timeout).or(self.refresh_at)
    }

    /// How often the outstanding Binding Update was sent without an answer.
    pub fn unanswered(&self) -> u32 {
        self.outstanding.map_or(0, |outstanding| outstanding.transmissions)
    }

    /// Forgets what is outstanding, because there is no path to send it on.
    pub fn pause(&mut self) {
        self.outstanding = None;
        self.refresh_at = None;
    }

    fn settle(&mut self, lifetime: Lifetime, outstanding: Outstanding, now: Instant) -> Outcome {
        let took = now.saturating_duration_since(outstanding.first_sent);
        // Only the answer to a Binding Update that was sent once measures a round trip.
        if outstanding.transmissions == 1 {
            self.round_trip = Some(took);
        }
        self.outstanding = None;
        self.resynchronised = 0;
        self.refresh_at = Some(now + lifetime.duration() * 4 / 5);
        Outcome::Accepted { lifetime, took }
    }

    fn resynchronise(&mut self, last_accepted: u16) -> Outcome {
        if self.outstanding.is_none() || self.resynchronised == MOST_RESYNCHRONISATIONS {
            return Outcome::Ignored;
        }
        self.resynchronised += 1;
        self.sequence = last_accepted;
        Outcome::SendAgain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acknowledgement(status: u8, sequence: u16) -> BindingAcknowledgement {
        BindingAcknowledgement::new(Status(status), sequence, Lifetime::from_units(150))
    }

    #[test]
    fn retransmissions_have_new_numbers_and_their_intervals_double_up_to_32_seconds() {
        let mut now = Instant::now();
        let mut registration = HomeRegistration::new(9);
        assert_eq!(registration.send(true, now), 10);
        let mut intervals = Vec::new();
        for sequence in 11..18 {
            let due = registration.due().unwrap();
            intervals.push((due - now).as_secs());
            now = due;
            assert_eq!(registration.send(false, now), sequence);
        }
        assert_eq!(intervals, [1, 2, 4, 8, 16, 32, 32]);
        assert_eq!(registration.unanswered(), 8);
    }

    #[test]
    fn a_measured_round_trip_shortens_the_first_timeout() {
        let now = Instant::now();
        let mut registration = HomeRegistration::new(0);
        registration.send(true, now);
        let answered = now + Duration::from_millis(40);
        let outcome = registration.handle(&acknowledgement(0, 1), answered);
        assert_eq!(outcome, Outcome::Accepted { lifetime: Lifetime::from_units(150), took: Duration::from_millis(40) });
        assert_eq!(registration.due(), Some(answered + Duration::from_secs(480)));
        registration.send(true, answered);
        assert_eq!(registration.due(), Some(answered + Duration::from_millis(170)));
    }

    #[test]
    fn an_answer_to_another_number_is_ignored_and_176_only_asks_for_a_new_sa() {
        let now = Instant::now();
        let mut registration = HomeRegistration::new(0);
        registration.send(true, now);
        assert_eq!(registration.handle(&acknowledgement(0, 7), now), Outcome::Ignored);
        assert_eq!(registration.handle(&acknowledgement(176, 1), now), Outcome::Reinitialise);
        assert!(matches!(registration.handle(&acknowledgement(0, 1), now), Outcome::Accepted { .. }));
        assert_eq!(registration.handle(&acknowledgement(176, 1), now), Outcome::Reinitialise);
    }

    #[test]
    fn status_135_continues_behind_the_number_that_it_carries_three_times_at_most() {
        let now = Instant::now();
        let mut registration = HomeRegistration::new(0);
        registration.send(true, now);
        for last in [500, 600, 700] {
            assert_eq!(registration.handle(&acknowledgement(135, last), now), Outcome::SendAgain);
            assert_eq!(registration.send(true, now), last + 1);
        }
        assert_eq!(registration.handle(&acknowledgement(135, 800), now), Outcome::Ignored);
    }
}
