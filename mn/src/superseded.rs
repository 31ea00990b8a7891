//! Security associations before the one in use: they still open what the home agent sent before it changed over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::sa::Spi;
use protocol::tunnel::Install;

/// How long one still opens packets once the binding stands under a successor.
const GRACE: Duration = Duration::from_secs(60);
/// As many as the HAC lets a subscriber have beside the one in use.
const MOST: usize = 3;

/// SAs that are to be forgotten, oldest first.
#[derive(Debug, Default)]
pub struct Superseded(Vec<Old>);

#[derive(Debug)]
struct Old {
    install: Arc<Install>,
    forget_at: Option<Instant>,
}

impl Superseded {
    /// `install` has a successor. Gives the oldest one's SPI when there are too many.
    pub fn push(&mut self, install: Arc<Install>) -> Option<Spi> {
        self.0.push(Old { install, forget_at: None });
        (self.0.len() > MOST).then(|| self.0.remove(0).install.sa.spi)
    }

    /// The one with this SPI.
    pub fn get(&self, spi: Spi) -> Option<&Arc<Install>> {
        self.0.iter().map(|old| &old.install).find(|install| install.sa.spi == spi)
    }

    /// The binding stands under the SA in use: the time of those before it is counted from now.
    pub fn successor_is_bound(&mut self, now: Instant) {
        for old in &mut self.0 {
            old.forget_at.get_or_insert(now + GRACE);
        }
    }

    /// When the next one is to be forgotten.
    pub fn due(&self) -> Option<Instant> {
        self.0.iter().filter_map(|old| old.forget_at).min()
    }

    /// One whose time is over; drained until `None`.
    pub fn forget_due(&mut self, now: Instant) -> Option<Spi> {
        let index = self.0.iter().position(|old| old.forget_at.is_some_and(|due| due <= now))?;
        Some(self.0.remove(index).install.sa.spi)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::association;

    fn old(spi: u32, now: Instant) -> Arc<Install> {
        Arc::new(Install { sa: association(spi), valid_until: now, lease: 0 })
    }

    #[test]
    fn the_time_of_each_is_counted_from_the_binding_under_its_own_successor() {
        let (start, mut superseded) = (Instant::now(), Superseded::default());
        superseded.push(old(1, start));
        superseded.successor_is_bound(start);
        superseded.push(old(2, start));
        assert_eq!(superseded.due(), Some(start + GRACE));
        assert_eq!(superseded.forget_due(start + GRACE), Some(association(1).spi));
        assert_eq!((superseded.forget_due(start + GRACE * 9), superseded.due()), (None, None), "the downlink may still use it");
        superseded.successor_is_bound(start + GRACE);
        assert_eq!(superseded.forget_due(start + GRACE * 2), Some(association(2).spi));
    }

    #[test]
    fn there_are_never_more_than_the_hac_allows_beside_the_one_in_use() {
        let (now, mut superseded) = (Instant::now(), Superseded::default());
        let pushed: Vec<_> = (1..=5).filter_map(|spi| superseded.push(old(spi, now))).collect();
        assert_eq!(pushed, [association(1).spi, association(2).spi]);
        assert!(superseded.get(association(2).spi).is_none() && superseded.get(association(3).spi).is_some());
    }
}
