//! Places for connections: so many in all, and of those whose node is not known yet so many in all and of one source, so that whoever
//! opens connections and says nothing keeps nobody out for long.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use service::source::Source;

/// Connections at a time without an accepted Binding Update. Each ends after [`super::HANDSHAKE`] and
/// [`super::FIRST_BINDING_UPDATE`] at the latest, so that more than 18 newcomers a second have to say nothing to fill them.
pub const MAX_PENDING: usize = 128;
/// Of one source: an eighth. A node needs a handshake and one round trip, so these are dozens of nodes a second behind one NAT.
pub const MAX_PENDING_OF_SOURCE: usize = 16;

/// All places.
#[derive(Clone, Debug)]
pub(super) struct Places {
    most: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    pending: usize,
    by_source: HashMap<Source, usize>,
}

/// The place of a connection, given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    taken: Arc<Mutex<Taken>>,
    pending: Option<Source>,
}

impl Places {
    /// `most` at a time.
    pub(super) fn new(most: usize) -> Self {
        Self { most, taken: Arc::default() }
    }

    /// A place for a connection from `from`, if there is one.
    pub(super) fn take(&self, from: IpAddr) -> Option<Place> {
        let source = Source::of(from);
        let mut taken = lock(&self.taken);
        let of_source = taken.by_source.get(&source).copied().unwrap_or_default();
        if taken.all >= self.most || taken.pending >= MAX_PENDING || of_source >= MAX_PENDING_OF_SOURCE {
            return None;
        }
        taken.all += 1;
        taken.pending += 1;
        taken.by_source.insert(source, of_source + 1);
        Some(Place { taken: Arc::clone(&self.taken), pending: Some(source) })
    }
}

impl Place {
    /// Its node is known: it counts for its source no more.
    pub(super) fn is_bound(&mut self) {
        if let Some(source) = self.pending.take() {
            lock(&self.taken).known(source);
        }
    }
}

impl Taken {
    fn known(&mut self, source: Source) {
        self.pending = self.pending.saturating_sub(1);
        if let Some(count) = self.by_source.get_mut(&source) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_source.remove(&source);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.is_bound();
        let mut taken = lock(&self.taken);
        taken.all = taken.all.saturating_sub(1);
    }
}

fn lock(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_source_has_its_share_until_its_nodes_are_known() {
        let places = Places::new(1000);
        let mut taken: Vec<_> = std::iter::from_fn(|| places.take(ip("2001:db8::1"))).collect();
        assert_eq!(taken.len(), MAX_PENDING_OF_SOURCE);
        assert!(places.take(ip("2001:db8::ffff:2")).is_none(), "the same /64");
        assert!(places.take(ip("2001:db8:0:1::1")).is_some() && places.take(ip("::ffff:192.0.2.1")).is_some());
        taken[0].is_bound();
        taken.pop();
        taken.extend(std::iter::from_fn(|| places.take(ip("2001:db8::1"))));
        assert_eq!(taken.len(), MAX_PENDING_OF_SOURCE + 1);
    }

    #[test]
    fn all_sources_together_have_a_share_and_all_connections_a_bound() {
        let places = Places::new(MAX_PENDING + 2);
        let from = |number: usize| ip(&format!("192.0.2.{number}"));
        let mut taken: Vec<_> = (0..200).filter_map(|number| places.take(from(number))).collect();
        assert_eq!(taken.len(), MAX_PENDING);
        taken.iter_mut().for_each(Place::is_bound);
        taken.extend((0..200).filter_map(|number| places.take(from(number))));
        assert_eq!(taken.len(), MAX_PENDING + 2);
    }

    #[test]
    fn what_is_given_back_leaves_no_trace() {
        let places = Places::new(10);
        for _ in 0..100 {
            let mut place = places.take(ip("192.0.2.1")).unwrap();
            place.is_bound();
            place.is_bound();
            drop((place, places.take(ip("192.0.2.2"))));
        }
        let taken = lock(&places.taken);
        assert!(taken.by_source.is_empty() && (taken.all, taken.pending) == (0, 0), "{taken:?}");
    }
}
