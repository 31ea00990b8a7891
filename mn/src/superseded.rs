//! Security associations before the one in use: they still open what the home agent sent before it changed over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::sa::Spi;
use protocol::tunnel::Install;

/// How long one still opens packets once the binding stands under a successor.
const GRACE: Duration = Duration::from_secs(60);
/// As many as the HAC lets a subscriber have beside the one in use.
const MOST: usize = 3;

/// SAs that are to be forgotten.
#[derive(Debug, Default)]
pub struct Superseded {
    /// Oldest first.
    old: Vec<Old>,
    /// Whether the binding stands under the SA in use, which is none of these.
    is_successor_bound: bool,
}

#[derive(Debug)]
struct Old {
    install: Arc<Install>,
    forget_at: Option<Instant>,
    /// The binding stands under it: the downlink comes under none else.
    is_bound: bool,
}

impl Superseded {
    /// `install` has a successor. When there are too many, gives the SPI of the oldest that the binding does not stand under: the HAC
    /// ends that one as well.
    pub fn push(&mut self, install: Arc<Install>) -> Option<Spi> {
        let is_bound = std::mem::take(&mut self.is_successor_bound);
        self.old.push(Old { install, forget_at: None, is_bound });
        if self.old.len() <= MOST {
            return None;
        }
        let oldest = self.old.iter().position(|old| !old.is_bound)?;
        Some(self.old.remove(oldest).install.sa.spi)
    }

    /// The one with this SPI.
    pub fn get(&self, spi: Spi) -> Option<&Arc<Install>> {
        self.old.iter().map(|old| &old.install).find(|install| install.sa.spi == spi)
    }

    /// The binding stands under the SA in use: the time of those before it is counted from now.
    pub fn successor_is_bound(&mut self, now: Instant) {
        self.is_successor_bound = true;
        for old in &mut self.old {
            old.is_bound = false;
            old.forget_at.get_or_insert(now + GRACE);
        }
    }

    /// When the next one is to be forgotten.
    pub fn due(&self) -> Option<Instant> {
        self.old.iter().filter_map(|old| old.forget_at).min()
    }

    /// One whose time is over; drained until `None`.
    pub fn forget_due(&mut self, now: Instant) -> Option<Spi> {
        let index = self.old.iter().position(|old| old.forget_at.is_some_and(|due| due <= now))?;
        Some(self.old.remove(index).install.sa.spi)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::association;

    fn old(spi: u32, now: Instant) -> Arc<Install> {
        Arc::new(Install::new(association(spi), now, 0))
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
    fn the_one_that_the_binding_stands_under_is_kept_until_it_stands_under_another() {
        let (now, mut superseded) = (Instant::now(), Superseded::default());
        superseded.successor_is_bound(now);
        let pushed: Vec<_> = (1..=5).filter_map(|spi| superseded.push(old(spi, now))).collect();
        assert_eq!(pushed, [association(2).spi, association(3).spi]);
        assert!(superseded.get(association(1).spi).is_some());
        superseded.successor_is_bound(now);
        assert_eq!(superseded.push(old(6, now)), Some(association(1).spi));
    }

    #[test]
    fn there_are_never_more_than_the_hac_allows_beside_the_one_in_use() {
        let (now, mut superseded) = (Instant::now(), Superseded::default());
        let pushed: Vec<_> = (1..=5).filter_map(|spi| superseded.push(old(spi, now))).collect();
        assert_eq!(pushed, [association(1).spi, association(2).spi]);
        assert!(superseded.get(association(2).spi).is_none() && superseded.get(association(3).spi).is_some());
    }
}
