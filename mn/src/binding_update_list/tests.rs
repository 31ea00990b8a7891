//! The home registration, answer by answer.

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
