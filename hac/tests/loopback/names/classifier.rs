//! Tells two classes of measurements apart, as well as it can: learns from one half of them and is judged on the other.

use std::fmt;

/// Neighbours that vote.
const NEIGHBOURS: usize = 25;
/// Bins of a histogram; each has as many of the measurements that are learnt from.
const BINS: usize = 12;

/// What was measured of one name.
#[derive(Clone, Debug)]
pub(super) struct Sample<const N: usize> {
    pub(super) features: [f64; N],
    /// Of the second class.
    pub(super) is_second: bool,
}

/// How well a classifier did on what it had not seen.
pub(super) struct Verdict {
    pub(super) classifier: String,
    /// The part of it that it told right: 0.5 is guessing.
    pub(super) accuracy: f64,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} % ({})", 100.0 * self.accuracy, self.classifier)
    }
}

/// Whether a measurement is of the second class, as a classifier says.
type Rule<const N: usize> = Box<dyn Fn(&[f64; N]) -> bool>;

/// Every classifier on every feature and on all of them together.
pub(super) fn judge<const N: usize>(names: [&str; N], samples: &[Sample<N>]) -> Vec<Verdict> {
    let (seen, unseen) = halves(samples);
    let mut rules: Vec<(String, Rule<N>)> = Vec::new();
    for (feature, name) in names.into_iter().enumerate() {
        rules.push((format!("threshold, {name}"), threshold(&seen, feature)));
        rules.push((format!("interval, {name}"), interval(&seen, feature)));
    }
    rules.push(("histograms".to_owned(), histograms(&seen)));
    rules.push(("neighbours".to_owned(), neighbours(seen)));
    let right = |rule: &Rule<N>| unseen.iter().filter(|sample| rule(&sample.features) == sample.is_second).count();
    let judged = |(classifier, rule): (String, Rule<N>)| Verdict { accuracy: share(right(&rule), unseen.len()), classifier };
    rules.into_iter().map(judged).collect()
}

/// Every other sample of each class, so that both halves have as many of the one as of the other.
fn halves<const N: usize>(samples: &[Sample<N>]) -> (Vec<Sample<N>>, Vec<Sample<N>>) {
    let (mut seen, mut unseen) = (Vec::new(), Vec::new());
    for class in [false, true] {
        for (index, sample) in samples.iter().filter(|sample| sample.is_second == class).enumerate() {
            let half = if index.is_multiple_of(2) { &mut seen } else { &mut unseen };
            half.push(sample.clone());
        }
    }
    (seen, unseen)
}

/// Above or below one value.
fn threshold<const N: usize>(seen: &[Sample<N>], feature: usize) -> Rule<N> {
    let sorted = sorted(seen, feature);
    let mut balance = 0_i32;
    let (mut best, mut limit, mut second_is_below) = (0_i32, f64::NEG_INFINITY, false);
    for (value, is_second) in sorted {
        balance += if is_second { 1 } else { -1 };
        if balance.abs() > best {
            (best, limit, second_is_below) = (balance.abs(), value, balance > 0);
        }
    }
    Box::new(move |features| (features[feature] <= limit) == second_is_below)
}

/// Between two values or not: the run of measurements in which one class is ahead of the other by most (Kadane's algorithm).
fn interval<const N: usize>(seen: &[Sample<N>], feature: usize) -> Rule<N> {
    let sorted = sorted(seen, feature);
    let (mut best, mut range, mut inside) = (0, (f64::INFINITY, f64::NEG_INFINITY), true);
    for class in [false, true] {
        let (mut lead, mut from) = (0, 0);
        for (index, (value, is_second)) in sorted.iter().enumerate() {
            if lead <= 0 {
                (lead, from) = (0, index);
            }
            lead += if *is_second == class { 1 } else { -1 };
            if lead > best {
                (best, range, inside) = (lead, (sorted[from].0, *value), class);
            }
        }
    }
    Box::new(move |features| ((range.0..=range.1).contains(&features[feature])) == inside)
}

/// Naive Bayes: how likely each feature's bin is in each class.
fn histograms<const N: usize>(seen: &[Sample<N>]) -> Rule<N> {
    let edges: [Vec<f64>; N] = std::array::from_fn(|feature| {
        let sorted = sorted(seen, feature);
        (1..BINS).map(|bin| sorted[bin * sorted.len() / BINS].0).collect()
    });
    let bin_of = move |features: &[f64; N], feature: usize| edges[feature].partition_point(|edge| *edge < features[feature]);
    let mut counts = vec![[[1.0_f64; 2]; BINS]; N];
    for sample in seen {
        for (feature, bins) in counts.iter_mut().enumerate() {
            bins[bin_of(&sample.features, feature)][usize::from(sample.is_second)] += 1.0;
        }
    }
    Box::new(move |features| {
        let evidence = |feature: usize| {
            let [first, second] = counts[feature][bin_of(features, feature)];
            (second / first).ln()
        };
        (0..N).map(evidence).sum::<f64>() > 0.0
    })
}

/// A vote of the nearest, each feature measured by its rank among what was seen.
fn neighbours<const N: usize>(seen: Vec<Sample<N>>) -> Rule<N> {
    let columns: [Vec<f64>; N] =
        std::array::from_fn(|feature| sorted(&seen, feature).into_iter().map(|(value, _)| value).collect());
    let ranks = move |features: &[f64; N]| -> [f64; N] {
        std::array::from_fn(|feature| {
            share(columns[feature].partition_point(|value| *value < features[feature]), columns[feature].len())
        })
    };
    let known: Vec<_> = seen.iter().map(|sample| (ranks(&sample.features), sample.is_second)).collect();
    Box::new(move |features| {
        let place = ranks(features);
        let distance = |other: &[f64; N]| place.iter().zip(other).map(|(one, other)| (one - other).powi(2)).sum::<f64>();
        let mut all: Vec<_> = known.iter().map(|(other, is_second)| (distance(other), *is_second)).collect();
        all.select_nth_unstable_by(NEIGHBOURS, |one, other| one.0.total_cmp(&other.0));
        2 * all[..NEIGHBOURS].iter().filter(|(_, is_second)| *is_second).count() > NEIGHBOURS
    })
}

/// One feature in rising order, each value with its class.
fn sorted<const N: usize>(samples: &[Sample<N>], feature: usize) -> Vec<(f64, bool)> {
    let mut sorted: Vec<_> = samples.iter().map(|sample| (sample.features[feature], sample.is_second)).collect();
    sorted.sort_by(|one, other| one.0.total_cmp(&other.0));
    sorted
}

#[allow(clippy::cast_precision_loss, reason = "thousands")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// Times around `mean` with a deviation of 2 %, roughly normal.
    fn times(rng: &mut StdRng, mean: f64) -> f64 {
        let spread: f64 = (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
        mean * (1.0 + 0.02 * spread)
    }

    /// The accuracy of each classifier for classes whose measurements `draw` gives.
    fn judged(draw: impl Fn(&mut StdRng, bool) -> [f64; 2]) -> Vec<Verdict> {
        let mut rng = StdRng::seed_from_u64(1);
        let mut sample = |index: usize| {
            let is_second = index.is_multiple_of(2);
            Sample { features: draw(&mut rng, is_second), is_second }
        };
        let samples: Vec<_> = (0..4000).map(&mut sample).collect();
        judge(["one", "other"], &samples)
    }

    fn accuracy(verdicts: &[Verdict], classifier: &str) -> f64 {
        verdicts.iter().find(|verdict| verdict.classifier == classifier).unwrap().accuracy
    }

    #[test]
    fn times_that_differ_by_a_tenth_are_told_apart_by_every_classifier() {
        for (first, second) in [(500.0, 550.0), (550.0, 500.0)] {
            let verdicts = judged(|rng, is_second| [(); 2].map(|()| times(rng, if is_second { second } else { first })));
            assert_eq!(verdicts.len(), 6);
            for verdict in verdicts {
                assert!(verdict.accuracy > 0.9, "{verdict}");
            }
        }
    }

    #[test]
    fn times_that_are_the_same_are_told_apart_by_none() {
        for verdict in judged(|rng, _| [times(rng, 500.0), times(rng, 100.0)]) {
            assert!((0.45..=0.55).contains(&verdict.accuracy), "{verdict}");
        }
    }

    #[test]
    fn a_class_between_two_groups_of_the_other_is_found_by_an_interval() {
        let verdicts = judged(|rng, is_second| {
            let mean = if is_second { 500.0 } else { [400.0, 600.0][usize::from(rng.random::<bool>())] };
            [times(rng, mean), 1.0]
        });
        assert!(accuracy(&verdicts, "interval, one") > 0.9 && accuracy(&verdicts, "threshold, one") < 0.8);
    }

    #[test]
    fn classes_that_differ_in_two_times_together_alone_are_found_by_neighbours() {
        let verdicts = judged(|rng, is_second| {
            let is_slow = rng.random::<bool>();
            [is_slow, is_slow != is_second].map(|slow| times(rng, if slow { 550.0 } else { 500.0 }))
        });
        assert!(accuracy(&verdicts, "neighbours") > 0.9 && accuracy(&verdicts, "histograms") < 0.6);
    }
}
