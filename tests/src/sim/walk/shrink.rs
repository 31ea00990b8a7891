//! A walk that fails, made short: transitions are left out while it still fails.

use super::{setting, transition};

/// The shortest walk found for which `fails` still gives a reason, and that reason. `octets` must fail.
pub(super) fn shrink<R>(octets: &[u8], fails: impl Fn(&[u8]) -> Option<R>) -> Option<(Vec<u8>, R)> {
    let (mut best, mut reason) = (octets.to_vec(), fails(octets)?);
    let mut run = (best.len() - setting::OCTETS) / transition::OCTETS / 2;
    while run > 0 {
        let mut at = setting::OCTETS;
        while at + transition::OCTETS <= best.len() {
            let mut shorter = best.clone();
            shorter.drain(at..best.len().min(at + run * transition::OCTETS));
            match fails(&shorter) {
                Some(why) => (best, reason) = (shorter, why),
                None => at += run * transition::OCTETS,
            }
        }
        run /= 2;
    }
    Some((best, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_failure_needs_is_left_in_its_order() {
        let octets: Vec<u8> = (0..100).collect();
        let fails = |octets: &[u8]| (octets.contains(&20) && octets.contains(&70)).then_some("20 and 70");
        let (shortest, why) = shrink(&octets, fails).unwrap();
        assert_eq!((shortest, why), (vec![0, 1, 20, 21, 70, 71], "20 and 70"));
    }
}
