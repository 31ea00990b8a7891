//! How often Binding Updates may go to the home agent, whatever asks for them (RFC 6275 section 11.8).

use std::time::{Duration, Instant};

/// No more Binding Updates than this within [`WITHIN`] (RFC 6275 section 12).
const MAX_UPDATE_RATE: usize = 3;
const WITHIN: Duration = Duration::from_secs(1);

/// When the last Binding Updates went, oldest first.
#[derive(Debug, Default)]
pub struct UpdateRate([Option<Instant>; MAX_UPDATE_RATE]);

impl UpdateRate {
    /// When the next one may go: `now` or later.
    pub fn earliest(&self, now: Instant) -> Instant {
        let [oldest, ..] = self.0;
        oldest.map_or(now, |oldest| now.max(oldest + WITHIN))
    }

    /// One goes now.
    pub fn count(&mut self, now: Instant) {
        self.0.rotate_left(1);
        let [.., newest] = &mut self.0;
        *newest = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fourth_binding_update_waits_until_the_first_is_a_second_old() {
        let (start, mut rate) = (Instant::now(), UpdateRate::default());
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        for milliseconds in [0, 10, 200] {
            assert_eq!(rate.earliest(at(milliseconds)), at(milliseconds));
            rate.count(at(milliseconds));
        }
        assert_eq!(rate.earliest(at(250)), at(1000));
        rate.count(at(1000));
        assert_eq!((rate.earliest(at(1000)), rate.earliest(at(5000))), (at(1010), at(5000)));
    }
}
