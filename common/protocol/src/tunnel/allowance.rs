//! What may be sent to a place that has not been proved to be the node's (docs/why/path-check.md).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// An IPv6 and a UDP header before each datagram: who is flooded gets them too.
pub const HEADERS: u64 = 40 + 8;

/// How many octets may still be sent on a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowance {
    /// The node has proved that it is there.
    Unlimited,
    /// Not proved yet: so many octets, then nothing.
    Octets(Left),
}

/// Octets that are left. Copies count down together, in whatever thread they are.
#[derive(Clone, Debug)]
pub struct Left(Arc<AtomicU64>);

impl Allowance {
    /// Of so many octets.
    pub fn octets(octets: u64) -> Self {
        Self::Octets(Left(Arc::new(octets.into())))
    }

    /// How many octets are left, where they are counted.
    pub fn left(&self) -> Option<u64> {
        match self {
            Self::Unlimited => None,
            Self::Octets(left) => Some(left.get()),
        }
    }

    /// Whether a datagram of `octets` may be sent.
    pub(crate) fn has(&self, octets: usize) -> bool {
        match self {
            Self::Unlimited => true,
            Self::Octets(left) => left.get() >= on_the_wire(octets),
        }
    }

    /// Takes what a datagram of `octets` is on the wire; `false` when less is left.
    pub(crate) fn take(&self, octets: usize) -> bool {
        match self {
            Self::Unlimited => true,
            Self::Octets(Left(left)) => left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(on_the_wire(octets))).is_ok(),
        }
    }
}

fn on_the_wire(octets: usize) -> u64 {
    octets as u64 + HEADERS
}

impl Left {
    /// Whether both count down the same octets.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// How many.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl PartialEq for Left {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Eq for Left {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_in_several_threads_spend_what_one_could() {
        let allowance = Allowance::octets(65_536);
        let spend = |step: usize| {
            let allowance = allowance.clone();
            move || (0..10_000).filter(|_| allowance.take(step)).count() * (step + HEADERS as usize)
        };
        let spent: usize = std::thread::scope(|scope| {
            let threads = [100, 1_400, 333].map(|step| scope.spawn(spend(step)));
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert!(spent <= 65_536 && spent > 65_536 - 148, "{spent}");
        assert!(allowance == Allowance::octets(65_536 - spent as u64) && !allowance.has(100));
        assert!(Allowance::Unlimited.take(usize::MAX));
    }
}
