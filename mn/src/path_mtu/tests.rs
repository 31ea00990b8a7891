//! The search against a path that is only what carries packets: so long, with such a delay, losing some.

use std::collections::BTreeMap;

use protocol::sa::CipherSuite;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;

const ROUND_TRIP: Duration = Duration::from_millis(40);

/// A path in virtual time, with a home agent at its end.
struct Path {
    search: PathMtu,
    now: Instant,
    /// The longest outer packet that comes through.
    carries: u16,
    round_trip: Duration,
    /// Of 100 requests or responses.
    lost: u32,
    answers: BTreeMap<Instant, Vec<(u32, usize)>>,
    sequence: u32,
    /// When each probe went.
    probes: Vec<(Instant, u16)>,
    /// What the home agent was told last.
    told: Option<u16>,
    rng: StdRng,
}

fn sizes() -> Sizes {
    Sizes::new(CipherSuite::Aes128Gcm, true)
}

impl Path {
    fn of(carries: u16) -> Self {
        Self::after(None, carries)
    }

    fn after(carried: Option<u16>, carries: u16) -> Self {
        let now = Instant::now();
        Self {
            search: PathMtu::new(sizes(), carried, now),
            now,
            carries,
            round_trip: ROUND_TRIP,
            lost: 0,
            answers: BTreeMap::new(),
            sequence: 0,
            probes: Vec::new(),
            told: None,
            rng: StdRng::seed_from_u64(7),
        }
    }

    fn runs(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let answer = self.answers.keys().next().copied();
            let due = self.search.due().max(self.now).min(answer.unwrap_or(end)).min(end);
            self.now = due;
            for (sequence, len) in self.answers.remove(&due).unwrap_or_default() {
                assert!(self.search.handle_response(sequence, len, due));
            }
            let sequence = &mut self.sequence;
            let asks = self.search.handle_timeout(due, || {
                *sequence += 1;
                *sequence
            });
            asks.iter().for_each(|ask| self.carry(ask));
            let is_idle = asks.is_empty() && self.answers.is_empty() && self.search.due() > end;
            if is_idle || due == end && asks.is_empty() {
                self.now = end;
                return;
            }
        }
    }

    fn carry(&mut self, ask: &Ask) {
        let outer = ask.outer.unwrap_or_default();
        if let Some(outer) = ask.outer {
            self.probes.push((self.now, outer));
        }
        let is_lost = outer > self.carries || self.rng.random_range(0..100) < self.lost;
        if is_lost {
            return;
        }
        self.told = ask.told.or(self.told);
        if self.rng.random_range(0..100) >= self.lost {
            self.answers.entry(self.now + self.round_trip).or_default().push((ask.sequence, ask.len));
        }
    }

    fn confirmed(&self) -> u16 {
        self.search.confirmed().unwrap()
    }

    /// What a search that is over has to have found.
    fn assert_found(&self) {
        let found = self.confirmed();
        assert!(found <= self.carries && self.carries - found <= 2 * STEP, "{} carried, {found} found", self.carries);
        assert_eq!(self.told, Some(self.search.inner()), "the home agent knows");
        assert!(matches!(self.search.phase(), Phase::Complete | Phase::Error), "{:?}", self.search.phase());
    }
}

#[test]
fn a_path_of_a_common_size_is_known_after_one_round_trip() {
    let mut path = Path::of(1_500);
    assert_eq!((path.search.phase(), path.search.inner()), (Phase::Base, SAFE_INNER));
    path.runs(ROUND_TRIP);
    assert_eq!((path.confirmed(), path.search.inner(), path.search.phase()), (1_500, 1_418, Phase::Complete));
    path.runs(ROUND_TRIP * 2);
    path.assert_found();
    let probes = path.probes.len();
    path.runs(Duration::from_secs(590));
    assert_eq!(path.probes.len(), probes, "nothing more to find out");
}

#[test]
fn every_size_is_found_in_ten_seconds_and_never_a_larger_one() {
    for carries in 1_280..=1_510 {
        let mut path = Path::of(carries);
        path.runs(Duration::from_secs(10));
        path.carries = carries.min(1_500);
        path.assert_found();
    }
}

#[test]
fn a_path_that_does_not_carry_1280_octets_inside_is_known_to_and_its_tcp_fits() {
    let mut path = Path::of(1_280);
    path.runs(Duration::from_secs(10));
    assert_eq!(path.search.phase(), Phase::Error);
    assert!(path.search.inner() < SAFE_INNER && sizes().outer(path.search.inner()) <= 1_280);
}

#[test]
fn loss_makes_the_search_longer_and_its_result_no_larger_than_the_path() {
    for seed in 0..50 {
        let mut path = Path::of(1_280 + 4 * seed as u16);
        (path.lost, path.rng) = (20, StdRng::seed_from_u64(seed));
        path.runs(Duration::from_secs(120));
        assert!(path.confirmed() <= path.carries, "{} of {}", path.confirmed(), path.carries);
        path.lost = 0;
        path.runs(Duration::from_secs(1_300));
        path.assert_found();
    }
}

#[test]
fn where_nothing_is_answered_little_is_asked_and_nothing_is_concluded() {
    let mut path = Path::after(Some(1_418), 0);
    path.runs(Duration::from_secs(300));
    assert_eq!((path.search.confirmed(), path.search.inner()), (None, 1_418));
    assert!(path.probes.len() < 300, "{}", path.probes.len());
    path.carries = 1_400;
    path.runs(Duration::from_secs(60));
    path.assert_found();
}

#[test]
fn a_path_that_becomes_smaller_is_noticed_within_a_second_of_the_doubt() {
    for smaller in [1_280, 1_396, 1_450] {
        let mut path = Path::of(1_500);
        path.runs(Duration::from_secs(5));
        path.carries = smaller;
        path.runs(Duration::from_secs(1));
        assert_eq!(path.search.inner(), 1_418, "nobody has said so");
        path.search.doubt(path.now);
        path.runs(Duration::from_secs(1));
        assert!(path.confirmed() <= smaller, "{}", path.confirmed());
        assert_eq!(path.told, Some(path.search.inner()));
        path.runs(Duration::from_secs(10));
        path.assert_found();
    }
}

#[test]
fn a_path_that_becomes_smaller_by_a_common_size_is_never_said_to_be_smaller_than_that() {
    for smaller in [1_364, 1_400, 1_492] {
        let mut path = Path::of(1_500);
        path.runs(Duration::from_secs(5));
        path.carries = smaller;
        path.search.doubt(path.now);
        let least = path.search.inner().min(sizes().inner(sizes().probed(smaller)));
        for _ in 0..100 {
            path.runs(Duration::from_millis(50));
            assert!(path.search.inner() >= least && path.told >= Some(least), "{smaller}: {:?}", path.told);
        }
        path.assert_found();
    }
}

#[test]
fn a_doubt_that_is_wrong_costs_two_probes_and_changes_nothing() {
    let mut path = Path::of(1_500);
    path.runs(Duration::from_secs(5));
    let probes = path.probes.len();
    path.search.doubt(path.now);
    path.runs(Duration::from_secs(5));
    assert_eq!((path.probes.len(), path.search.inner()), (probes + 2, 1_418));
}

#[test]
fn a_path_that_is_gone_is_not_taken_for_a_smaller_one() {
    let mut path = Path::of(1_500);
    path.runs(Duration::from_secs(5));
    path.carries = 0;
    path.search.doubt(path.now);
    path.runs(Duration::from_secs(60));
    assert_eq!(path.confirmed(), 1_500);
}

#[test]
fn what_the_last_path_carried_holds_until_it_is_disproved_or_proved() {
    let mut same = Path::after(Some(1_418), 1_500);
    assert_eq!(same.search.inner(), 1_418);
    same.runs(Duration::from_secs(1));
    assert_eq!((same.told, same.confirmed()), (Some(1_418), 1_500), "the downlink never had to become smaller");

    let mut smaller = Path::after(Some(1_418), 1_280);
    smaller.runs(ROUND_TRIP * 2 + Duration::from_millis(300));
    assert!(smaller.search.inner() < SAFE_INNER);
    smaller.runs(Duration::from_secs(10));
    smaller.assert_found();
}

#[test]
fn a_path_that_has_become_larger_is_found_out_after_ten_minutes() {
    let mut path = Path::of(1_400);
    path.runs(Duration::from_secs(30));
    path.carries = 1_500;
    path.runs(RAISE);
    path.runs(Duration::from_secs(5));
    path.assert_found();
}

#[test]
fn a_long_way_is_no_loss() {
    let mut path = Path::of(1_500);
    path.round_trip = Duration::from_millis(900);
    path.runs(Duration::from_secs(3));
    assert_eq!(path.confirmed(), 1_500);
}

#[test]
fn no_second_sees_more_than_36_probes() {
    let mut path = Path::of(1_436);
    path.lost = 10;
    path.runs(Duration::from_secs(60));
    for (at, _) in &path.probes {
        let within = path.probes.iter().filter(|(other, _)| other >= at && *other < *at + Duration::from_secs(1)).count();
        assert!(within <= 36, "{within}");
    }
}

#[test]
fn a_response_of_another_length_or_to_nothing_is_none() {
    let mut path = Path::of(1_500);
    let asks = path.search.handle_timeout(path.now, || 5);
    let last = asks.first().unwrap();
    assert!(!path.search.handle_response(last.sequence + 1, last.len, path.now));
    assert!(!path.search.handle_response(last.sequence, last.len + 8, path.now));
    assert_eq!(path.search.confirmed(), None);
}

#[test]
fn another_security_association_is_told_anew() {
    let mut path = Path::of(1_500);
    path.runs(Duration::from_secs(5));
    path.told = None;
    path.search.forget_told(path.now);
    path.runs(Duration::from_secs(1));
    assert_eq!(path.told, Some(1_418));
}
