//! The binding update list (RFC 6275 section 11.1): the one home registration, its sequence numbers and retransmissions.

use std::time::{Duration, Instant};

use protocol::sa::Spi;
use protocol::time::Lifetime;
use protocol::wire::mobility::{BindingAcknowledgement, Status};

use crate::update_rate::UpdateRate;

/// The home registration of this node.
#[derive(Debug)]
pub struct HomeRegistration {
    /// The number of the last Binding Update sent.
    sequence: u16,
    /// The SA that it went under.
    sent_under: Option<Spi>,
    outstanding: Option<Outstanding>,
    /// A Binding Update that the rate did not allow yet.
    postponed: Option<Postponed>,
    rate: UpdateRate,
    /// Answers 135 in a row.
    resynchronised: u32,
    round_trip: Option<Duration>,
    refresh_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Outstanding {
    /// The number of the first transmission.
    first: u16,
    first_sent: Instant,
    sent: Instant,
    timeout: Duration,
    transmissions: u32,
    /// Something was said to the last transmission, though it settled nothing.
    heard: bool,
}

#[derive(Clone, Copy, Debug)]
struct Postponed {
    until: Instant,
    anew: bool,
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
    /// Not an answer to the last Binding Update, nor a 176 to one that it repeats.
    Ignored,
}

/// RFC 6275 section 12.
pub(crate) const INITIAL_BINDACK_TIMEOUT: Duration = Duration::from_secs(1);
pub(crate) const MAX_BINDACK_TIMEOUT: Duration = Duration::from_secs(32);
/// Added to three round trips for the first timeout: a handover cannot wait for a fixed second.
const MARGIN: Duration = Duration::from_millis(50);
/// An honest home agent needs one answer 135; more in a row are somebody's mistake.
const MOST_RESYNCHRONISATIONS: u32 = 3;

impl HomeRegistration {
    /// Nothing sent yet; numbers start behind `sequence`.
    pub fn new(sequence: u16) -> Self {
        Self {
            sequence,
            sent_under: None,
            outstanding: None,
            postponed: None,
            rate: UpdateRate::default(),
            resynchronised: 0,
            round_trip: None,
            refresh_at: None,
        }
    }

    /// Takes the number of a Binding Update that is sent now under `spi`. With `anew` it starts a registration; else it repeats
    /// one. `None` when it must wait: [`Self::due`] says until when.
    pub fn send(&mut self, anew: bool, spi: Spi, now: Instant) -> Option<u16> {
        let anew = anew || self.postponed.is_some_and(|postponed| postponed.anew);
        let earliest = self.rate.earliest(now);
        if earliest > now {
            self.postponed = Some(Postponed { until: earliest, anew });
            return None;
        }
        self.postponed = None;
        self.rate.count(now);
        self.sequence = self.sequence.wrapping_add(1);
        self.sent_under = Some(spi);
        self.outstanding = Some(self.transmission(anew, now));
        Some(self.sequence)
    }

    /// Takes a Binding Acknowledgement that came under `spi`. Only an answer to the last Binding Update counts (176: to any
    /// transmission of it), under the SA that it went under: what is said of an earlier SA is over with the first Binding Update
    /// under its successor.
    pub fn handle(&mut self, acknowledgement: &BindingAcknowledgement, spi: Spi, now: Instant) -> Outcome {
        if self.sent_under != Some(spi) {
            return Outcome::Ignored;
        }
        if acknowledgement.status == Status::SEQUENCE_OUT_OF_WINDOW {
            return self.resynchronise(acknowledgement.sequence);
        }
        let is_reinitialisation = acknowledgement.status == Status::REINIT_SA_WITH_HAC;
        let is_answer = acknowledgement.sequence == self.sequence;
        let counts = is_answer || is_reinitialisation && self.is_repeated(acknowledgement.sequence);
        if !counts {
            return Outcome::Ignored;
        }
        if let Some(outstanding) = &mut self.outstanding {
            outstanding.heard = true;
        }
        match (acknowledgement.status, self.outstanding) {
            (Status::REINIT_SA_WITH_HAC, _) => Outcome::Reinitialise,
            (status, Some(outstanding)) if status.is_accepted() => self.settle(acknowledgement.lifetime, outstanding, now),
            (status, Some(_)) => Outcome::Refused(status),
            (_, None) => Outcome::Ignored,
        }
    }

    /// Whether the Binding Update that is outstanding repeats the one with this number. A home agent says 176 once a second, and a
    /// repetition may be sooner.
    fn is_repeated(&self, sequence: u16) -> bool {
        let is_later = |first: u16| sequence.wrapping_sub(first) < self.sequence.wrapping_sub(first);
        self.outstanding.is_some_and(|outstanding| is_later(outstanding.first))
    }

    /// When a Binding Update is to be sent, or sent again, or the binding to be refreshed.
    pub fn due(&self) -> Option<Instant> {
        let postponed = self.postponed.map(|postponed| postponed.until);
        postponed.or(self.outstanding.map(|outstanding| outstanding.sent + outstanding.timeout)).or(self.refresh_at)
    }

    /// The number of the last Binding Update sent.
    #[cfg(test)]
    pub(crate) fn sequence(&self) -> u16 {
        self.sequence
    }

    /// How often the outstanding Binding Update was sent without an answer.
    pub fn unanswered(&self) -> u32 {
        self.outstanding.map_or(0, |outstanding| outstanding.transmissions)
    }

    /// Whether something was said to the last Binding Update, though it is outstanding still.
    pub fn is_heard(&self) -> bool {
        self.outstanding.is_some_and(|outstanding| outstanding.heard)
    }

    /// Whether nothing is outstanding: the home agent has answered all that there was to say.
    pub fn is_settled(&self) -> bool {
        self.outstanding.is_none() && self.postponed.is_none()
    }

    /// Refreshes the binding at `at`, if that is earlier than it would be refreshed anyway.
    pub fn refresh_by(&mut self, at: Instant) {
        self.refresh_at = self.refresh_at.map(|planned| planned.min(at));
    }

    /// Forgets what is outstanding, because the path that it went on is gone.
    pub fn pause(&mut self) {
        self.outstanding = None;
        self.postponed = None;
        self.refresh_at = None;
    }

    fn transmission(&self, anew: bool, now: Instant) -> Outstanding {
        match self.outstanding.filter(|_| !anew) {
            Some(before) => Outstanding {
                first: before.first,
                first_sent: before.first_sent,
                sent: now,
                timeout: (before.timeout * 2).min(MAX_BINDACK_TIMEOUT),
                transmissions: before.transmissions + 1,
                heard: false,
            },
            None => {
                let measured = self.round_trip.map_or(INITIAL_BINDACK_TIMEOUT, |round_trip| round_trip * 3 + MARGIN);
                let timeout = measured.min(INITIAL_BINDACK_TIMEOUT);
                Outstanding { first: self.sequence, first_sent: now, sent: now, timeout, transmissions: 1, heard: false }
            }
        }
    }

    fn settle(&mut self, lifetime: Lifetime, outstanding: Outstanding, now: Instant) -> Outcome {
        let took = now.saturating_duration_since(outstanding.first_sent);
        // Each transmission has a number of its own, so that the answer to a repetition measures a round trip too.
        self.round_trip = Some(now.saturating_duration_since(outstanding.sent));
        self.outstanding = None;
        // A repetition that the rate did not allow yet has nothing to repeat any more.
        self.postponed.take_if(|postponed| !postponed.anew);
        self.resynchronised = 0;
        // A lifetime of 0 is no reason for Binding Updates without a pause.
        self.refresh_at = Some(now + (lifetime.duration() * 4 / 5).max(INITIAL_BINDACK_TIMEOUT));
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

    fn spi(number: u32) -> Spi {
        Spi::new(0x1000 + number).unwrap()
    }

    #[test]
    fn retransmissions_have_new_numbers_and_their_intervals_double_up_to_32_seconds() {
        let mut now = Instant::now();
        let mut registration = HomeRegistration::new(9);
        assert_eq!(registration.send(true, spi(1), now), Some(10));
        let mut intervals = Vec::new();
        for sequence in 11..18 {
            let due = registration.due().unwrap();
            intervals.push((due - now).as_secs());
            now = due;
            assert_eq!(registration.send(false, spi(1), now), Some(sequence));
        }
        assert_eq!(intervals, [1, 2, 4, 8, 16, 32, 32]);
        assert_eq!(registration.unanswered(), 8);
    }

    #[test]
    fn a_measured_round_trip_shortens_the_first_timeout() {
        let now = Instant::now();
        let mut registration = HomeRegistration::new(0);
        registration.send(true, spi(1), now);
        let answered = now + Duration::from_millis(40);
        let outcome = registration.handle(&acknowledgement(0, 1), spi(1), answered);
        assert_eq!(outcome, Outcome::Accepted { lifetime: Lifetime::from_units(150), took: Duration::from_millis(40) });
        assert_eq!(registration.due(), Some(answered + Duration::from_secs(480)));
        registration.send(true, spi(1), answered);
        assert_eq!(registration.due(), Some(answered + Duration::from_millis(170)));
    }

    #[test]
    fn an_answer_to_another_number_or_under_another_sa_is_ignored_and_176_only_asks_for_a_new_sa() {
        let now = Instant::now();
        let mut registration = HomeRegistration::new(0);
        registration.send(true, spi(1), now);
        assert_eq!(registration.handle(&acknowledgement(0, 7), spi(1), now), Outcome::Ignored);
        for status in [0, 135, 176] {
            assert_eq!(registration.handle(&acknowledgement(status, 1), spi(2), now), Outcome::Ignored);
        }
        assert_eq!(registration.handle(&acknowledgement(176, 1), spi(1), now), Outcome::Reinitialise);
        assert!(matches!(registration.handle(&acknowledgement(0, 1), spi(1), now), Outcome::Accepted { .. }));
        assert_eq!(registration.handle(&acknowledgement(176, 1), spi(1), now), Outcome::Reinitialise);
    }

    #[test]
    fn a_176_counts_for_any_transmission_of_what_is_outstanding_and_for_none_before() {
        let now = Instant::now();
        let mut registration = HomeRegistration::new(u16::MAX - 1);
        registration.send(true, spi(1), now);
        let later = now + Duration::from_secs(2);
        registration.send(true, spi(1), later);
        registration.send(false, spi(1), later);
        assert_eq!(registration.sequence(), 1);
        for (number, outcome) in
            [(u16::MAX, Outcome::Ignored), (2, Outcome::Ignored), (0, Outcome::Reinitialise), (1, Outcome::Reinitialise)]
        {
            assert_eq!(registration.handle(&acknowledgement(176, number), spi(1), later), outcome, "{number}");
        }
        assert_eq!(registration.handle(&acknowledgement(0, 0), spi(1), later), Outcome::Ignored, "0 settles the last one alone");
    }

    #[test]
    fn status_135_continues_behind_the_number_that_it_carries_three_times_at_most() {
        let mut now = Instant::now();
        let mut registration = HomeRegistration::new(0);
        registration.send(true, spi(1), now);
        for last in [500, 600, 700] {
            now += Duration::from_secs(1);
            assert_eq!(registration.handle(&acknowledgement(135, last), spi(1), now), Outcome::SendAgain);
            assert_eq!(registration.send(true, spi(1), now), Some(last + 1));
        }
        assert_eq!(registration.handle(&acknowledgement(135, 800), spi(1), now), Outcome::Ignored);
    }

    #[test]
    fn a_fourth_binding_update_within_a_second_waits_and_is_still_a_registration_of_its_own() {
        let now = Instant::now();
        let mut registration = HomeRegistration::new(0);
        for _ in 0..3 {
            assert!(registration.send(false, spi(1), now).is_some());
        }
        assert_eq!((registration.send(true, spi(1), now), registration.send(false, spi(1), now)), (None, None));
        let due = registration.due().unwrap();
        assert_eq!((due, registration.is_settled()), (now + Duration::from_secs(1), false));
        assert!(matches!(registration.handle(&acknowledgement(0, 3), spi(1), now), Outcome::Accepted { .. }));
        assert!(!registration.is_settled(), "the one that waits is still to be sent");
        assert_eq!((registration.send(false, spi(1), due), registration.unanswered()), (Some(4), 1));
    }

    #[test]
    fn a_repetition_that_had_to_wait_is_not_sent_once_the_one_before_is_answered() {
        let now = Instant::now();
        let mut registration = HomeRegistration::new(0);
        for _ in 0..3 {
            assert!(registration.send(false, spi(1), now).is_some());
        }
        assert_eq!((registration.send(false, spi(1), now), registration.is_settled()), (None, false));
        assert!(matches!(registration.handle(&acknowledgement(0, 3), spi(1), now), Outcome::Accepted { .. }));
        assert_eq!((registration.due(), registration.is_settled()), (Some(now + Duration::from_secs(480)), true));
    }

    #[test]
    fn the_answer_to_a_repetition_measures_the_round_trip_of_that_repetition() {
        let now = Instant::now();
        let mut registration = HomeRegistration::new(0);
        registration.send(true, spi(1), now);
        let repeated = registration.due().unwrap();
        registration.send(false, spi(1), repeated);
        let answered = repeated + Duration::from_millis(200);
        let outcome = registration.handle(&acknowledgement(0, 2), spi(1), answered);
        assert!(matches!(outcome, Outcome::Accepted { took, .. } if took == Duration::from_millis(1_200)));
        registration.send(true, spi(1), answered);
        assert_eq!(registration.due(), Some(answered + Duration::from_millis(650)));
    }

    #[test]
    fn a_binding_of_no_lifetime_is_not_refreshed_without_a_pause() {
        let now = Instant::now();
        let mut registration = HomeRegistration::new(0);
        registration.send(true, spi(1), now);
        let nothing = BindingAcknowledgement::new(Status::ACCEPTED, 1, Lifetime::ZERO);
        registration.handle(&nothing, spi(1), now);
        assert_eq!(registration.due(), Some(now + Duration::from_secs(1)));
    }
}
