//! The schedule of MHAuth runs, rule by rule.

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::fixture::{lte, wifi};

#[test]
fn a_run_is_started_once_and_failures_are_repeated_at_growing_intervals() {
    let (mut rng, now) = (StdRng::seed_from_u64(1), Instant::now());
    let mut bootstrap = Bootstrap::new(now);
    assert!(bootstrap.start_if_due(now).is_some() && bootstrap.start_if_due(now).is_none());
    let mut pauses = Vec::new();
    for _ in 0..12 {
        bootstrap.failed(None, now, &mut rng);
        pauses.push(bootstrap.due().unwrap() - now);
    }
    assert!(pauses[0] <= Duration::from_millis(1200) && pauses[3] >= Duration::from_millis(6400), "{pauses:?}");
    assert!(pauses.iter().all(|pause| *pause <= Duration::from_secs(72)));
    assert!(pauses[11] >= Duration::from_secs(48), "{pauses:?}");
}

#[test]
fn an_sa_is_renewed_around_eighty_percent_of_its_validity() {
    let (mut rng, now) = (StdRng::seed_from_u64(2), Instant::now());
    let mut bootstrap = Bootstrap::new(now);
    bootstrap.succeeded(now + Duration::from_secs(1000), now, &mut rng);
    let due = bootstrap.due().unwrap() - now;
    assert!((Duration::from_secs(750)..=Duration::from_secs(850)).contains(&due), "{due:?}");
}

#[test]
fn the_operator_waits_for_no_pause() {
    let (mut rng, now) = (StdRng::seed_from_u64(2), Instant::now());
    let mut bootstrap = Bootstrap::new(now);
    bootstrap.failed(Some(Duration::from_secs(1000)), now, &mut rng);
    bootstrap.renew(now);
    assert!(bootstrap.start_if_due(now).is_some());
    bootstrap.renew(now);
    assert_eq!(bootstrap.due(), None, "one run at a time");
}

#[test]
fn demands_without_end_are_heeded_at_growing_intervals_and_one_after_calm_soon() {
    let (mut rng, mut now) = (StdRng::seed_from_u64(3), Instant::now());
    let mut bootstrap = Bootstrap::new(now);
    let mut intervals = Vec::new();
    for _ in 0..11 {
        bootstrap.succeeded(now + Duration::from_secs(86_400), now, &mut rng);
        bootstrap.demand(now);
        bootstrap.demand(now);
        let due = bootstrap.due().unwrap();
        assert!(bootstrap.start_if_due(due).is_some());
        bootstrap.demand(due);
        assert_eq!(bootstrap.due(), None, "one run at a time");
        intervals.push((due - now).as_secs());
        now = due;
    }
    assert_eq!(intervals, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
    bootstrap.succeeded(now + Duration::from_secs(86_400), now, &mut rng);
    now += ROW;
    bootstrap.demand(now);
    assert_eq!(bootstrap.due(), Some(now));
    bootstrap.start_if_due(now);
    bootstrap.succeeded(now + Duration::from_secs(86_400), now, &mut rng);
    bootstrap.demand(now);
    assert_eq!(bootstrap.due(), Some(now + FIRST_PATIENCE));
}

#[test]
fn a_demand_shortens_a_backoff_but_not_a_pause_that_the_hac_asked_for() {
    let (mut rng, now) = (StdRng::seed_from_u64(4), Instant::now());
    let mut bootstrap = Bootstrap::new(now);
    (0..8).for_each(|_| _ = bootstrap.failed(None, now, &mut rng));
    bootstrap.demand(now);
    assert_eq!(bootstrap.due(), Some(now + FIRST_PATIENCE));
    bootstrap.failed(Some(Duration::from_secs(100)), now, &mut rng);
    let asked = bootstrap.due();
    bootstrap.demand(now);
    assert_eq!(bootstrap.due(), asked);
}

/// A run in progress from the Wi-Fi's address, which the HAC has been told.
fn running_from_wifi(now: Instant) -> (Bootstrap, Run) {
    let mut bootstrap = Bootstrap::new(now);
    assert_eq!(bootstrap.follow_network(&[], &[wifi()], now), None);
    let run = bootstrap.start_if_due(now).unwrap();
    bootstrap.goes_from(run, Some(wifi().care_of.0));
    (bootstrap, run)
}

#[test]
fn a_run_whose_address_is_gone_is_abandoned_and_another_starts_at_once() {
    let now = Instant::now();
    let (mut bootstrap, run) = running_from_wifi(now);
    assert_eq!(bootstrap.follow_network(&[wifi()], &[wifi(), lte()], now), None);
    assert_eq!(bootstrap.follow_network(&[wifi(), lte()], &[wifi()], now), None, "another one is gone");
    assert!(bootstrap.is_running(run));
    assert_eq!(bootstrap.follow_network(&[wifi()], &[lte()], now), Some(run));
    assert!(!bootstrap.is_running(run));
    let next = bootstrap.start_if_due(now).unwrap();
    assert!(next != run && bootstrap.is_running(next));
    bootstrap.goes_from(run, Some(lte().care_of.0));
    assert_eq!(bootstrap.follow_network(&[lte(), wifi()], &[wifi()], now), Some(next), "what a former run says is not heard");
}

#[test]
fn a_run_of_which_the_address_is_not_known_yet_is_abandoned_when_any_is_gone() {
    let (now, mut bootstrap) = (Instant::now(), Bootstrap::new(Instant::now()));
    let run = bootstrap.start_if_due(now + FRESH_INTERVAL).unwrap();
    assert_eq!(bootstrap.follow_network(&[], &[wifi(), lte()], now), None);
    assert_eq!(bootstrap.follow_network(&[wifi(), lte()], &[wifi()], now), Some(run));
}

#[test]
fn a_run_that_tries_the_next_addresses_goes_with_any_network_again() {
    let now = Instant::now();
    let (mut bootstrap, run) = running_from_wifi(now);
    bootstrap.goes_from(run, None);
    assert_eq!(bootstrap.follow_network(&[wifi(), lte()], &[wifi()], now), Some(run));
}

#[test]
fn a_run_from_an_address_that_is_no_care_of_address_goes_with_any_of_its_family() {
    let now = Instant::now();
    let mut bootstrap = Bootstrap::new(now);
    let run = bootstrap.start_if_due(now).unwrap();
    bootstrap.goes_from(run, "2001:db8:2::feed".parse().ok());
    assert_eq!(bootstrap.follow_network(&[wifi(), lte()], &[lte()], now), None);
    assert_eq!(bootstrap.follow_network(&[lte()], &[], now), Some(run));
}

#[test]
fn without_a_network_the_next_run_waits_for_one_and_is_tried_every_five_minutes_all_the_same() {
    let (mut rng, now) = (StdRng::seed_from_u64(5), Instant::now());
    let later = |seconds| now + Duration::from_secs(seconds);
    let (mut bootstrap, run) = running_from_wifi(now);
    assert_eq!(bootstrap.follow_network(&[wifi()], &[], now), Some(run));
    assert_eq!(bootstrap.follow_network(&[], &[], later(100)), None);
    assert_eq!((bootstrap.due(), bootstrap.start_if_due(later(299))), (Some(later(300)), None));
    bootstrap.start_if_due(later(300)).unwrap();
    assert!(bootstrap.failed(None, later(300), &mut rng) >= Duration::from_secs(240));
    bootstrap.follow_network(&[], &[lte()], later(310));
    assert!(bootstrap.start_if_due(later(310)).is_some());
}

#[test]
fn a_fresh_network_ends_a_backoff_and_starts_it_anew() {
    let (mut rng, now) = (StdRng::seed_from_u64(6), Instant::now());
    let mut bootstrap = Bootstrap::new(now);
    (0..12).for_each(|_| _ = bootstrap.failed(None, now, &mut rng));
    assert!(bootstrap.due() > Some(now + Duration::from_secs(40)));
    bootstrap.follow_network(&[wifi()], &[wifi()], now);
    assert!(bootstrap.due() > Some(now + Duration::from_secs(40)), "nothing is fresh");
    bootstrap.follow_network(&[wifi()], &[wifi(), lte()], now);
    assert!(bootstrap.start_if_due(now).is_some());
    assert!(bootstrap.failed(None, now, &mut rng) <= FIRST_BACKOFF * 6 / 5);
}

#[test]
fn a_fresh_network_ends_no_pause_that_the_hac_asked_for_nor_a_good_sa() {
    let (mut rng, now) = (StdRng::seed_from_u64(7), Instant::now());
    let mut bootstrap = Bootstrap::new(now);
    let pause = bootstrap.failed(Some(Duration::from_secs(100)), now, &mut rng);
    bootstrap.follow_network(&[], &[wifi()], now);
    assert_eq!(bootstrap.due(), Some(now + pause));
    bootstrap.renew(now);
    let run = bootstrap.start_if_due(now);
    assert_eq!(bootstrap.follow_network(&[wifi()], &[lte()], now), run, "the operator's run has lost its network");
    assert_eq!(bootstrap.due(), Some(now + pause));
    bootstrap.start_if_due(now + pause).unwrap();
    bootstrap.succeeded(now + Duration::from_secs(1000), now, &mut rng);
    let due = bootstrap.due();
    bootstrap.follow_network(&[lte()], &[wifi()], now);
    assert_eq!(bootstrap.due(), due);
}

#[test]
fn a_link_that_comes_and_goes_without_end_starts_one_run_a_second() {
    let start = Instant::now();
    for is_slow in [false, true] {
        let (mut rng, mut bootstrap) = (StdRng::seed_from_u64(8), Bootstrap::new(start));
        let mut starts = Vec::new();
        for tick in 0..1000_u32 {
            let now = start + Duration::from_millis(10) * tick;
            let (before, after) = if tick % 2 == 0 { (vec![], vec![wifi()]) } else { (vec![wifi()], vec![]) };
            bootstrap.follow_network(&before, &after, now);
            if bootstrap.start_if_due(now).is_some() {
                starts.push(tick);
                if !is_slow {
                    bootstrap.failed(None, now, &mut rng);
                }
            }
        }
        // The first two are at once: one that was due anyway, and one when its network was gone.
        let most = if is_slow { 11 } else { 14 };
        assert!((8..=most).contains(&starts.len()), "{} runs in 10 s: {starts:?}", starts.len());
    }
}

#[test]
fn a_run_from_before_a_sleep_is_begun_anew_and_one_from_after_it_goes_on() {
    let (slept, before) = (Duration::from_secs(28_800), Instant::now());
    let mut bootstrap = Bootstrap::new(before);
    let run = bootstrap.start_if_due(before);
    let now = before + slept;
    assert!(run.is_some() && bootstrap.resume(slept, now) == run);
    let after = now + Duration::from_secs(1);
    assert!(bootstrap.start_if_due(after).is_some());
    assert_eq!(bootstrap.resume(slept, after + Duration::from_millis(500)), None);
    assert!(bootstrap.running().is_some(), "what was begun when it was awake is not old");
}

#[test]
fn after_a_sleep_a_backoff_is_over_and_a_pause_that_the_hac_asked_for_is_not() {
    let (mut rng, now, slept) = (StdRng::seed_from_u64(4), Instant::now(), Duration::from_secs(5));
    for (retry_after, at_once) in [(None, true), (Some(Duration::from_secs(600)), false)] {
        let mut bootstrap = Bootstrap::new(now);
        (0..6).for_each(|_| _ = bootstrap.failed(retry_after, now, &mut rng));
        bootstrap.resume(slept, now + slept);
        assert_eq!(bootstrap.start_if_due(now + slept).is_some(), at_once);
    }
}
