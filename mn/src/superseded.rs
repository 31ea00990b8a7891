//! Security associations before the one in use: they still open what the home agent sent before it changed over.

use std::time::{Duration, Instant};

use protocol::sa::Spi;

/// How long they still open packets once the binding stands under their successor.
const GRACE: Duration = Duration::from_secs(60);
/// As many as the HAC lets a subscriber have beside the one in use.
const MOST: usize = 3;

/// SPIs that are to be forgotten.
#[derive(Debug, Default)]
pub struct Superseded {
    spis: Vec<Spi>,
    forget_at: Option<Instant>,
}

impl Superseded {
    /// `spi` has a successor. Gives the oldest one when there are too many.
    pub fn push(&mut self, spi: Spi) -> Option<Spi> {
        self.spis.push(spi);
        (self.spis.len() > MOST).then(|| self.spis.remove(0))
    }

    /// The binding stands under the SA in use: the time of the others is counted from now.
    pub fn successor_is_bound(&mut self, now: Instant) {
        if !self.spis.is_empty() {
            self.forget_at.get_or_insert(now + GRACE);
        }
    }

    /// When they are to be forgotten.
    pub fn due(&self) -> Option<Instant> {
        self.forget_at
    }

    /// Those whose time is over.
    pub fn forget_due(&mut self, now: Instant) -> Vec<Spi> {
        match self.forget_at.take_if(|due| *due <= now) {
            Some(_) => std::mem::take(&mut self.spis),
            None => Vec::new(),
        }
    }
}
