//! Places for mobile nodes' connections: so many in all, and so many of one source, that whoever opens connections and says nothing
//! does not keep the others out.
//!
//! `server` waits for a free place before it accepts, and asks for the source's share before TLS. The table has an entry for each
//! source with an open connection, so it is bounded by the places.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use service::source::Source;

/// Connections at a time. Each costs a file descriptor and, while a message comes in, up to 64 KiB.
pub const MAX_SESSIONS: usize = 512;
/// Connections of one source at a time: an eighth. A run of MHAuth takes well under a second, so this is hundreds of mobile nodes a
/// second behind one NAT, while a source that says nothing holds its places for 10 s and more.
pub const MAX_OF_SOURCE: usize = 64;
/// Refusals are warned of at most so often, all sources together.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// All places.
#[derive(Clone)]
pub struct Places {
    free: Arc<Semaphore>,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    by_source: HashMap<Source, usize>,
    warned: Option<Instant>,
    refused_since: u64,
}

/// A place that is free for whoever connects next.
pub struct Free(OwnedSemaphorePermit);

/// The place of an open connection, given back when dropped.
pub struct Place {
    source: Source,
    taken: Arc<Mutex<Taken>>,
    _permit: OwnedSemaphorePermit,
}

impl Default for Places {
    fn default() -> Self {
        Self { free: Arc::new(Semaphore::new(MAX_SESSIONS)), taken: Arc::default() }
    }
}

impl Places {
    /// Waits until there is a free place.
    pub async fn free(&self) -> Option<Free> {
        Arc::clone(&self.free).acquire_owned().await.ok().map(Free)
    }

    /// Gives the place to a connection from `from`; `None` where its source has its share.
    pub fn take(&self, free: Free, from: IpAddr) -> Option<Place> {
        let source = Source::of(from);
        let mut taken = lock(&self.taken);
        let count = taken.by_source.entry(source).or_default();
        if *count >= MAX_OF_SOURCE {
            taken.refuse(from, Instant::now());
            return None;
        }
        *count += 1;
        Some(Place { source, taken: Arc::clone(&self.taken), _permit: free.0 })
    }

    /// Waits until every place has been given back.
    pub async fn all_free(&self) {
        let everyone = u32::try_from(MAX_SESSIONS).unwrap_or(u32::MAX);
        // It fails only where the semaphore is closed, which nobody does.
        let _all = self.free.acquire_many(everyone).await;
    }
}

impl Taken {
    fn refuse(&mut self, source: IpAddr, now: Instant) {
        tracing::debug!(%source, "a connection was refused: its source has its share of places");
        self.refused_since += 1;
        if self.warned.is_none_or(|warned| now.saturating_duration_since(warned) >= WARNING_INTERVAL) {
            let refused = std::mem::take(&mut self.refused_since);
            self.warned = Some(now);
            tracing::warn!(
                %source,
                refused,
                "connections were refused, since a source has {MAX_OF_SOURCE} open ones: does it open them and say nothing?"
            );
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        if let Some(count) = taken.by_source.get_mut(&self.source) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                taken.by_source.remove(&self.source);
            }
        }
    }
}

fn lock(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn take(places: &Places, from: &str) -> Option<Place> {
        let free = places.free().await.unwrap();
        places.take(free, from.parse().unwrap())
    }

    #[tokio::test]
    async fn a_source_has_its_share_and_no_more_until_it_gives_one_back() {
        let places = Places::default();
        let mut of_one = Vec::new();
        for host in 0..MAX_OF_SOURCE {
            of_one.push(take(&places, &format!("2001:db8::{host:x}")).await.unwrap());
        }
        assert!(take(&places, "2001:db8::ffff:1").await.is_none(), "the same /64");
        assert!(take(&places, "2001:db8:0:1::1").await.is_some(), "another");
        assert!(take(&places, "198.51.100.1").await.is_some() && take(&places, "198.51.100.2").await.is_some());
        of_one.pop();
        assert!(take(&places, "2001:db8::ffff:1").await.is_some());
    }

    #[tokio::test]
    async fn what_is_given_back_leaves_no_trace_and_a_refusal_takes_no_place() {
        let places = Places::default();
        let mut open = Vec::new();
        for source in 0..MAX_SESSIONS {
            open.extend(take(&places, &format!("192.0.{}.{}", source / 256, source % 256)).await);
        }
        assert_eq!(
            (open.len(), lock(&places.taken).by_source.len(), places.free.available_permits()),
            (MAX_SESSIONS, MAX_SESSIONS, 0)
        );
        open.clear();
        assert!(lock(&places.taken).by_source.is_empty());
        for _ in 0..2 * MAX_OF_SOURCE {
            open.extend(take(&places, "192.0.2.1").await);
        }
        assert_eq!((open.len(), places.free.available_permits()), (MAX_OF_SOURCE, MAX_SESSIONS - MAX_OF_SOURCE));
        open.clear();
        tokio::time::timeout(Duration::from_secs(1), places.all_free()).await.unwrap();
    }

    #[test]
    fn refusals_are_warned_of_once_a_minute_with_their_number() {
        let (mut taken, start) = (Taken::default(), Instant::now());
        let (_, lines) = fixture::logged(|| {
            for second in 0..=120 {
                taken.refuse(IpAddr::from([192, 0, 2, second]), start + Duration::from_secs(second.into()));
            }
        });
        let refused: Vec<_> = lines.iter().map(|line| line.split("refused=").nth(1).unwrap()).collect();
        assert_eq!(refused, ["1", "60", "60"], "{lines:?}");
        assert!(lines.iter().all(|line| line.starts_with("WARN")), "{lines:?}");
    }
}
