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
    /// Something was said since the last transmission, to it or an earlier one, though it settled nothing.
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
        if let Some(outstanding) = self.outstanding.filter(|_| is_answer || self.is_repeated(acknowledgement.sequence)) {
            self.outstanding = Some(Outstanding { heard: true, ..outstanding });
        }
        let counts = is_answer || is_reinitialisation && self.is_repeated(acknowledgement.sequence);
        if !counts {
            return Outcome::Ignored;
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

    /// Since when there has been no answer.
    pub fn waits_since(&self) -> Option<Instant> {
        self.outstanding.map(|outstanding| outstanding.first_sent)
    }

    /// For how long there has been no answer.
    pub fn waits_for(&self, now: Instant) -> Duration {
        self.waits_since().map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Whether something was said to the last Binding Update or one that it repeats, though it is outstanding still.
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

    /// With nothing outstanding, the next Binding Update goes at `at`.
    pub fn ask_at(&mut self, at: Instant) {
        self.refresh_at = Some(at);
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
mod tests;
