//! A link: how long a datagram takes and whether it arrives, drawn from the caller's randomness. In virtual time it is an access
//! network of the simulated world, in real time what the lab's emulator does.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;

/// TCP's first retransmission timeout where round trips are short (RFC 6298 allows 1 s; kernels take 200 ms at least).
const FIRST_TIMEOUT: Duration = Duration::from_millis(200);

/// Both directions alike.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// One way, at least.
    pub delay: Duration,
    /// Up to so much longer, another time for each datagram: those that follow closely overtake each other.
    pub jitter: Duration,
    /// The share of datagrams that never arrive, from 0 to 1.
    pub loss: f64,
    /// The share of datagrams that arrive twice, from 0 to 1.
    pub duplication: f64,
}

impl Link {
    /// Nothing is lost, doubled or overtaken.
    pub fn calm(delay: Duration) -> Self {
        Self { delay, jitter: Duration::ZERO, loss: 0.0, duplication: 0.0 }
    }

    /// How long each copy of one datagram takes: none that is lost, two of one that is doubled.
    pub fn transits(&self, rng: &mut StdRng) -> Vec<Duration> {
        let copies = if rng.random_bool(self.duplication) { 2 } else { 1 };
        let copies = if rng.random_bool(self.loss) { 0 } else { copies };
        (0..copies).map(|_| self.transit(rng)).collect()
    }

    /// How long something takes that TCP sends, until it has got through.
    pub fn reliable_transit(&self, rng: &mut StdRng) -> Duration {
        let (mut took, mut timeout) = (Duration::ZERO, FIRST_TIMEOUT);
        // A link that loses everything is asked for some minutes.
        while timeout < FIRST_TIMEOUT * 1024 && rng.random_bool(self.loss) {
            took += timeout;
            timeout *= 2;
        }
        took + self.transit(rng)
    }

    fn transit(&self, rng: &mut StdRng) -> Duration {
        self.delay + self.jitter.mul_f64(rng.random_range(0.0..1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    const DELAY: Duration = Duration::from_millis(20);

    #[test]
    fn a_share_is_lost_a_share_doubled_and_delays_lie_between_their_bounds() {
        let link = Link { delay: DELAY, jitter: DELAY / 2, loss: 0.2, duplication: 0.1 };
        let mut rng = StdRng::seed_from_u64(1);
        let transits: Vec<_> = (0..10_000).map(|_| link.transits(&mut rng)).collect();
        let count = |copies| transits.iter().filter(|arrivals| arrivals.len() == copies).count();
        assert!((1_900..2_100).contains(&count(0)), "{} lost", count(0));
        assert!((700..900).contains(&count(2)), "{} doubled: a tenth of what is not lost", count(2));
        let (shortest, longest) = (transits.iter().flatten().min().unwrap(), transits.iter().flatten().max().unwrap());
        assert!(*shortest < DELAY * 21 / 20 && *shortest >= DELAY && *longest > DELAY * 29 / 20 && *longest <= DELAY * 3 / 2);
    }

    #[test]
    fn a_calm_link_takes_its_delay_and_tcp_pays_for_losses_with_time() {
        let mut rng = StdRng::seed_from_u64(1);
        assert_eq!(Link::calm(DELAY).transits(&mut rng), [DELAY]);
        assert_eq!(Link::calm(DELAY).reliable_transit(&mut rng), DELAY);
        let bad = Link { loss: 0.5, ..Link::calm(DELAY) };
        let took: Vec<_> = (0..100).map(|_| bad.reliable_transit(&mut rng)).collect();
        assert!(took.contains(&DELAY) && took.contains(&(DELAY + FIRST_TIMEOUT)) && took.contains(&(DELAY + FIRST_TIMEOUT * 3)));
    }
}
