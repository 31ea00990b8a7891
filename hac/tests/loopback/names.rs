//! Whether names can be told apart by the time that the HAC takes to refuse them: subscribers (under a wrong key), names that
//! nobody has, and disabled subscribers, interleaved at random.

mod attacker;
mod classifier;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use super::process::Process;
use super::sources::connect_from;
use super::subscribers::{self, Person};
use super::*;
use attacker::{Attacker, Times};
use classifier::{Sample, Verdict, judge};

/// Names of each class: as many of two classes are what a classifier learns from, and as many what it is judged on.
const NAMES: usize = 2000;
/// Each name is tried so often in a row: what the HAC keeps of it from the first time shows then, and noise does less. Ten would have
/// it wait.
const TRIES: usize = 8;
/// Names whose connections are opened before anything is measured on them.
const BATCH: usize = 4;
/// What no classifier may reach: the deviation of guessing 2,000 times is 1.1 %.
const LIMIT: f64 = 0.55;
/// Microseconds that are seen when one class takes them longer, whatever else the machine does.
const CONTROL: f64 = 200.0;
/// Of the first try, of the second, and of all.
const FEATURES: [&str; 9] =
    ["Init", "Done", "both", "Init again", "Init again less Init", "lowest Init", "lowest Done", "lowest both", "median Init"];
/// Those that grow with the time for Init.
const OF_INIT: [usize; 6] = [0, 2, 3, 5, 7, 8];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Subscriber,
    Nobody,
    Disabled,
}

struct Measured {
    class: Class,
    features: [f64; FEATURES.len()],
}

#[tokio::test]
async fn a_wrong_key_an_unknown_name_and_a_disabled_one_cannot_be_told_apart_by_time() {
    let seed = rand::random();
    eprintln!("seed {seed}");
    let world = World::new();
    let people = people(&mut StdRng::seed_from_u64(seed));
    for (class, is_enabled) in [(Class::Subscriber, true), (Class::Disabled, false)] {
        let of_class = people.iter().filter(|(_, its)| *its == class).map(|(person, _)| person.clone());
        subscribers::add(&world, &of_class.collect::<Vec<_>>(), is_enabled);
    }
    let hac = Process::start(&world);
    let measured = measure(&world, &hac, &people).await;
    report(&measured);
    for other in [Class::Nobody, Class::Disabled] {
        let verdict = best_against_subscribers(&measured, other, 0.0);
        assert!(verdict.accuracy <= LIMIT, "{other:?}: {verdict}");
        let control = best_against_subscribers(&measured, other, CONTROL);
        assert!(control.accuracy > LIMIT, "{CONTROL} µs more are not seen: {control}");
    }
    let runs = hac.kill().iter().filter(|line| line.contains("a session ended")).count();
    assert_eq!(runs, TRIES * people.len());
}

/// Names of one form in random order.
fn people(rng: &mut StdRng) -> Vec<(Person, Class)> {
    let mut people = Vec::new();
    for class in [Class::Subscriber, Class::Nobody, Class::Disabled] {
        for _ in 0..NAMES {
            let nai = format!("{:016x}@example.org", rng.random::<u64>());
            people.push((Person { nai, key: rng.random() }, class));
        }
    }
    people.shuffle(rng);
    people
}

/// Tries every name, all tries of one in a row.
async fn measure(world: &World, hac: &Process, people: &[(Person, Class)]) -> Vec<Measured> {
    let mut attacker = Attacker::new(world, hac.mobile_nodes);
    let mut measured = Vec::new();
    for batch in people.chunks(BATCH) {
        let mut connections = Vec::new();
        for _ in 0..TRIES * batch.len() {
            connections.push(attacker.connect().await);
        }
        for (Person { nai, .. }, class) in batch {
            let mut tries = Vec::new();
            for connection in connections.drain(..TRIES) {
                tries.push(connection.run(nai).await);
            }
            measured.push(Measured { class: *class, features: features(&tries) });
        }
    }
    measured
}

fn features(tries: &[Times]) -> [f64; FEATURES.len()] {
    let both = |times: &Times| times.init + times.done;
    let ranked = |time: fn(&Times) -> f64, rank: usize| {
        let mut all: Vec<_> = tries.iter().map(time).collect();
        *all.select_nth_unstable_by(rank, f64::total_cmp).1
    };
    let (first, again) = (tries[0], tries[1]);
    let lowest = [ranked(|times| times.init, 0), ranked(|times| times.done, 0), ranked(|times| times.init + times.done, 0)];
    let median = ranked(|times| times.init, TRIES / 2);
    [first.init, first.done, both(&first), again.init, again.init - first.init, lowest[0], lowest[1], lowest[2], median]
}

/// The best classifier between subscribers and another class, for each of whose Init `added` microseconds more were measured.
fn best_against_subscribers(measured: &[Measured], other: Class, added: f64) -> Verdict {
    let of_both = measured.iter().filter(|measured| [Class::Subscriber, other].contains(&measured.class));
    let samples: Vec<_> = of_both
        .map(|Measured { class, features }| {
            let (is_second, mut features) = (*class == other, *features);
            if is_second {
                OF_INIT.into_iter().for_each(|feature| features[feature] += added);
            }
            Sample { features, is_second }
        })
        .collect();
    judge(FEATURES, &samples).into_iter().max_by(|one, other| one.accuracy.total_cmp(&other.accuracy)).unwrap()
}

/// The medians, and how small a difference would have been seen.
fn report(measured: &[Measured]) {
    for class in [Class::Subscriber, Class::Nobody, Class::Disabled] {
        let of_class = || measured.iter().filter(|measured| measured.class == class);
        let median = |feature: usize| {
            let mut all: Vec<_> = of_class().map(|measured| measured.features[feature]).collect();
            *all.select_nth_unstable_by(NAMES / 2, f64::total_cmp).1
        };
        let medians: Vec<_> =
            (0..FEATURES.len()).map(|feature| format!("{} {:.1}", FEATURES[feature], median(feature))).collect();
        eprintln!("{class:?}: medians in µs: {}", medians.join(", "));
    }
    for other in [Class::Nobody, Class::Disabled] {
        for added in [0.0, 2.0, 5.0, 10.0, CONTROL] {
            let verdict = best_against_subscribers(measured, other, added);
            eprintln!("Subscriber against {other:?}, {added} µs more for the latter: {verdict}");
        }
    }
}
