//! How sessions ended, for `hac status`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use protocol::mhauth::Status;

/// Counts since the start.
#[derive(Debug, Default)]
pub struct Results {
    by_status: [AtomicU64; Status::ALL.len()],
    broken: AtomicU64,
    refused: AtomicU64,
    open: AtomicU64,
}

impl Results {
    /// A session has begun; it is open until the value is dropped.
    pub fn open(&self) -> Open<'_> {
        self.open.fetch_add(1, Ordering::Relaxed);
        Open(self)
    }

    /// A session ended with a final response.
    pub fn count(&self, status: Status) {
        let place = Status::ALL.iter().position(|other| *other == status);
        if let Some(count) = place.and_then(|place| self.by_status.get(place)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A session ended without one: handshake, time-out, connection.
    pub fn count_broken(&self) {
        self.broken.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection was closed before it became a session, since its source has its share of them.
    pub fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// By name: status codes, `broken`, `open`, `refused`.
    pub fn snapshot(&self) -> BTreeMap<String, u64> {
        let by_status = Status::ALL.iter().zip(&self.by_status);
        let mut all: BTreeMap<_, _> =
            by_status.map(|(status, count)| (status.code().to_string(), count.load(Ordering::Relaxed))).collect();
        all.insert("broken".to_owned(), self.broken.load(Ordering::Relaxed));
        all.insert("refused".to_owned(), self.refused.load(Ordering::Relaxed));
        all.insert("open".to_owned(), self.open.load(Ordering::Relaxed));
        all
    }
}

/// A running session.
#[derive(Debug)]
pub struct Open<'a>(&'a Results);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_counted_by_status_and_while_they_are_open() {
        let results = Results::default();
        let open = results.open();
        results.count(Status::Ok);
        results.count(Status::Ok);
        results.count(Status::NotAuthenticated);
        results.count_broken();
        (0..3).for_each(|_| results.count_refused());
        let counted = results.snapshot();
        assert_eq!((counted["200"], counted["401"], counted["503"]), (2, 1, 0));
        assert_eq!((counted["broken"], counted["refused"], counted["open"]), (1, 3, 1));
        drop(open);
        assert_eq!(results.snapshot()["open"], 0);
    }
}
